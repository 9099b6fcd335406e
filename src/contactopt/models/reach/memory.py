"""How long attempts are remembered: long while habits hold, shorter once newer attempts say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import Action, ActionSpace
from contactopt.models.learners.splits import group_hash
from contactopt.models.reach.model import ReachModel

__all__ = ["Memory", "choose_half_life"]

Floats = npt.NDArray[np.float64]

#: half lives compared, the longest first: it stays unless a shorter one is shown to do better
_HALF_LIVES = (180.0, 45.0, 15.0, 5.0)
#: newest days that the older attempts have to foretell
_TEST_DAYS = 5.0
_MAX_CUSTOMERS = 1_000
#: results that can be told, among the newest and before them, below which nothing is compared
_LEAST_ROWS = 300
#: standard errors by which a shorter memory must be better
_SHOWN = 2.0


@dataclass(frozen=True)
class Memory:
    """The half life chosen, and what it was chosen by.

    Parameters
    ----------
    half_life_days : float
    log_loss : dict of str to float
        Of the newest attempts by half life; empty where there were too few to compare.
    """

    half_life_days: float
    log_loss: dict[str, float] = field(default_factory=dict)


def choose_half_life(
    attempts: pd.DataFrame,
    *,
    like: dict[str, str] | None = None,
    half_lives: Sequence[float] = _HALF_LIVES,
) -> Memory:
    """Let older attempts foretell the newest, with memories of different length.

    Parameters
    ----------
    attempts : DataFrame
        As `attempt_history` gives them.
    like : dict of str to str, optional
    half_lives : sequence of float
        Days, the one to keep without evidence first.

    Returns
    -------
    Memory
        The first, unless another has a smaller log-loss on the attempts of the last five days by
        more than two standard errors (clustered by customer). Too few results: the first.
    """
    some = _sample(attempts)
    told = some["reached"].notna().to_numpy()
    new = (some["age_days"] <= _TEST_DAYS).to_numpy()
    test = some[told & new]
    train = some[~new].assign(age_days=lambda rows: rows["age_days"] - _TEST_DAYS)
    if len(test) < _LEAST_ROWS or int((told & ~new).sum()) < _LEAST_ROWS:
        return Memory(float(half_lives[0]))
    losses = [_losses(train, test, days, like) for days in half_lives]
    best, chosen = losses[0], float(half_lives[0])
    for days, loss in zip(half_lives[1:], losses[1:], strict=True):
        if _better(best - loss, test["customer"].to_numpy()):
            best, chosen = loss, float(days)
    means = {f"{d:g}": float(loss.mean()) for d, loss in zip(half_lives, losses, strict=True)}
    return Memory(chosen, means)


def _sample(attempts: pd.DataFrame) -> pd.DataFrame:
    """Keep whole customers by a hash of their id."""
    customer = attempts["customer"]
    if customer.nunique() <= _MAX_CUSTOMERS:
        return attempts
    ids = np.sort(customer.unique())
    rank = group_hash(ids, random_state=0)
    return attempts[customer.isin(ids[np.argsort(rank, kind="stable")[:_MAX_CUSTOMERS]]).to_numpy()]


def _losses(
    train: pd.DataFrame, test: pd.DataFrame, half_life: float, like: dict[str, str] | None
) -> Floats:
    """Return the log-loss of each newest attempt."""
    model = ReachModel(half_life_days=half_life, like=like).fit(train)
    hour = test["local_hour"].to_numpy(dtype=np.float64)
    arms = pd.DataFrame({"channel": test["channel"].astype(object).to_numpy(), "hour": hour})
    met = arms.drop_duplicates().sort_values(["channel", "hour"])
    space = ActionSpace(
        Action(str(c), None if np.isnan(h) else int(h))
        for c, h in zip(met["channel"], met["hour"], strict=True)
    )
    at = {(a.channel, a.slot_local_hour): k for k, a in enumerate(space)}
    column = [
        at[str(c), None if np.isnan(h) else int(h)]
        for c, h in zip(arms["channel"], arms["hour"], strict=True)
    ]
    ids, row = np.unique(test["customer"].to_numpy(), return_inverse=True)
    p = model.predict(ids, space, history=train).probability[row, column]
    p = np.clip(p, 1e-6, 1 - 1e-6)
    reached = test["reached"].to_numpy(dtype=np.float64)
    return -(reached * np.log(p) + (1 - reached) * np.log(1 - p))


def _better(gain: Floats, customer: npt.NDArray[np.int64]) -> bool:
    """Whether a gain per attempt is shown, with errors that hang together by customer."""
    total = pd.Series(gain - gain.mean()).groupby(customer).sum()
    error = float(np.sqrt((total**2).sum())) / len(gain)
    return bool(gain.mean() > _SHOWN * error)
