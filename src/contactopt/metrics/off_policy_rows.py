"""The logged rows of an off-policy estimate: checked, weighted, added up per cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["LoggedRows", "cluster_totals_of", "column", "logged_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LoggedRows:
    """Decisions of a log.

    Parameters
    ----------
    reward, propensity : float array, shape (n,)
        What came of the drawn arm; the probability with which it was drawn.
    customer, day : int64 array, shape (n,)
        Codes of the clusters; each row its own customer where none were given, all of one day.
    n_customers, n_days : int
    event : bool
        Whether every reward is 0 or 1.
    """

    reward: Floats
    propensity: Floats
    customer: Ints
    day: Ints
    n_customers: int
    n_days: int
    event: bool

    def weights(self, target: npt.ArrayLike) -> Floats:
        """Return target / propensity, shape (n,); 0 where the propensity is 0.

        Raises
        ------
        ValueError
            If a probability is missing, outside [0, 1], or the lengths differ.
        """
        chosen = column(target, "target", len(self.reward))
        if len(chosen) and (chosen.min() < 0 or chosen.max() > 1):
            raise ValueError("target, the probability of the drawn arm, must lie in [0, 1]")
        drawn = self.propensity
        return np.divide(chosen, drawn, out=np.zeros(len(chosen)), where=drawn > 0)


def column(values: npt.ArrayLike, name: str, n: int | None = None) -> Floats:
    """Return values as finite floats, shape (n,).

    Raises
    ------
    ValueError
        Naming the column, if it has another length or a value that is no number.
    """
    found = np.asarray(values, dtype=np.float64).ravel()
    if n is not None and len(found) == 1 and n != 1:
        found = np.full(n, found[0])
    if n is not None and len(found) != n:
        raise ValueError(f"{name} has {len(found)} entries, the rewards are {n}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite numbers: leave rows without one out")
    return found


def cluster_codes(values: npt.ArrayLike | None, n: int, *, apart: bool) -> tuple[Ints, int]:
    """Return codes 0 to k - 1 and k; without values each row alone (``apart``), or all as one."""
    if values is None:
        return (np.arange(n), n) if apart else (np.zeros(n, np.int64), min(n, 1))
    found = np.asarray(values).ravel()
    if len(found) != n:
        raise ValueError(f"there are {len(found)} cluster ids for {n} rewards")
    code, names = pd.factorize(found, sort=False, use_na_sentinel=False)
    return code.astype(np.int64), len(names)


def cluster_totals_of(code: Ints, values: Floats, n_clusters: int = 0) -> Floats:
    """Add values up per cluster, shape (n_clusters,)."""
    return np.bincount(code, weights=values, minlength=n_clusters).astype(np.float64)


def logged_rows(
    reward: npt.ArrayLike,
    propensity: npt.ArrayLike,
    customer: npt.ArrayLike | None,
    day: npt.ArrayLike | None,
) -> LoggedRows:
    """Check what a log says of its draws.

    Raises
    ------
    ValueError
        If a value is missing, a propensity lies outside [0, 1], or lengths differ.
    """
    rewards = column(reward, "reward")
    drawn = column(propensity, "propensity", len(rewards))
    if len(drawn) and (drawn.min() < 0 or drawn.max() > 1):
        raise ValueError("propensity, the probability of the drawn arm, must lie in [0, 1]")
    customers, n_customers = cluster_codes(customer, len(rewards), apart=True)
    days, n_days = cluster_codes(day, len(rewards), apart=False)
    return LoggedRows(
        rewards,
        drawn,
        customers,
        days,
        n_customers,
        n_days,
        bool(np.isin(rewards, (0.0, 1.0)).all()),
    )
