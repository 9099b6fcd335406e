"""The one signature that makes every probability, whatever regulariser stands behind it."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from contactopt.policy.weights import exploration_weights

__all__ = ["Exploration", "regularised_probabilities"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@runtime_checkable
class Exploration(Protocol):
    """A concave regulariser R: probabilities maximise <p, m> + tau w_i R(p)."""

    #: word in the strategy file
    name: ClassVar[str]
    #: code of the compiled kernel
    method: ClassVar[int]

    def probabilities(
        self, value: Floats, spread: Floats, mask: Mask, *, tau: float, floor: float = 0.0
    ) -> Floats:
        """Return probabilities of shape (n, m + 1), `wait` last."""
        ...


def regularised_probabilities(
    method: int, value: Floats, spread: Floats, mask: Mask, *, tau: float, floor: float
) -> Floats:
    """Solve every customer's problem alone; see `LogBarrier.probabilities` for the arguments."""
    from contactopt.policy.kernels import UNIT, final_pass

    value, spread, mask = np.asarray(value), np.asarray(spread), np.asarray(mask, dtype=bool)
    if value.shape != mask.shape or spread.shape != mask.shape or value.ndim != 2:
        raise ValueError("value, spread and mask must have one shape (n_customers, n_actions)")
    if not tau > 0:
        raise ValueError("tau must be positive: without it no probability is interior")
    n, m = value.shape
    starts = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(mask.sum(axis=1), out=starts[1:])
    pairs = value[mask].astype(float)
    if not np.isfinite(pairs).all():
        raise ValueError("values of eligible actions must be finite")
    sizes = np.diff(starts) + 1
    eps = np.minimum(floor, 0.5 / sizes)
    whole = np.zeros((n, m + 1), dtype=np.int64)
    final_pass(
        method,
        float(tau),
        starts,
        np.nonzero(mask)[1].astype(np.int16),
        pairs,
        np.zeros(len(pairs)),
        np.zeros(len(pairs), dtype=np.int16),
        exploration_weights(pairs, spread[mask].astype(float), starts),
        1.0 - eps * sizes,
        np.zeros(1),
        float(floor),
        np.ones(1),
        np.ones(1),
        1,
        whole,
        np.zeros(1, dtype=np.int64),
        np.zeros(1),
    )
    return whole / UNIT
