"""The same metrics for each value of a column: where a model holds and where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.metrics.arrays import labels_and_scores, weights_of
from contactopt.metrics.calibration import expected_calibration_error
from contactopt.metrics.interval import Estimate, mean_estimate, unknown
from contactopt.metrics.losses import brier, log_loss
from contactopt.metrics.ranking import auc

__all__ = ["SLICE_METRICS", "score_quantiles", "slice_metrics"]

_COLUMNS = (
    "slice", "group", "metric", "value", "low", "high", "n", "positives", "share", "told"
)  # fmt: skip
_ALL, _NONE, _TOO_FEW = "(all)", "(none)", "not enough data"


def _gap(y: Any, p: Any, *, groups: Any, sample_weight: Any, level: float) -> Estimate:
    """Mean of observed minus predicted: bias in the large."""
    labels, scores = labels_and_scores(y, p, probability=True)
    return mean_estimate(labels - scores, weights_of(sample_weight, len(labels)), groups, level)


def _rate(y: Any, p: Any, *, groups: Any, sample_weight: Any, level: float) -> Estimate:
    """Observed share."""
    labels, _ = labels_and_scores(y, p, probability=False)
    found = mean_estimate(labels, weights_of(sample_weight, len(labels)), groups, level)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


#: metrics by name: each takes y, p, groups, sample_weight, level and returns an `Estimate`
SLICE_METRICS: Mapping[str, Callable[..., Estimate]] = {
    "observed": _rate,
    "observed minus predicted": _gap,
    "auc": auc,
    "log_loss": log_loss,
    "brier": brier,
    "ece": expected_calibration_error,
}


def slice_metrics(
    y: npt.ArrayLike,
    probability: npt.ArrayLike,
    by: pd.DataFrame | pd.Series | Mapping[str, npt.ArrayLike],
    *,
    metrics: Sequence[str] = tuple(SLICE_METRICS),
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    min_rows: int = 50,
    min_class: int = 10,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return metrics for all rows and for each value of each column.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    by : DataFrame, Series or mapping of str to array-like, n rows
        Columns to slice by; null is a group of its own, ``(none)``. Numbers are taken as they
        are: band them first (`contactopt.metrics.FittedBins`).
    metrics : sequence of str
        Of ``observed`` (share of ones), ``observed minus predicted``, ``auc``, ``log_loss``,
        ``brier``, ``ece``.
    groups : array-like, shape (n,), optional
        Clusters (customers) for the intervals; minima count them.
    sample_weight : array-like, shape (n,), optional
    min_rows, min_class : int
        Rows (clusters) of a group, and of its rarer class, below which its numbers are not told:
        NaN and ``not enough data``. `observed` asks for ``min_rows`` only.
    level : float

    Returns
    -------
    DataFrame
        One row per slice, group and metric: slice (column), group (text, in the column's own
        order), metric, value, low, high, n (rows or clusters), positives (rows), share (of all
        rows), told (empty, or why not). The first rows are of slice ``(all)``.

    Raises
    ------
    ValueError
        An unknown metric, lengths that differ.

    Examples
    --------
    >>> table = slice_metrics(
    ...     [0, 1, 0, 1],
    ...     [0.2, 0.7, 0.4, 0.6],
    ...     {"book": list("aabb")},
    ...     metrics=["auc"],
    ...     min_rows=2,
    ...     min_class=1,
    ... )
    >>> table[["slice", "group", "value", "n"]].to_records(index=False).tolist()
    [('(all)', '(all)', 1.0, 4), ('book', 'a', 1.0, 2), ('book', 'b', 1.0, 2)]
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    weights = weights_of(sample_weight, len(labels))
    if wrong := set(metrics) - set(SLICE_METRICS):
        raise ValueError(f"no metric {sorted(wrong)}; there are {sorted(SLICE_METRICS)}")
    ids = None if groups is None else np.asarray(groups)
    if ids is not None and len(ids) != len(labels):
        raise ValueError(f"{len(labels)} labels but {len(ids)} groups")

    def lines(name: str, group: str, rows: npt.NDArray[np.int64]) -> list[tuple[Any, ...]]:
        own, held = labels[rows], None if ids is None else ids[rows]
        short = _too_few(own, held, min_rows, min_class)
        out = []
        for metric in metrics:
            refused = short if metric != "observed" or short.startswith("rows") else ""
            if refused:
                found = unknown(refused, len(rows) if held is None else len(np.unique(held)))
            else:
                found = SLICE_METRICS[metric](
                    own, p[rows], groups=held, sample_weight=weights[rows], level=level
                )
            share = len(rows) / max(len(labels), 1)
            numbers = (found.value, found.low, found.high, found.n, int(own.sum()), share)
            out.append((name, group, metric, *numbers, _TOO_FEW if found.reason else ""))
        return out

    told = lines(_ALL, _ALL, np.arange(len(labels)))
    for name, column in _columns(by, len(labels)).items():
        code, words = _groups_of(column)
        order = np.argsort(code, kind="stable")
        ends = np.searchsorted(code[order], np.arange(len(words) + 1))
        for k, word in enumerate(words):
            if ends[k] < ends[k + 1]:
                told += lines(str(name), word, order[ends[k] : ends[k + 1]])
    return pd.DataFrame(told, columns=list(_COLUMNS))


def score_quantiles(
    score: npt.ArrayLike,
    by: pd.Series | npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    groups: npt.ArrayLike | None = None,
    min_rows: int = 50,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return how a score is spread in each slice, beside what was observed there.

    Parameters
    ----------
    score : array-like, shape (n,)
    by : Series or array-like, shape (n,)
        Null is a group of its own.
    y : array-like of 0/1, shape (n,), optional
    groups : array-like, shape (n,), optional
        Clusters (customers); ``min_rows`` counts them.
    min_rows : int
        Below it numbers are NaN.
    level : float

    Returns
    -------
    DataFrame
        group, p05, p25, p50, p75, p95, mean, n, and with ``y`` observed, low, high; one row per
        group in the column's own order.

    Examples
    --------
    >>> score_quantiles([0.1, 0.3, 0.5], ["a", "a", "b"], min_rows=1)["p50"].tolist()
    [0.2, 0.5]
    """
    labels = np.zeros(np.size(np.asarray(score))) if y is None else y
    ones, s = labels_and_scores(labels, score, probability=False)
    ids = np.arange(len(s)) if groups is None else np.asarray(groups)
    code, words = _groups_of(_columns({"by": by}, len(s))["by"])
    marks = (0.05, 0.25, 0.5, 0.75, 0.95)
    rows = []
    for k, word in enumerate(words):
        held = code == k
        n = len(np.unique(ids[held]))
        if n == 0:
            continue
        told = n >= min_rows
        spread = np.quantile(s[held], marks) if told else np.full(len(marks), np.nan)
        row = [word, *spread.tolist(), float(s[held].mean()) if told else np.nan, n]
        if y is not None:
            found = mean_estimate(ones[held], np.ones(int(held.sum())), ids[held], level)
            ends = (found.value, max(found.low, 0.0), min(found.high, 1.0))
            row += list(ends) if told else [np.nan] * 3
        rows.append(row)
    columns = ["group", "p05", "p25", "p50", "p75", "p95", "mean", "n"]
    return pd.DataFrame(
        rows, columns=columns + (["observed", "low", "high"] if y is not None else [])
    )


def _too_few(labels: Any, ids: Any, min_rows: int, min_class: int) -> str:
    def count(rows: Any) -> int:
        return int(rows.sum()) if ids is None else len(np.unique(ids[rows]))

    if count(np.ones(len(labels), dtype=bool)) < min_rows:
        return f"rows below {min_rows}"
    rare = min(count(labels == 1.0), count(labels == 0.0))
    return f"rarer class below {min_class}" if rare < min_class else ""


def _columns(by: Any, n: int) -> dict[str, pd.Series]:
    if isinstance(by, pd.Series):
        by = {str(by.name or "slice"): by}
    columns = {
        str(name): pd.Series(by[name]).reset_index(drop=True)
        for name in (by.columns if isinstance(by, pd.DataFrame) else by)
    }
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(f"{n} labels but {len(column)} values of {name!r}")
    return columns


def _groups_of(column: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Code of each row and names of the groups, in a category's own order, null last."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        code, words = column.cat.codes.to_numpy(np.int64), list(column.cat.categories)
    else:
        found, names = pd.factorize(column, sort=True)
        code, words = np.asarray(found, dtype=np.int64), list(names)
    return np.where(code < 0, len(words), code), [*map(str, words), _NONE]
