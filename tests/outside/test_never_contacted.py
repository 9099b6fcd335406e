"""Nobody is contacted who must not be: one customer per way to be protected, the whole line."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from outside.cold_line import cold, load, table_of
from outside.one_case_each import (
    AS_OF,
    Rows,
    ago,
    clean,
    debt,
    everything,
    hold,
    merged,
    snapshot,
    strategy,
    touch,
)
from outside.protected_cases import PLACES, Edit, add, change, names, point, today

from contactopt import ContactStrategy
from contactopt.config import StrategyConfig
from contactopt.errors import StalenessError
from contactopt.plan import ContactPlan


@pytest.fixture(scope="module")
def strategy_fitted() -> ContactStrategy:
    return cold(StrategyConfig.from_mapping(strategy()))


@pytest.fixture(scope="module")
def ranked(strategy_fitted: ContactStrategy) -> tuple[ContactPlan, pd.DataFrame]:
    parts = []
    for place, (zone, ownership) in PLACES.items():
        for k in range(3):
            parts.append(
                clean(f"{place}:clean{k}", jurisdiction=place, zone=zone, ownership=ownership)
            )
        for c, (edit, _) in names(place).items():
            rows = clean(c, jurisdiction=place, zone=zone, ownership=ownership)
            edit(c, rows)
            parts.append(rows)
    portfolio = load(merged(parts))
    assert len(portfolio.quarantine) == 0, portfolio.quarantine
    plan = strategy_fitted.rank(portfolio, as_of=AS_OF, random_state=1, batch_id="b")
    return plan, table_of(plan)


@pytest.mark.parametrize("place", PLACES)
def test_who_is_not_protected_can_be_planned(ranked: Any, place: str) -> None:
    """Without this the tests below would hold of a plan that contacts nobody."""
    _, table = ranked
    own = table[table["customer_id"].str.startswith(f"{place}:clean") & (table["probability"] > 0)]
    assert own["customer_id"].nunique() == 3
    assert {"sms", "email", "call_agent"} <= set(own["channel"])


@pytest.mark.parametrize("customer", [c for place in PLACES for c in names(place)])
def test_protected_customer_is_never_planned(ranked: Any, customer: str) -> None:  # 000-08, 002-18
    plan, table = ranked
    place = customer.split(":")[0]
    forbidden = names(place)[customer][1]
    own = table[table["customer_id"] == customer]
    bad = own[[forbidden(*k) for k in zip(own["channel"], own["hour"], own["start"], strict=True)]]
    assert len(bad)
    leaks = bad[bad["probability"] > 0]
    assert leaks.empty, leaks[["action_id", "probability", "start"]].to_string()
    assert (bad["reasons"] != "").all()
    drawn = plan.to_frame()
    drawn = drawn[drawn["customer_id"] == customer]
    assert not set(drawn["action_id"]) & set(bad["action_id"])


def test_protection_of_one_channel_or_debt_leaves_the_rest(ranked: Any) -> None:
    _, table = ranked
    open_to = table[table["probability"] > 0].groupby("customer_id")["channel"].agg(set)
    for c, (_, forbidden) in names("GT").items():
        if forbidden not in (everything, today) and not any(w in c for w in ("agreed", "point")):
            assert c in open_to.index, c


# ---- several debts, unknown places, clocks, other days -----------------------------------------


def rank_of(parts: list[Rows], as_of: pd.Timestamp = AS_OF, share: float = 0.0,
            **settings: Any) -> tuple[ContactPlan, pd.DataFrame]:  # fmt: skip
    strategist = cold(StrategyConfig.from_mapping(strategy(**settings)), as_of)
    plan = strategist.rank(load(merged(parts), share), as_of=as_of, random_state=1, batch_id="b")
    return plan, table_of(plan)


def test_the_held_debt_is_never_named() -> None:
    rows = clean("a")
    rows["debts"].append(debt("a", "a-d2", principal=9000.0))
    rows["debt_snapshots"].append(snapshot("a-d2", balance=9000.0, past_due=8000.0))
    rows["holds"].append(hold("a", "dispute", debt_id="a-d2"))
    plan, table = rank_of([rows])
    assert (table["probability"] > 0).any()
    drawn = plan.to_frame(k=5)
    assert len(drawn)
    assert set(drawn["debt_id"]) == {"a-d1"}
    assert not any("a-d2" in list(map(str, ids)) for ids in drawn["debt_ids"])


def test_no_pack_and_refuse() -> None:
    parts = [
        clean(p, jurisdiction=p, zone=z)
        for p, z in (("GT", "America/Guatemala"), ("UY", "America/Montevideo"), ("PT", None))
    ]
    parts.append(clean("US-TX", jurisdiction="US-TX", zone="America/Chicago"))
    plan, table = rank_of(parts, fallback="refuse")
    eligible = set(table.loc[table["probability"] > 0, "customer_id"])
    assert eligible == {"US-TX"}
    assert set(plan.to_frame()["customer_id"]) <= {"US-TX"}
    refused = table[table["customer_id"] != "US-TX"]
    assert refused["reasons"].str.contains("house.no_pack").all()


@pytest.mark.parametrize("as_of", ["2026-06-02T05:00Z", "2026-06-02T18:00Z"])
def test_without_a_zone_every_candidate_zone_counts(as_of: str) -> None:  # 002-03
    instant = pd.Timestamp(as_of)
    wide = {
        "US-TX": ("America/Chicago", "America/Denver"),
        "US": ("America/New_York", "Pacific/Honolulu"),
    }
    parts = [
        clean(p, jurisdiction=p, zone=None, ownership="third_party", as_of=instant) for p in wide
    ]
    _, table = rank_of(parts, instant, slots=list(range(24)))
    voice = table[(table["probability"] > 0) & (table["channel"] == "call_agent")]
    assert len(voice[voice["customer_id"] == "US-TX"])
    for place, zones in wide.items():
        starts = voice.loc[voice["customer_id"] == place, "start"]
        for zone in zones:
            hours = starts.dt.tz_convert(zone).dt.hour if len(starts) else starts
            assert all(8 <= h < 21 for h in hours)


def test_clock_change_in_texas() -> None:
    instant = pd.Timestamp("2026-03-08T06:00Z")  # 0 h; at 2 h the clock goes to 3 h
    rows = clean(
        "a", jurisdiction="US-TX", zone="America/Chicago", ownership="third_party", as_of=instant
    )
    rows["debts"][0].update(delinquent_since="2026-01-20")
    _, table = rank_of([rows], instant, slots=list(range(24)))
    voice = table[(table["probability"] > 0) & (table["channel"] == "call_agent")]
    local = voice["start"].dt.tz_convert("America/Chicago")
    assert len(voice)
    assert (local.dt.hour == voice["hour"]).all()
    assert local.dt.hour.between(8, 20).all()
    assert (table.loc[table["hour"] == 2, "probability"] == 0).all()


@pytest.mark.parametrize(
    ("as_of", "place", "zone", "closed"),
    [
        ("2026-06-06T20:00Z", "MX", "America/Mexico_City", "2026-06-07"),  # Sunday
        ("2026-03-29T00:30Z", "PT", "Europe/Lisbon", "2026-03-29"),  # clocks change
        ("2026-09-16T06:00Z", "MX", "America/Mexico_City", "2026-09-16"),  # independence
        ("2026-10-05T00:00Z", "PT", "Europe/Lisbon", "2026-10-05"),
        ("2026-07-20T06:00Z", "CO", "America/Bogota", "2026-07-20"),
        ("2026-06-07T06:00Z", "CO", "America/Bogota", "2026-06-07"),  # Sunday
    ],
)
def test_sundays_and_holidays(as_of: str, place: str, zone: str, closed: str) -> None:
    instant = pd.Timestamp(as_of)
    rows = clean("a", jurisdiction=place, zone=zone, as_of=instant)
    rows["debts"][0].update(delinquent_since="2026-01-20")
    _, table = rank_of([rows], instant)
    timed = table[table["start"].notna()]
    own = timed[timed["start"].dt.tz_convert(zone).dt.date.astype(str) == closed]
    assert len(own)
    assert (own["probability"] == 0).all()
    assert (own["reasons"] != "").all()


# ---- faults and late data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        add("holds", **hold("{c}", "no_such_kind")),
        add("holds", **{**hold("{c}", "dispute"), "starts_at": None}),
        add("consents", customer_id="{c}", channel="pigeon", changed_at=ago(3), status="revoked"),
        add("consents", customer_id="{c}", channel="sms", changed_at=ago(3), status="perhaps"),
        point(kind="telegraph"),
        add("touches", **touch("{c}", "no_answer", channel="pigeon")),
        add("touches", **touch("{c}", "no_answer", started_at=None)),
        change("customers", time_zone="Mars/Olympus"),
    ],
)
def test_a_faulty_row_keeps_its_customer_out(edit: Edit) -> None:
    rows = clean("faulty")
    edit("faulty", rows)
    plan, table = rank_of([rows, *(clean(f"ok{k}") for k in range(20))], share=0.5)
    assert set(plan.to_frame()["customer_id"]) <= {f"ok{k}" for k in range(20)}
    assert "faulty" not in set(table.loc[table["probability"] > 0, "customer_id"])


def test_a_touch_with_an_unknown_outcome_word_still_counts() -> None:
    rows = clean("a")
    rows["touches"].append(touch("a", "gibberish", channel="sms", started_at=ago(hours=0.5)))
    _, table = rank_of([rows, *(clean(f"ok{k}") for k in range(9))], share=1.0)
    own = table[(table["customer_id"] == "a") & (table["start"] < pd.Timestamp("2026-06-03T06Z"))]
    assert len(own)
    assert (own["probability"] == 0).all()


@pytest.mark.parametrize(
    ("name", "days"), [("touches", 4.1), ("payments", 4.1), ("debt_snapshots", 45.1)]
)
def test_stale_tables_stop_the_run(
    strategy_fitted: ContactStrategy, name: str, days: float
) -> None:
    rows = clean("a")
    if name == "touches":
        rows["touches"].append(touch("a", "no_answer", started_at=ago(days)))
    elif name == "payments":
        rows["payments"].append(
            {"payment_id": "y", "debt_id": "a-d1", "paid_at": ago(days), "amount": 5.0}
        )
    else:
        rows["debt_snapshots"][0]["observed_at"] = ago(days)
    with pytest.raises(StalenessError, match=name):
        strategy_fitted.rank(load(merged([rows])), as_of=AS_OF)
