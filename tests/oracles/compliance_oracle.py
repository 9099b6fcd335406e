"""Slow readable twin of the compliance engine: one customer, one debt, one action at a time.

Written from the rules' own words: local dates with :mod:`datetime` and :mod:`zoneinfo`, every
window tried, every fact looked at. It shares with the engine the data (packs and tables) only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from oracles.compliance_past import Past
from oracles.compliance_places import Answer, Event, address, local_date, null


class Oracle(Past):
    """The verdict on one customer and action, all rules tried."""

    def matching(
        self,
        rule: Any,
        events: list[Event],
        what: dict[str, Any],
        debt: Any,
        channel: str,
        point: Any,
    ) -> list[Event]:
        groups = rule.parameters["group_by"]
        out = []
        for e in events:
            if not self.counts(e, what, groups):
                continue
            if not self.same_unit(e, groups, debt):
                continue
            if "channel" in groups and e.medium is not None and e.medium != self.medium(channel):
                continue
            other = self.point_of.get(e.point)
            if (
                "phone" in groups
                and point is not None
                and other is not None
                and address(other) != address(point)
            ):
                continue
            if other is not None and not self.on_line(rule, other):
                continue
            out.append(e)
        return out

    def on_line(self, rule: Any, point: Any) -> bool:
        """Whether a rule for a kind of line or place speaks of a point; no point: at home."""
        p = rule.parameters
        kind = None if point is None else point["kind"]
        place = "home" if point is None else point["place"]
        if p.get("line_type") == "residential" and kind == "mobile":
            return False
        if p.get("line_type") == "wireless" and kind == "landline":
            return False
        return not p.get("place") or self.same_place(p["place"], place)

    def begun(self, rule: Any, events: list[Event], debt: Any) -> bool:
        """Whether a cap that starts with the first conversation has started."""
        if rule.parameters.get("active_after") != "first_conversation":
            return True
        groups = rule.parameters["group_by"]
        for e in events:
            if e.shared or e.self_service or ("collector" in groups and not e.ours):
                continue
            if not self.same_unit(e, groups, debt):
                continue
            if e.outcomes is None or "conversation" in e.outcomes:
                return True
        return False

    def same_unit(self, e: Event, groups: list[str], debt: Any) -> bool:
        """Whether an event concerns the debt, or the debts of its creditor, a rule counts."""
        if e.debts is None or not {"account", "creditor"} & set(groups):
            return True
        if "account" in groups:
            return debt is not None and debt["debt"] in e.debts
        creditor = None if debt is None else debt["creditor"]
        named = [self.debt_of[d]["creditor"] for d in e.debts if d in self.debt_of]
        return any(x == creditor or (null(x) and null(creditor)) for x in named)

    def too_many(
        self, events: list[Event], moment: datetime, zones: list[str], length: int, limit: int
    ) -> bool:
        """Any window of `length` local days that contains the action's day holds the limit."""
        for ahead in range(length):
            n = 0
            for e in events:
                hit = False
                for z in zones:
                    last = local_date(moment, z) + timedelta(days=ahead)
                    first = last - timedelta(days=length - 1)
                    hit |= first <= local_date(e.when, z) <= last
                n += hit
            if n >= limit:
                return True
        return False

    def denies_count(  # noqa: C901  (one reading, in one piece)
        self,
        rule: Any,
        events: list[Event],
        moment: datetime,
        zones: list[str],
        debt: Any,
        channel: str,
        point: Any,
    ) -> bool:
        p = rule.parameters
        if rule.kind == "cooldown":
            what = {
                "channels": p["trigger"]["channels"],
                "include_outcomes": p["trigger"]["outcomes"],
                "direction": p["trigger"].get("direction", "any"),
            }
            length = p["length_days"] + (1 if p.get("first_day") == "day_after" else 0)
            return any(
                0 <= (local_date(moment, z) - local_date(e.when, z)).days < length
                for e in self.matching(rule, events, what, debt, channel, point)
                for z in zones
            )
        if rule.kind == "one_channel":
            outcomes, kind = list(p["trigger_outcomes"]), p["period"]["type"]
            if self.book.profile == "strict":
                outcomes += p.get("strict_trigger_outcomes", [])
                kind = p["period"].get("strict_alternative", kind)
            for e in self.matching(
                rule,
                events,
                {"channels": ["*"], "include_outcomes": outcomes},
                debt,
                channel,
                point,
            ):
                if e.medium is not None and e.medium == self.medium(channel):
                    continue
                for z in zones:
                    a, b = local_date(moment, z), local_date(e.when, z)
                    if kind == "calendar_week" and a.isocalendar()[:2] == b.isocalendar()[:2]:
                        return True
                    if kind != "calendar_week" and abs((a - b).days) < p["period"]["length"]:
                        return True
            return False
        if p["max"] is None or p["period"]["type"] == "none":
            return False
        if not self.on_line(rule, point) or not self.begun(rule, events, debt):
            return False
        own = self.matching(rule, events, p["count"], debt, channel, point)
        if self.too_many(own, moment, zones, p["period"]["length"], p["max"]):
            return True
        gap = p.get("min_gap_days")
        if gap and self.too_many(own, moment, zones, gap, 1):
            return True
        if not p.get("attempts_max"):
            return False
        what = {k: v for k, v in p["count"].items() if k != "include_outcomes"}
        tries = self.matching(rule, events, what, debt, channel, point)
        return self.too_many(tries, moment, zones, p["period"]["length"], p["attempts_max"])

    # ---- one pair ----------------------------------------------------------------------------

    def denying(  # noqa: C901  (one reading, in one piece)
        self,
        c: int,
        debt: Any,
        channel: str,
        moment: datetime | None,
        zones: list[str],
        bare: list[str],
        refused: bool,
        rules: tuple[Any, ...],
        events: list[Event],
    ) -> tuple[set[str], Any]:
        point, hit = self.chosen(c, debt, channel, rules, zones)
        facts = self.facts(c, debt, channel, moment, zones, refused)
        if moment is None and zones:
            facts.add("slot:none")
        if moment is not None:
            _, jurisdictions, locality = self.places(c)
            facts |= self.first_ones(c, debt, channel, moment, zones, rules)
            facts |= self.template(c, debt, channel, moment, zones, jurisdictions, locality)
        hit = hit | {r.id for r in self.flagged(rules, facts, channel)}
        for rule_id, ids in self.denied.items():
            if self.view.customer_ids[c] in ids:
                hit.add(rule_id)
        if moment is None:
            return hit, point
        day = {z: local_date(moment, z) for z in zones}
        spoken = self.spoken(rules, channel)
        for r in spoken:
            if r.kind in ("hours", "holiday") and not self.open(
                r, moment, zones, bare, point, spoken
            ):
                hit.add(r.id)
            if (
                r.kind in ("frequency_cap", "cooldown", "one_channel")
                and self.denies_count(r, events, moment, zones, debt, channel, point)
                and not (self.callback(r) and self.agreed(c, debt, channel, moment))
            ):
                hit.add(r.id)
            if (
                r.kind == "consent"
                and point is not None
                and self.consent_denies(r, c, channel, point, moment, zones, debt)
            ):
                hit.add(r.id)
            before = r.parameters.get("precondition") if r.kind == "disclosure" else None
            if before and not self.noticed(before["event"], before["wait_days"], c, debt, day):
                hit.add(r.id)
        return {
            i
            for i in hit
            if any(self.book.rule(i).effective_on(local_date(moment, z)) for z in zones)
        }, point

    def chosen(
        self, c: int, debt: Any, channel: str, rules: tuple[Any, ...], zones: list[str]
    ) -> tuple[Any, set[str]]:
        key = (c, None if debt is None else debt["debt"], channel)
        if key not in self.kept:  # which point is used does not hang on the hour
            self.kept[key] = self.choose(c, debt, channel, rules, zones)
        return self.kept[key]

    def callback(self, rule: Any) -> bool:
        """Whether a callback the customer asked for is an exception of the rule."""
        named = {e["when"] for e in rule.exceptions}
        named |= set(rule.parameters.get("count", {}).get("exclude_flags", []))
        return bool(named & {"consumer_requested_callback", "returned_call_requested"})

    def answer(self, c: int, action: Any) -> Answer:
        zones, jurisdictions, locality = self.places(c)
        debts = self.own("debts", c) or [None]
        events = self.events(c)
        results = []
        for debt in debts:
            rules, bare, refused = self.rules(
                jurisdictions, locality, None if debt is None else debt["ownership"]
            )
            rules, moment = self.limited(rules, debt, action.channel), None
            if zones and action.slot_local_hour is not None:
                moment = self.slot(action.slot_local_hour, zones[0])
            elif zones:
                point, _ = self.chosen(c, debt, action.channel, rules, zones)
                moment = self.first_open(action.channel, rules, zones, bare, point)
            hit, point = self.denying(
                c, debt, action.channel, moment, zones, bare, refused, rules, events
            )
            results.append((debt, moment, hit, point))
        over = {
            f"house.{k}"
            for k in ("debt_closed", "debt_settled", "debt_sold", "debt_cured", "debt_current")
        }
        alive = [r for r in results if not r[2] & over] or results
        good = [r for r in results if not r[2] and r[1] is not None]
        if good:
            debt, moment, _, point = min(good, key=lambda r: (-self.worth(r[0]), r[0]["debt"]))
            return Answer(
                True,
                (),
                moment,
                debt["debt_id"],
                None if point is None else point["contact_point_id"],
            )
        reasons = tuple(sorted(set().union(*(r[2] for r in alive))))
        return Answer(False, reasons, results[0][1], lawful_from=None)

    def first_open(
        self, channel: str, rules: tuple[Any, ...], zones: list[str], bare: list[str], point: Any
    ) -> datetime:
        step, moment = timedelta(minutes=15), self.begin
        hours = [r for r in self.spoken(rules, channel) if r.kind in ("hours", "holiday")]
        while moment < self.end:
            if all(self.open(r, moment, zones, bare, point, hours) for r in hours):
                return moment
            moment = datetime.fromtimestamp(int(moment.timestamp()) // 900 * 900, UTC) + step
        return self.begin

    def worth(self, debt: Any) -> float:
        margin = debt["margin_share"]
        margin = self.config.objective.margin_share if null(margin) else margin
        return (
            (0.0 if null(debt["past_due"]) else debt["past_due"])
            * margin
            * self.config.rate_of(debt["currency"])
        )

    def lawful_from(self, c: int, action: Any, days: int = 45) -> datetime | None:
        """First later occurrence of the same local hour at which no rule would deny."""
        zones, jurisdictions, locality = self.places(c)
        if not zones:
            return None
        debts = self.own("debts", c) or [None]
        events, info = self.events(c), ZoneInfo(zones[0])
        today = local_date(self.begin, zones[0])
        for ahead in range(days):
            day = today + timedelta(days=ahead)
            wall = datetime(day.year, day.month, day.day, action.slot_local_hour, tzinfo=info)
            moment = wall.astimezone(UTC)
            if moment < self.begin or moment.astimezone(info).hour != action.slot_local_hour:
                continue
            for debt in debts:
                rules, bare, refused = self.rules(
                    jurisdictions, locality, None if debt is None else debt["ownership"]
                )
                rules = self.limited(rules, debt, action.channel)
                if not self.denying(
                    c, debt, action.channel, moment, zones, bare, refused, rules, events
                )[0]:
                    return moment
        return None
