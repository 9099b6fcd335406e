"""Slow readable twin of the compliance engine: one customer, one debt, one action at a time.

Written from the rules' own words: local dates with :mod:`datetime` and :mod:`zoneinfo`, every
window tried, every fact looked at. It shares with the engine the data (packs and tables) only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from contactopt.compliance.calendars import holiday_days
from contactopt.compliance.data_tables import table
from contactopt.compliance.localities import zones_of_jurisdiction
from contactopt.contracts.vocabulary import CHANNELS

NO_INSTANT = np.iinfo(np.int64).min
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(us: int) -> datetime | None:
    return None if us == NO_INSTANT else EPOCH + timedelta(microseconds=int(us))


def local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def null(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


def inside(code: str, region: str) -> bool:
    return region == "*" or code == region or code.startswith(region + "-")


@dataclass
class Answer:
    allowed: bool
    reasons: tuple[str, ...]
    slot_start: datetime | None
    debt_id: str | None = None
    point_id: str | None = None
    lawful_from: datetime | None = None


@dataclass
class Event:
    when: datetime
    words: set[str]
    medium: str | None
    self_service: bool
    outcomes: set[str] | None  # None: unknown
    directions: set[str]
    ours: bool
    planned: bool
    debts: set[int] | None  # None: all
    point: int
    letter: bool


@dataclass
class Oracle:
    view: Any
    book: Any
    config: Any
    actions: Any
    denied: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.as_of = at(self.view.as_of_us)
        self.begin = self.as_of + timedelta(minutes=self.config.lead_minutes)
        self.end = self.begin + timedelta(hours=24)
        self.guard = timedelta(minutes=self.book.guard_minutes)
        v = self.view
        self.debts = v.debts.to_dict("records")
        self.points = v.points.to_dict("records")
        self.touches = v.touches.to_dict("records")
        self.named: dict[int, set[int]] = {}
        for touch, debt in v.touch_debts[["touch", "debt"]].itertuples(index=False):
            self.named.setdefault(touch, set()).add(debt)
        self.holds = v.holds.to_dict("records")
        self.consents = v.consents.to_dict("records")
        self.promises = v.promises.to_dict("records")
        self.decisions = v.decisions.to_dict("records")
        self.touch_events = v.touch_events.to_dict("records")

    # ---- words -----------------------------------------------------------------------------

    def root(self, channel: str) -> str | None:
        if channel in self.config.channels:
            return self.config.channel_root(channel)
        return channel if channel in CHANNELS else None

    def words(self, channel: str) -> set[str]:
        if channel not in self.kept:
            self.kept[channel] = self._words(channel)
        return self.kept[channel]

    def _words(self, channel: str) -> set[str]:
        root = self.root(channel)
        if root is None:
            return set(table("words")["rule_channels"])
        words = list(table("words")["channels"][root])
        if channel in self.config.channels and self.config.channel(channel).autodialed:
            extra = table("words")["autodialed"]
            words += [extra[w] for w in words if w in extra]
        return set(words)

    def medium(self, channel: str) -> str | None:
        root = self.root(channel)
        words = table("words")["channels"].get(root, [])
        return words[0] if words else None

    def closes(self, named: Any, channel: str) -> bool:
        """Whether what is said of one channel closes another."""
        if null(named):
            return True
        words = self.words(named)
        return (
            not words
            or self.root(named) is None
            or words <= self.words(channel)
            or named == channel
        )

    # ---- place -----------------------------------------------------------------------------

    def places(self, c: int) -> tuple[list[str], list[str], str | None]:
        if c not in self.kept:
            self.kept[c] = self._places(c)
        return self.kept[c]

    def _places(self, c: int) -> tuple[list[str], list[str], str | None]:
        customer = self.view.customers.iloc[c]
        own = customer.get("jurisdiction")
        jurisdictions = set() if null(own) else {own}
        declared = customer.get("time_zone")
        zones = [] if null(declared) else [declared]
        elsewhere: list[str] = []
        for p in sorted(
            (
                p
                for p in self.points
                if p["customer"] == c and p["valid"] and p["holder"] != "third_party"
            ),
            key=lambda p: "" if null(p["time_zone"]) else p["time_zone"],
        ):
            if not null(p["jurisdiction"]):
                jurisdictions.add(p["jurisdiction"])
            if not null(p["time_zone"]):
                zones.append(p["time_zone"])
            elif not null(p["jurisdiction"]):
                related = not null(own) and (
                    inside(own, p["jurisdiction"]) or inside(p["jurisdiction"], own)
                )
                if not related:
                    elsewhere += zones_of_jurisdiction(p["jurisdiction"])
        told = bool(zones)
        if not told and not null(own):
            zones = list(zones_of_jurisdiction(own))
        if null(declared) and (told or not zones):
            zones = sorted({*zones, *elsewhere})
        zones += elsewhere
        locality = customer.get("locality")
        return (
            list(dict.fromkeys(zones)),
            sorted(jurisdictions),
            None if null(locality) else locality,
        )

    def rules(
        self, jurisdictions: list[str], locality: str | None, ownership: Any
    ) -> tuple[list[Any], list[str], bool]:
        key = (tuple(jurisdictions), locality, None if null(ownership) else ownership)
        if key not in self.kept:
            self.kept[key] = self._rules(jurisdictions, locality, ownership)
        return self.kept[key]

    def _rules(
        self, jurisdictions: list[str], locality: str | None, ownership: Any
    ) -> tuple[list[Any], list[str], bool]:
        bare = [j for j in jurisdictions if not any(inside(j, k) for k in self.book.jurisdictions)]
        cautious = bool(bare) and self.book.fallback == "cautious"
        refused = (bool(bare) or not jurisdictions) and not cautious
        out = []
        for r in self.book.rules:
            if r.kind == "disclosure" or (not null(ownership) and ownership not in r.applies_to):
                continue
            if r.pack == "cautious":
                if not cautious:
                    continue
            elif (
                not any(inside(j, r.jurisdiction) for j in jurisdictions) and r.jurisdiction != "*"
            ):
                continue
            if r.locality and locality and r.locality != locality:
                continue
            out.append(r)
        return out, bare, refused

    def slot(self, hour: int | None, zone: str) -> datetime | None:
        step = timedelta(minutes=15)
        quarter = int(self.begin.timestamp()) // 900 * 900
        moment = datetime.fromtimestamp(quarter, UTC)
        if moment < self.begin:
            moment += step
        info = ZoneInfo(zone)
        while moment < self.end:
            now, before = moment.astimezone(info), (moment - step).astimezone(info)
            if now.hour == hour and (now.minute == 0 or before.hour != hour):
                return moment
            moment += step
        return None

    # ---- hours -----------------------------------------------------------------------------

    def open(self, rule: Any, moment: datetime, zones: list[str], bare: list[str]) -> bool:
        if not any(rule.effective_on(local_date(moment, z)) for z in zones):
            return True
        return all(self.open_in(rule, moment, z, bare) for z in zones)

    def open_in(self, rule: Any, moment: datetime, zone: str, bare: list[str]) -> bool:
        local = moment.astimezone(ZoneInfo(zone))
        p = rule.parameters
        calendar = p.get("holidays") if rule.kind == "hours" else p
        holiday = bool(calendar) and self.is_holiday(calendar["calendar"], local.date(), bare)
        if rule.kind == "holiday":
            return not holiday
        day = DAYS[local.weekday()]
        if holiday and calendar["policy"] == "closed":
            return False
        if holiday:
            day = "SUN"
        for w in p["windows"]:
            if day not in w["days"]:
                continue
            h, m = map(int, w["start"].split(":"))
            start = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone)) + timedelta(
                hours=h, minutes=m
            )
            h, m = map(int, w["end"].split(":"))
            close = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone)) + timedelta(
                hours=h, minutes=m
            )
            if local >= start and moment < close.astimezone(UTC) - self.guard and local < close:
                return True
        return False

    def is_holiday(self, calendar: str, day: date, bare: list[str]) -> bool:
        names = (
            [calendar.replace("{jurisdiction}", j) for j in bare] if "{" in calendar else [calendar]
        )
        for name in names:
            days = holiday_days(name, day.year, day.year)
            if days is None or (day - date(1970, 1, 1)).days in days:
                return True
        return False

    # ---- events ----------------------------------------------------------------------------

    def events(self, c: int) -> list[Event]:
        outcomes, of_channel = table("words")["outcomes"], table("words")["outcome_of_channel"]
        found = []
        for i, t in enumerate(self.touches):
            if t["customer"] != c:
                continue
            word = t["outcome"]
            if t["machine_only"] and word in table("words")["machine_only"]:
                word = table("words")["machine_only"][word]
            known = None if null(word) or word not in outcomes else {outcomes[word]}
            if known and self.root(t["channel"]) in of_channel:
                known = known | {of_channel[self.root(t["channel"])]}
            found.append(
                Event(
                    when=at(t["started_us"]),
                    words=self.words(t["channel"]),
                    medium=self.medium(t["channel"]),
                    self_service=self.root(t["channel"]) is not None
                    and not self.words(t["channel"]),
                    outcomes=known,
                    directions={"in", "out"}
                    if null(t["direction"])
                    else {"in" if t["direction"] == "inbound" else "out"},
                    ours=null(t["collector"]) or t["collector"] == self.config.collector,
                    planned=False,
                    debts=self.named.get(i),
                    point=t["contact_point"],
                    letter=self.words(t["channel"]) == {"letter"},
                )
            )
        for d in self.decisions:
            if d["customer"] == c and d["open"]:
                slot = d["slot_start_us"]
                channel = d["channel"]
                found.append(
                    Event(
                        when=at(d["decided_us"] if slot == NO_INSTANT else slot),
                        words=self.words(channel),
                        medium=self.medium(channel),
                        self_service=False,
                        outcomes=None,
                        directions={"out"},
                        ours=True,
                        planned=True,
                        debts=None,
                        point=-1,
                        letter=self.words(channel) == {"letter"},
                    )  # fmt: skip
                )
        return found

    def counts(self, e: Event, what: dict[str, Any], groups: list[str]) -> bool:
        channels = set(what.get("channels", ["*"]))
        if "*" not in channels and not e.words & channels:
            return False
        if e.self_service or (what.get("planned_only") and not e.planned):
            return False
        wanted = what.get("direction", "any")
        if wanted != "any" and wanted not in e.directions:
            return False
        include, exclude = what.get("include_outcomes"), what.get("exclude_outcomes")
        if include and e.outcomes is not None and not e.outcomes & set(include):
            return False
        if exclude and e.outcomes is not None and e.outcomes & set(exclude):
            return False
        if "letter" in what.get("exclude_flags", []) and e.letter:
            return False
        return e.ours or "collector" not in groups

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
            if (
                "account" in groups
                and e.debts is not None
                and (debt is None or debt["debt"] not in e.debts)
            ):
                continue
            if "channel" in groups and e.medium is not None and e.medium != self.medium(channel):
                continue
            if "phone" in groups and point is not None and e.point >= 0:
                other = next((p for p in self.points if p["contact_point"] == e.point), None)
                if other is not None and address(other) != address(point):
                    continue
            out.append(e)
        return out

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

    def denies_count(
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
        if point is not None and p.get("line_type") == "residential" and point["kind"] == "mobile":
            return False
        if point is not None and p.get("line_type") == "wireless" and point["kind"] == "landline":
            return False
        return self.too_many(
            self.matching(rule, events, p["count"], debt, channel, point),
            moment,
            zones,
            p["period"]["length"],
            p["max"],
        )

    # ---- facts -----------------------------------------------------------------------------

    def facts(
        self,
        c: int,
        debt: Any,
        channel: str,
        moment: datetime | None,
        zones: list[str],
        refused: bool,
    ) -> set[str]:
        """Facts against a contact about a debt at a moment, points left out."""
        found = {"pack:none"} if refused else set()
        if not zones:
            found.add("zone:none")
        found.add(f"channel:{self.root(channel)}")
        if debt is None:
            found.add("debt:none")
        else:
            dpd = debt["days_past_due"]
            found |= {f"status:{debt['status']}"}
            if null(debt["status"]) or null(dpd):
                found.add("debt:no_snapshot")
            if not null(dpd) and dpd <= 0:
                found.add("debt:current")
            if debt["paid_since_snapshot"]:
                found.add("debt:paid_since")
            found |= {f"debt:{k}" for k in ("closed", "recalled") if not null(debt[f"{k}_at"])}
        for h in self.holds:
            if self.hold_reaches(h, c, debt, channel, moment, zones) and h["contact_point"] < 0:
                found.add(f"hold:{h['kind']}")
        for i, t in enumerate(self.touches):
            how = table("flags")["outcomes"].get(t["outcome"])
            if how is None or t["customer"] != c:
                continue
            named = self.named.get(i)
            if how["debts"] == "touch" and named and (debt is None or debt["debt"] not in named):
                continue
            whole = how["debts"] == "all" or not named
            ends = [
                at(h["ends_us"]) or datetime.max.replace(tzinfo=UTC)
                for h in self.holds
                if h["customer"] == c and h["kind"] in how["ended_by_hold"] and null(h["channel"]) and h["contact_point"] < 0
                and (h["debt"] < 0 or (not whole and debt is not None and h["debt"] == debt["debt"]))
            ]  # fmt: skip
            ends = [e for e in ends if e > at(t["outcome_known_us"])]
            if not ends or moment is None or moment < max(ends):
                found.add(f"outcome:{t['outcome']}")
        grace = self.config.orchestration.promise_grace_days
        for p in self.promises:
            if p["customer"] == c and p["state"] != "cancelled" and zones:
                over = [local_date(at(p["due_us"]), z) + timedelta(days=grace) for z in zones]
                if moment is None or any(
                    local_date(moment, z) <= o for z, o in zip(zones, over, strict=True)
                ):
                    found.add("promise:open")
        return found

    def hold_reaches(
        self,
        h: dict[str, Any],
        c: int,
        debt: Any,
        channel: str,
        moment: datetime | None,
        zones: list[str],
    ) -> bool:
        if h["customer"] != c or (h["debt"] >= 0 and (debt is None or h["debt"] != debt["debt"])):
            return False
        ends = at(h["ends_us"])
        if ends is not None and (ends <= self.as_of or (moment is not None and moment >= ends)):
            return False
        how = table("flags")["holds"].get(h["kind"], {})
        detail = h["detail"] if isinstance(h["detail"], dict) else None
        if "only_place" in how or (
            how.get("detail") == "local_window" and detail and detail.get("place") == "work"
        ):
            return False  # concerns points at work
        if how.get("detail") == "agreed_window":
            if moment is None:
                return True
            begins, to = at(h["starts_us"]), ends
            if detail and "from" in detail and "to" in detail:
                begins, to = (
                    datetime.fromisoformat(detail["from"]),
                    datetime.fromisoformat(detail["to"]),
                )
            elif begins <= self.as_of:
                return True
            meant = null(h["channel"]) or self.closes(h["channel"], channel)
            return not (meant and begins <= moment and (to is None or moment < to))
        if moment is not None and moment < at(h["starts_us"]):
            return False
        if how.get("detail") == "channels" and null(h["channel"]):
            return self.refuses(detail or {}, channel)
        if "spares_channels" in how:
            return self.root(channel) not in how["spares_channels"]
        if not self.closes(h["channel"], channel):
            return False
        if (
            how.get("detail") == "local_window"
            and detail
            and moment is not None
            and {"start", "end", "days"} & set(detail)
        ):
            return any(in_window(detail, moment.astimezone(ZoneInfo(z))) for z in zones)
        return True

    # ---- points and consent ----------------------------------------------------------------

    def consent(
        self, c: int, channel: str, point: Any
    ) -> tuple[datetime | None, datetime | None, bool, datetime | None]:
        """Latest grant that counts, grant of the point itself, revoked, last heard from it."""
        code = -1 if point is None else point["contact_point"]
        whole = [x for x in self.consents if x["customer"] == c and x["contact_point"] < 0]
        own = [
            x
            for x in self.consents
            if x["customer"] == c and code >= 0 and x["contact_point"] == code
        ]
        revoked = any(
            x["status"] == "revoked" and self.closes(x["channel"], channel) for x in [*whole, *own]
        )
        of_channel = [
            at(x["changed_us"])
            for x in whole
            if x["status"] == "granted" and x["channel"] == channel
        ]
        of_point = [
            at(x["changed_us"]) for x in own if x["status"] == "granted" and x["channel"] == channel
        ]
        outs = [(t, at(t["outcome_known_us"])) for t in self.touches if t["outcome"] == "opted_out"]
        outs += [
            (self.touches[e["touch"]], at(e["occurred_us"]))
            for e in self.touch_events
            if e["event"] == "opted_out"
        ]
        for t, when in outs:
            if (
                t["customer"] == c
                and self.closes(t["channel"], channel)
                and not any(g > when for g in of_channel)
            ):
                revoked = True
        heard = [
            at(t["started_us"]) for t in self.touches
            if code >= 0 and t["contact_point"] == code and t["direction"] == "inbound" and self.root(t["channel"]) == self.root(channel)
        ]  # fmt: skip
        return (
            max([*of_channel, *of_point], default=None),
            max(of_point, default=None),
            revoked,
            max(heard, default=None),
        )

    def consent_denies(
        self, rule: Any, c: int, channel: str, point: Any, moment: datetime | None, zones: list[str]
    ) -> bool:
        p = rule.parameters
        granted, own, revoked, heard = self.consent(c, channel, point)
        model = p.get("model")
        if model is None:
            return False
        if model == "revocation":
            return revoked
        if p.get("scope_line") == "wireless" and point is not None and point["kind"] == "landline":
            return False
        if revoked:
            return True
        if model == "safe_harbor":
            basis = {table("flags")["consent_facts"]["basis"].get(b) for b in p["basis_any"]}
            at_work = (
                point is not None and point["place"] in ("work", "unknown") and "work_email" in p
            )
            shown = [own if at_work else granted] if "consent" in basis else []
            shown += [heard] if "inbound" in basis else []
            shown = [s for s in shown if s is not None]
            if not shown:
                return True
            if p.get("expiry_days") and moment is not None:
                return any(
                    (local_date(moment, z) - local_date(max(shown), z)).days > p["expiry_days"]
                    for z in zones
                )
            return False
        return granted is None

    def against_point(
        self, c: int, debt: Any, channel: str, point: Any, rules: list[Any], zones: list[str]
    ) -> set[str]:
        """Ids of the rules against a point for this window."""
        facts = set()
        _, _, revoked, _ = self.consent(c, channel, point)
        if revoked:
            facts.add("consent:revoked")
        if point is not None:
            facts |= {"point:dead"} if point["dead"] else set()
            facts |= set() if point["valid"] else {"point:invalid"}
            facts |= {"point:third_party"} if point["holder"] == "third_party" else set()
            facts |= {"point:unknown_holder"} if point["holder"] == "unknown" else set()
            for h in self.holds:
                if self.hold_on_point(h, c, channel, point):
                    facts.add(f"hold:{h['kind']}")
        hit = {r.id for r in self.flagged(rules, facts, channel)}
        for r in rules:
            if (
                r.kind == "consent"
                and self.speaks(r, channel)
                and self.consent_denies(r, c, channel, point, self.begin, zones)
            ):
                hit.add(r.id)
        return hit

    def hold_on_point(self, h: dict[str, Any], c: int, channel: str, point: Any) -> bool:
        how = table("flags")["holds"].get(h["kind"], {})
        detail = h["detail"] if isinstance(h["detail"], dict) else {}
        agreed = how.get("detail") == "agreed_window"
        if h["customer"] != c or (at(h["starts_us"]) >= self.end and not agreed):
            return False
        ends = at(h["ends_us"])
        if ends is None and agreed and {"from", "to"} <= set(detail):
            ends = datetime.fromisoformat(detail["to"])
        if ends is not None and (ends <= self.as_of or ends <= self.begin):
            return False
        work = "only_place" in how or (
            how.get("detail") == "local_window" and detail.get("place") == "work"
        )
        if h["contact_point"] < 0 and not work:
            return False
        if h["contact_point"] >= 0 and h["contact_point"] != point["contact_point"]:
            return False
        if work and point["place"] not in ("work", "unknown"):
            return False
        if "spares_channels" in how:
            return self.root(channel) not in how["spares_channels"]
        if how.get("detail") == "channels" and null(h["channel"]):
            return self.refuses(detail, channel)
        return agreed or self.closes(h["channel"], channel)

    def refuses(self, detail: dict[str, Any], channel: str) -> bool:
        if detail.get("refused"):
            return any(self.closes(x, channel) for x in detail["refused"])
        return not detail.get("only") or channel not in detail["only"]

    def speaks(self, rule: Any, channel: str) -> bool:
        return "*" in rule.channels or bool(self.words(channel) & set(rule.channels))

    def flagged(self, rules: list[Any], facts: set[str], channel: str) -> list[Any]:
        flags = table("flags")["flags"]
        return [
            r for r in rules
            if r.kind == "suppression" and self.speaks(r, channel) and facts & set(flags.get(r.parameters["flag"], []))
        ]  # fmt: skip

    def choose(
        self, c: int, debt: Any, channel: str, rules: list[Any], zones: list[str]
    ) -> tuple[Any, set[str]]:
        kinds = self.config.channel(channel).contact_point_kinds
        if not kinds:
            return None, self.against_point(c, debt, channel, None, rules, zones)
        fitting = [p for p in self.points if p["customer"] == c and p["kind"] in kinds]
        if not fitting:
            return None, {r.id for r in self.flagged(rules, {"point:none"}, channel)}
        judged = [(p, self.against_point(c, debt, channel, p, rules, zones)) for p in fitting]
        good = [p for p, hit in judged if not hit]
        if good:
            return min(
                good,
                key=lambda p: (
                    1.0 if null(p["quality_share"]) else -p["quality_share"],
                    p["contact_point"],
                ),
            ), set()
        return None, set().union(*(hit for _, hit in judged))

    # ---- one pair ----------------------------------------------------------------------------

    def denying(
        self,
        c: int,
        debt: Any,
        channel: str,
        moment: datetime | None,
        zones: list[str],
        bare: list[str],
        refused: bool,
        rules: list[Any],
        events: list[Event],
    ) -> tuple[set[str], Any]:
        key = (c, None if debt is None else debt["debt"], channel)
        if key not in self.kept:  # which point is used does not hang on the hour
            self.kept[key] = self.choose(c, debt, channel, rules, zones)
        point, hit = self.kept[key]
        facts = self.facts(c, debt, channel, moment, zones, refused)
        if moment is None and zones:
            facts.add("slot:none")
        hit = hit | {r.id for r in self.flagged(rules, facts, channel)}
        for rule_id, ids in self.denied.items():
            if self.view.customer_ids[c] in ids:
                hit.add(rule_id)
        if moment is None:
            return hit, point
        for r in rules:
            if not self.speaks(r, channel):
                continue
            if r.kind in ("hours", "holiday") and not self.open(r, moment, zones, bare):
                hit.add(r.id)
            if r.kind in ("frequency_cap", "cooldown", "one_channel") and self.denies_count(
                r, events, moment, zones, debt, channel, point
            ):
                hit.add(r.id)
            if (
                r.kind == "consent"
                and point is not None
                and self.consent_denies(r, c, channel, point, moment, zones)
            ):
                hit.add(r.id)
        return {
            i
            for i in hit
            if any(self.book.rule(i).effective_on(local_date(moment, z)) for z in zones)
        }, point

    def answer(self, c: int, action: Any) -> Answer:
        zones, jurisdictions, locality = self.places(c)
        debts = [d for d in self.debts if d["customer"] == c] or [None]
        events = self.events(c)
        results = []
        for debt in debts:
            rules, bare, refused = self.rules(
                jurisdictions, locality, None if debt is None else debt["ownership"]
            )
            moment = None
            if zones and action.slot_local_hour is not None:
                moment = self.slot(action.slot_local_hour, zones[0])
            elif zones:
                moment = self.first_open(action.channel, rules, zones, bare)
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
        self, channel: str, rules: list[Any], zones: list[str], bare: list[str]
    ) -> datetime:
        step, moment = timedelta(minutes=15), self.begin
        hours = [r for r in rules if r.kind in ("hours", "holiday") and self.speaks(r, channel)]
        while moment < self.end:
            if all(self.open(r, moment, zones, bare) for r in hours):
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
        debts = [d for d in self.debts if d["customer"] == c] or [None]
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
                if not self.denying(
                    c, debt, action.channel, moment, zones, bare, refused, rules, events
                )[0]:
                    return moment
        return None


def address(point: Any) -> str:
    return point["contact_point_id"] if null(point["address_key"]) else point["address_key"]


def in_window(detail: dict[str, Any], local: datetime) -> bool:
    def minutes(text: str) -> int:
        h, m = map(int, text.split(":"))
        return 60 * h + m

    begin, end = minutes(detail.get("start", "00:00")), minutes(detail.get("end", "24:00"))
    now = 60 * local.hour + local.minute
    if begin >= end:
        return now >= begin or now < end
    days = [str(d).upper()[:3] for d in detail.get("days", DAYS)]
    return begin <= now < end and DAYS[local.weekday()] in days
