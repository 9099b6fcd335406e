"""What the log keeps of a plan made while safety is on.

Per considered action: the probability of every candidate and the constant policy's scores. Per
batch: the verdict, the learned policy's share of the draw, and what made the integers of the
others. The drawn probability is (1 - share) x leader's + share x learned one's, in integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from contactopt.plan.log.rounding_record import rounding_to
from contactopt.policy.kernels import UNIT
from contactopt.policy.safety.evidence import CANDIDATES

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["candidate_columns", "column_of", "safe_facts"]

Floats = npt.NDArray[np.float64]


def column_of(name: str) -> str:
    """Name the column of a candidate's probabilities."""
    return f"probability_{name}"


def candidate_columns(plan: ContactPlan, rows: slice) -> dict[str, Floats]:
    """Return the columns of some customers, `wait` last, flat; none where safety is off."""
    safe, batch = plan.safe, plan.batch
    if safe is None:
        return {}
    columns = {}
    for name in CANDIDATES:
        p = safe.probabilities_of(name)
        if p is not None:
            columns[column_of(name)] = (p[rows] / UNIT).ravel()
    if safe.constant is not None:
        assert batch.constant_value is not None and batch.constant_spread is not None
        for name, values in (
            ("constant_value", batch.constant_value[rows]),
            ("constant_spread", batch.constant_spread[rows]),
        ):
            wait = np.zeros((len(values), 1))
            columns[name] = np.hstack([values.astype(np.float64), wait]).ravel()
    return columns


def safe_facts(plan: ContactPlan) -> dict[str, Any] | None:
    """Return the batch's own part as JSON takes it; None where safety is off."""
    safe = plan.safe
    if safe is None:
        return None
    told: dict[str, Any] = {"verdict": safe.verdict.to_state(), "share": safe.share}
    if safe.constant is not None:
        told["constant"] = rounding_to(safe.constant)
    if safe.incumbent is not None:
        own = safe.incumbent
        told["incumbent"] = {
            **own.incumbent.to_state(),
            "floor": own.floor,
            "factor": own.factor.tolist(),
            "shrink": own.shrink.tolist(),
            "rest": own.rest,
        }
    return told
