"""Which columns look as if they were written after the outcome: judged by their look alone.

The other audit (`audit_leakage`) recomputes features on cut tables and proves what it finds. It
cannot judge a column that somebody else computed; this one looks at how such a column stands to
the label. It accuses on evidence that honest columns hardly ever give, and proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression

from contactopt.contracts.native_frames import to_pandas
from contactopt.errors import ConfigError
from contactopt.features.column_bins import Bins, bins_of, out_of_fold_rates, row_folds
from contactopt.metrics import Estimate, auc
from contactopt.metrics.interval import normal_interval

__all__ = ["audit_columns"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: from here on one column predicts too well for anything that was known before
_PERFECT = 0.95
#: columns below this are never far above the rest
_STRONG = 0.75
#: by how much a column must beat all the others together
_MARGIN = 0.01
_MAX_TOGETHER = 10
#: a region is pure where a class has at most this share of the rows expected of it
_PURE = 0.01
_EXPECTED_VALUE, _EXPECTED_TAIL = 30.0, 100.0
#: where columns of the uncontacted are this empty, and of the contacted this full
_EMPTY, _FULL = 0.99, 0.95
_N_BLOCKS = 10
_COLUMNS = ["name", "flagged", "reasons", "auc", "auc_low", "auc_high", "auc_of_the_rest",
            "missing_share", "n"]  # fmt: skip


def audit_columns(
    X: Any,
    y: Any,
    *,
    times: Any = None,
    groups: Any = None,
    contacted: Any = None,
    columns: Any = None,
) -> pd.DataFrame:
    """Flag columns that look as if they became known after the outcome, or after the contact.

    A column is flagged where

    - alone it predicts the label almost perfectly (lower end of its AUC at least 0.95);
    - alone it predicts clearly better than all other columns together, with an AUC of at least
      0.75 (several such columns are judged together);
    - its being missing, one of its values, or one end of its scale leaves (nearly) no row of one
      class where at least 30 (at the ends 100) were expected;
    - it is filled in for those who were contacted and for nobody else (with ``contacted``).

    The AUC is that of rates per bin from other folds, so that columns of any kind and shape are
    compared; with ``times`` it is taken inside ten stretches of time, so that a column that only
    follows a drifting base rate does not look strong.

    Parameters
    ----------
    X : frame, shape (n, n_columns)
        pandas, polars or pyarrow; numbers, booleans, times, words and categories as they are.
    y : array-like of 0/1 or bool, shape (n,)
    times : array-like, shape (n,), optional
        When each row was decided on.
    groups : array-like, shape (n,), optional
        Customers with several rows.
    contacted : array-like of bool, shape (n,), optional
        Whether a contact took place in the row.
    columns : sequence of str, optional
        Which columns to judge; all by default. Do not offer row numbers and ids.

    Returns
    -------
    DataFrame
        One row per column, flagged ones first, then by AUC: ``name``, ``flagged`` (bool),
        ``reasons`` (text), ``auc`` with ``auc_low`` and ``auc_high`` (95 %), ``auc_of_the_rest``
        (where it was needed), ``missing_share``, ``n``. With one class only the AUC is NaN and
        nothing but ``contacted`` can flag. A flag asks for a look at where the column comes from;
        a leak that is weak, or shared out over many columns, gets none.

    Raises
    ------
    ConfigError
        If lengths differ, labels are not 0/1, or a column is not there.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.random(2000) < 0.2
    >>> X = pd.DataFrame({"age": rng.normal(size=2000), "loan": np.where(y, 100.0, 0.0)})
    >>> found = audit_columns(X, y)
    >>> found.loc[found["flagged"], "name"].tolist()
    ['loan']
    """
    frame = _chosen(to_pandas(X, "X"), columns)
    rows = _Rows.of(frame, y, times, groups)
    judged = [_Judged(str(name), bins_of(frame[name])) for name in frame.columns]
    if rows.n == 0:
        return _report(judged, 0)
    fold = row_folds(frame, groups)
    for column in judged:
        column.score = out_of_fold_rates(column.bins, rows.y, fold)
        column.auc = rows.auc(column.score)
        _too_good(column)
        _one_class_only(column, rows)
        if contacted is not None:
            _only_after_contact(column, _flags(contacted, rows.n, "contacted"))
    _above_the_rest(judged, rows)
    return _report(judged, rows.n)


_UNKNOWN = Estimate(np.nan, np.nan, np.nan, 0)


@dataclass(eq=False)
class _Judged:
    """One column and what is found of it."""

    name: str
    bins: Bins
    score: Floats = field(default_factory=lambda: np.empty(0))
    auc: Estimate = _UNKNOWN
    rest: float = np.nan
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Labels with the stretch of time and the group of each row."""

    y: Floats
    block: Ints
    groups: Any
    base: Floats

    @property
    def n(self) -> int:
        return len(self.y)

    @classmethod
    def of(cls, frame: pd.DataFrame, y: Any, times: Any, groups: Any) -> _Rows:
        n = len(frame)
        label = _flags(y, n, "y").astype(np.float64)
        block = np.zeros(n, dtype=np.int64)
        if times is not None:
            when = np.asarray(_numbers(times, n, "times"), dtype=np.float64)
            edges = np.quantile(when, np.arange(1, _N_BLOCKS) / _N_BLOCKS) if n else []
            block = np.searchsorted(np.unique(edges), when, side="right")
        if groups is not None:
            groups = pd.factorize(pd.Series(np.asarray(groups)))[0]
            if len(groups) != n:
                raise ConfigError(f"{n} rows of X and {len(groups)} of groups")
        rows = np.bincount(block, minlength=1)
        share = np.bincount(block, weights=label, minlength=1) / np.maximum(rows, 1)
        return cls(label, block, groups, share[block])

    def auc(self, score: Floats) -> Estimate:
        """Return the AUC inside stretches of time, weighted by their pairs of a 1 and a 0."""
        weight, value, variance = [], [], []
        for k in range(int(self.block.max(initial=0)) + 1):
            rows = np.flatnonzero(self.block == k)
            ones = self.y[rows].sum()
            if 0 < ones < len(rows):
                groups = None if self.groups is None else self.groups[rows]
                found = auc(self.y[rows], score[rows], groups=groups, level=0.95)
                weight.append(ones * (len(rows) - ones))
                value.append(found.value)
                variance.append(((found.high - found.low) / 2 / 1.959963984540054) ** 2)
        if not weight:
            return Estimate(np.nan, np.nan, np.nan, self.n)
        w = np.array(weight) / np.sum(weight)
        error = float(np.sqrt(np.sum(w**2 * np.array(variance))))
        return normal_interval(float(np.sum(w * np.array(value))), error, self.n, 0.95)


