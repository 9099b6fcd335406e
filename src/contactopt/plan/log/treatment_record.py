"""The choice between messages and offers in the log: one file per batch that had one.

folder/treatments/<batch_id>.parquet    every group's treatments with effect and probability
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.errors import ContractError

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["read_treatments", "treatment_facts", "treatments_hash"]

_NUMBERS = {"group": np.int32, "treatment": np.int32, "effect": np.float64, "spread": np.float64,
            "units": np.int64}  # fmt: skip
_WORDS = ("channel", "stage", "template_id", "offer_id")


def treatment_facts(plan: ContactPlan) -> dict[str, Any] | None:
    """Return what the batch's row keeps of the choice; None where no arm had one."""
    drawn = plan.drawn_treatments
    if drawn is None:
        return None
    choice = drawn.choice
    return {
        "heat": choice.heat,
        "least": choice.least,
        "discount": choice.table.discount,
        "hash": treatments_hash(plan.treatments()),
    }


def treatments_hash(frame: pd.DataFrame) -> str:
    """Return a hash of groups, treatments, effects and probabilities."""
    h = hashlib.sha256()
    for name, kind in _NUMBERS.items():
        h.update(np.ascontiguousarray(frame[name].to_numpy(dtype=kind)).tobytes())
    for name in _WORDS:
        codes, words = pd.factorize(frame[name].astype(object))
        h.update(codes.astype("<i8").tobytes())
        h.update("\n".join(map(str, words)).encode())
    return h.hexdigest()


def read_treatments(folder: Path, batch_id: str, facts: dict[str, Any]) -> pd.DataFrame:
    """Return the file of a batch.

    Raises
    ------
    ContractError
        If it is missing, or is not what the batch's row says.
    """
    path = folder / "treatments" / f"{batch_id}.parquet"
    frame = pd.read_parquet(path) if path.is_file() else None
    if frame is None or treatments_hash(frame) != facts["hash"]:
        raise ContractError(
            f"the messages and offers of batch {batch_id!r} are missing or were changed",
            hint="the log is damaged: copy the folder anew, treatments/ belongs to it",
        )
    return frame
