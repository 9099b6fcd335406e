"""Entropy as regulariser: known to all, but it starves what matters most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from contactopt.policy.exploration import regularised_probabilities

__all__ = ["Softmax"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Softmax:
    """R(p) = -sum_a p_a log p_a, so that p_a is proportional to exp(-gap_a / (tau w)).

    Probabilities fall exponentially with the gap: at the same cost as the log barrier, waiting
    gets next to no probability where values are large, and only the floor keeps it usable for
    evaluation. Prefer `LogBarrier` unless you compare.

    Examples
    --------
    >>> import numpy as np
    >>> value, sd = np.array([[2.0, 1.0]]), np.array([[1.0, 1.0]])
    >>> Softmax().probabilities(value, sd, np.array([[True, True]]), tau=0.5).round(3)
    array([[0.867, 0.117, 0.016]])
    """

    name: ClassVar[str] = "softmax"
    method: ClassVar[int] = 1

    def probabilities(
        self,
        value: Floats,
        spread: Floats,
        mask: npt.NDArray[np.bool_],
        *,
        tau: float,
        floor: float = 0.0,
    ) -> Floats:
        """Return probabilities of shape (n, m + 1); arguments as in `LogBarrier.probabilities`."""
        return regularised_probabilities(self.method, value, spread, mask, tau=tau, floor=floor)