# ---- what a column is flagged for --------------------------------------------------------------


def _too_good(column: _Judged) -> None:
    if column.auc.low >= _PERFECT:
        column.reasons.append(f"alone it predicts the label almost perfectly (AUC {column.auc})")


def _one_class_only(column: _Judged, rows: _Rows) -> None:
    """Look for values, or ends of the scale, at which one class (nearly) never occurs."""
    bins, code = column.bins, column.bins.code
    n = np.bincount(code, minlength=len(bins)).astype(np.float64)
    ones = np.bincount(code, weights=rows.y, minlength=len(bins)).astype(np.float64)
    # rounded, as the order of the rows shows in the last digits
    expected = np.bincount(code, weights=rows.base, minlength=len(bins)).round(6).astype(float)
    weight = _independent_share(code, rows.groups, n)
    told: list[str] = []
    classes: list[tuple[int, Floats, Floats]] = [
        (1, ones, expected),
        (0, n - ones, n - expected),
    ]
    for word, seen, usual in classes:
        pure = (usual * weight >= _EXPECTED_VALUE) & (seen <= _PURE * usual)
        for k in np.flatnonzero(pure)[:2]:
            told.append(_told(bins.labels[k], word, seen[k], usual[k]))
        if pure.any():
            continue
        told += _pure_tails(column, word, seen, usual, weight)
    column.reasons += told


def _pure_tails(
    column: _Judged, word: int, seen: Floats, usual: Floats, weight: Floats
) -> list[str]:
    bins = column.bins
    scale = np.flatnonzero(bins.position >= 0)
    for order, side in ((scale, "lowest"), (scale[::-1], "highest")):
        got, due = np.cumsum(seen[order]), np.cumsum(usual[order])
        enough = (np.cumsum((usual * weight)[order]) >= _EXPECTED_TAIL) & (got <= _PURE * due)
        if enough.any() and not enough[-1]:
            k = np.flatnonzero(enough)[-1]
            label = bins.labels[order[k]]
            last = label.split(" to ")[-1 if side == "lowest" else 0]
            where = f"the {side} values (as far as {last})"
            return [_told(where, word, got[k], due[k])]
    return []


def _told(where: str, word: int, seen: Any, usual: Any) -> str:
    if where == "missing":
        return f"where it is missing {seen:.0f} labels are {word}, {usual:.0f} were expected"
    return f"at {where} {seen:.0f} labels are {word}, {usual:.0f} were expected"


