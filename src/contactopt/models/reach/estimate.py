"""The fit: from attempts to the numbers that `serving` predicts with."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.models.learners.splits import group_hash
from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.covariates import AttemptColumns
from contactopt.models.reach.events import DELIVERY_ONLY
from contactopt.models.reach.evidence import FEATURES, GROUPS, group_of
from contactopt.models.reach.families import (
    PERSONAL,
    SEGMENT,
    START,
    media_of,
    personal_families,
    personal_variances,
    population_families,
)
from contactopt.models.reach.hour_evidence import NOT_SHOWN
from contactopt.models.reach.hour_verdicts import hour_verdicts
from contactopt.models.reach.logging_policy import logging_policy
from contactopt.models.reach.priors import (
    FATIGUE,
    MEDIA,
    N_BLOCKS,
    N_MEDIA,
    QUALITY,
    READ_SMS,
    channel_prior,
)
from contactopt.models.reach.random_effects import Family, fit_effects
from contactopt.models.reach.slopes import CustomerSlopes, GroupSlopes, Slopes, SlopeStep

__all__ = ["Estimate", "Settings", "estimate", "hours_count"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: sd of the slope of a standardised covariate, of a sign of earlier attempts
_COVARIATE_SD, _SIGN_SD = 0.5, 1.0
#: sd of what point quality means in one group beyond what it means in all
_QUALITY_SD = 3.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the fit needs to know beside the attempts."""

    channels: dict[str, str]
    segments: list[str]
    half_life_days: float
    hour_level: float
    max_rows: int
    delivery_counts: bool


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a fit found; see `ReachModel` for the arrays."""

    effects: dict[str, Floats]
    variances: dict[str, float]
    slopes: Floats
    slope_covariance: Floats
    signs: Floats
    hour_effect: dict[str, dict[str, Any]]
    record: dict[str, Any]


def estimate(
    a: Attempts, frame: pd.DataFrame, scales: AttemptColumns, settings: Settings
) -> Estimate:
    """Fit all effects.

    Parameters
    ----------
    a : Attempts
    frame : DataFrame
        The rows that ``a.place`` points into.
    scales : AttemptColumns
    settings : Settings
    """
    columns = np.hstack([scales.matrix(frame)[a.place, 2:], _dummies(a.segment, settings)])
    told = a.told
    policy = logging_policy(a.pick(told), columns[told])
    undone = np.ones(len(a))
    undone[told] = policy.weight
    weight = undone * a.weight(settings.half_life_days)
    verdicts = hour_verdicts(
        a, settings.channels, weight, level=settings.hour_level, propensities=policy.source
    )
    chosen = _sample(a, settings.max_rows)
    inside = chosen[a.customer]
    some = a.of_customers(chosen)
    families, slopes, sweeps = _fit(some, frame, undone[inside], scales, settings, verdicts)
    effects = _effects(families, settings)
    _flatten(effects, a, settings.channels, verdicts)
    k = len(scales)
    shared = slopes[0]
    signs = slopes[1]
    assert isinstance(shared, Slopes) and isinstance(signs, GroupSlopes)
    return Estimate(
        effects=effects,
        variances={name: f.variance for name, f in families.items()},
        slopes=shared.value[:k],
        slope_covariance=shared.covariance[:k, :k],
        signs=_lend_pressure(signs.value, some, settings.channels),
        hour_effect=verdicts,
        record={
            "propensities": policy.source,
            **policy.record,
            "sweeps": sweeps,
            "fitted_rows": int(some.told.sum()),
        },
    )


def _sample(a: Attempts, max_rows: int) -> npt.NDArray[np.bool_]:
    """Which customers the effects are learned from: all, or whole customers by hash of their id."""
    n = a.n_customers
    if len(a) <= max_rows:
        return np.ones(n, dtype=bool)
    ids = a.ids.to_numpy() if a.named else np.arange(n)
    rank = np.argsort(group_hash(ids), kind="stable")
    size = np.bincount(a.customer, minlength=n)[rank]
    chosen = np.zeros(n, dtype=bool)
    chosen[rank[np.cumsum(size) <= max_rows]] = True
    return chosen


def _fit(
    some: Attempts,
    frame: pd.DataFrame,
    shared_weight: Floats,
    scales: AttemptColumns,
    settings: Settings,
    verdicts: dict[str, dict[str, Any]],
) -> tuple[dict[str, Family], list[SlopeStep], int]:
    trail = some.trail(settings.channels, settings.half_life_days).row
    told = some.told
    rows, y = some.pick(told), some.reached[told]
    weight, shared_weight = rows.weight(settings.half_life_days), shared_weight[told]
    X = scales.matrix(frame.iloc[rows.place])

    def slopes(with_work: bool) -> list[SlopeStep]:
        k = X.shape[1] - 2
        mean = np.array([FATIGUE[0], QUALITY[0], *np.zeros(k)])
        sd = np.array([FATIGUE[1], QUALITY[1], *np.full(k, _COVARIATE_SD)])
        out: list[SlopeStep] = [Slopes(X, mean, sd), _sign_slopes(rows, X, trail[told], settings)]
        if with_work:
            out.append(CustomerSlopes(_worked(rows), rows.customer, 1.0))
        return out

    levels = prior_levels(settings.channels, settings.delivery_counts)
    count = hours_count(settings.channels, verdicts)
    start = {k: START[k] for k in PERSONAL}
    personal = personal_families(rows, settings.channels, start, count)
    found = personal_variances(
        y,
        rows,
        weight,
        population_families(rows, settings.channels, 0.0, levels, len(settings.segments)),
        slopes(with_work=False),
        shared_weight,
        personal,
    )
    families = population_families(
        rows, settings.channels, sum(found.values()), levels, len(settings.segments)
    )
    shared = list(families.values())
    families |= personal_families(rows, settings.channels, found, count)
    final = slopes(with_work=rows.named)
    sweeps = fit_effects(
        y,
        weight,
        [families[k] for k in PERSONAL],
        offset=np.zeros(len(y)),
        slopes=final,
        population=shared,
        population_weight=shared_weight,
    )
    return families, final, sweeps


def prior_levels(channels: dict[str, str], delivery_counts: bool) -> Floats:
    """Prior rate of each channel on the logit scale, shape (n_channels,)."""
    level = [channel_prior(root) for root in channels.values()]
    read = np.isin(list(channels.values()), DELIVERY_ONLY) & (not delivery_counts)
    return np.where(read, np.log(READ_SMS / (1 - READ_SMS)), level)


def _sign_slopes(
    rows: Attempts, X: Floats, trail: npt.NDArray[np.float32], settings: Settings
) -> GroupSlopes:
    """Signs of earlier attempts, and what fatigue and point quality mean in each group."""
    group = np.array([group_of(root) for root in settings.channels.values()])[rows.channel]
    both = np.hstack([trail, X[:, :2].astype(np.float32)])
    sd = np.array([*np.full(len(FEATURES), _SIGN_SD), FATIGUE[1], _QUALITY_SD])
    return GroupSlopes(both, group, len(GROUPS), sd)


def _lend_pressure(signs: Floats, a: Attempts, channels: dict[str, str]) -> Floats:
    """Return slopes in which written kinds of contact that tell nothing take others' fatigue.

    Nobody sees a letter being read, but who has had many contacts reads less of everything: the
    slope of pressure on the customer is that of the written kinds in which reading shows, by their
    attempts. Where one kind is all there is, the two pressures are one and their slopes are added.
    A slope above 0 is not lent: it tells whom the incumbent wrote to, not that contacts wake.
    """
    group = np.array([group_of(root) for root in channels.values()], dtype=np.int64)
    attempts = np.bincount(group[a.channel[a.told]], minlength=len(GROUPS)).astype(np.float64)
    written = np.zeros(len(GROUPS), dtype=bool)
    written[group[media_of(channels) == MEDIA.index("written")]] = True
    pressure = FEATURES.index("pressure on the customer")
    own = FEATURES.index("pressure through the channel group")
    out, telling = signs.copy(), written & (attempts > 0)
    if telling.any():
        slope = signs[telling, pressure]
        if (attempts > 0).sum() == 1:
            slope = slope + signs[telling, own]
        lent = float(np.average(slope, weights=attempts[telling]))
        out[written & ~telling, pressure] = min(lent, 0.0)
    return out


def _worked(rows: Attempts) -> Floats:
    """Shares of each customer's attempts by hour and channel, less their means.

    An incumbent that calls good answerers at ten makes ten look good. These shares take up such
    differences (Mundlak, "On the Pooling of Time Series and Cross Section Data", Econometrica
    1978), so that hours and channels are told apart inside customers. They are left out when
    predicting.
    """
    parts, n = [], rows.n_customers
    for code, size in ((rows.hour + 1, 25), (rows.channel, int(rows.channel.max(initial=0)) + 1)):
        count = np.bincount(rows.customer * size + code, minlength=n * size).reshape(n, size)
        parts.append(count / np.maximum(count.sum(axis=1, keepdims=True), 1))
    share = np.hstack(parts)
    if not len(rows):
        return share
    return share - share[rows.customer].mean(axis=0)


def hours_count(
    channels: dict[str, str], verdicts: dict[str, dict[str, Any]]
) -> npt.NDArray[np.bool_]:
    """Return which channels' hours may tell customers apart, shape (n_channels,)."""
    found = [verdicts.get(c, {}).get("verdict") for c in channels]
    return np.array([v != NOT_SHOWN for v in found])


