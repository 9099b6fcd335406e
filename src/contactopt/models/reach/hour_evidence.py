"""Does the hour matter? A test that holds whoever was called when, and a verdict in words.

Attempts on one customer through one channel, at different hours, are compared with each other:
given how many of them reached the customer, every assignment of the results to the hours is
equally likely where hours do not matter, however the hours were chosen for that customer. Summed
over customers this is the generalised Mantel-Haenszel statistic (Mantel and Haenszel 1959; Landis,
Heyman and Koch 1978), a chi-square with hours - 1 degrees of freedom. A second statistic asks
whether customers differ in their good hours: sums of residuals by block of hours vary more than
chance lets them. Where no customer was tried twice, rows are compared by weights that undo a known
choice of hours. Under noise the verdict "shown" falls on any medium or channel with a probability
of at most the level, as levels are shared out (Holm 1979).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2, norm

from contactopt.models.reach.priors import BLOCK_OF_HOUR, N_BLOCKS

__all__ = ["NOT_SHOWN", "SHOWN", "HourTable", "between_rows", "within_customers"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHOWN = "shown"
NOT_SHOWN = "no hour effect shown"
#: information (variance of a count under no effect) that an hour needs to stand by itself
_LEAST_INFORMATION = 5.0
#: customers whose attempts compare blocks of hours, for the second statistic
_LEAST_CUSTOMERS = 50
_POWER = 0.80


class HourTable:
    """Sums that a test needs; tables of several channels add up.

    Attributes
    ----------
    score : float array, shape (24,)
        Reached at each hour beyond what is expected without an effect.
    information : float array, shape (24, 24)
        Covariance of ``score`` without an effect.
    personal : float array
        One value per customer with mean 0 where customers do not differ in their hours.
    attempts : int array, shape (24,)
        By hour.
    compared : int
        Attempts that were compared with another.
    """

    def __init__(
        self, score: Floats, information: Floats, personal: Floats, attempts: Ints, compared: int
    ) -> None:
        self.score, self.information = score, information
        self.personal, self.attempts, self.compared = personal, attempts, compared

    def __add__(self, other: HourTable) -> HourTable:
        """Return the table of both."""
        return HourTable(
            self.score + other.score,
            self.information + other.information,
            np.concatenate([self.personal, other.personal]),
            self.attempts + other.attempts,
            self.compared + other.compared,
        )

    @property
    def n_hours(self) -> int:
        """Number of hours at which anybody was tried."""
        return int((self.attempts > 0).sum())

    def groups(self) -> Ints:
        """Hours put together until each carries enough information, shape (24,): -1 where none."""
        info = np.diag(self.information)
        group = np.full(24, -1)
        current, gathered = 0, 0.0
        for hour in range(24):
            if info[hour] <= 0:
                continue
            group[hour] = current
            gathered += info[hour]
            if gathered >= _LEAST_INFORMATION:
                current, gathered = current + 1, 0.0
        if gathered > 0 and current > 0:
            group[group == current] = current - 1
        return group

    def test(self) -> dict[str, float]:
        """Return p values, the sd of an effect found with 80 % power, and groups compared."""
        group = self.groups()
        k = int(group.max(initial=-1)) + 1
        out = {"groups": float(k), "p_hours": 1.0, "p_persons": 1.0, "detectable_sd": np.inf}
        if k >= 2 and np.diag(self.information).sum() >= 2 * _LEAST_INFORMATION:
            to = np.zeros((k, 24))
            hours = np.flatnonzero(group >= 0)
            to[group[hours], hours] = 1.0
            u, v = to @ self.score, to @ self.information @ to.T
            values, vectors = np.linalg.eigh(v)
            real = values > 1e-9 * values.max()
            q = float((((vectors.T @ u)[real] ** 2) / values[real]).sum())
            df = int(real.sum())
            out["p_hours"] = float(chi2.sf(q, df)) if df else 1.0
            needed = _noncentrality(df) if df else np.inf
            out["detectable_sd"] = float(np.sqrt(needed / values[real].sum()))
        d = self.personal[self.personal != 0.0]
        if len(d) >= _LEAST_CUSTOMERS:
            out["p_persons"] = float(norm.sf(d.sum() / np.sqrt(float(d @ d))))
        out["p_value"] = min(1.0, 2.0 * min(out["p_hours"], out["p_persons"]))
        return out


@lru_cache(maxsize=32)
def _noncentrality(df: int) -> float:
    """Noncentrality of a chi-square that a 5 % test finds with 80 % power."""
    least = chi2.isf(0.05, df)
    root: Any = brentq(lambda x: ncx2.sf(least, df, x) - _POWER, 1e-3, 200.0 + 10.0 * df)
    return float(root)


def within_customers(stratum: Ints, customer: Ints, hour: Ints, reached: Floats) -> HourTable:
    """Compare attempts inside strata.

    Parameters
    ----------
    stratum : int array, shape (n,)
        Attempts to be compared with each other: one customer, one channel, one kind of day.
    customer, hour : int arrays, shape (n,)
    reached : 0/1 array, shape (n,)
    """
    attempts = np.bincount(hour, minlength=24)
    _, code, size = np.unique(stratum, return_inverse=True, return_counts=True)
    hits = np.bincount(code, weights=reached, minlength=len(size))
    mixed = (hits > 0) & (hits < size)
    rows = mixed[code]
    code, hour_, y, who = code[rows], hour[rows], reached[rows], customer[rows]
    if not len(code):
        nothing = np.zeros(0)
        return HourTable(np.zeros(24), np.zeros((24, 24)), nothing, attempts, 0)
    _, code = np.unique(code, return_inverse=True)
    n, k = size[mixed].astype(np.float64), hits[mixed]
    spread = k * (n - k) / (n * (n - 1.0))
    residual = y - (k / n)[code]
    score = np.bincount(hour_, weights=residual, minlength=24).astype(np.float64)
    shape = (len(n), 24)
    count = sparse.csr_matrix((np.ones(len(code)), (code, hour_)), shape=shape)
    total = np.asarray(count.multiply(spread[:, None]).sum(axis=0)).ravel()
    scaled = count.multiply((spread / n)[:, None]).tocsr()
    information = np.diag(total) - np.asarray((count.T @ scaled).todense())
    several = np.diff(count.indptr) >= 2
    personal = _personal(code, BLOCK_OF_HOUR[hour_], residual, spread, n, who)
    return HourTable(score, information, personal, attempts, int(several[code].sum()))


def _personal(
    code: Ints, block: Ints, residual: Floats, spread: Floats, n: Floats, customer: Ints
) -> Floats:
    """Squared sums of residuals by block beyond expectation, one value per customer."""
    cell = code * N_BLOCKS + block
    size = len(n) * N_BLOCKS
    sums = np.bincount(cell, weights=residual, minlength=size).reshape(-1, N_BLOCKS)
    counts = np.bincount(cell, minlength=size).reshape(-1, N_BLOCKS)
    expected = spread * (n - (counts**2).sum(axis=1) / n)
    beyond = (sums**2).sum(axis=1) - expected
    beyond[(counts > 0).sum(axis=1) < 2] = 0.0
    owner = np.zeros(len(n), dtype=np.int64)
    owner[code] = customer
    _, who = np.unique(owner, return_inverse=True)
    return np.bincount(who, weights=beyond).astype(np.float64)


def between_rows(cluster: Ints, hour: Ints, reached: Floats, weight: Floats) -> HourTable:
    """Compare attempts on different customers, weighted such that hours are as if drawn at random.

    Covariances are those of sums over clusters, so that one customer's rows may depend on each
    other (White 1980).
    """
    attempts = np.bincount(hour, minlength=24)
    total = weight.sum()
    nothing = np.zeros(0)
    if not len(hour) or total <= 0 or reached.min() == reached.max():
        return HourTable(np.zeros(24), np.zeros((24, 24)), nothing, attempts, 0)
    residual = weight * (reached - (weight @ reached) / total)
    score = np.bincount(hour, weights=residual, minlength=24).astype(np.float64)
    share = np.bincount(hour, weights=weight, minlength=24) / total
    _, who = np.unique(cluster, return_inverse=True)
    shape = (int(who.max()) + 1, 24)
    by = sparse.csr_matrix((residual, (who, hour)), shape=shape)
    sums = np.asarray(by.sum(axis=1)).ravel()
    cross = np.asarray(by.T @ sums).ravel()
    information = np.asarray((by.T @ by).todense())
    information = information - np.outer(cross, share) - np.outer(share, cross)
    information = information + float(sums @ sums) * np.outer(share, share)
    return HourTable(score, information, nothing, attempts, len(hour))
