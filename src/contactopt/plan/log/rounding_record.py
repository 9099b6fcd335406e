"""What made the integers of an allocation, as JSON keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.allocation import Allocation, Rounding

__all__ = ["rounding_from", "rounding_to"]


def rounding_to(allocation: Allocation) -> dict[str, Any]:
    """Return plain values: the rounding and the cell prices."""
    made = allocation.rounding
    return {
        "method": int(made.method),
        "tau": made.tau,
        "floor": made.floor,
        "least": made.least,
        "factor": made.factor.tolist(),
        "shrink": made.shrink.tolist(),
        "cell_prices": allocation.cell_prices.tolist(),
    }


def rounding_from(told: dict[str, Any]) -> tuple[Rounding, npt.NDArray[np.float64]]:
    """Return the rounding and the cell prices."""
    made = Rounding(
        method=told["method"],
        tau=told["tau"],
        floor=told["floor"],
        least=told["least"],
        factor=np.array(told["factor"], dtype=np.float64),
        shrink=np.array(told["shrink"], dtype=np.float64),
    )
    return made, np.array(told["cell_prices"], dtype=np.float64)