def _flatten(
    effects: dict[str, Floats],
    a: Attempts,
    channels: dict[str, str],
    verdicts: dict[str, dict[str, Any]],
) -> None:
    """Level the hours of channels that were tested and showed none, in place."""
    medium = media_of(channels)
    for c, name in enumerate(channels):
        if verdicts.get(name, {}).get("verdict") == NOT_SHOWN:
            tried = np.bincount(a.hour[(a.channel == c) & a.told & (a.hour >= 0)], minlength=24)
            curve = effects["medium_hour"][medium[c]] + effects["channel_hour"][c]
            mean = float(curve @ tried) / max(int(tried.sum()), 1)
            effects["channel_hour"][c] += mean - curve


def _dummies(segment: Ints, settings: Settings) -> Floats:
    n = len(settings.segments)
    return (segment[:, None] == np.arange(n)).astype(np.float64)


def _effects(families: dict[str, Family], settings: Settings) -> dict[str, Floats]:
    """Return shared effects as arrays."""
    n_channels, n_segments = len(settings.channels), len(settings.segments)
    shape = {
        "channel": (-1,),
        "medium_hour": (N_MEDIA, 24),
        "channel_hour": (n_channels, 24),
        "segment_channel": (n_segments, n_channels),
        "segment_block": (n_segments, N_MEDIA, N_BLOCKS),
    }
    out: dict[str, Floats] = {}
    for name in ("channel", "medium_hour", "channel_hour", *SEGMENT):
        if name in families:
            out[name] = families[name].value.reshape(shape[name])
            out[f"{name}_variance"] = families[name].spread2.reshape(shape[name])
    return out
