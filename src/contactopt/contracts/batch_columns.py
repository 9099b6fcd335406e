"""The long form of a scored batch: its columns, in the contract's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BATCH_COLUMNS", "NOT_SCORED", "REASON_SEPARATOR", "BatchColumn"]

#: reason of a pair that the scores do not list
NOT_SCORED = "not_scored"
REASON_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class BatchColumn:
    """One column: how it is read, whether it is needed, and in which range it must lie."""

    kind: Literal["id", "text", "number", "flag", "instant"]
    needed: bool = False
    least: float | None = None
    most: float | None = None


_SHARE = BatchColumn("number", least=0.0, most=1.0)
_ID = BatchColumn("id")

#: column -> how it is read
BATCH_COLUMNS: dict[str, BatchColumn] = {
    "customer_id": BatchColumn("id", needed=True),
    "action_id": BatchColumn("id", needed=True),
    "channel": BatchColumn("text", needed=True),
    "slot_local_hour": BatchColumn("number", least=0, most=23),
    "template_id": _ID,
    "offer_id": _ID,
    "contact_point_id": _ID,
    "debt_id": _ID,
    "allowed": BatchColumn("flag", needed=True),
    "reasons": BatchColumn("text", needed=True),
    "p_reach": _SHARE,
    "p_pay": _SHARE,
    "p_pay_wait": _SHARE,
    "amount": BatchColumn("number", least=0.0),
    "lift": BatchColumn("number"),
    "cost": BatchColumn("number", needed=True, least=0.0),
    "harm": BatchColumn("number", least=0.0),
    "value": BatchColumn("number", needed=True),
    "spread": BatchColumn("number", least=0.0),
    "pool": BatchColumn("text"),
    "usage": BatchColumn("number", least=0.0),
    "time_zone": BatchColumn("text"),
    "slot_start": BatchColumn("instant"),
    "start_before": BatchColumn("instant"),
}
