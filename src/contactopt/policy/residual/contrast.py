"""What all contacts together added, held against what was promised of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ControlContrast"]

Floats = npt.NDArray[np.float64]

#: with fewer control customers nothing is told: it would be some persons' payments
_LEAST_TOLD = 20


class ControlContrast(NamedTuple):
    """One row per group of like customers: contacted customers less the control group.

    Parameters
    ----------
    design : float array, shape (k, size)
        What was planned of each correction, mean per customer, less that of the controls.
    promised, realised : float arrays, shape (k,)
        What the models said that contacts add, and what they added, in payers' money.
    variance : float array, shape (k,)
        Of ``realised``.
    age_days : float
        Of the first decisions, on average.
    controls, contacted : int
        Customers of each side in all groups that count.
    """

    design: Floats
    promised: Floats
    realised: Floats
    variance: Floats
    age_days: float
    controls: int
    contacted: int

    @classmethod
    def none(cls, size: int) -> ControlContrast:
        """Nobody was left out, or nothing was planned."""
        nothing = np.zeros(0)
        return cls(np.zeros((0, size)), nothing, nothing, nothing, 0.0, 0, 0)

    def evidence(self, forgetting: float, promise_sd: float) -> tuple[Floats, Floats]:
        """Return precision (size, size) and pull (size,) on the corrections.

        Parameters
        ----------
        forgetting : float
            Weight of a day's evidence relative to the next day's.
        promise_sd : float
            A sum of one-step gains is not the lift of a plan: contacts take effect from one
            another, or pave the way. So much of itself may it be off, in all groups alike.
        """
        kept = forgetting**self.age_days
        error = np.diag(self.variance / kept) + promise_sd**2 * np.outer(
            self.promised, self.promised
        )
        weighed = np.linalg.solve(error, self.design)
        return self.design.T @ weighed, weighed.T @ (self.realised - self.promised)

    def to_record(self) -> dict[str, float | int]:
        """Return the contrast of all groups together, weighted by precision, as plain values.

        Of fewer than 20 control customers only the number is told.
        """
        said: dict[str, float | int] = {"customers": self.controls, "contacted": self.contacted}
        if self.controls < _LEAST_TOLD:
            return said
        weight = 1.0 / self.variance
        whole = float(weight.sum())
        return said | {
            "promised": float(weight @ self.promised) / whole,
            "realised": float(weight @ self.realised) / whole,
            "error": whole**-0.5,
        }
