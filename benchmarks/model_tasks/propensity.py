"""Our payment model with its defaults beside the peers, on any table with a yes and a no."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from model_tasks.paired import OURS, rows_of
from model_tasks.peers import lightgbm, logistic

Folds = list[tuple[np.ndarray, np.ndarray]]
WINDOWS = 6


def random_folds(y: np.ndarray, seed: int, quick: bool, groups: np.ndarray | None = None) -> Folds:
    """Stratified folds, whole groups where there are any; five, two if quick."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(2 if quick else 5, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(y)), y, groups))


def expanding_windows(order: np.ndarray) -> Folds:
    """Cut rows by time into six parts; each but the first is told by a fit on all before it."""
    rank = np.argsort(np.argsort(order, kind="stable"), kind="stable")
    part = rank * WINDOWS // max(len(order), 1)
    return [(np.flatnonzero(part < k), np.flatnonzero(part == k)) for k in range(1, WINDOWS)]


def compare(
    task: str,
    X: pd.DataFrame,
    y: np.ndarray,
    folds: Folds,
    *,
    bars: dict[str, float],
    seed: int,
    quick: bool,
    times: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    drift_bar: float | None = None,
) -> list[dict[str, Any]]:
    """Score our default and the peers on the same folds.

    Parameters
    ----------
    task : str
    X : DataFrame, shape (n, k)
    y : 0/1 array, shape (n,)
    folds : list of (training, test) positions
    bars : dict of metric to figure
    seed : int
        Of all models (the folds have their own).
    quick : bool
    times, groups : arrays, shape (n,), optional
        Told to our model; groups also cluster the intervals.
    drift_bar : float, optional
        Share of the fits in which drift must be flagged.
    """
    from contactopt import PaymentModel

    models = (OURS, "lightgbm", "logistic")
    predicted = {name: np.full(len(y), np.nan) for name in models}
    flagged, learners = [], []
    for train, test in folds:
        told: dict[str, Any] = {}
        if times is not None:
            told["times"] = times[train]
        if groups is not None:
            told["groups"] = groups[train]
        ours = PaymentModel(random_state=seed).fit(X.iloc[train], y[train], **told)
        flagged.append(bool(ours.fit_record_.get("drift", {}).get("drifted")))
        learners.append(f"{ours.fit_record_.get('tree_share', 0.0):.2f}")
        predicted[OURS][test] = ours.predict_proba(X.iloc[test])[:, 1]
        for name, peer in (("lightgbm", lightgbm), ("logistic", logistic)):
            predicted[name][test] = peer(X.iloc[train], y[train], X.iloc[test], seed)
    held = ~np.isnan(predicted[OURS])
    rows = rows_of(
        task,
        y[held],
        {name: p[held] for name, p in predicted.items()},
        bars={} if quick else bars,  # they stand for the full protocol
        groups=None if groups is None else groups[held],
        seed=seed,
        quick=quick,
    )
    rows[0]["note"] = "share of trees per fold " + " ".join(learners)
    if drift_bar is not None:
        share = float(np.mean(flagged))
        rows.append(
            {
                **{"task": task, "model": OURS, "metric": "drift flagged", "value": share},
                **{"low": None, "high": None, "n": len(folds), "bar": drift_bar},
                **{"met": share >= drift_bar, "note": "share of the fits"},
            }
        )
    return rows
