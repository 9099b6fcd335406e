"""What linear layers remember of the past: mergeable moments, kept per day."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.errors import ConfigError, ContractError
from contactopt.policy.bandit.layer_kernels import whole_moments
from contactopt.policy.bandit.round_kernels import add_moments, add_sums, row_keys

__all__ = ["LinearStatistics"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: days are kept apart up to this many numbers; the oldest are folded into one block beyond it
_KEPT_NUMBERS = 24_000_000


class _Sums:
    """Moments and row counts of one day, carried as pairs of doubles."""

    def __init__(self, n_arms: int, size: int) -> None:
        self.high = np.zeros((n_arms, size, size))
        self.low = np.zeros((n_arms, size, size))
        self.rows = np.zeros(n_arms)

    def add_total(self, other: _Sums, factor: float) -> None:
        add_sums(self.high, self.low, factor * (other.high + other.low))
        self.rows += factor * other.rows

    def add_sums(self, other: _Sums, factor: float = 1.0) -> None:
        add_sums(self.high, self.low, factor * other.high)
        add_sums(self.high, self.low, factor * other.low)
        self.rows += factor * other.rows


class LinearStatistics:
    """Sums of w z z' per arm and day, z = (1, x, y): all that a linear layer needs.

    Gram matrix, cross products, weights and sums of squares in one matrix per arm. Sums are carried
    as pairs of doubles (about 106 bits) and rows of one call are taken in an order of their own, so
    that neither the order of rows nor the order in which shards are merged changes a bit of the
    total. Days count with ``forgetting ** age``, the age in days before the latest day: exactly
    what a fit with these row weights gives. Memory does not grow with rows; beyond 24 million
    numbers the oldest days are folded into one block, at the same forgetting.

    Parameters
    ----------
    n_arms, n_features : int
        Features without the constant, which is added here.
    forgetting : float
        Weight of a day relative to the next one, in (0, 1]; 1 forgets nothing.

    Examples
    --------
    >>> one, two = LinearStatistics(2, 1), LinearStatistics(2, 1)
    >>> one.add(np.array([[1.0], [2.0]]), np.array([0, 1]), np.array([3.0, 4.0]))
    >>> two.add(np.array([[5.0]]), np.array([1]), np.array([6.0]))
    >>> one.merge(two).rows().tolist()
    [1.0, 2.0]
    """

    def __init__(self, n_arms: int, n_features: int, *, forgetting: float = 1.0) -> None:
        if n_arms < 1 or n_features < 0:
            raise ConfigError("LinearStatistics: needs at least one arm and no negative features")
        if not 0.0 < forgetting <= 1.0:
            raise ConfigError(
                f"LinearStatistics: forgetting={forgetting} is outside (0, 1]",
                hint="1 forgets nothing, 0.99 halves a day's weight after 69 days",
            )
        self.n_arms = int(n_arms)
        self.n_features = int(n_features)
        self.forgetting = float(forgetting)
        self._days: dict[int, _Sums] = {}
        self._folded: tuple[int, _Sums] | None = None
        self._older: tuple[int, _Sums] | None = None

    @property
    def days(self) -> list[int]:
        """Days kept apart, ascending."""
        return sorted(self._days)

    @property
    def latest_day(self) -> int | None:
        """The day with weight 1; None while nothing was added."""
        known = self.days[-1:] + ([self._folded[0]] if self._folded else [])
        return max(known) if known else None

    def add(
        self,
        X: Floats,
        arm: Ints,
        y: Floats,
        weight: Floats | None = None,
        day: int | Ints | None = None,
    ) -> None:
        """Add rows; nothing is changed where something is wrong.

        Parameters
        ----------
        X : float array, shape (n, n_features)
        arm : int array, shape (n,)
        y : float array, shape (n,)
            Reward or residual.
        weight : float array, shape (n,), optional
            Inverse variances up to a factor, positive.
        day : int or int array, shape (n,), optional
            Day numbers of any origin; the latest day known (or 0) where None.

        Raises
        ------
        ContractError
            If shapes differ, a number is not finite, an arm is unknown or a weight not positive.
        """
        rows = self._checked(X, arm, y, weight)
        if len(rows[0]) == 0:
            return
        for one, taken in _by_day(day, len(rows[0]), self.latest_day):
            self._add_day(one, *(rows if taken is None else (a[taken] for a in rows)))
        self._fold()

    def _checked(
        self, X: Floats, arm: Ints, y: Floats, weight: Floats | None
    ) -> tuple[npt.NDArray[Any], ...]:
        X = np.ascontiguousarray(X, dtype=np.float64)
        arm = np.ascontiguousarray(arm, dtype=np.int64)
        y = np.ascontiguousarray(y, dtype=np.float64)
        w = np.ones(len(X)) if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
        n = len(X)
        if X.shape != (n, self.n_features) or not arm.shape == y.shape == w.shape == (n,):
            raise ContractError(
                f"LinearStatistics: X has shape {X.shape}, arm {arm.shape}, y {y.shape}, "
                f"weight {w.shape}",
                hint=f"X is (n, {self.n_features}), the others (n,)",
            )
        keys = np.empty(n, np.uint64)
        bad, unknown = row_keys(X, arm, y, w, _mixers(self.n_features + 2), self.n_arms, keys)
        if unknown:
            raise ContractError(f"LinearStatistics: arm must lie in 0 to {self.n_arms - 1}")
        if bad:
            raise ContractError(
                f"LinearStatistics: {bad} of {n} rows hold NaN, infinity or a number above 1e100"
            )
        if weight is not None and n and not (w.min() > 0 and w.max() < np.inf):
            raise ContractError("LinearStatistics: weights must be positive and finite")
        return X, arm, y, w, keys

    def _add_day(
        self, day: int, X: Floats, arm: Ints, y: Floats, weight: Floats, keys: npt.NDArray[Any]
    ) -> None:
        sums = self._sums_of(day)
        factor = 1.0
        if self._folded is not None and day <= self._folded[0]:
            factor = self.forgetting ** (self._folded[0] - day)
            weight = weight * factor
        counts = add_moments(X, arm, y, weight, keys, sums.high, sums.low)
        sums.rows += factor * counts

    def _sums_of(self, day: int) -> _Sums:
        if self._folded is not None and day <= self._folded[0]:
            self._older = None
            return self._folded[1]
        if day not in self._days:
            self._begin(day)
        elif day != self.days[-1]:
            self._older = None
        return self._days[day]

    def _begin(self, day: int) -> None:
        """Open a day; what is older is brought forward where that changes no bit of it."""
        latest = self.latest_day
        known, self._older = self._older, None
        if latest is not None and day > latest and self.forgetting == 1.0 and known is not None:
            if latest in self._days:
                known[1].add_total(self._days[latest], 1.0)
            self._older = (day, known[1])
        self._days[day] = _Sums(self.n_arms, self.n_features + 2)

    def _fold(self) -> None:
        """Fold the oldest days into one block until the rest fits the memory that is allowed."""
        allowed = max(2, _KEPT_NUMBERS // (2 * self.n_arms * (self.n_features + 2) ** 2))
        while len(self._days) > allowed:
            day = self.days[0]
            sums = self._days.pop(day)
            if self._folded is not None:
                sums.add_sums(self._folded[1], self.forgetting ** (day - self._folded[0]))
            self._folded = (day, sums)
            self._older = None

    def total(self) -> tuple[Floats, Floats]:
        """Return the moments, shape (m, d + 2, d + 2), and the rows, shape (m,), at the latest day.

        Moments of (1, x, y) are given by their lower halves; above the diagonal they are 0.

        Days are added in their order, so that the total depends only on what each day holds.
        """
        older, today, rows = self.parts()
        moments = np.empty((self.n_arms, self.n_features + 2, self.n_features + 2))
        whole_moments(older, today, moments)
        return moments, rows

    def parts(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats], Floats]:
        """Return what `total` adds up: pairs of all older days and of the latest, and the rows.

        Shapes (m, d + 2, d + 2), lower halves, and (m,); the older pair is empty, (0, d + 2,
        d + 2), where nothing is older. These are the sums themselves, not copies.
        """
        latest = self.latest_day
        if latest is None:
            nothing = _Sums(self.n_arms, self.n_features + 2)
            return (nothing.high[:0], nothing.low[:0]), (nothing.high, nothing.low), nothing.rows
        if self._older is None or self._older[0] != latest:
            self._older = (latest, self._sum_older(latest))
        older = self._older[1]
        today = self._days.get(latest)
        if today is None:
            return (older.high[:0], older.low[:0]), (older.high, older.low), older.rows.copy()
        if not older.rows.any():
            return (older.high[:0], older.low[:0]), (today.high, today.low), today.rows.copy()
        return (older.high, older.low), (today.high, today.low), older.rows + today.rows

    def _sum_older(self, latest: int) -> _Sums:
        # every day is rounded to doubles first: pairs that differ in their split give the same bits
        older = _Sums(self.n_arms, self.n_features + 2)
        if self._folded is not None:
            older.add_total(self._folded[1], self.forgetting ** (latest - self._folded[0]))
        for day in self.days:
            if day < latest:
                older.add_total(self._days[day], self.forgetting ** (latest - day))
        return older

    def rows(self) -> Floats:
        """Return the number of rows per arm, discounted like the moments, shape (m,)."""
        return self.total()[1]

    def merge(self, other: LinearStatistics) -> LinearStatistics:
        """Add what another shard learned; ``other`` stays as it is.

        Raises
        ------
        ConfigError
            If arms, features or forgetting differ.
        """
        mine = (self.n_arms, self.n_features, self.forgetting)
        if mine != (other.n_arms, other.n_features, other.forgetting):
            raise ConfigError(
                "LinearStatistics: the shards differ in arms, features or forgetting",
                hint="merge statistics of one configuration only",
            )
        self._older = None
        if other._folded is not None:
            self._merge_folded(*other._folded)
        for day, theirs in other._days.items():
            factor = 1.0
            if self._folded is not None and day <= self._folded[0]:
                factor = self.forgetting ** (self._folded[0] - day)
            self._sums_of(day).add_sums(theirs, factor)
        self._fold()
        return self

    def _merge_folded(self, day: int, theirs: _Sums) -> None:
        """Bring both folded blocks, and days of ours below theirs, to the later day."""
        joined = _Sums(self.n_arms, self.n_features + 2)
        last = max(day, self._folded[0]) if self._folded is not None else day
        joined.add_sums(theirs, self.forgetting ** (last - day))
        if self._folded is not None:
            joined.add_sums(self._folded[1], self.forgetting ** (last - self._folded[0]))
        for own in [d for d in self.days if d <= last]:
            joined.add_sums(self._days.pop(own), self.forgetting ** (last - own))
        self._folded = (last, joined)

    def copy(self) -> LinearStatistics:
        """Return an independent copy."""
        return LinearStatistics.from_state(self.to_state())

    def to_state(self) -> dict[str, Any]:
        """Return plain values: arrays per day, upper half left out."""
        return {
            "n_arms": self.n_arms,
            "n_features": self.n_features,
            "forgetting": self.forgetting,
            "days": [[day, _packed(self._days[day])] for day in self.days],
            "folded": None if self._folded is None else [self._folded[0], _packed(self._folded[1])],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LinearStatistics:
        """Rebuild from `to_state`."""
        self = cls(
            int(state["n_arms"]), int(state["n_features"]), forgetting=float(state["forgetting"])
        )
        for day, packed in state["days"]:
            self._days[int(day)] = self._unpacked(packed)
        folded = state.get("folded")
        if folded is not None:
            self._folded = (int(folded[0]), self._unpacked(folded[1]))
        return self

    def _unpacked(self, packed: Mapping[str, Any]) -> _Sums:
        size = self.n_features + 2
        sums = _Sums(self.n_arms, size)
        i, j = np.tril_indices(size)
        for name in ("high", "low"):
            values = np.asarray(packed[name], dtype=np.float64).reshape(self.n_arms, len(i))
            getattr(sums, name)[:, i, j] = values
        sums.rows[:] = np.asarray(packed["rows"], dtype=np.float64)
        return sums


def _packed(sums: _Sums) -> dict[str, Any]:
    i, j = np.tril_indices(sums.high.shape[1])
    return {"high": sums.high[:, i, j], "low": sums.low[:, i, j], "rows": sums.rows.copy()}


def _by_day(day: Any, n: int, latest: int | None) -> list[tuple[int, Ints | None]]:
    """Days with the rows of each (None: all)."""
    if day is None:
        return [(0 if latest is None else latest, None)]
    days = np.asarray(day)
    if days.dtype.kind == "M":
        days = days.astype("datetime64[D]").astype(np.int64)
    if days.dtype.kind not in "iu":
        raise ContractError("day must be a whole number or a date", hint="dates as datetime64")
    if days.ndim == 0:
        return [(int(days), None)]
    if days.shape != (n,):
        raise ContractError("day must be one whole number, or one per row")
    known = np.unique(days)
    if len(known) == 1:
        return [(int(known[0]), None)]
    return [(int(d), np.flatnonzero(days == d)) for d in known]


@lru_cache(maxsize=8)
def _mixers(size: int) -> npt.NDArray[np.uint64]:
    """Odd multipliers of a hash that is the same everywhere."""
    words = np.random.Generator(np.random.Philox(20)).integers(0, 2**63, size, dtype=np.uint64)
    return words * np.uint64(2) + np.uint64(1)
