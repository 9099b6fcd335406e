"""What the oracles of compliance share: words, places and hours, read one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from contactopt.compliance.calendars import holiday_days
from contactopt.compliance.data_tables import table
from contactopt.compliance.localities import zones_of_jurisdiction
from contactopt.contracts.vocabulary import CHANNELS

NO_INSTANT = np.iinfo(np.int64).min
_BY_CUSTOMER = (
    "debts", "holds", "consents", "promises", "decisions", "notices", "arrangements", "payments",
)  # fmt: skip
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(us: int) -> datetime | None:
    return None if us == NO_INSTANT else EPOCH + timedelta(microseconds=int(us))


@lru_cache(maxsize=200_000)
def local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def null(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


def by(rows: list[dict[str, Any]], key: str) -> dict[int, list[dict[str, Any]]]:
    """Rows grouped by a key, each group in the order of the rows."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


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
    shared: bool = False


@dataclass
class Places:
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
        self.points = v.points.to_dict("records")
        self.point_of = {p["contact_point"]: p for p in self.points}
        self.touches = v.touches.to_dict("records")
        for i, t in enumerate(self.touches):
            t["row"] = i
        self.named: dict[int, set[int]] = {}
        for touch, debt in v.touch_debts[["touch", "debt"]].itertuples(index=False):
            self.named.setdefault(touch, set()).add(debt)
        self.debt_of = {d["debt"]: d for d in v.debts.to_dict("records")}
        self.promised_in = set(v.promises["touch_id"].dropna())
        rows = {
            "points": self.points, "touches": self.touches,
            **{name: getattr(v, name).to_dict("records") for name in _BY_CUSTOMER},
        }  # fmt: skip
        self.rows_by = {
            "customer": {name: by(own, "customer") for name, own in rows.items()},
            "debt": {
                "parties": by(v.parties.to_dict("records"), "debt"),
                "arrangements": by(rows["arrangements"], "debt"),
            },
            "touch": {"touch_events": by(v.touch_events.to_dict("records"), "touch")},
        }

    def own(self, name: str, c: int, key: str = "customer") -> list[dict[str, Any]]:
        """Rows of a table that belong to one customer (or debt, or touch), in the table's order."""
        return self.rows_by[key][name].get(c, [])

    # ---- words -----------------------------------------------------------------------------

    def root(self, channel: str) -> str | None:
        if ("root", channel) not in self.kept:
            self.kept["root", channel] = self._root(channel)
        return self.kept["root", channel]

    def _root(self, channel: str) -> str | None:
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
        jurisdictions = {"?"} if null(own) else {own}
        declared = customer.get("time_zone")
        zones = [] if null(declared) else [declared]
        elsewhere: list[str] = []
        for p in sorted(
            (p for p in self.own("points", c) if p["valid"] and p["holder"] != "third_party"),
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
    ) -> tuple[tuple[Any, ...], list[str], bool]:
        key = (tuple(jurisdictions), locality, None if null(ownership) else ownership)
        if key not in self.kept:
            self.kept[key] = self._rules(jurisdictions, locality, ownership)
        return self.kept[key]

    def _rules(
        self, jurisdictions: list[str], locality: str | None, ownership: Any
    ) -> tuple[tuple[Any, ...], list[str], bool]:
        bare = [j for j in jurisdictions if not any(inside(j, k) for k in self.book.jurisdictions)]
        cautious = bool(bare) and self.book.fallback == "cautious"
        refused = "?" in bare or (bool(bare) and not cautious)
        out = []
        for r in self.book.rules:
            if r.kind == "disclosure" and "precondition" not in r.parameters:
                continue
            if not null(ownership) and ownership not in r.applies_to:
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
        return tuple(out), bare, refused

    def slot(self, hour: int | None, zone: str) -> datetime | None:
        if ("slot", hour, zone) not in self.kept:
            self.kept["slot", hour, zone] = self._slot(hour, zone)
        return self.kept["slot", hour, zone]

    def _slot(self, hour: int | None, zone: str) -> datetime | None:
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

    def open(
        self, rule: Any, moment: datetime, zones: list[str], bare: list[str], point: Any,
        others: list[Any],
    ) -> bool:  # fmt: skip
        """Whether a rule of hours or holidays is open; ``others`` speak of the same contact."""
        if not any(rule.effective_on(local_date(moment, z)) for z in zones):
            return True
        asked, place = rule.parameters.get("place"), "home" if point is None else point["place"]
        if asked and not self.same_place(asked, place):
            return True
        if rule.kind == "holiday" and rule.parameters["policy"] == "as_sunday":
            hours = [
                o
                for o in others
                if o.kind == "hours"
                and ("place" not in o.parameters or self.same_place(o.parameters["place"], place))
            ]
            return all(
                self.open_in(rule, moment, z, bare)
                or all(
                    self.open_in(o, moment, z, bare, sunday=True)
                    for o in hours
                    if o.effective_on(local_date(moment, z))
                )
                for z in zones
            )
        return all(self.open_in(rule, moment, z, bare) for z in zones)

    def same_place(self, asked: str, place: Any) -> bool:
        """A rule for home or for work, and a point at home, at work, or nobody knows where."""
        if place == "unknown":
            return True
        return (place == "work") == asked.startswith("work")

    def open_in(
        self, rule: Any, moment: datetime, zone: str, bare: list[str], *, sunday: bool = False
    ) -> bool:
        local = moment.astimezone(ZoneInfo(zone))
        p = rule.parameters
        calendar = p.get("holidays") if rule.kind == "hours" else p
        holiday = bool(calendar) and self.is_holiday(calendar["calendar"], local.date(), bare)
        if rule.kind == "holiday":
            return not holiday
        day = "SUN" if sunday else DAYS[local.weekday()]
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
        for part in calendar.split("+"):
            names = [part.replace("{jurisdiction}", j) for j in bare] if "{" in part else [part]
            for name in names:
                own = self.book.calendars.get(name)
                if own is not None:
                    if not any(d.startswith(str(day.year)) for d in own) or str(day) in own:
                        return True
                    continue
                days = holiday_days(name, day.year, day.year)
                if days is None or (day - date(1970, 1, 1)).days in days:
                    return True
        return False


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
