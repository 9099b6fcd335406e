"""How the incumbent chose its hours: logged propensities, or an estimate that says it is one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.reach.attempts import Attempts

__all__ = ["LoggingPolicy", "logging_policy"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: inverse propensities are kept inside these limits around their mean
_WEIGHT_LIMITS = (0.1, 10.0)
#: attempts' worth of everybody's hours in a customer's own, tried in this order
_STRENGTHS = (np.inf, 100.0, 30.0, 10.0, 3.0, 1.0)
#: the share of logged propensities from which they are used
_LOGGED_SHARE = 0.5
#: by how much (nats per attempt) an estimate must beat everybody's hours to be used
_LEAST_GAIN = 0.002


@dataclasses.dataclass(frozen=True)
class LoggingPolicy:
    """Weights that undo the choice of hours.

    Attributes
    ----------
    weight : float array, shape (n,)
        Mean about 1; 1 where nothing is known.
    source : {"logged", "estimated", "none"}
    record : dict
        Shares and, for an estimate, how well it predicts the hours.
    """

    weight: Floats
    source: str
    record: dict[str, Any]


def logging_policy(a: Attempts, columns: Floats) -> LoggingPolicy:
    """Find the weights of attempts.

    Parameters
    ----------
    a : Attempts
    columns : float array, shape (n, k)
        Covariates and segment dummies that the incumbent may have looked at.

    Returns
    -------
    LoggingPolicy
        From logged propensities where half of the attempts have one; else estimated per channel
        from each customer's other attempts (Dirichlet-multinomial) and from ``columns``
        (multinomial logit), if that predicts the hours better than everybody's shares; else 1.
    """
    known = a.propensity > 0
    share = float(known.mean()) if len(a) else 0.0
    if share >= _LOGGED_SHARE:
        raw = np.where(known, 1.0 / np.where(known, a.propensity, 1.0), 0.0)
        weight, clipped = _stabilised(raw, a, known)
        return LoggingPolicy(
            weight, "logged", {"propensity_share": share, "clipped_share": clipped}
        )
    p, gain = _estimated(a, columns)
    record = {"propensity_share": share, "clipped_share": 0.0, "hour_choice_gain": gain}
    if gain < _LEAST_GAIN:
        return LoggingPolicy(np.ones(len(a)), "none", record)
    timed = a.hour >= 0
    weight, clipped = _stabilised(np.where(timed, 1.0 / p, 0.0), a, timed)
    return LoggingPolicy(weight, "estimated", {**record, "clipped_share": clipped})


def _stabilised(raw: Floats, a: Attempts, known: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
    """Scale to a mean of 1 in each (channel, hour), so that no hour gains weight, and clip."""
    cell = a.channel * 25 + a.hour + 1
    size = int(cell.max(initial=0)) + 1
    total = np.bincount(cell, weights=raw, minlength=size)
    count = np.bincount(cell[known], minlength=size)
    weight = np.ones(len(a))
    scaled = raw[known] / (total / np.maximum(count, 1))[cell[known]]
    weight[known] = np.clip(scaled, *_WEIGHT_LIMITS)
    clipped = float((scaled != weight[known]).mean()) if known.any() else 0.0
    return weight, clipped


def _estimated(a: Attempts, columns: Floats) -> tuple[Floats, float]:
    """Probability of each attempt's hour, and its gain in log-likelihood over everybody's."""
    p, gained, n = np.ones(len(a)), 0.0, 0
    for c in np.unique(a.channel[a.hour >= 0]):
        rows = np.flatnonzero((a.channel == c) & (a.hour >= 0))
        hour = a.hour[rows]
        crowd = np.bincount(hour, minlength=24) / len(rows)
        base = np.tile(crowd, (len(rows), 1)) if not columns.shape[1] else None
        if base is None:
            base = _by_columns(hour, columns[rows], crowd)
        mine = base[np.arange(len(rows)), hour]
        if a.named:
            mine = _by_customer(a.customer[rows], hour, mine)
        gained += float(np.log(mine / crowd[hour]).sum())
        p[rows], n = mine, n + len(rows)
    return p, gained / max(n, 1)


def _by_customer(customer: Ints, hour: Ints, base: Floats) -> Floats:
    """Mix everybody's probability with the customer's other attempts, as far as that predicts."""
    _, code = np.unique(customer, return_inverse=True)
    cell = code * 24 + hour
    same = np.bincount(cell)[cell] - 1.0
    others = np.bincount(code)[code] - 1.0
    best, best_fit = base, float(np.log(base).sum())
    for strength in _STRENGTHS[1:]:
        p = (same + strength * base) / (others + strength)
        fit = float(np.log(p).sum())
        if fit > best_fit:
            best, best_fit = p, fit
    return best


def _by_columns(hour: Ints, X: Floats, crowd: Floats) -> Floats:
    """Multinomial logit of the hour on columns, shape (n, 24); on at most 50,000 rows."""
    from sklearn.linear_model import LogisticRegression

    hours = np.unique(hour)
    out = np.tile(crowd, (len(hour), 1))
    if len(hours) < 2:
        return out
    step = max(1, len(hour) // 50_000)
    model = LogisticRegression(C=1.0, max_iter=200).fit(X[::step], hour[::step])
    p = np.zeros_like(out)
    p[:, model.classes_] = model.predict_proba(X)
    # never far below everybody's: an hour that a sample missed was possible
    p = 0.98 * p + 0.02 * crowd
    return p / p.sum(axis=1, keepdims=True)
