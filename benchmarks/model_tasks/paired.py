"""AUC, log-loss and calibration error of several models on the same rows, with paired differences.

Intervals are 95 %, from a bootstrap that draws whole groups (rows where there are none), the same
draws for every model: the difference of two models is far surer than either figure. Draws are
centred on the figure, because a calibration error is larger on rows drawn twice; the interval of a
single calibration error is the library's, which knows that noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

N_BINS = 10
OURS = "contactopt"


class _Ready:
    """Sorted once, so that each draw of weights is scored in linear time."""

    def __init__(self, y: np.ndarray, p: np.ndarray) -> None:
        self.y, self.p = y, p
        clipped = np.clip(p, 1e-15, 1 - 1e-15)
        self.loss = -np.where(y == 1, np.log(clipped), np.log1p(-clipped))
        self.order = np.argsort(p, kind="stable")
        _, tie = np.unique(p[self.order], return_inverse=True)
        self.tie = tie.ravel()

    def auc(self, w: np.ndarray) -> float:
        ones = np.bincount(self.tie, (w * self.y)[self.order])
        zeros = np.bincount(self.tie, (w * (1 - self.y))[self.order])
        below = np.cumsum(zeros) - 0.5 * zeros
        return float(ones @ below / (ones.sum() * zeros.sum()))

    def log_loss(self, w: np.ndarray) -> float:
        return float(w @ self.loss / w.sum())

    def ece(self, w: np.ndarray) -> float:
        mass = np.cumsum(w[self.order])
        edges = np.searchsorted(mass, mass[-1] * np.arange(1, N_BINS) / N_BINS)
        # equal scores stay in one bin
        code = np.searchsorted(np.unique(self.p[self.order][edges]), self.p, side="right")
        gap = np.bincount(code, w * (self.p - self.y))
        return float(np.abs(gap).sum() / w.sum())


METRICS = {"AUC": _Ready.auc, "log-loss": _Ready.log_loss, "ECE": _Ready.ece}


def rows_of(
    task: str,
    y: np.ndarray,
    predicted: dict[str, np.ndarray],
    *,
    bars: dict[str, float],
    groups: np.ndarray | None,
    seed: int,
    quick: bool,
) -> list[dict[str, Any]]:
    """Return a row per model and metric, and per difference of ours to each other model.

    Parameters
    ----------
    task : str
    y : 0/1 array, shape (n,)
    predicted : dict of str to array of shape (n,)
        Held-out probabilities; one model is called "contactopt".
    bars : dict of str to float
        By metric: at least for AUC, at most for the others. They are ours alone.
    groups : array, shape (n,), optional
    seed : int
    quick : bool
        Fewer bootstrap draws.
    """
    from contactopt.metrics import calibration_error_of_perfect_model, expected_calibration_error

    y = np.asarray(y, dtype=np.float64)
    ready = {name: _Ready(y, p) for name, p in predicted.items()}
    drawn = list(_draws(len(y), groups, 60 if quick else 200, seed))
    rows = []
    for metric, score in METRICS.items():
        value = {name: score(r, np.ones(len(y))) for name, r in ready.items()}
        draws = {name: np.array([score(r, w) for w in drawn]) for name, r in ready.items()}
        for name in ready:
            note = ""
            if metric == "ECE":
                perfect = calibration_error_of_perfect_model(predicted[name], n_draws=50)
                note = f"perfect model {perfect:.4f}"
            bar = bars.get(metric) if name == OURS else None
            met = None if bar is None else meets(metric, value[name], bar)
            row = _row(task, name, metric, value[name], draws[name], len(y), bar, met, note)
            if metric == "ECE":
                found = expected_calibration_error(y, predicted[name], groups=groups)
                row |= {"low": found.low, "high": found.high}
            rows.append(row)
        for name in ready:
            if name != OURS:
                gap, spread = value[OURS] - value[name], draws[OURS] - draws[name]
                rows.append(_row(task, f"{OURS} - {name}", metric, gap, spread, len(y)))
    return rows


def meets(metric: str, value: float, bar: float) -> bool:
    """Say whether a figure is at least (AUC) or at most (the others) its bar, to three digits."""
    return round(value, 3) >= bar if metric == "AUC" else round(value, 3) <= bar


def _draws(n: int, groups: np.ndarray | None, n_draws: int, seed: int):
    rng = np.random.default_rng(seed)
    names, code = (n, np.arange(n)) if groups is None else _coded(groups)
    for _ in range(n_draws):
        times = np.bincount(rng.integers(names, size=names), minlength=names)
        yield times[code].astype(np.float64)


def _coded(groups: np.ndarray) -> tuple[int, np.ndarray]:
    names, code = np.unique(groups, return_inverse=True)
    return len(names), code.ravel()


def _row(
    task: str,
    model: str,
    metric: str,
    value: float,
    draws: np.ndarray,
    n: int,
    bar: float | None = None,
    met: bool | None = None,
    note: str = "",
) -> dict[str, Any]:
    low, high = value + np.quantile(draws - draws.mean(), [0.025, 0.975])
    return {
        "task": task,
        "model": model,
        "metric": metric,
        "value": value,
        "low": float(low),
        "high": float(high),
        "n": n,
        "bar": bar,
        "met": met,
        "note": note,
    }
