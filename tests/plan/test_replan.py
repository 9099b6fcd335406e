"""The rest of a day planned anew: what stands is fixed, nothing is over, nobody is drawn twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import AS_OF, capacity, make_batch

from contactopt.plan import rank, read_decisions
from contactopt.plan.contact_plan import ContactPlan
from contactopt.plan.replanning import (
    AFTER_WINDOW,
    Replanned,
    earlier_of,
    remaining_capacity,
    within_window,
)
from contactopt.policy import ContactPolicy

POLICY = ContactPolicy(exploration_share=0.05, holdout_share=0.02)
UNTIL = AS_OF + pd.Timedelta(hours=24.5)
KNOWN = {"call_agent", "sms", "email", "letter"}
NOTHING = pd.DataFrame(columns=["decision_id", "customer_id", "reasons"], dtype=object)
NO_STATUS = pd.DataFrame(columns=["decision_id", "customer_id", "dispatch_status"], dtype=object)


def again(day, batch, table, withdrawn, status=NO_STATUS, started=frozenset(), *, hours=5, seed=1):
    """What a strategy does with its scores: judge, keep, draw in what is left."""
    standing = day.stand(withdrawn, status, set(started))
    anew, blocked = day.to_draw(standing, batch.customer_ids)
    now = replace(batch, as_of=AS_OF + pd.Timedelta(hours=hours))
    open_now = now.subset(np.append(anew, blocked))
    has = open_now.allowed.any(axis=1) | np.isin(open_now.customer_ids, anew)
    left = remaining_capacity(
        table, standing.contacts, as_of=day.as_of, until=UNTIL, zones={}, known=KNOWN
    )
    own = within_window(open_now.subset(open_now.customer_ids[has]), UNTIL)
    plan = rank(own, policy=POLICY, capacity=left, random_state=seed)
    return replace(plan, replanned=Replanned(day, standing))


def over(table: pd.DataFrame, contacts: pd.DataFrame, slack: float = 0.0) -> list[str]:
    """Rows of the day's capacity that contacts exceed; of minutes by more than some slack."""
    slot = pd.to_datetime(contacts["slot_start"], utc=True)
    day = slot.fillna(AS_OF).dt.strftime("%Y-%m-%d")
    found = []
    for row in table.itertuples():
        same = (contacts["pool"] == row.pool) & (day == row.date)
        if not np.isnan(row.hour):
            same &= slot.dt.hour == row.hour
        spare = slack if row.pool == "call_agent" else 0.0
        if float(contacts["usage"][same].sum()) > row.units + spare + 1e-9:
            found.append(f"{row.pool} {row.date} {row.hour}")
    return found


def whole_day(plan: ContactPlan) -> pd.DataFrame:
    return earlier_of(plan).contacts