def _independent_share(code: Ints, groups: Any, n: Floats) -> Floats:
    """Return, per bin, groups per row: rows of one customer are no independent evidence."""
    if groups is None:
        return np.ones(len(n))
    pairs = np.unique(code * (int(groups.max(initial=0)) + 1) + groups)
    distinct = np.bincount(pairs // (int(groups.max(initial=0)) + 1), minlength=len(n))
    return distinct / np.maximum(n, 1.0)


def _only_after_contact(column: _Judged, contacted: npt.NDArray[np.bool_]) -> None:
    """Look for a column that is empty (missing, or one value) just where nobody was contacted."""
    code, free = column.bins.code, ~contacted
    if contacted.sum() < _EXPECTED_VALUE or free.sum() < _EXPECTED_VALUE:
        return
    empty = int(np.bincount(code[free]).argmax())
    of_free, of_contacted = (code[free] == empty).mean(), (code[contacted] != empty).mean()
    if of_free >= _EMPTY and of_contacted >= _FULL:
        column.reasons.append(
            f"it is {column.bins.labels[empty]} for {of_free:.0%} of those not contacted and for "
            f"{1 - of_contacted:.0%} of those contacted"
        )


def _above_the_rest(judged: list[_Judged], rows: _Rows) -> None:
    """Look for the strongest columns that beat all others together by more than chance."""
    open_ = [c for c in judged if c.auc.low < _PERFECT]
    open_.sort(key=lambda c: (-c.auc.value, c.name))
    strong = [c for c in open_ if c.auc.low >= _STRONG]
    found: list[_Judged] = []
    n_others = 0
    for k in range(1, min(len(strong), _MAX_TOGETHER, len(open_) - 1) + 1):
        others = [c for c in open_[k:] if not c.reasons]
        if not others:
            break
        rest = _together(others, rows)
        for column in open_[:k]:
            column.rest = rest.value
        if open_[k - 1].auc.low > rest.high + _MARGIN:
            found, n_others = open_[:k], len(others)
    for column in found:
        column.reasons.append(
            f"alone it predicts (AUC {column.auc.value:.3f}) better than all "
            f"{n_others} other columns together ({found[-1].rest:.3f})"
        )


def _together(columns: list[_Judged], rows: _Rows) -> Estimate:
    """Return the AUC of a logistic regression on the logits of the columns' rates."""
    rate = np.column_stack([c.score for c in columns])
    logits = np.log(rate / np.maximum(1.0 - rate, 1e-12))
    spread = logits.std(axis=0)
    logits = (logits - logits.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(max_iter=200, tol=1e-3).fit(logits, rows.y)
    return rows.auc(logits @ model.coef_[0])


# ---- reading and reporting ---------------------------------------------------------------------


def _report(judged: list[_Judged], n: int) -> pd.DataFrame:
    lines = []
    for c in judged:
        missing = float((c.bins.code == c.bins.missing).mean()) if n else np.nan
        lines.append((c.name, bool(c.reasons), "; ".join(c.reasons), c.auc.value, c.auc.low,
                      c.auc.high, c.rest, missing, n))  # fmt: skip
    out = pd.DataFrame(lines, columns=_COLUMNS)
    out = out.sort_values(["flagged", "auc", "name"], ascending=[False, False, True], kind="stable")
    return out.reset_index(drop=True)


def _chosen(frame: pd.DataFrame, columns: Any) -> pd.DataFrame:
    if not frame.columns.is_unique:
        raise ConfigError("X names a column twice", hint="give every column a name of its own")
    if columns is None:
        return frame
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        raise ConfigError(f"X has no column {', '.join(map(str, absent[:5]))}")
    return frame[list(columns)]


def _flags(values: Any, n: int, what: str) -> npt.NDArray[np.bool_]:
    numbers = pd.to_numeric(pd.Series(_numbers(values, n, what)), errors="coerce")
    numbers = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isin(numbers, (0.0, 1.0)).all():
        raise ConfigError(f"{what} must be 0 or 1 in every row", hint="leave other rows out")
    return numbers == 1.0


def _numbers(values: Any, n: int, what: str) -> Any:
    column = pd.Series(np.asarray(values).ravel())
    if len(column) != n:
        raise ConfigError(f"{n} rows of X and {len(column)} of {what}")
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or column.dtype == object:
        column = pd.to_datetime(column, utc=True).astype("int64") if what == "times" else column
    return column.to_numpy()
