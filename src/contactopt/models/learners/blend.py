"""A mixture of a line and boosted trees on the logit scale, calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.boosted import Trees
from contactopt.models.learners.calibrator import Calibrator
from contactopt.models.learners.linear import LogisticLearner

__all__ = ["Blend"]

Floats = npt.NDArray[np.float64]


class Blend:
    """Fitted scores and their calibration.

    Parameters
    ----------
    line : LogisticLearner or None
    trees : list of Trees
        Copies grown from different seeds; their mean counts.
    share : float in [0, 1]
        Weight of the trees on the logit scale.
    calibrator : Calibrator
    """

    def __init__(
        self,
        line: LogisticLearner | None,
        trees: list[Trees],
        share: float,
        calibrator: Calibrator,
    ) -> None:
        self.line = line
        self.trees = trees
        self.share = share
        self.calibrator = calibrator

    def raw(self, X: Floats) -> Floats:
        """Return the logit before calibration, shape (n,)."""
        raw = np.zeros(len(X))
        for copy in self.trees:
            raw = raw + self.share / len(self.trees) * copy.raw(X)
        if self.line is not None:
            raw = raw + (1.0 - self.share) * self.line.logit(X)
        return raw

    def probability(self, X: Floats) -> Floats:
        """Return calibrated P(1), shape (n,)."""
        return self.calibrator.probability(self.raw(X))

    def contributions(self, X: Floats) -> tuple[Floats, float]:
        """Return each column's part of the calibrated logit, shape (n, k), and the base.

        Shapley values of the trees and the line's terms less their mean are mixed as the scores
        are. Calibration is a curve, not a sum: all parts of a row are stretched by one factor, the
        slope of the curve's chord from the base to the row. A row's parts and the base add up to
        its calibrated logit.
        """
        parts = np.zeros((len(X), X.shape[1] + 1))
        for copy in self.trees:
            parts += self.share / len(self.trees) * copy.contributions(X)
        if self.line is not None:
            parts += (1.0 - self.share) * self.line.contributions(X)
        if len(X) == 0:
            return parts[:, :-1], float("nan")
        base = float(parts[0, -1])
        start = float(self.calibrator.logit(np.array([base]))[0])
        moved = parts[:, :-1].sum(axis=1)
        chord = self.calibrator.logit(base + moved) - start
        still = np.abs(moved) < 1e-12
        factor = np.where(still, self.calibrator.slope_, chord / np.where(still, 1.0, moved))
        return parts[:, :-1] * factor[:, None], start

    def to_state(self) -> dict[str, Any]:
        """Return the parts; trees as `ModelText`."""
        from contactopt.bundle import ModelText

        return {
            "line": None if self.line is None else self.line.to_state(),
            "trees": [ModelText(copy.text) for copy in self.trees],
            "share": self.share,
            "calibrator": self.calibrator.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int = 1) -> Blend:
        """Rebuild from `to_state`; the first format had one text of trees, or None."""
        line, texts = state["line"], state["trees"]
        if texts is None or isinstance(texts, str):
            texts = [] if texts is None else [texts]
        return cls(
            None if line is None else LogisticLearner.from_state(line),
            [Trees(str(text), num_threads) for text in texts],
            float(state["share"]),
            Calibrator.from_state(state["calibrator"]),
        )
