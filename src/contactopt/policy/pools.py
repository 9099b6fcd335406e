"""Which pool an action draws on, and how much of it: the first pool of the strategy that serves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from contactopt.config import PoolConfig
from contactopt.contracts import ActionSpace

__all__ = ["assign_pools"]


def assign_pools(
    pools: Mapping[str, PoolConfig],
    actions: ActionSpace,
    *,
    language: npt.NDArray[np.object_],
    jurisdiction: npt.NDArray[np.object_],
    creditor: npt.NDArray[np.object_],
    cost: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int16], tuple[str, ...], npt.NDArray[np.float32]]:
    """Give each (customer, action) its pool and the units it takes there.

    Parameters
    ----------
    pools : mapping of str to PoolConfig
        In the strategy's order; the first that serves is taken, else the channel is the pool.
    actions : ActionSpace
    language, jurisdiction : object array, shape (n,)
        BCP 47 tag and ISO 3166 code of each customer; None where unknown.
    creditor : object array, shape (n, m)
        Creditor of the debt that the action names; None where the action is blocked.
    cost : float array, shape (n, m)
        Usage of pools whose unit is money.

    Returns
    -------
    index : int16 array, shape (n, m)
    names : tuple of str
    usage : float32 array, shape (n, m)
    """
    names = (*pools, *(c for c in actions.channels if c not in pools))
    position = {name: k for k, name in enumerate(names)}
    own = np.array([position[a.channel] for a in actions], dtype=np.int16)
    index = np.broadcast_to(own, (len(language), len(actions))).copy()
    usage = np.ones(index.shape, dtype=np.float32)
    for name, pool in reversed(list(pools.items())):
        serves = _served(pool, actions, language, jurisdiction, creditor)
        index[serves] = position[name]
        if pool.unit == "minutes":
            usage[serves] = pool.handling_minutes_per_contact
        else:
            usage[serves] = cost[serves] if pool.unit == "money" else 1.0
    return index, names, usage


def _served(pool: PoolConfig, actions, language, jurisdiction, creditor) -> npt.NDArray[np.bool_]:
    who = pool.serves
    columns = np.array([not who.channels or a.channel in who.channels for a in actions], dtype=bool)
    rows = np.ones(len(language), dtype=bool)
    if who.languages:
        rows &= np.array([_tag_matches(v, who.languages) for v in language], dtype=bool)
    if who.jurisdictions:
        rows &= np.array([_area_matches(v, who.jurisdictions) for v in jurisdiction], dtype=bool)
    served = rows[:, None] & columns[None, :]
    if who.creditors:
        served &= np.isin(creditor, list(who.creditors))
    return served


def _tag_matches(tag: object, wanted: tuple[str, ...]) -> bool:
    """Match a language tag on itself or on its primary part (`en` serves `en-US`)."""
    return isinstance(tag, str) and (tag in wanted or tag.split("-")[0] in wanted)


def _area_matches(code: object, wanted: tuple[str, ...]) -> bool:
    """Match a jurisdiction on itself or on its country (`US` serves `US-TX`)."""
    return isinstance(code, str) and (code in wanted or code.split("-")[0] in wanted)
