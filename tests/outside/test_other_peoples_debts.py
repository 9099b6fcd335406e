"""A guarantor is called about somebody else's debt: blocks of customers must not notice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.strategy import contact_strategy as strategy_module


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    demo = co.datasets.load_demo(n_customers=60, random_state=5)
    tables = dict(demo.tables)
    at = demo.latest_instant() - pd.Timedelta(days=2)
    debt_of = tables["debts"].drop_duplicates("customer_id").set_index("customer_id")["debt_id"]
    first, last = demo.customer_ids[3], demo.customer_ids[-1]
    pairs = [(first, debt_of[last]), (last, debt_of[first])]

    def add(name: str, rows: list[dict[str, object]]) -> None:
        new = pd.DataFrame(rows)
        for column in new:
            if isinstance(new[column].iloc[0], pd.Timestamp):
                new[column] = pd.to_datetime(new[column], utc=True).astype("datetime64[us, UTC]")
        tables[name] = pd.concat([tables[name], new], ignore_index=True)

    add("debt_parties", [{"debt_id": d, "customer_id": c, "role": "guarantor"} for c, d in pairs])
    touch = {"direction": "outbound", "channel": "call_agent", "outcome": "no_answer"}
    add(
        "touches",
        [
            {"touch_id": f"G{k}", "customer_id": c, "debt_id": d, "started_at": at, **touch}
            for k, (c, d) in enumerate(pairs)
        ],
    )
    add("touch_debts", [{"touch_id": f"G{k}", "debt_id": d} for k, (_, d) in enumerate(pairs)])
    hold = {"kind": "do_not_contact", "starts_at": at}
    add(
        "holds",
        [{"hold_id": "G", "customer_id": first, "debt_id": debt_of[last], **hold}],
    )
    add(
        "notices",
        [
            {"notice_id": "G", "customer_id": first, "debt_id": debt_of[last], "sent_at": at}
            | {"kind": "payment_demand"}
        ],
    )
    add(
        "decisions",
        [
            {"decision_id": "G", "decided_at": at, "customer_id": first, "propensity": 0.5}
            | {"channel": "sms", "debt_id": debt_of[last]}
        ],
    )
    return co.Portfolio.from_frames(tables)


def test_scores_do_not_depend_on_who_shares_a_block(
    portfolio: co.Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold on somebody else's debt keeps the party who has it from being contacted at all."""
    config = StrategyConfig.from_mapping(
        {"fallback": "cautious", "channels": ["call_agent", "sms", "letter"], "slots": [10, 15]}
        | {"max_staleness_hours": 1000}
    )
    as_of = portfolio.latest_instant()
    fitted = co.ContactStrategy(config=config).fit(portfolio, as_of=as_of)
    whole = fitted.score(portfolio, as_of=as_of)
    monkeypatch.setattr(strategy_module, "_BLOCK_CUSTOMERS", 7)
    parts = fitted.score(portfolio, as_of=as_of)
    assert np.array_equal(whole.allowed, parts.allowed)
    assert np.array_equal(whole.lawful_from, parts.lawful_from)
    assert np.array_equal(whole.value, parts.value)
    held = np.flatnonzero(whole.customer_ids == portfolio.customer_ids[3])
    assert whole.allowed.any() and not whole.allowed[held].any()
