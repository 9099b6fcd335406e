"""The scaled log barrier: the exact form of inverse-gap weighting, and the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from contactopt.policy.exploration import regularised_probabilities

__all__ = ["LogBarrier"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LogBarrier:
    """R(p) = sum_a log p_a, so that p_a = tau w / (nu + gap_a).

    The weight w is the customer's own uncertainty: the mean posterior standard deviation of the
    eligible arms, at least 1 % of the range of their values. Probabilities fall with the gap as
    1 / gap, never exponentially, so that even the largest debts keep a usable p(wait).

    References
    ----------
    Foster and Rakhlin, "Beyond UCB: Optimal and Efficient Contextual Bandits with Regression
    Oracles", ICML 2020 (inverse-gap weighting).

    Examples
    --------
    >>> import numpy as np
    >>> value, sd = np.array([[2.0, 1.0]]), np.array([[1.0, 1.0]])
    >>> LogBarrier().probabilities(value, sd, np.array([[True, True]]), tau=0.1).round(3)
    array([[0.863, 0.09 , 0.047]])
    >>> LogBarrier().probabilities(value, sd, np.array([[False, True]]), tau=0.1).round(3)
    array([[0.  , 0.91, 0.09]])
    """

    name: ClassVar[str] = "log_barrier"
    method: ClassVar[int] = 0

    def probabilities(
        self,
        value: Floats,
        spread: Floats,
        mask: npt.NDArray[np.bool_],
        *,
        tau: float,
        floor: float = 0.0,
    ) -> Floats:
        """Return the probability of every arm and of waiting.

        Parameters
        ----------
        value, spread : float array, shape (n, m)
            Posterior mean (prices already taken off) and standard deviation, in money.
        mask : bool array, shape (n, m)
            True where the arm is eligible.
        tau : float
            Dimensionless exploration weight, positive.
        floor : float
            Set aside first: every eligible arm and `wait` has at least this probability (at most
            half of a customer's probability goes into floors).

        Returns
        -------
        float array, shape (n, m + 1)
            Multiples of 2**-36 that sum to exactly 1 per row; exactly 0 where masked; `wait` (value
            0, always eligible) is the last column. Shape (0, m + 1) for no customers.

        Raises
        ------
        ValueError
            If shapes differ, ``tau`` is not positive or an eligible value is not finite.
        """
        return regularised_probabilities(self.method, value, spread, mask, tau=tau, floor=floor)
