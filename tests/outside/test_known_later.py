"""What becomes known after the instant changes neither plan nor probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from outside.cold_line import cold
from outside.one_case_each import (
    AS_OF,
    ago,
    clean,
    debt,
    hold,
    merged,
    snapshot,
    strategy,
    touch,
)
from outside.protected_cases import Edit, add, both, change, promise

from contactopt import ContactStrategy, Portfolio
from contactopt.config import StrategyConfig


@pytest.fixture(scope="module")
def strategy_fitted() -> ContactStrategy:
    return cold(StrategyConfig.from_mapping(strategy()))


def _later_rows() -> Iterator[tuple[str, Edit]]:
    after, before = AS_OF + pd.Timedelta(minutes=1), ago(2)
    seen = {"recorded_at": after}
    t = touch("{c}", "asked_to_stop", started_at=before)
    yield "touch after", add("touches", **{**t, "started_at": after})
    yield "touch told later", add("touches", **t, **seen)
    yield "touch inbound told later", add("touches", **{**t, "direction": "inbound"}, **seen)
    yield "hold told later", add("holds", **hold("{c}", "cease_communication"), **seen)
    yield (
        "hold that begins later, told later",
        add("holds", **hold("{c}", "cease_communication", starts_at=after), **seen),
    )
    revoked = {"customer_id": "{c}", "channel": "sms", "status": "revoked"}
    yield "revoked later", add("consents", **revoked, changed_at=after)
    yield "revoked, told later", add("consents", **revoked, changed_at=before, **seen)
    paid = {"payment_id": "{c}-y", "debt_id": "{c}-d1", "amount": 900.0}
    yield "paid later", add("payments", **paid, paid_at=after)
    yield "paid, told later", add("payments", **paid, paid_at=ago(0.1), **seen)
    yield (
        "snapshot later",
        lambda c, r: r["debt_snapshots"].append(
            snapshot(f"{c}-d1", observed_at=after, status="cured")
        ),
    )
    yield (
        "snapshot told later",
        lambda c, r: r["debt_snapshots"].append(
            snapshot(f"{c}-d1", observed_at=ago(0.1), status="cured", **seen)
        ),
    )
    promised = {"promise_id": "{c}-p", "debt_id": "{c}-d1", "due_at": "2026-06-09", "amount": 9.0}
    yield "promise later", add("promises", **promised, made_at=after)
    yield "promise told later", add("promises", **promised, made_at=before, **seen)
    yield "closed later", change("debts", closed_at=after)
    yield "recalled later", change("debts", recalled_at="2026-06-05")
    yield (
        "new debt later",
        lambda c, r: [
            r["debts"].append(
                debt(c, f"{c}-d9", opened_at="2026-06-05", delinquent_since="2026-06-06")
            ),
            r["debt_snapshots"].append(snapshot(f"{c}-d9", observed_at=after)),
        ],
    )
    yield "point later", add(
        "contact_points", contact_point_id="{c}-z", customer_id="{c}", kind="mobile",
        place="home", holder="customer", quality_share=1.0, valid_from=after,
    )  # fmt: skip
    yield (
        "notice later",
        add(
            "notices", notice_id="{c}-n", customer_id="{c}", kind="validation", sent_at="2026-06-05"
        ),
    )
    yield "arrangement later", add(
        "arrangements", arrangement_id="{c}-a", debt_id="{c}-d1", starts_at="2026-06-05",
        frequency="monthly", instalment=50.0, n_instalments=3,
    )  # fmt: skip
    yield "decision later", add(
        "decisions", decision_id="{c}-x", decided_at=after, customer_id="{c}", channel="sms",
        propensity=0.5, slot_start=AS_OF + pd.Timedelta(hours=5),
    )  # fmt: skip
    yield (
        "party later",
        add(
            "debt_parties", debt_id="{c}-d1", customer_id="{c}2", role="guarantor", valid_from=after
        ),
    )


def _told_later_values() -> Iterator[tuple[str, Edit, Edit]]:
    """Pairs of one row without and with what only becomes known later."""
    after = AS_OF + pd.Timedelta(minutes=1)
    base = touch("{c}", "unknown", started_at=ago(3), channel="sms")
    told = {**base, "outcome": "opted_out", "outcome_at": after}
    yield "outcome", add("touches", **base), add("touches", **told)
    responded = {**base, "outcome": "replied", "responded_at": after}
    yield "response", add("touches", **base), add("touches", **responded)
    pay = {"payment_id": "{c}-y", "debt_id": "{c}-d1", "amount": 90.0, "paid_at": ago(5)}
    yield "reversal", add("payments", **pay), add("payments", **pay, reversed_at=after)
    sent = {**base, "outcome": "delivered"}
    event = {"touch_id": "{c}-t", "occurred_at": after, "event": "opted_out"}
    yield (
        "event",
        add("touches", **sent),
        both(add("touches", **sent), add("touch_events", **event)),
    )
    yield "cancelled", promise("2026-06-20"), promise("2026-06-20", cancelled_at=after)
    nothing: Edit = lambda c, r: None  # noqa: E731
    for name, edit in _later_rows():
        yield name, nothing, edit


LATER = list(_told_later_values())


@pytest.fixture(scope="module")
def known_then(strategy_fitted: ContactStrategy) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Decisions and probabilities without and with the later rows, all customers at once."""
    both_ways = []
    for which in (1, 2):
        parts = []
        for i, case in enumerate(LATER):
            c = f"c{i:02d}"
            rows, friend = clean(c), clean(f"{c}2")
            case[which](c, rows)
            parts += [rows, friend]
        portfolio = Portfolio.from_frames(
            merged(parts),
            extra_channels=("rcs",),
            complete_to=dict.fromkeys(("touches", "payments"), AS_OF),
        )
        plan = strategy_fitted.rank(portfolio, as_of=AS_OF, random_state=3, batch_id="b")
        actions = plan.decision_actions()
        both_ways.append((plan.decisions(), actions))
    (d1, a1), (d2, a2) = both_ways
    return {"decisions": (d1, d2), "actions": (a1, a2)}


@pytest.mark.parametrize("case", range(len(LATER)), ids=[case[0] for case in LATER])
def test_later_knowledge_changes_nothing(known_then: Any, case: int) -> None:
    before, after = known_then["decisions"]
    own = [f"c{case:02d}", f"c{case:02d}2"]
    one, two = (d[d["customer_id"].isin(own)].reset_index(drop=True) for d in (before, after))
    pd.testing.assert_frame_equal(one, two)
    ids = set(one["decision_id"])
    first, second = (
        a[a["decision_id"].isin(ids)].reset_index(drop=True) for a in known_then["actions"]
    )
    pd.testing.assert_frame_equal(first, second)
