"""How well held-out rows were told, and what a reader of the score must know first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from contactopt.metrics import (
    Estimate,
    auc,
    calibration_error_of_perfect_model,
    expected_calibration_error,
    log_loss,
)
from contactopt.models.learners.blend import Blend
from contactopt.models.learners.calibrator import level_shift

__all__ = ["few_rows_told", "held_out_record", "level_over_all_rows", "useless_columns"]

Floats = npt.NDArray[np.float64]
#: of the rarer class, below which a verdict warns
_FEW = 50
#: rows that tell a level well enough; they come in an order that says nothing
_MAX_ROWS_FOR_LEVEL = 200_000


def few_rows_told(n: int, rare: int, cold_start: bool) -> list[str]:
    """Say what few rows, or few of a class, leave of a model."""
    if cold_start:
        return [f"{n} rows, {rare} of the rarer class: prior by days past due, no column is used"]
    if rare < _FEW:
        return [f"{rare} of the rarer class: a strongly penalised straight line, wide uncertainty"]
    return []


def useless_columns(X: Floats, names: list[str]) -> list[str]:
    """Name columns that hold one value, or none."""
    low, high = (f.reduce(X, axis=0, initial=None) for f in (np.fmin, np.fmax))
    flat = [n for n, a, b in zip(names, low, high, strict=True) if not b > a]
    if not flat:
        return []
    return [f"{len(flat)} of {len(names)} columns constant or empty: {', '.join(flat[:5])}"]


def held_out_record(
    logits: Floats, y: Floats, weight: Floats, groups: npt.NDArray[Any] | None
) -> dict[str, Any]:
    """Measure calibrated held-out scores; ``told`` says where they beat nothing.

    Parameters
    ----------
    logits, y, weight : float arrays, shape (n,)
    groups : array, shape (n,), optional

    Returns
    -------
    dict
        held_out_rows, held_out_log_loss, its value for the base rate, AUC, calibration error and
        that of a perfect model with these scores at this n, ends of the intervals (``_low``,
        ``_high``), told (list of str).
    """
    p = expit(logits)
    rate = float(weight @ y / weight.sum())
    loss = log_loss(y, p, sample_weight=weight, groups=groups)
    flat = log_loss(y, np.full(len(y), rate), sample_weight=weight)
    ranking = auc(y, p, groups=groups)
    gap = expected_calibration_error(y, p, groups=groups)
    told = []
    if loss.value >= flat.value or not ranking.high > 0.5:
        told.append(
            f"no skill shown: held-out log-loss {loss.value:.4f}, of the mere rate {flat.value:.4f}"
        )
    return {
        "held_out_rows": len(y),
        "held_out_log_loss": loss.value,
        "base_rate_log_loss": flat.value,
        "held_out_auc": ranking.value,
        "held_out_calibration_error": gap.value,
        "perfect_calibration_error": calibration_error_of_perfect_model(p, n_draws=20),
        **_ends("held_out_log_loss", loss),
        **_ends("held_out_auc", ranking),
        **_ends("held_out_calibration_error", gap),
        "told": told,
    }


def level_over_all_rows(blend: Blend, X: Floats, y: Floats, weight: Floats) -> float:
    """Bring a calibration that a sample of the rows gave to the rate of all of them.

    Where the outcome is rare, a sample has few of it, and its learners were weaker than the one
    fitted on all rows: both leave the curve's shape nearly as it is and move its level.

    Parameters
    ----------
    blend : Blend
        Changed: its calibration is shifted, and keeps the shift to the newest level that it had.
    X, y, weight : float arrays, shape (n, k), (n,), (n,)
        The rows of the fit.

    Returns
    -------
    float
        Shift of the logit.
    """
    some = slice(0, _MAX_ROWS_FOR_LEVEL)
    newest = blend.calibrator.shift_
    z = blend.calibrator.shifted(0.0).logit(blend.raw(X[some]))
    shift = level_shift(z, y[some], weight[some])
    blend.calibrator.shifted(newest + shift)
    return shift


def _ends(name: str, found: Estimate) -> dict[str, float]:
    """Return the ends of an interval that is known, for the model card."""
    ends = {f"{name}_low": found.low, f"{name}_high": found.high}
    return {k: v for k, v in ends.items() if np.isfinite(v)}
