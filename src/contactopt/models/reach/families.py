"""The families of effects of the reach model: population's, personal, and their weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.priors import (
    BLOCK_OF_HOUR,
    CHANNEL_SD,
    N_BLOCKS,
    N_MEDIA,
    channel_prior,
    hour_prior,
    medium_of,
)
from contactopt.models.reach.random_effects import Family, Slopes, fit_effects
from contactopt.models.reach.variance_components import logistic_shrink, shared_variances

__all__ = [
    "PERSONAL",
    "personal_families",
    "personal_variances",
    "population_families",
    "population_weight",
]

Floats = npt.NDArray[np.float64]

#: starting variances on the logit scale of the families that learn theirs
START = {
    "medium_block": 0.05,
    "medium_hour": 0.02,
    "channel_hour": 0.02,
    "medium_weekday": 0.02,
    "customer": 0.50,
    "customer_channel": 0.50,
    "customer_block": 0.20,
}
PERSONAL = ("customer", "customer_channel", "customer_block")
#: inverse propensities are kept inside these limits around their mean
_WEIGHT_LIMITS = (0.1, 10.0)


def population_weight(rows: pd.DataFrame) -> tuple[Floats, dict[str, float]]:
    """Stabilised inverse propensities: share of the (channel, hour) over its propensity."""
    weight = np.ones(len(rows))
    if "propensity" not in rows or not len(rows):
        return weight, {"propensity_share": 0.0, "clipped_share": 0.0}
    p = rows["propensity"].to_numpy(dtype=np.float64)
    known = p > 0
    cell = rows.groupby(["channel", "local_hour"], dropna=False).ngroup().to_numpy()
    # the mean of 1 / p inside a cell is the stabiliser: weights of each cell average to 1
    total = np.bincount(cell[known], weights=1.0 / p[known], minlength=cell.max() + 1)
    count = np.bincount(cell[known], minlength=cell.max() + 1)
    raw = (1.0 / p[known]) / (total / np.maximum(count, 1))[cell[known]]
    weight[known] = np.clip(raw, *_WEIGHT_LIMITS)
    return weight, {
        "propensity_share": float(known.mean()),
        "clipped_share": float((raw != weight[known]).mean()) if known.any() else 0.0,
    }


def population_families(
    a: Attempts, channels: dict[str, str], personal_variance: float
) -> dict[str, Family]:
    """Effects that everybody shares: channel, hours of spoken and written channels, weekday.

    Prior levels are those of a customer in the middle, such that the mean over customers, who
    differ by ``personal_variance``, is the channel's prior rate.
    """
    roots = list(channels.values())
    medium = np.array([medium_of(r) for r in roots])[a.channel]
    hourless = a.hour < 0
    level = np.array([channel_prior(r) for r in roots]) / logistic_shrink(personal_variance)
    no_bump = np.zeros(24 * len(roots))
    # neighbouring hours lean on their block
    block = medium * N_BLOCKS + BLOCK_OF_HOUR[a.hour]
    codes = {
        "medium_block": (np.where(hourless, -1, block), np.zeros(N_BLOCKS * N_MEDIA)),
        "medium_hour": (np.where(hourless, -1, medium * 24 + a.hour), hour_prior().ravel()),
        "channel_hour": (np.where(hourless, -1, a.channel * 24 + a.hour), no_bump),
        "medium_weekday": (
            np.where(a.weekday < 0, -1, medium * 7 + a.weekday),
            np.zeros(7 * N_MEDIA),
        ),
    }
    out = {"channel": Family(a.channel, level, CHANNEL_SD**2, learn_variance=False)}
    for name, (code, mean) in codes.items():
        out[name] = Family(code, mean, START[name])
    return out


def personal_variances(
    y: Floats, a: Attempts, channels: dict[str, str], slopes: Slopes, weight: Floats
) -> dict[str, float]:
    """How much customers differ, from residuals of a model that knows no customer."""
    population = list(population_families(a, channels, 0.0).values())
    fit_effects(
        y,
        a.weight,
        [],
        offset=np.zeros(len(y)),
        slopes=slopes,
        population=population,
        population_weight=weight,
        max_sweeps=15,
    )
    eta = sum((f.per_row(f.value) for f in population), slopes.X @ slopes.value)
    codes = [f.code for f in personal_families(a, len(channels), START).values()]
    found = shared_variances(y, expit(eta), a.weight, codes, [START[k] for k in PERSONAL])
    return dict(zip(PERSONAL, found, strict=True))


def personal_families(
    a: Attempts, n_channels: int, variances: dict[str, float]
) -> dict[str, Family]:
    """Effects of customers, with given variances."""
    n, c = a.n_customers, n_channels
    block = np.where(a.hour < 0, -1, a.customer * N_BLOCKS + BLOCK_OF_HOUR[a.hour])
    codes = {
        "customer": (a.customer, n),
        "customer_channel": (a.customer * c + a.channel, n * c),
        "customer_block": (block, n * N_BLOCKS),
    }
    return {
        name: Family(code, np.zeros(size), variances[name], learn_variance=False)
        for name, (code, size) in codes.items()
    }
