"""The journal, row by row in plain Python: slow, readable, the truth for the compiled one."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from zoneinfo import ZoneInfo

import pandas as pd

from contactopt.contracts import vocabulary as v

HOUR = pd.Timedelta(hours=1)
DAY = pd.Timedelta(days=1)
LADDER = (
    "delivered opened clicked visited replied paid_online complained opted_out".split()  # noqa: SIM905
)


def force(word):
    """What acts like a hold beats what ends an address, that beats the rest."""
    return 2 if word in v.HOLDING_OUTCOMES else int(word in v.DEAD_POINT_OUTCOMES)


def records(tables, name):
    frame = tables.get(name, pd.DataFrame())
    return frame.to_dict("records")


def given(row, column):
    value = row.get(column)
    return None if value is None or pd.isna(value) else value


def known(row, event, delay):
    at, recorded = given(row, event), given(row, "recorded_at")
    if at is None:
        return None
    return max(at, recorded) if recorded is not None else at + delay * HOUR


class Oracle:
    """Everything known at an instant; delays in hours per table."""

    def __init__(self, tables, as_of, *, data_delay=None, grace_days=0):
        self.tables = tables
        self.as_of = pd.Timestamp(as_of)
        self.delay = defaultdict(float, data_delay or {})
        self.grace = grace_days * DAY
        self.zone = {c["customer_id"]: c["time_zone"] for c in records(tables, "customers")}
        self.owner = {d["debt_id"]: d["customer_id"] for d in records(tables, "debts")}

    def visible(self, name, event):
        for row in records(self.tables, name):
            at = known(row, event, self.delay[name])
            if at is not None and at <= self.as_of:
                yield row

    def day(self, instant, customer) -> date:
        return instant.tz_convert(ZoneInfo(self.zone[customer])).date()

    # ---- touches -------------------------------------------------------------------------

    def outcome(self, touch, events):
        """The effective outcome as of the instant."""
        row_known = known(touch, "started_at", self.delay["touches"])
        at = given(touch, "outcome_at") or given(touch, "responded_at")
        if at is None:
            seconds = given(touch, "duration_s") or 0.0
            at = touch["started_at"] + pd.Timedelta(seconds=seconds)
        if given(touch, "recorded_at") is None:
            at += self.delay["touches"] * HOUR
        own = touch["outcome"] if max(at, row_known) <= self.as_of else None
        delay = self.delay["touch_events"]
        events = sorted(
            events,
            key=lambda e: (known(e, "occurred_at", delay), v.OUTCOMES.index(e["event"])),
        )
        digital = [e for e in events if e["event"] in LADDER]
        seen = self.digital_outcome(touch, own, digital)
        told = [e["event"] for e in events if e["event"] not in LADDER and e["event"] != "unknown"]
        # of equal force the later one; events come in the order in which they became known
        heard = max(reversed(told), key=force, default=None)
        if heard and (seen in ("unknown", *v.NO_CONTACT_OUTCOMES) or force(heard) > force(seen)):
            return heard
        return seen

    def digital_outcome(self, touch, own, events):
        human = [e["event"] for e in events if not e["machine"]]
        machine = [e["event"] for e in events if e["machine"]]
        best = max(human, key=LADDER.index, default=None)
        if own is not None and own != "unknown" and own not in LADDER:
            nobody = own in v.NO_CONTACT_OUTCOMES
            return best if nobody and best is not None else own
        found = [best] if best else []
        if events:
            found.append("delivered")
        if own in LADDER:
            only_machines = own in machine and own not in human
            found.append("delivered" if only_machines else own)
        return max(found, key=LADDER.index, default="unknown")

    def touches(self):
        """Touch id -> (effective outcome, machine only)."""
        events = defaultdict(list)
        for e in self.visible("touch_events", "occurred_at"):
            events[e["touch_id"]].append(e)
        out = {}
        for touch in self.visible("touches", "started_at"):
            mine = events[touch["touch_id"]]
            machines = bool(mine) and all(e["machine"] for e in mine)
            out[touch["touch_id"]] = (self.outcome(touch, mine), machines)
        return out

    def dead_points(self):
        """Ids of contact points that touches have shown to be dead."""
        effective = self.touches()
        last = defaultdict(lambda: defaultdict(lambda: pd.Timestamp(0, tz="UTC")))
        answered = ("clicked", "replied", "visited", "paid_online", "opted_out", "complained")
        for touch in self.visible("touches", "started_at"):
            outcome = effective[touch["touch_id"]][0]
            if outcome in ("invalid", "bounced"):
                role = "failed"
            elif outcome == "wrong_number":
                role = "wrong"
            elif outcome in ("delivered", "opened", "third_party"):
                role = "delivered"
            elif outcome in answered or outcome in v.RIGHT_PARTY_OUTCOMES:
                role = "answered"
            else:
                continue
            point = given(touch, "contact_point_id")
            last[point][role] = max(last[point][role], touch["started_at"])
        zero = pd.Timestamp(0, tz="UTC")
        dead = set()
        for point, t in last.items():
            failed = t["failed"] > max(t["delivered"], t["answered"])
            wrong = t["wrong"] > zero and t["wrong"] > t["answered"]
            if failed or wrong:
                dead.add(point)
        return dead

    # ---- money ---------------------------------------------------------------------------

    def valid_payments(self, debt):
        for row in self.visible("payments", "paid_at"):
            if row["debt_id"] != debt:
                continue
            reversal = known(row, "reversed_at", self.delay["payments"])
            if reversal is None or reversal > self.as_of:
                yield row

    def rewarded(self, debt):
        for row in self.valid_payments(debt):
            if (given(row, "kind") or "voluntary") in v.REWARD_KINDS:
                yield row

    def promises(self):
        """Promise id -> (state, paid)."""
        out = {}
        for row in self.visible("promises", "made_at"):
            end = row["due_at"] + self.grace
            paid = sum(
                p["amount"]
                for p in self.rewarded(row["debt_id"])
                if row["made_at"] <= p["paid_at"] <= end
                and given(p, "promise_id") in (None, row["promise_id"])
            )
            cancelled = known(row, "cancelled_at", self.delay["promises"])
            if paid >= row["amount"] * (1 - 1e-9):
                state = "kept"
            elif cancelled is not None and cancelled <= self.as_of:
                state = "cancelled"
            elif self.as_of <= end:
                state = "open"
            else:
                state = "partial" if paid > 0 else "broken"
            out[row["promise_id"]] = (state, paid)
        return out

    # ---- debts ---------------------------------------------------------------------------

    def last_snapshot(self, debt):
        mine = [r for r in self.visible("debt_snapshots", "observed_at") if r["debt_id"] == debt]
        return max(mine, key=lambda r: r["observed_at"], default=None)

    def debts(self):
        """Debt id -> dict of balance, past_due_now, days_past_due, paid_since_snapshot, stage."""
        out = {}
        for row in records(self.tables, "debts"):
            debt, customer = row["debt_id"], row["customer_id"]
            snap = self.last_snapshot(debt)
            row_known = known(row, "opened_at", self.delay["debts"])
            if snap is None and row_known > self.as_of:
                continue
            out[debt] = self.debt_state(row, snap, customer)
        return out

    def debt_state(self, row, snap, customer):
        today = self.day(self.as_of, customer)
        covered, past_due_now, balance = False, None, None
        if snap is not None:
            balance = snap["balance"]
            paid = sum(
                p["amount"]
                for p in self.valid_payments(row["debt_id"])
                if p["paid_at"] > snap["observed_at"]
            )
            covered = snap["past_due"] > 0 and paid >= snap["past_due"] * (1 - 1e-9)
            past_due_now = max(snap["past_due"] - paid, 0.0)
            dpd = snap["days_past_due"]
            if dpd > 0:
                dpd += (today - self.day(snap["observed_at"], customer)).days
            dpd = 0.0 if covered else dpd
        else:
            since = row["delinquent_since"]
            dpd = (today - self.day(since, customer)).days if since <= self.as_of else None
        charged = given(row, "charged_off_at")
        if charged is not None and charged <= self.as_of:
            stage = "charged_off"
        elif dpd is None:
            stage = "unknown"
        else:
            limits = [("current", 0), ("early", 30), ("mid", 90), ("late", 180)]
            stage = next((s for s, top in limits if dpd <= top), "charged_off")
        return {
            "balance": balance,
            "past_due_now": past_due_now,
            "days_past_due": dpd,
            "paid_since_snapshot": covered,
            "stage": stage,
        }

    # ---- permissions ---------------------------------------------------------------------

    def consents(self):
        """(customer, channel, point) -> status."""
        rows = sorted(
            self.visible("consents", "changed_at"),
            key=lambda r: (r["changed_at"], r["status"] == "revoked"),
        )
        return {
            (r["customer_id"], r["channel"], given(r, "contact_point_id")): r["status"]
            for r in rows
        }

    def holds(self):
        """Ids of the holds known, with those on record that begin within 48 hours."""
        out = {r["hold_id"] for r in self.visible("holds", "starts_at")}
        for r in records(self.tables, "holds"):
            recorded = given(r, "recorded_at")
            soon = r["starts_at"] <= self.as_of + 48 * HOUR
            if recorded is not None and recorded <= self.as_of and soon:
                out.add(r["hold_id"])
        return out

    # ---- labels --------------------------------------------------------------------------

    def label(self, customer, start, horizon_days):
        """(number, net amount, first delay in days or None) of (start, start + horizon]."""
        end = start + horizon_days * DAY
        mine = [
            p
            for debt, owner in self.owner.items()
            if owner == customer
            for p in self.rewarded(debt)
            if start < p["paid_at"] <= end
        ]
        first = min((p["paid_at"] for p in mine), default=None)
        delay = None if first is None else (first - start) / DAY
        return len(mine), sum(p["amount"] for p in mine), delay
