"""Profiles of segments: denominators, intervals, and silence where there is too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles.random_tables import random_tables

from contactopt.contracts import Portfolio, vocabulary
from contactopt.errors import ConfigError
from contactopt.journal import Journal
from contactopt.journal.outcome_events import REACHED_OUTCOMES
from contactopt.metrics.share import share_estimate
from contactopt.segments import customer_facts, profile


def people(n: int = 100) -> pd.DataFrame:
    """Two large groups and a small one."""
    k = np.arange(n)
    return pd.DataFrame(
        {
            "segment": np.where(k < 60, "early", np.where(k < 95, "late", "tiny")),
            "balance": np.where(k % 10 == 9, np.nan, k * 10.0),
            "product": np.where(k % 4 == 0, "tax", "credit_card"),
            "paid": pd.Series(np.where(k % 3 == 0, True, False), dtype="boolean").mask(k % 2 == 1),
        }
    )


def test_numbers_of_each_group() -> None:  # 000-26
    frame = people()
    found = profile(frame, min_customers=10).frame.set_index("segment")
    assert found["n_customers"].to_dict() == {"early": 60, "late": 35, "tiny": 5}
    assert found["share"].sum() == pytest.approx(1.0)
    for name in ("early", "late"):
        part = frame[frame["segment"] == name]
        known = part["balance"].dropna()
        assert found.loc[name, "balance_of"] == len(known)
        for q, at in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
            assert found.loc[name, f"balance_{q}"] == pytest.approx(known.quantile(at))
        paid = part["paid"].dropna().astype(bool)
        wanted = share_estimate(int(paid.sum()), len(paid))
        assert found.loc[name, "paid_of"] == len(paid)
        assert found.loc[name, "paid_share"] == wanted.value
        assert found.loc[name, "paid_low"] < wanted.value < found.loc[name, "paid_high"]
    assert found.loc["early", "product_mix"] == "credit card 75%, tax 25%"


def test_too_little_data_is_said_and_not_guessed() -> None:
    made = profile(people(), min_customers=10)
    tiny = made.frame.set_index("segment").loc["tiny"]
    assert tiny["n_customers"] == 5 and tiny["paid_of"] == 2
    assert np.isnan(
        tiny[["balance_p50", "paid_share", "paid_low", "paid_high"]].astype(float)
    ).all()
    assert tiny["product_mix"] == "not enough data"
    assert "not enough data (n=2)" in repr(made) and "not enough data" in made._repr_html_()
    mix = made.mix[made.mix["segment"] == "tiny"]
    # two cells of three and two customers stand together: nobody is singled out
    assert mix["value"].tolist() == ["(few)"] and mix["n_customers"].tolist() == [5]
    assert mix["share"].isna().all()


def test_mixes_add_up_and_null_is_a_group() -> None:
    frame = people().assign(segment=lambda f: f["segment"].where(f["segment"] != "tiny"))
    made = profile(frame, min_customers=1)
    assert made.frame["segment"].tolist() == ["early", "late", "(none)"]
    assert made.mix.groupby("segment")["share"].sum().tolist() == pytest.approx([1.0] * 3)
    assert made.mix["n_customers"].sum() == 100
    by = profile(frame, by="product", min_customers=1)
    assert by.frame["product"].tolist() == ["credit_card", "tax"] and by.mix.empty
    ordered = frame.assign(segment=pd.Categorical(frame["segment"], ["late", "early", "no"]))
    assert profile(ordered).frame["segment"].tolist() == ["late", "early", "(none)"]


def test_combinations_of_columns_are_groups_and_further_amounts_are_told() -> None:  # 000-10
    frame = people().assign(calls=np.arange(100) % 7)
    made = profile(frame, by=["product", "segment"], amounts=["calls"], min_customers=1)
    assert made.by == "product · segment"
    told = made.frame.set_index(made.by)
    assert told.index.tolist()[:2] == ["credit_card · early", "credit_card · late"]
    part = frame[(frame["product"] == "tax") & (frame["segment"] == "early")]
    assert told.loc["tax · early", "n_customers"] == len(part)
    assert told.loc["tax · early", "calls_p50"] == part["calls"].quantile(0.5)
    assert told["n_customers"].sum() == 100 and "calls" in repr(made)
    assert made.mix.empty  # no mix of a column that makes the groups
    with pytest.raises(ConfigError, match="no column 'shoe'"):
        profile(people(), amounts=["shoe"])


def test_empty_frames_and_wrong_questions() -> None:
    nobody = profile(people().iloc[:0])
    assert len(nobody) == 0 and "0 groups" in repr(nobody) and "<table" in nobody._repr_html_()
    with pytest.raises(ConfigError, match="no column 'shoe'"):
        profile(people(), by="shoe")
    for wrong in ({"min_customers": 0}, {"level": 1.0}):
        with pytest.raises(ConfigError):
            profile(people(), **wrong)


def test_html_escapes_names() -> None:
    html = profile(people().assign(segment="<script>"))._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_share_intervals() -> None:
    assert np.isnan(share_estimate(0, 0).value)
    assert share_estimate(0, 20).low == 0.0 and share_estimate(20, 20).high == 1.0
    rng, hits = np.random.default_rng(0), 0
    for _ in range(2_000):
        found = share_estimate(int(rng.binomial(40, 0.15)), 40, level=0.9)
        hits += found.low <= 0.15 <= found.high
    assert 0.87 < hits / 2_000 < 0.94


def test_who_paid_and_who_was_reached_the_slow_way() -> None:
    tables = random_tables(25, random_state=4)
    now = pd.Timestamp("2026-03-20T12:00Z")
    since = now - pd.Timedelta(days=30)
    portfolio = Portfolio.from_frames(tables)
    journal = Journal(portfolio)
    facts = customer_facts(journal.as_of(now)).set_index("customer_id")
    t = portfolio.tables
    owner = t["debts"].set_index("debt_id")["customer_id"]
    opened = t["debts"].groupby("customer_id")["opened_at"].min()
    pay = t["payments"]
    known = pay["recorded_at"].where(pay["recorded_at"] > pay["paid_at"], pay["paid_at"])
    kinds = pay["kind"].isna() | pay["kind"].isin(vocabulary.REWARD_KINDS)
    undone = pay["reversed_at"].where(
        ~(pay["recorded_at"] > pay["reversed_at"]), pay["recorded_at"]
    )
    counts = kinds & (known <= now) & (pay["paid_at"] > since) & ~(undone <= now)
    payers = set(pay.loc[counts, "debt_id"].map(owner))
    touches = journal.as_of(now).touches
    touches = touches[(touches["direction"] == "outbound") & (touches["outcome"] != "unknown")]
    start = touches["started_us"] > since.value // 1000
    touches = touches[start]
    asked = set(portfolio.customer_ids[touches["customer"]])
    got = touches[touches["outcome"].isin(REACHED_OUTCOMES)]
    reached = set(portfolio.customer_ids[got["customer"]])
    for c in portfolio.customer_ids:
        had = opened[c] <= since
        assert facts.loc[c, "paid"] is pd.NA if not had else facts.loc[c, "paid"] == (c in payers)
        if c not in asked:
            assert facts.loc[c, "reached"] is pd.NA
        else:
            assert facts.loc[c, "reached"] == (c in reached)
    assert payers and reached and facts["paid"].notna().sum() > 15
    born = t["customers"].set_index("customer_id")["birth_year"]
    ages = {
        "under 30": (0, 30),
        "30 to 44": (30, 45),
        "45 to 59": (45, 60),
        "60 and over": (60, 200),
    }
    for c, band in facts["age_band"].items():
        low, high = ages[band]
        assert low <= 2026 - born[c] < high
