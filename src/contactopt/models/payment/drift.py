"""Whether the newest rows of a training past still look like the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from contactopt.metrics.drift import population_stability_index

__all__ = ["drift_record", "drift_told"]

Floats = npt.NDArray[np.float64]
#: the newest share of the rows is held against the rest; each side needs so many rows
_NEWEST, _MIN_ROWS = 0.2, 200
#: rows of a side that are enough to tell an index of 0.1 from chance
_MAX_ROWS = 20_000
#: standard errors between the payment rates, and their ratio, that make a rate a moved one
_RATE_SE, _RATE_RATIO = 4.0, 1.25


def drift_record(
    X: Floats,
    y: Floats,
    logits: Floats,
    when: npt.NDArray[np.int64],
    groups: npt.NDArray[Any] | None,
    names: list[str],
    n_top: int = 10,
) -> dict[str, Any]:
    """Compare the newest fifth of the rows with those before.

    Parameters
    ----------
    X : float array, shape (n, k)
        Encoded columns, NaN where missing.
    y : 0/1 array, shape (n,)
    logits : float array, shape (n,)
        Held-out scores.
    when : int64 array, shape (n,)
    groups : array, shape (n,), optional
        Customers: their repeated rows widen what chance allows.
    names : list of str
        Columns.
    n_top : int
        Columns named, those that moved most first.

    Returns
    -------
    dict
        ``drifted`` (the scores moved, or the rate of the outcome did; columns that moved and left
        the scores where they were, as calendar columns do, are named but are no drift),
        ``n_moved_far``, ``columns`` (name to population stability index), ``score_index``,
        ``rate_before``, ``rate_newest``, ``expected_newest`` (mean held-out score there). Empty
        where there is no later time, or too few rows on a side.
    """
    cut = np.sort(when)[int((1.0 - _NEWEST) * (len(when) - 1))] if len(when) else 0
    newest = when > cut
    if min(newest.sum(), (~newest).sum()) < _MIN_ROWS:
        return {}
    # rows come in an order that says nothing: the first of a side are a fair sample of it
    old, new = (np.flatnonzero(side)[:_MAX_ROWS] for side in (~newest, newest))
    own: dict[str, Any] = {}
    if groups is not None:
        own = {"expected_groups": groups[old], "actual_groups": groups[new]}

    def index(values: Floats) -> Any:
        return population_stability_index(values[old], values[new], **own)

    found = {name: index(X[:, j]) for j, name in enumerate(names)}
    far = {n: s for n, s in found.items() if s.verdict == "moved far"}
    score = index(logits)
    before, now = float(y[~newest].mean()), float(y[newest].mean())
    error = np.sqrt(before * (1 - before) / (~newest).sum() + now * (1 - now) / newest.sum())
    low, high = sorted((before, now))
    rate_moved = high - low > _RATE_SE * error and high > _RATE_RATIO * low
    order = sorted(far, key=lambda n: (-far[n].value, n))[:n_top]
    return {
        "drifted": score.verdict in ("moved", "moved far") or bool(rate_moved),
        "n_moved_far": len(far),
        "columns": {n: float(far[n].value) for n in order},
        "score_index": float(score.value),
        "rate_before": before,
        "rate_newest": now,
        "expected_newest": float(expit(logits[newest]).mean()),
    }


def drift_told(drift: dict[str, Any], n_columns: int) -> str:
    """Say in a line what moved."""
    named = ", ".join(f"{n} {v:.2f}" for n, v in list(drift["columns"].items())[:5])
    columns = f"{drift['n_moved_far']} of {n_columns} columns moved far" + (
        f" (stability index {named})" if named else ""
    )
    return (
        f"drift: in the newest fifth of the rows {columns}; rate of the outcome "
        f"{drift['rate_before']:.1%} before, {drift['rate_newest']:.1%} there"
    )
