"""A contact that may take several attempts goes only where a cap has room for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from lawful_worlds import simple, touch, view_of

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig

AS_OF = "2026-06-02T12:00Z"


def reasons(attempts: int, **tables: Any) -> tuple[str, ...]:
    """Why a call in Massachusetts (two in seven days) is denied, of so many attempts."""
    config = StrategyConfig.from_mapping(
        {
            "channels": {"call_agent": {"max_attempts": attempts}},
            "slots": [11],
            "orchestration": {"one_attempt_per_day": False, "single_active_channel": False},
        }
    )
    view = view_of(simple("US-MA", ownership="first_party", **tables), AS_OF)
    verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
    return verdict.reasons_of(0, 0)


CAP = ("us-ma.creditor_cap_7d",)


@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_all_attempts_fit_under_the_cap_or_none_is_made(attempts: int, before: int) -> None:
    calls = [
        {**touch(f"2026-05-3{k}T15:00Z", outcome="voicemail"), "touch_id": f"T{k}"}
        for k in range(before)
    ]
    expected = CAP if before + attempts > 2 else ()
    assert reasons(attempts, touches=calls) == expected


def test_an_open_plan_counts_as_many_attempts_as_it_may_take() -> None:  # 003-14
    plan = {
        "decision_id": "X", "decided_at": "2026-06-02T11:00Z", "customer_id": "C",
        "channel": "call_agent", "propensity": 0.5, "slot_start": "2026-06-02T20:00Z",
        "dispatch_status": "pending",
    }  # fmt: skip
    voicemail = touch("2026-05-30T15:00Z", outcome="voicemail")
    one = {"decisions": [plan]}
    assert not {*CAP} & {*reasons(1, **one)}
    assert {*CAP} <= {*reasons(1, touches=[voicemail], **one)}
    assert {*CAP} <= {*reasons(2, **one)}
    assert not {*CAP} & {*reasons(1, decisions=[{**plan, "channel": "email"}], touches=[voicemail])}
