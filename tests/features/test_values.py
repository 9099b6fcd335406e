"""The numbers themselves, against plain counting over what the slow journal knows."""

import numpy as np
import pandas as pd
import pytest
from feature_worlds import built, fitted
from oracles.journal_oracle import LADDER, Oracle, given

from contactopt.contracts import vocabulary as v

DAY = pd.Timedelta(days=1)
NOW = pd.Timestamp("2026-03-02T15:20Z")
VOICE = ("call_agent", "call_bot")


@pytest.fixture(scope="module")
def world():
    tables, config, journal, customers, instants = built(7)
    truth = Oracle(tables, NOW, data_delay=config.data_delay, grace_days=2)
    pipeline = fitted(journal, customers, instants)
    frame = pipeline.transform(journal, as_of=NOW)
    frame.index = pd.Index(journal.customer_ids)
    return tables, truth, pipeline, frame


def same(found, expected):
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float))


def test_payments(world):
    _, truth, _, frame = world
    for customer, row in frame.iterrows():
        mine = [
            p
            for debt, owner in truth.owner.items()
            if owner == customer
            for p in truth.rewarded(debt)
        ]
        for days in (7, 30, 90):
            chosen = [p["amount"] for p in mine if NOW - p["paid_at"] < days * DAY]
            same(row[f"payments.n_{days}d"], len(chosen))
            same(row[f"payments.sum_{days}d"], sum(chosen))
        month = pd.Timedelta(days=30.436875)
        for k in range(6):
            chosen = [p["amount"] for p in mine if (NOW - p["paid_at"]) // month == k]
            same(row[f"payments.sum_month_{k}"], sum(chosen))
        same(row["payments.sum_all"], sum(p["amount"] for p in mine))
        last = max((p["paid_at"] for p in mine), default=None)
        expected = np.nan if last is None else (NOW - last) / DAY
        same(row["payments.days_since_last"], expected)


def test_promises(world):
    tables, truth, pipeline, frame = world
    owner = tables["promises"].set_index("promise_id")["debt_id"].map(truth.owner)
    states = pd.Series({k: s for k, (s, _) in truth.promises().items()})
    by_customer = states.groupby(owner.reindex(states.index))
    share = next(b for b in pipeline.blocks_ if b.name == "promises").kept_share_
    for customer, row in frame.iterrows():
        mine = list(by_customer.get_group(customer)) if customer in by_customer.groups else []
        for state in ("open", "kept", "partial", "broken", "cancelled"):
            same(row[f"promises.n_{state}"], mine.count(state))
        kept = mine.count("kept")
        closed = kept + mine.count("partial") + mine.count("broken")
        same(row["promises.kept_share"], (kept + 3.0 * share) / (closed + 3.0))


def reached(outcome):
    human = [o for o in LADDER if o != "delivered"]
    return (
        outcome in human
        or outcome in v.RIGHT_PARTY_OUTCOMES
        or outcome
        in (
            "represented",
            "bankrupt",
        )
    )


def test_touches_by_channel_and_hour(world):
    tables, truth, pipeline, frame = world
    outcomes = {k: o for k, (o, _) in truth.touches().items()}
    touches = tables["touches"].set_index("touch_id").loc[list(outcomes)]
    touches["effective"] = pd.Series(outcomes)
    rates = next(b for b in pipeline.blocks_ if b.name == "channel").rates_
    zone = truth.zone
    for customer, row in frame.iterrows():
        mine = touches[touches["customer_id"] == customer]
        out = mine[mine["direction"] == "outbound"]
        age = NOW - out["started_at"]
        for channel in ("call_agent", "sms", "email"):
            here = out["channel"] == channel
            same(row[f"channel.{channel}_n_30d"], (here & (age < 30 * DAY)).sum())
            known = here & (out["effective"] != "unknown")
            hits = (known & out["effective"].map(reached)).sum()
            same(row[f"channel.{channel}_reached"], hits)
            same(row[f"channel.{channel}_known"], known.sum())
            rate = rates[v.CHANNELS.index(channel)]
            same(row[f"channel.{channel}_rate"], (hits + 5 * rate) / (known.sum() + 5))
        hour = out["started_at"].dt.tz_convert(zone[customer]).dt.hour
        voice = out["channel"].isin(VOICE) & (out["effective"] != "unknown")
        same(row["hour.voice_08_11_known"], (voice & (hour >= 8) & (hour < 11)).sum())
        same(row["hour.voice_20_24_known"], (voice & (hour >= 20)).sum())
        same(row["pressure.n_90d"], (age < 90 * DAY).sum())
        same(row["pressure.inbound_90d"], (mine["direction"] == "inbound").sum())
        same(row["pressure.fatigue"], (0.5 ** (age / (7 * DAY))).sum())
        same(row["pressure.reached_90d"], mine["effective"].map(reached).sum())
        refused = ("refused", "hung_up", "asked_to_stop", "opted_out", "complained")
        same(row["pressure.unwilling_90d"], mine["effective"].isin(refused).sum())


def test_lead_debt_and_trajectory(world):
    tables, truth, _, frame = world
    debts = tables["debts"].set_index("debt_id")
    states = truth.debts()
    for customer, row in frame.iterrows():
        open_debts = {}
        for debt, s in states.items():
            snap = truth.last_snapshot(debt)
            cured = snap is not None and snap["status"] == "cured"
            closed = debts.loc[debt, "closed_at"] <= NOW
            dpd, owed = s["days_past_due"], s["past_due_now"]
            in_arrears = dpd is not None and dpd > 0 and not (owed is not None and owed <= 0)
            if truth.owner[debt] == customer and in_arrears and not (cured or closed):
                margin = debts.loc[debt, "margin_share"]
                open_debts[debt] = (owed or 0.0) * (1.0 if np.isnan(margin) else margin)
        same(row["debt.n_collectable"], len(open_debts))
        if not open_debts or sorted(open_debts.values())[-1] == 0:
            continue
        lead = max(sorted(open_debts), key=open_debts.get)
        same(row["debt.past_due_now"], states[lead]["past_due_now"])
        same(row["debt.days_past_due"], states[lead]["days_past_due"])
        assert row["debt.stage"] == states[lead]["stage"]
        assert row["debt.product"] == debts.loc[lead, "product"]
        assert row["x.debt_scheme"] == debts.loc[lead, "x_scheme"]
        mine = sorted(
            (r for r in truth.visible("debt_snapshots", "observed_at") if r["debt_id"] == lead),
            key=lambda r: r["observed_at"],
            reverse=True,
        )
        for k in range(6):
            expected = mine[k]["balance"] if k < len(mine) else np.nan
            same(row[f"trajectory.balance_lag{k}"], expected)
        same(row["x.snapshot_bureau_lag1"], mine[1]["x_bureau"] if len(mine) > 1 else np.nan)
        same(row["trajectory.max_days_past_due"], max(r["days_past_due"] for r in mine))
        if len({r["observed_at"] for r in mine[:6]}) > 1:
            x = [(r["observed_at"] - mine[0]["observed_at"]) / DAY for r in mine[:6]]
            slope = np.polyfit(x, [r["balance"] for r in mine[:6]], 1)[0] * 30.436875
            np.testing.assert_allclose(row["trajectory.balance_slope_monthly"], slope, rtol=1e-6)


def test_points_and_calendar(world):
    tables, truth, _, frame = world
    dead = truth.dead_points()
    for customer, row in frame.iterrows():
        points = [p for p in tables["contact_points"].to_dict("records")
                  if p["customer_id"] == customer and p["valid_from"] <= NOW]  # fmt: skip
        valid = [p for p in points if given(p, "valid_to") is None or p["valid_to"] > NOW]
        live = [p for p in valid if p["contact_point_id"] not in dead]
        same(row["points.n_live"], len(live))
        same(row["points.n_dead"], len(valid) - len(live))
        same(row["points.n_live_mobile"], sum(p["kind"] == "mobile" for p in live))
        quality = [q for p in live if (q := given(p, "quality_share")) is not None]
        same(row["points.best_quality"], max(quality, default=np.nan))
        local = NOW.tz_convert(truth.zone[customer])
        same(row["calendar.weekday"], local.weekday())
        same(row["calendar.day_of_month"], local.day)
        ahead = next(k for k in range(40) if (local + k * DAY).day in (1, 15, 30))
        same(row["calendar.days_to_pay_day"], ahead)


def test_february_pays_on_its_last_day():
    from contactopt.features.calendar import _pay_day_distance

    day = np.array(["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-16"], "datetime64[D]")
    ahead, behind = _pay_day_distance(day.astype(np.int64))
    assert ahead.tolist() == [1, 0, 0, 14]
    assert behind.tolist() == [12, 0, 0, 1]
