"""A contact that has begun but may take more attempts is stopped by what came of the first."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from outside.one_case_each import clean, merged, touch

from contactopt import Portfolio
from contactopt.config import StrategyConfig
from contactopt.plan import recheck

AS_OF = pd.Timestamp("2026-06-02T14:00:00Z")
SLOT = pd.Timestamp("2026-06-02T16:00:00Z")
NOW = SLOT + pd.Timedelta(minutes=20)


def found(first: list[dict[str, Any]], attempts: int | None = 3, **more: Any) -> dict[str, str]:
    """Reasons to withdraw one planned call, by customer, after some touches that carry it out."""
    config = StrategyConfig.from_mapping(
        {
            "channels": {"call_agent": {} if attempts is None else {"max_attempts": attempts}},
            "slots": [10],
        }
    )
    plan = {
        "decision_id": "X", "decided_at": AS_OF, "customer_id": "a", "channel": "call_agent",
        "slot_start": SLOT, "start_before": SLOT + pd.Timedelta(hours=1), "slot_local_hour": 10,
        "contact_point_id": "a-mobile", "template_id": None, "debt_id": "a-d1", "debt_ids": "",
        "action_id": "call_agent@10", "pool": "call_agent",
    }  # fmt: skip
    if attempts is not None:
        plan["max_attempts"] = attempts
    rows = clean("a", jurisdiction="MX", zone="America/Mexico_City")
    rows["touches"] += [{**t, "touch_id": f"T{k}"} for k, t in enumerate(first)]
    for name, own in more.items():
        rows[name] += own
    complete: dict[str, Any] = {"touches": NOW, "payments": NOW}
    portfolio = Portfolio.from_frames(merged([rows]), complete_to=complete, extra_channels=("rcs",))
    out = recheck(pd.DataFrame([plan]), portfolio, NOW, config=config)
    return dict(zip(out["customer_id"], out["reasons"], strict=True))


def tried(outcome: str, minutes: int = 2, **more: Any) -> dict[str, Any]:
    began = SLOT + pd.Timedelta(minutes=minutes)
    return touch("a", outcome, started_at=began, decision_id="X", **more)


CEASED = {"hold_id": "H", "customer_id": "a", "kind": "cease_communication", "starts_at": NOW}


def test_attempts_that_are_left_may_go_on() -> None:
    assert found([]) == {}
    assert found([tried("no_answer")]) == {}
    assert found([tried("no_answer"), tried("voicemail", 9)]) == {}


@pytest.mark.parametrize("attempts", [3, 1, None])
def test_what_became_known_stops_the_attempts_that_are_left(attempts: int | None) -> None:
    later = found([tried("no_answer")], attempts, holds=[CEASED])
    assert later == ({"a": "house.cease"} if attempts == 3 else {})  # nothing left to stop
    assert found([], attempts, holds=[CEASED]) == {"a": "house.cease"}


def test_who_was_reached_is_not_called_again() -> None:
    assert "a" in found([tried("asked_to_stop")])
    assert "a" in found([tried("no_commitment")])


def test_all_attempts_made_leave_nothing_to_withdraw() -> None:
    three = [tried("no_answer", k) for k in (1, 5, 9)]
    assert found(three, holds=[CEASED]) == {}


def test_a_touch_on_record_later_is_not_known() -> None:
    hidden = tried("no_answer", recorded_at=NOW + pd.Timedelta(minutes=1))
    assert found([hidden], 1, holds=[CEASED]) == {"a": "house.cease"}
    assert found([tried("no_answer", recorded_at=NOW)], 1, holds=[CEASED]) == {}
