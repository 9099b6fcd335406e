"""What all contacts together added, held against what was promised of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ControlContrast"]

Floats = npt.NDArray[np.float64]


class ControlContrast(NamedTuple):
    """One row per group of like customers: contacted customers less the control group.

    Parameters
    ----------
    design : float array, shape (k, size)
        What the plan held of each correction, mean per contacted customer.
    promised, realised : float arrays, shape (k,)
        What the models said that contacts add, and what they added, in payers' money.
    variance : float array, shape (k,)
        Of ``realised``.
    controls, contacted : int
        Customers of each side in all groups that count.
    """

    design: Floats
    promised: Floats
    realised: Floats
    variance: Floats
    controls: int
    contacted: int

    @classmethod
    def none(cls, size: int) -> ControlContrast:
        """Nobody was left out, or nothing was planned."""
        nothing = np.zeros(0)
        return cls(np.zeros((0, size)), nothing, nothing, nothing, 0, 0)

    def to_record(self) -> dict[str, float | int]:
        """Return the contrast of all groups together, weighted by precision, as plain values."""
        weight = 1.0 / self.variance
        whole = float(weight.sum())
        said = {"customers": self.controls, "contacted": self.contacted}
        if not whole > 0:
            return said
        return said | {
            "promised": float(weight @ self.promised) / whole,
            "realised": float(weight @ self.realised) / whole,
            "error": whole**-0.5,
        }
