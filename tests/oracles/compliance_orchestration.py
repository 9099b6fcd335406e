"""Orchestration of the compliance oracle: each rule of the house read over one customer's past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from oracles.compliance_places import NO_INSTANT, at, local_date, null
from oracles.compliance_shared import Shared

from contactopt.compliance.data_tables import table
from contactopt.contracts import vocabulary as v

#: what these words mean is said here again, on purpose
NOBODY = {
    "no_answer", "busy", "voicemail", "unreachable", "blocked", "invalid", "bounced", "undelivered",
    "wrong_number",
}  # fmt: skip
TALKED = {
    "promise", "paid", "plan_agreed", "settlement_agreed", "callback", "hardship", "vulnerable",
    "claims_paid", "dispute", "refused", "hung_up", "no_commitment", "asked_to_stop", "deceased",
    "represented", "bankrupt", "clicked", "replied", "visited", "paid_online", "complained",
    "opted_out",
}  # fmt: skip
NOTED = TALKED | {"opened"}
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class Contact:
    when: datetime
    settled: datetime
    channel: str | None
    outcome: str | None  # None: planned
    attempt: bool
    vendor: str | None
    point: int
    template: str | None
    touch_id: str | None
    row: int


class Orchestration(Shared):
    """Facts of orchestration against one contact at one moment."""

    def past(self, c: int) -> list[Contact]:
        key = ("past", c)
        if key not in self.kept:
            self.kept[key] = self._past(c)
        return self.kept[key]

    def _past(self, c: int) -> list[Contact]:
        out = []
        for t in self.own("touches", c):
            word = t["outcome"]
            if t["machine_only"] and word in ("opened", "clicked"):
                word = "delivered"
            root = None if null(t["channel"]) else self.root(t["channel"])
            inbound = not null(t["direction"]) and t["direction"] == "inbound"
            out.append(
                Contact(
                    at(t["started_us"]),
                    at(t["settled_us"]),
                    root,
                    word,
                    not inbound and root != "portal",
                    None if null(t["vendor"]) else t["vendor"],
                    t["contact_point"],
                    None if null(t["template_id"]) else t["template_id"],
                    t["touch_id"],
                    t["row"],
                )
            )
        for d in self.own("decisions", c):
            if d["open"]:
                when = at(
                    d["decided_us"] if d["slot_start_us"] == NO_INSTANT else d["slot_start_us"]
                )
                template = None if null(d["template_id"]) else d["template_id"]
                out.append(
                    Contact(when, when, self.root(d["channel"]), None, True, None, -1, template,
                            None, -1)
                )  # fmt: skip
        return out

    def treated(self, rule: Any, channel: str) -> bool:
        """Whether the strategy leaves the channel open in the state that the rule protects."""
        states = {f"house.{k}": t for k, t in self.config.orchestration.treatments}
        own = states.get(rule.parameters.get("flag"))
        return own is not None and (channel in own.channels or self.root(channel) in own.channels)

    # ---- days ----------------------------------------------------------------------------------

    def same_day(self, a: datetime, b: datetime, zones: list[str]) -> bool:
        return any(local_date(a, z) == local_date(b, z) for z in zones)

    def within(self, moment: datetime, since: datetime, days: int, zones: list[str]) -> bool:
        """Whether fewer than `days` local days have passed in some zone."""
        return any((local_date(moment, z) - local_date(since, z)).days < days for z in zones)

    # ---- all of it -----------------------------------------------------------------------------

    def orchestration(
        self, c: int, debt: Any, channel: str, moment: datetime, zones: list[str]
    ) -> set[str]:
        found = set()
        found |= self.told(c, moment, zones)
        if self.plan_holds(c, moment, zones):
            found.add("plan:in_force")
        if self.waits_for_callback(c, channel, moment, zones):
            found.add("outcome:callback")
        if self.channel_rests(c, channel, None, moment, zones):
            found.add("channel:futile")
        if not self.agreed(c, debt, channel, moment):
            found |= self.turns(c, channel, moment, zones)
        return found

    def turns(self, c: int, channel: str, moment: datetime, zones: list[str]) -> set[str]:
        o, found = self.config.orchestration, set()
        if o.one_attempt_per_day and any(
            self.same_day(moment, e.when, zones) for e in self.elsewhere(c)
        ):
            found.add("attempt:today")
        for e in self.past(c):
            if o.one_attempt_per_day and e.attempt and self.same_day(moment, e.when, zones):
                failed_bot = e.channel == "call_bot" and e.outcome in NOBODY
                agent = self.root(channel) == "call_agent"
                if not (failed_bot and agent and o.agent_after_failed_bot):
                    found.add("attempt:today")
            if not o.quiet_after_contact or e.outcome is None or e.channel == "portal":
                continue
            if e.outcome in TALKED or (e.outcome == "unknown" and not e.attempt):
                heard = [e.settled]
                heard += [
                    at(x["occurred_us"])
                    for x in self.own("touch_events", e.row, "touch")
                    if not x["machine"]
                ]
                if any(self.same_day(moment, h, zones) for h in heard):
                    found.add("contact:today")
        if o.single_active_channel and self.other_is_active(c, channel, moment, zones):
            found.add("channel:other_active")
        return found

    def agreed_span(self, h: Any) -> tuple[datetime, datetime | None] | None:
        ends, detail = at(h["ends_us"]), h["detail"]
        if ends is not None and ends <= self.as_of:
            return None
        if isinstance(detail, dict) and {"from", "to"} <= set(detail):
            return datetime.fromisoformat(detail["from"]), datetime.fromisoformat(detail["to"])
        starts = at(h["starts_us"])
        return (starts, ends) if starts > self.as_of else None

    # ---- commitments ---------------------------------------------------------------------------

    def told(self, c: int, moment: datetime, zones: list[str]) -> set[str]:
        days, found = self.config.orchestration.outcome_silence_days, set()
        for e in self.past(c) if days else ():
            if e.outcome in ("promise", "plan_agreed", "settlement_agreed"):
                fact = "outcome:promised"
                rows = [at(p["made_us"]) for p in self.own("promises", c)]
                if e.outcome != "promise":
                    rows += [at(a["starts_us"]) for a in self.own("arrangements", c)]
                named = e.touch_id in self.promised_in
            elif e.outcome in ("paid", "paid_online", "claims_paid"):
                fact, named = "outcome:says_paid", False
                rows = [at(p["paid_us"]) for p in self.own("payments", c)]
            else:
                continue
            confirmed = named or any(r >= e.settled - timedelta(days=1) for r in rows)
            if not confirmed and self.within(moment, e.settled, days + 1, zones):
                found.add(fact)
        return found

    def plan_holds(self, c: int, moment: datetime, zones: list[str]) -> bool:
        grace = self.config.orchestration.promise_grace_days

        def kept(a: Any, when: datetime) -> bool:
            due = at(a["uncovered_due_us"])
            return a["ended_us"] == NO_INSTANT and due is not None and (
                self.within(when, due, grace + 1, zones)
            )  # fmt: skip

        return any(kept(a, self.as_of) and kept(a, moment) for a in self.own("arrangements", c))

    def debt_in_plan(self, debt: Any, zones: list[str]) -> bool:
        if debt["status"] != "in_plan" or not (
            null(debt["closed_at"]) and null(debt["recalled_at"])
        ):
            return False
        grace, over, kept = self.config.orchestration.promise_grace_days, False, False
        for a in self.own("arrangements", debt["debt"], "debt"):
            due, ended = at(a["uncovered_due_us"]), at(a["ended_us"])
            if ended is not None:
                over |= ended > debt["observed_at"].to_pydatetime()
            elif due is not None and self.within(self.as_of, due, grace + 1, zones):
                kept = True
            elif due is not None:
                over = True
        return kept or not over

    def waits_for_callback(self, c: int, channel: str, moment: datetime, zones: list[str]) -> bool:
        days = self.config.orchestration.callback_days
        asked = [e for e in self.past(c) if e.outcome == "callback"]
        if not days or not asked:
            return False
        e = max(asked, key=lambda x: x.settled)
        if any(x.outcome in TALKED and x.settled > e.settled for x in self.past(c)):
            return False
        for h in self.own("holds", c):
            ends = at(h["ends_us"])
            later = ends is None or ends > e.settled
            if h["kind"] == "callback_agreed" and later:
                return False
        free = {"call_agent", e.channel}
        return self.root(channel) not in free and self.within(moment, e.settled, days + 1, zones)

    # ---- channels ------------------------------------------------------------------------------

    def other_is_active(self, c: int, channel: str, moment: datetime, zones: list[str]) -> bool:
        o = self.config.orchestration
        attempts = [e for e in self.past(c) if e.attempt]
        newest = max((e.when for e in attempts), default=None)
        for e in attempts:
            if e.when != newest:
                continue
            theirs = o.vendors.get(channel)
            same = e.vendor is None or theirs is None or theirs == e.vendor
            if e.channel is not None and e.channel == self.root(channel) and same:
                continue
            if e.outcome in NOBODY and self.follows_at_once(e.channel, channel):
                continue
            if self.within(moment, e.when, o.patience_days + 1, zones):
                return True
            answers = [
                x.settled for x in self.past(c) if x.outcome in NOTED and x.channel == e.channel
            ]
            if answers and self.within(moment, max(answers), o.answer_keeps_days + 1, zones):
                return True
        return False

    def follows_at_once(self, first: str | None, channel: str) -> bool:
        o = self.config.orchestration
        escalates = o.agent_after_failed_bot or o.bot_before_agent
        if first == "call_bot" and escalates and self.root(channel) == "call_agent":
            return True
        return any(
            first is not None and self.root(a) == first and self.is_named(b, channel)
            for a, b in o.fallback_chains.items()
        )

    def is_named(self, name: str, channel: str) -> bool:
        return channel == name or (name in v.CHANNELS and self.root(channel) == name)

    def first_ones(
        self,
        c: int,
        debt: Any,
        channel: str,
        moment: datetime,
        zones: list[str],
        rules: tuple[Any, ...],
    ) -> set[str]:
        o, found = self.config.orchestration, set()
        pairs = [("fallback:first", a) for a, b in o.fallback_chains.items()
                 if self.is_named(b, channel)]  # fmt: skip
        if o.bot_before_agent and self.root(channel) == "call_agent":
            pairs.append(("bot:first", "call_bot"))
        for fact, first in pairs:
            own = [k for k in self.actions.channels if self.root(k) == self.root(first)]
            usable = [
                k for k in own
                if not self.chosen(c, debt, k, rules, zones)[1]
                and not any(
                    self.held_throughout(h, c, debt, k, zones) for h in self.own("holds", c)
                )
            ]  # fmt: skip
            if (
                usable
                and not self.opened(c, self.root(first), moment, zones)
                and not self.agreed(c, debt, channel, moment)
            ):
                found.add(fact)
        return found

    def held_throughout(self, h: Any, c: int, debt: Any, channel: str, zones: list[str]) -> bool:
        if h["contact_point"] >= 0 or h["kind"] == "callback_agreed":
            return h["contact_point"] < 0 and self.callback_blocks_all(h, c, debt)
        how = table("flags")["holds"].get(h["kind"], {})
        detail = h["detail"] if isinstance(h["detail"], dict) else {}
        if how.get("detail") == "local_window" and {"start", "end", "days"} & set(detail):
            return False
        last = self.end - timedelta(microseconds=1)
        return all(self.hold_reaches(h, c, debt, channel, m, zones) for m in (self.begin, last))

    def callback_blocks_all(self, h: Any, c: int, debt: Any) -> bool:
        """No window of it is known, so it silences everything."""
        if h["customer"] != c or (h["debt"] >= 0 and (debt is None or h["debt"] != debt["debt"])):
            return False
        ends = at(h["ends_us"])
        if ends is not None and ends <= self.as_of:
            return False
        span = self.agreed_span(h)
        return span is None or (span[1] is not None and span[1] <= span[0])

    def opened(self, c: int, first: str | None, moment: datetime, zones: list[str]) -> bool:
        o = self.config.orchestration
        tried = [e for e in self.past(c) if e.attempt and e.channel == first]
        if not tried:
            return False
        e = max(tried, key=lambda x: (x.when, x.outcome not in NOBODY))
        if e.outcome in NOTED:
            return False
        fresh = all(
            (local_date(moment, z) - local_date(e.when, z)).days <= o.failure_opens_days
            for z in zones
        )
        if e.outcome in NOBODY:
            return fresh
        patient = self.within(moment, e.when, o.patience_days + 1, zones)
        return not patient and fresh

    # ---- futility ------------------------------------------------------------------------------

    def channel_rests(
        self, c: int, channel: str, point: int | None, moment: datetime, zones: list[str]
    ) -> bool:
        """Whether a channel (or one point on it) had too many attempts without fruit."""
        o = self.config.orchestration
        if not o.futility_attempts or not o.futility_rest_days:
            return False
        mine = [
            e for e in self.past(c)
            if e.channel == self.root(channel) and (point is None or e.point == point)
        ]  # fmt: skip
        fruit = [e.when for e in mine if e.outcome in NOTED]
        fruit += [
            at(p["paid_us"]) for p in self.own("payments", c)
            if not p["reversed"]
            and (null(p["kind"]) or p["kind"] in ("voluntary", "direct_debit"))
        ]  # fmt: skip
        last = max(fruit, default=LONG_AGO)
        tries = sorted(
            (e.when for e in mine if e.attempt and e.outcome not in NOTED and e.when > last),
            reverse=True,
        )
        if len(tries) < o.futility_attempts:
            return False
        new, old = tries[0], tries[o.futility_attempts - 1]
        return self.within(new, old, o.futility_days, zones) and self.within(
            moment, new, o.futility_rest_days + 1, zones
        )
