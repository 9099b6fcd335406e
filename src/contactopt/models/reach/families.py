"""The families of effects of the reach model: everybody's, segments', personal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.priors import (
    BLOCK_OF_HOUR,
    CHANNEL_SD,
    N_BLOCKS,
    N_MEDIA,
    hour_prior,
    medium_of,
)
from contactopt.models.reach.random_effects import Family, fit_effects
from contactopt.models.reach.slopes import SlopeStep
from contactopt.models.reach.smooth import HourCurves
from contactopt.models.reach.variance_components import logistic_shrink, shared_variances

__all__ = [
    "PERSONAL",
    "SEGMENT",
    "media_of",
    "personal_families",
    "personal_variances",
    "population_families",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: starting variances on the logit scale of the families that learn theirs
START = {
    "medium_hour": 0.07,
    "channel_hour": 0.02,
    "weekend_hour": 0.05,
    "medium_weekday": 0.02,
    "segment_channel": 0.05,
    "segment_block": 0.02,
    "customer": 0.50,
    "customer_medium": 0.20,
    "customer_channel": 0.50,
    "customer_block": 0.20,
}
#: a person, the person in spoken or written channels, in one channel, in a block of hours
PERSONAL = ("customer", "customer_medium", "customer_channel", "customer_block")
HOURS = ("medium_hour", "channel_hour", "weekend_hour")
SEGMENT = ("segment_channel", "segment_block")


def media_of(channels: dict[str, str]) -> Ints:
    """Medium of each channel, shape (n_channels,)."""
    return np.array([medium_of(root) for root in channels.values()], dtype=np.int64)


def population_families(
    a: Attempts,
    channels: dict[str, str],
    personal_variance: float,
    levels: Floats,
    n_segments: int = 0,
) -> dict[str, Family]:
    """Effects that everybody or a segment shares: channel, hours, weekday.

    Parameters
    ----------
    a : Attempts
    channels : dict
    personal_variance : float
        Prior levels are those of a customer in the middle, such that the mean over customers, who
        differ by this, is the channel's prior rate.
    levels : float array, shape (n_channels,)
        Prior rates on the logit scale.
    n_segments : int
        0: no segments.
    """
    medium = media_of(channels)[a.channel]
    hourless = a.hour < 0
    block = BLOCK_OF_HOUR[a.hour]
    n_channels = len(channels)
    codes = {
        "medium_hour": (np.where(hourless, -1, medium * 24 + a.hour), hour_prior().ravel()),
        "channel_hour": (
            np.where(hourless, -1, a.channel * 24 + a.hour),
            np.zeros(24 * n_channels),
        ),
        # people are at hand at other hours at weekends; predictions are for weekdays
        "weekend_hour": (
            np.where(hourless | (a.weekday < 5), -1, medium * 24 + a.hour),
            np.zeros(24 * N_MEDIA),
        ),
        "medium_weekday": (
            np.where(a.weekday < 0, -1, medium * 7 + a.weekday),
            np.zeros(7 * N_MEDIA),
        ),
    }
    if n_segments:
        none = a.segment < 0
        own = a.segment * n_channels + a.channel
        hours = (a.segment * N_MEDIA + medium) * N_BLOCKS + block
        codes["segment_channel"] = (np.where(none, -1, own), np.zeros(n_segments * n_channels))
        codes["segment_block"] = (
            np.where(none | hourless, -1, hours),
            np.zeros(n_segments * N_MEDIA * N_BLOCKS),
        )
    level = levels / logistic_shrink(personal_variance)
    out = {"channel": Family(a.channel, level, CHANNEL_SD**2, learn_variance=False)}
    for name, (code, mean) in codes.items():
        kind = HourCurves if name in HOURS else Family
        out[name] = kind(code, mean, START[name])
    return out


def personal_variances(
    y: Floats,
    a: Attempts,
    weight: Floats,
    families: dict[str, Family],
    slopes: list[SlopeStep],
    population_weight: Floats,
    personal: dict[str, Family],
) -> dict[str, float]:
    """How much customers differ, from residuals of a model that knows no customer."""
    population = list(families.values())
    fit_effects(
        y,
        weight,
        [],
        offset=np.zeros(len(y)),
        slopes=slopes,
        population=population,
        population_weight=population_weight,
        max_sweeps=15,
    )
    eta = sum((f.per_row(f.value) for f in population), np.zeros(len(y)))
    for some in slopes:
        eta = eta + some.predictor()
    codes = [f.code for f in personal.values()]
    start = [START[k] for k in personal]
    found = shared_variances(y, expit(eta), weight, codes, start)
    return dict(zip(personal, found, strict=True))


def personal_families(
    a: Attempts,
    channels: dict[str, str],
    variances: dict[str, float],
    hours_count: npt.NDArray[np.bool_],
) -> dict[str, Family]:
    """Effects of customers, with given variances.

    Parameters
    ----------
    a : Attempts
    channels : dict
    variances : dict
        Its keys say which families there are.
    hours_count : bool array, shape (n_channels,)
        Channels whose attempts tell of a customer's good hours.
    """
    n, c = a.n_customers, len(channels)
    medium = media_of(channels)[a.channel]
    timed = (a.hour >= 0) & hours_count[a.channel]
    codes = {
        "customer": (a.customer, n),
        "customer_medium": (a.customer * N_MEDIA + medium, n * N_MEDIA),
        "customer_channel": (a.customer * c + a.channel, n * c),
        "customer_block": (
            np.where(timed, a.customer * N_BLOCKS + BLOCK_OF_HOUR[a.hour], -1),
            n * N_BLOCKS,
        ),
    }
    return {
        name: Family(code, np.zeros(size), variances[name], learn_variance=False)
        for name, (code, size) in codes.items()
        if name in variances
    }
