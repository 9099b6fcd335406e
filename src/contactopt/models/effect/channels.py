"""The strategy's effect per channel: what reaching adds, in logits, shrunken to a prior."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ConfigError, ContractError
from contactopt.models.effect.contrast import Contrast, drawn_contrast
from contactopt.models.effect.g_estimation import SEQUENCE_COLUMNS, lone_contacts
from contactopt.models.effect.priors import EFFECT_PRIOR, POOLED_SD
from contactopt.models.reach.attempts import need

__all__ = [
    "ChannelEffects",
    "channel_effects",
    "channel_positions",
    "decision_sequence",
    "stable_propensity",
    "usable_decisions",
]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)
_COLUMNS = ["channel", "propensity", "paid", "p_wait", "reach", "customer"]


@dataclass(frozen=True)
class ChannelEffects:
    """Posterior effect per channel, and the contrast it rests on."""

    effect: Floats
    covariance: Floats
    found: Contrast


def usable_decisions(decisions: pd.DataFrame | None, channels: dict[str, str]) -> pd.DataFrame:
    """Return the decisions that say something, sorted by content; the index is their position.

    Raises
    ------
    ContractError
        If a column is missing, a propensity is not in (0, 1], or a channel is unknown.
    """
    if decisions is None:
        return pd.DataFrame(columns=_COLUMNS)
    need(decisions, tuple(_COLUMNS), "EffectModel")
    rows = decisions.reset_index(drop=True)
    if "holdout" in rows:
        rows = rows[~rows["holdout"].fillna(False).astype(bool)]
    columns = [*_COLUMNS, *(["hour"] if "hour" in rows else [])]
    rows = rows[columns].sort_values(columns, kind="stable")
    waits = rows["channel"] == WAIT
    wrong = sorted(set(rows.loc[~waits, "channel"].dropna()) - set(channels))
    if wrong:
        raise ContractError(
            f"EffectModel does not know the channels {', '.join(map(str, wrong[:5]))}",
            hint="name what they are like: EffectModel(like={'rcs': 'sms'})",
        )
    told = rows[["propensity", "paid", "p_wait"]].notna().all(axis=1)
    rows = rows[told & rows["channel"].notna() & (waits | rows["reach"].notna())]
    propensity = rows["propensity"].to_numpy(dtype=np.float64)
    bad = int(((propensity <= 0) | (propensity > 1)).sum())
    if bad:
        raise ContractError(
            f"{bad} decisions have a propensity outside (0, 1]",
            hint="log the probability with which the drawn action was drawn",
        )
    return rows


def decision_sequence(decisions: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return all decisions sorted by customer and time; None where they do not tell when.

    Rows without a propensity or a closed window stay: others are followed by their contacts.
    """
    if decisions is None or not set(SEQUENCE_COLUMNS) <= set(decisions.columns):
        return None
    rows = decisions.reset_index(drop=True)
    if "holdout" in rows:
        rows = rows[~rows["holdout"].fillna(False).astype(bool)]
    known = [c for c in (*_COLUMNS, "hour", "horizon_days", *SEQUENCE_COLUMNS) if c in rows]
    first = ["customer", "decided_day"]
    return rows[known].sort_values([*first, *(c for c in known if c not in first)], kind="stable")


def _inverse_propensity(rows: pd.DataFrame) -> Floats:
    """Return stabilised weights, shape (n,): 0 where nothing else could have been drawn."""
    weight = np.zeros(len(rows))
    propensity = rows["propensity"].to_numpy(dtype=np.float64)
    drawn = np.flatnonzero((propensity > 0) & (propensity < 1))
    weight[drawn] = 1.0 / stable_propensity(rows.iloc[drawn])
    return weight


def stable_propensity(rows: pd.DataFrame) -> Floats:
    """Return the propensity over the hour's share of its channel, shape (n,).

    The weights that this gives are stabilised (Robins, Hernán and Brumback, Epidemiology 2000): a
    policy that called nearly everybody at ten does not leave a handful of huge weights, and what
    is estimated is the effect at the hours that were used.
    """
    propensity = rows["propensity"].to_numpy(dtype=np.float64)
    if "hour" not in rows or len(rows) == 0:
        return propensity
    channel = pd.factorize(rows["channel"])[0]
    hour = rows["hour"].fillna(-1.0).to_numpy(dtype=np.float64).astype(np.int64) + 1
    pair = np.unique(channel * 32 + hour, return_inverse=True)[1].ravel()
    share = np.bincount(pair)[pair] / np.bincount(channel)[channel]
    return propensity / share


def channel_effects(
    rows: pd.DataFrame,
    channels: dict[str, str],
    *,
    sequence: pd.DataFrame | None = None,
    largest_weight: float,
    shift_sd: float,
) -> ChannelEffects:
    """Combine the contrast of drawn actions with the prior per channel and a shared factor.

    Parameters
    ----------
    rows : DataFrame
        From `usable_decisions`.
    channels : dict of str to str
    sequence : DataFrame, optional
        From `decision_sequence`: effects are then those of a contact that no other follows.
        Without it they are those of one step: this contact, and whatever came after.
    largest_weight, shift_sd : float
    """
    prior = np.array([EFFECT_PRIOR[r] for r in channels.values()])
    mean = prior[:, 0]
    shared = POOLED_SD * mean
    precision = np.linalg.inv(np.diag(prior[:, 1] ** 2) + np.outer(shared, shared))
    found = drawn_contrast(
        p_wait=rows["p_wait"].to_numpy(dtype=np.float64),
        y=rows["paid"].to_numpy(dtype=np.float64),
        reach=np.nan_to_num(rows["reach"].to_numpy(dtype=np.float64)),
        arm=pd.Index(list(channels)).get_indexer(pd.Index(rows["channel"])),
        propensity=stable_propensity(rows),
        cluster=pd.factorize(rows["customer"])[0],
        start=mean,
        largest_weight=largest_weight,
        shift_sd=shift_sd,
    )
    if sequence is not None:
        lone = lone_contacts(
            sequence,
            channels,
            weight=_inverse_propensity(sequence),
            start=mean,
            largest_weight=largest_weight,
        )
        found = replace(found, effect=lone.effect, covariance=lone.covariance)
    known = ~np.isnan(found.effect)
    if not known.any():
        _log.warning("no usable decisions with propensities: effects are priors")
        return ChannelEffects(
            mean.copy(), np.asarray(np.linalg.inv(precision), dtype=np.float64), found
        )
    evidence = np.zeros_like(precision)
    block = found.covariance[np.ix_(known, known)] + 1e-10 * np.eye(int(known.sum()))
    evidence[np.ix_(known, known)] = np.linalg.inv(block)
    covariance = np.asarray(np.linalg.inv(precision + evidence), dtype=np.float64)
    pull = evidence @ np.where(known, found.effect, 0.0)
    return ChannelEffects(covariance @ (precision @ mean + pull), covariance, found)


def channel_positions(actions: ActionSpace, channels: dict[str, str]) -> npt.NDArray[np.int64]:
    """Return the position of each of the space's channels among those of the model.

    Raises
    ------
    ConfigError
        If the action space has a channel that the model does not know.
    """
    names = list(channels)
    wrong = [c for c in actions.channels if c not in names]
    if wrong:
        raise ConfigError(
            f"EffectModel does not know the channels {', '.join(wrong)}",
            hint="say what they are like at the fit: EffectModel(like={'rcs': 'sms'})",
        )
    return np.array([names.index(c) for c in actions.channels], dtype=np.int64)