def withdraw(contacts: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    own = contacts.iloc[rows]
    return own[["decision_id", "customer_id"]].astype(object).assign(reasons="house.cease")


@given(st.integers(0, 10**6), st.floats(0.0, 0.6), st.booleans(), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_no_counting_row_is_over_in_the_whole_day(seed, share, minutes, times):
    rng = np.random.default_rng(seed)
    n = 120
    batch = make_batch(n, seed=seed, minutes=minutes)
    table = capacity(n)
    if minutes:
        table = table.assign(
            units=np.where(table["pool"] == "call_agent", table["units"] * 8, table["units"])
        )
    first = np.sort(rng.choice(n, 80, replace=False))
    plan = rank(batch.subset(batch.customer_ids[first]), policy=POLICY, capacity=table)
    for k in range(times):
        day = earlier_of(plan)
        rows = np.flatnonzero(rng.random(len(day.contacts)) < share)
        gone = withdraw(day.contacts, rows)
        new = again(day, batch, table, gone, hours=k + 1, seed=seed + k)
        everything = whole_day(new)
        # no lottery keeps minutes exactly: they stray by less than two of the longest calls
        assert over(table, everything, 24.0 if minutes else 0.0) == []
        assert not everything["customer_id"].duplicated().any()
        kept = day.contacts.drop(index=rows)
        assert set(kept["decision_id"]) <= set(everything["decision_id"])
        assert not set(gone["decision_id"]) & set(everything["decision_id"])
        # nobody who stands has a new line; those who wait in the morning neither
        told = set(new.decisions()["customer_id"])
        waits = day.decisions[
            (day.decisions["action_id"] == "wait") & (day.decisions["n_eligible"] > 0)
        ]
        assert not told & (set(kept["customer_id"]) | set(waits["customer_id"]))
        late = new.to_frame()["slot_start"].dropna() >= UNTIL
        assert not late.any()
        plan = new


def test_what_is_left_is_all_that_is_left():
    batch, table = make_batch(200, allowed_share=1.0), capacity(200)
    plan = rank(batch.subset(slice(0, 100)), policy=POLICY, capacity=table)
    day = earlier_of(plan)
    left = remaining_capacity(
        table, day.contacts, as_of=AS_OF, until=UNTIL, zones={}, known=KNOWN
    ).set_index(["pool", "date", "hour"])["units"]
    used = day.contacts[day.contacts["pool"] == "call_agent"]
    today = used["slot_start"].dt.strftime("%Y-%m-%d") == "2026-06-02"
    assert left["call_agent", "2026-06-02"][np.nan] == 20 - today.sum()
    at_15 = (used["slot_start"].dt.hour == 15) & today
    assert left["call_agent", "2026-06-02"][15.0] == 5 - at_15.sum()


def test_a_budget_up_to_a_date_keeps_the_pace_of_the_morning():
    table = pd.DataFrame(
        {"pool": ["letter"], "date": ["2026-06-01"], "hour": [None], "units": [100.0],
         "until_date": ["2026-06-05"]}
    )  # fmt: skip
    contacts = pd.DataFrame(
        {"pool": ["letter"] * 7, "slot_start": pd.Series([pd.NaT] * 7, dtype="datetime64[us, UTC]"),
         "decided_at": [AS_OF] * 7, "usage": 1.0}
    )  # fmt: skip
    left = remaining_capacity(
        table, contacts, as_of=AS_OF, until=UNTIL, zones={}, known=KNOWN
    ).set_index("date")["units"]
    assert left["2026-06-02"] == 25 - 7  # four days remain in the morning
    assert left["2026-06-03"] == 25
    none = remaining_capacity(None, contacts, as_of=AS_OF, until=UNTIL, zones={}, known=KNOWN)
    assert none.empty


def test_zones_of_pools_decide_the_hour():
    table = pd.DataFrame({"pool": ["sms"], "date": ["2026-06-02"], "hour": [11], "units": [5.0]})
    contacts = pd.DataFrame(
        {"pool": ["sms"] * 2, "decided_at": [AS_OF] * 2, "usage": 1.0,
         "slot_start": pd.to_datetime(["2026-06-02T15:00Z", "2026-06-02T16:00Z"])}
    )  # fmt: skip
    left = remaining_capacity(
        table, contacts, as_of=AS_OF, until=UNTIL, zones={"sms": "America/New_York"}, known=KNOWN
    )
    assert left["units"].tolist() == [4.0]


# ---- who is drawn --------------------------------------------------------------------------------


def test_who_stands_and_who_is_drawn():
    batch, table = make_batch(100), capacity(100)
    # C-0 ... C-9: everything is blocked in the morning, and open at noon
    shut = batch.allowed.copy()
    shut[:10] = False
    closed = replace(batch, allowed=shut, reason=np.where(shut, 0, 1).astype(np.int32))
    morning = rank(closed.subset(slice(0, 80)), policy=POLICY, capacity=table)
    day = earlier_of(morning)
    own = day.contacts.reset_index(drop=True)
    a, b, c, d = own["decision_id"].iloc[:4]
    told = withdraw(own, np.array([0, 1, 2]))
    told.loc[told.index[1], "reasons"] = "plan.too_late"  # the touch may not be known yet
    status = pd.DataFrame(
        {"decision_id": [c, d], "customer_id": own["customer_id"].iloc[2:4],
         "dispatch_status": ["sent", "no_capacity"]}
    )  # fmt: skip
    plan = again(day, batch, table, told, status)
    standing = plan.replanned.standing
    assert set(standing.withdrawn["decision_id"]) == {a, d}
    assert {b, c} <= set(standing.contacts["decision_id"])
    held = morning.decisions().set_index("customer_id")["holdout"]
    wanted = {own["customer_id"][0], own["customer_id"][3], *batch.customer_ids[80:]}
    wanted |= {x for x in batch.customer_ids[:10] if not held[x] and batch.allowed[
        list(batch.customer_ids).index(x)].any()}  # fmt: skip
    assert set(plan.decisions()["customer_id"]) == wanted
    started = again(day, batch, table, told, status, {a}).replanned.standing
    assert a in set(started.contacts["decision_id"])


def test_probabilities_are_those_of_a_plan_of_the_rest():
    batch, table = make_batch(150), capacity(150)
    morning = rank(batch.subset(slice(0, 100)), policy=POLICY, capacity=table)
    plan = again(earlier_of(morning), batch, table, NOTHING)
    assert set(batch.customer_ids[100:]) <= set(plan.decisions()["customer_id"])
    p = plan.allocation.probabilities
    assert (p.sum(axis=1) == 1 << 36).all()
    row = np.arange(len(p))
    np.testing.assert_array_equal(plan.decisions()["propensity"], p[row, plan.drawn] / (1 << 36))


def test_slots_beyond_the_window_are_the_next_plans():
    batch = make_batch(50)
    late = batch.slot_start >= (AS_OF + pd.Timedelta(hours=6)).value // 1000
    cut = within_window(batch, AS_OF + pd.Timedelta(hours=6))
    assert not (cut.allowed & late).any()
    np.testing.assert_array_equal(cut.allowed & ~late, batch.allowed & ~late)
    assert cut.reason_sets[cut.reason[batch.allowed & late].max()] == (AFTER_WINDOW,)
    assert within_window(batch, UNTIL + pd.Timedelta(days=2)) is batch


# ---- files -------------------------------------------------------------------------------------


def test_the_folder_is_the_same_as_the_plan_in_memory(tmp_path):
    batch, table = make_batch(150), capacity(150)
    morning = rank(batch.subset(slice(0, 100)), policy=POLICY, capacity=table)
    morning.write(tmp_path)
    day, read = earlier_of(morning), earlier_of(tmp_path)
    for name in ("decision_id", "usage", "pool", "slot_start"):
        assert day.contacts[name].tolist() == read.contacts[name].tolist()
    pd.testing.assert_frame_equal(
        day.capacity.astype(object), read.capacity.astype(object), check_dtype=False
    )
    gone = withdraw(day.contacts, np.arange(5))
    one, other = again(day, batch, table, gone), again(read, batch, table, gone)
    assert one.content_hash == other.content_hash
    one.write(tmp_path)
    log = read_decisions(tmp_path)
    assert log.facts(one.batch_id).replans == morning.batch_id
    assert log.facts(morning.batch_id).replans is None
    assert log.replay().ok and log.replay(morning.batch_id).ok
    written = pd.read_parquet(tmp_path / "plan.parquet")
    assert sorted(written["decision_id"]) == sorted(whole_day(one)["decision_id"])
    assert list(written.columns) == list(one.to_frame().columns)
    then = earlier_of(tmp_path)  # and once more, from the re-plan
    assert then.as_of == AS_OF and then.batch_id == one.batch_id
    assert sorted(then.contacts["decision_id"]) == sorted(written["decision_id"])
    assert then.contacts["usage"].notna().all()
    assert len(then.decisions) == 150 and not then.decisions["customer_id"].duplicated().any()
    last = again(then, batch, table, NOTHING, hours=6)
    assert over(table, whole_day(last)) == []


def test_nothing_changed_nothing_drawn(tmp_path):
    batch, table = make_batch(60, allowed_share=1.0), capacity(60)
    morning = rank(batch, policy=POLICY, capacity=table)
    plan = again(earlier_of(morning), batch, table, NOTHING)
    assert len(plan.decisions()) == 0
    assert len(plan.replanned.standing.contacts) == len(morning.to_frame())
    morning.write(tmp_path)
    plan.write(tmp_path)
    assert len(pd.read_parquet(tmp_path / "plan.parquet")) == len(morning.to_frame())


def test_a_plan_that_is_not_the_newest_is_refused(tmp_path):
    from contactopt.errors import ConfigError

    batch, table = make_batch(60), capacity(60)
    morning = rank(batch, policy=POLICY, capacity=table, batch_id="one")
    morning.write(tmp_path)
    kept = (tmp_path / "plan.parquet").read_bytes()
    later = replace(batch, as_of=AS_OF + pd.Timedelta(days=1))
    rank(later, policy=POLICY, capacity=table, batch_id="two").write(tmp_path)
    (tmp_path / "plan.parquet").write_bytes(kept)
    with pytest.raises(ConfigError, match="not that of the newest batch"):
        earlier_of(tmp_path)
