"""From a score's logit to a calibrated probability; kept as knots or two numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from contactopt.models.learners.splits import own_hash

__all__ = ["Calibrator", "level_shift", "sigmoid_loss"]

Floats = npt.NDArray[np.float64]
#: fewer positives or negatives than this cannot support a free monotone curve
_MIN_ISOTONIC = 200
#: nats by which a freer calibration must be better in all: a small gain is mostly chance
_PRICE = {"identity": 0.0, "platt": 0.5, "isotonic": 2.0}


def sigmoid_loss(raw: Floats, y: Floats, weight: Floats) -> float:
    """Mean log-loss of logits, in nats; weights need not sum to one."""
    return float(weight @ (np.logaddexp(0.0, raw) - y * raw) / weight.sum())


def level_shift(raw: Floats, y: Floats, weight: Floats) -> float:
    """Constant on the logit scale that makes the mean probability the observed share.

    Half a row of each class is added, so that one class alone gives a finite answer.
    """
    share = (weight @ y + 0.5) / (weight.sum() + 1.0)
    shift = 0.0
    for _ in range(25):
        p = expit(raw + shift)
        slope = weight @ (p * (1.0 - p)) / weight.sum()
        step = (share - weight @ p / weight.sum()) / max(slope, 1e-9)
        shift += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-6:
            break
    return shift


def _platt(raw: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Slope and offset by maximum likelihood (Platt 1999), with a weak pull to (1, 0)."""
    total = weight.sum()

    def objective(theta: Floats) -> tuple[float, Floats]:
        slope, offset = theta
        z = slope * raw + offset
        residual = weight * (expit(z) - y)
        pull = 0.5 * ((slope - 1.0) ** 2 + offset**2)
        gradient = np.array([residual @ raw + slope - 1.0, residual.sum() + offset])
        return (sigmoid_loss(z, y, weight) * total + pull) / total, gradient / total

    found = minimize(objective, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])


def _isotonic(raw: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Knots of the monotone fit (Zadrozny and Elkan 2002), shares kept off 0 and 1."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(raw, y, sample_weight=weight)
    total = weight.sum()
    low, high = 0.5 / total, 1.0 - 0.5 / total
    return np.asarray(model.X_thresholds_), np.clip(model.y_thresholds_, low, high)


class Calibrator:
    """Identity, Platt's sigmoid or a monotone curve, whichever predicts held-out rows best.

    The curve is averaged with Platt's sigmoid, half and half on the logit scale: it keeps the order
    of the scores strict where the curve is flat.

    Parameters
    ----------
    method : {"auto", "identity", "platt", "isotonic"}
    """

    def __init__(self, method: str = "auto") -> None:
        self.method = method

    def fit(self, raw: Floats, y: Floats, weight: Floats) -> Calibrator:
        """Fit on out-of-fold logits of shape (n,) and labels 0/1.

        ``held_out_`` then holds the logits that calibrations learned from other rows give.
        """
        self.method_ = self.method
        if self.method == "auto":
            self.method_, self.held_out_ = _choose(raw, y, weight)
        self.slope_, self.offset_, self.shift_ = 1.0, 0.0, 0.0
        self.knots_, self.shares_ = np.zeros(0), np.zeros(0)
        if self.method_ != "identity":
            self.slope_, self.offset_ = _platt(raw, y, weight)
        if self.method_ == "isotonic":
            self.knots_, self.shares_ = _isotonic(raw, y, weight)
        return self

    def shifted(self, shift: float) -> Calibrator:
        """Add a constant to every logit from here on; returns itself."""
        self.shift_ = float(shift)
        return self

    def logit(self, raw: Floats) -> Floats:
        """Return calibrated logits, shape (n,), limited to 30 either way."""
        z = self.slope_ * raw + self.offset_
        if self.method_ == "isotonic":
            z = 0.5 * z + 0.5 * logit(np.interp(raw, self.knots_, self.shares_))
        return np.clip(z + self.shift_, -30.0, 30.0)

    def probability(self, raw: Floats) -> Floats:
        """Return calibrated probabilities in (0, 1), shape (n,)."""
        return expit(self.logit(raw))

    def to_state(self) -> dict[str, Any]:
        """Return method, sigmoid, knots and shift."""
        return {
            "method": self.method_,
            "slope": self.slope_,
            "offset": self.offset_,
            "knots": self.knots_.tolist(),
            "shares": self.shares_.tolist(),
            "shift": self.shift_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Calibrator:
        """Rebuild from `to_state`; the first format had no shift."""
        self = cls(str(state["method"]))
        self.method_ = str(state["method"])
        self.slope_, self.offset_ = float(state["slope"]), float(state["offset"])
        self.shift_ = float(state.get("shift", 0.0))
        self.knots_ = np.asarray(state["knots"], dtype=np.float64)
        self.shares_ = np.asarray(state["shares"], dtype=np.float64)
        return self


def _choose(raw: Floats, y: Floats, weight: Floats) -> tuple[str, Floats]:
    """Pick by log-loss on fifths that the candidate was not fitted on; return its logits there."""
    candidates = ["identity", "platt"]
    if min(float(y.sum()), float((1 - y).sum())) >= _MIN_ISOTONIC:
        candidates.append("isotonic")
    fold = own_hash(raw, y) % np.uint64(5)
    found = {method: raw.copy() for method in candidates}
    for k in range(5):
        train, held = fold != k, fold == k
        if not held.any() or len(np.unique(y[train])) < 2:
            continue
        for method in candidates:
            fitted = Calibrator(method).fit(raw[train], y[train], weight[train])
            found[method][held] = fitted.logit(raw[held])
    loss = {m: sigmoid_loss(z, y, weight) * len(y) + _PRICE[m] for m, z in found.items()}
    best = min(candidates, key=lambda m: loss[m])
    return best, found[best]
