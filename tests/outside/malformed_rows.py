"""One protected customer per way a row can be broken, for every column that protects."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from outside.one_case_each import (
    AS_OF,
    Forbidden,
    Rows,
    ago,
    clean,
    everything,
    hold,
    merged,
    only,
    touch,
)

from contactopt import Portfolio
from contactopt.contracts import TABLES
from contactopt.errors import ContractError
from contactopt.plan import ContactPlan

#: tables whose rows protect somebody, read from the contract: a new one is covered at once
PROTECTING = tuple(n for n, s in TABLES.items() if s.on_fault == "customer")
COLUMNS = [(t, c) for t in PROTECTING for c in TABLES[t].columns]
MOBILE = only("call_agent", "call_bot", "sms", "rcs", "whatsapp")
OTHER, SURE = "other", "sure"
_HOURS = json.dumps({"days": ["TUE", "WED"], "start": "10:00", "end": "12:00"})


@dataclass(frozen=True)
class Protection:
    """What protects a customer: how it is told, in which row, and what it forbids."""

    name: str
    table: str
    tell: Callable[[str, Rows], Any]
    forbids: Forbidden
    #: which row of the table it is, counted from the customer's own rows
    row: int = -1


def _hold(**more: Any) -> Callable[[str, Rows], Any]:
    def tell(c: str, rows: Rows) -> None:
        told = {k: v.format(c=c) if k.endswith("_id") else v for k, v in more.items()}
        kind = told.pop("kind", "cease_communication")
        rows["holds"].append(hold(c, kind, **told))

    return tell


def _revoked(**more: Any) -> Callable[[str, Rows], Any]:
    def tell(c: str, rows: Rows) -> None:
        told = {k: v.format(c=c) if k.endswith("_id") else v for k, v in more.items()}
        # no two alike: copies of one row are one row
        at = ago(2) - pd.Timedelta(seconds=int(c[1:]))
        base = {"customer_id": c, "channel": "sms", "changed_at": at, "status": "revoked"}
        rows["consents"].append({**base, **told})

    return tell


def _dead(kind: str, outcome: str, channel: str) -> Callable[[str, Rows], Any]:
    def tell(c: str, rows: Rows) -> None:
        row = touch(c, outcome, channel=channel, contact_point_id=f"{c}-{kind}")
        rows["touches"].append(row)

    return tell


PROTECTIONS = (
    Protection("cease", "holds", _hold(), everything),
    Protection("cease until", "holds", _hold(ends_at=AS_OF + pd.Timedelta(days=9)), everything),
    Protection("cease told just now", "holds", _hold(recorded_at=ago(hours=0.02)), everything),
    Protection("debt held", "holds", _hold(kind="dispute", debt_id="{c}-d1"), everything),
    Protection(
        "channel held", "holds", _hold(kind="do_not_contact", channel="sms"), only("sms", "rcs")
    ),
    Protection(
        "point held", "holds", _hold(kind="do_not_contact", contact_point_id="{c}-mobile"), MOBILE
    ),
    Protection(
        "hours held",
        "holds",
        _hold(kind="inconvenient_time", detail=_HOURS),
        lambda ch, hour, start: hour in (10, 11),
    ),
    Protection("revoked", "consents", _revoked(), only("sms", "rcs")),
    Protection("revoked late", "consents", _revoked(recorded_at=ago(1)), only("sms", "rcs")),
    Protection(
        "point revoked", "consents", _revoked(contact_point_id="{c}-mobile"), only("sms", "rcs")
    ),
    Protection(
        "number dead", "contact_points", _dead("mobile", "invalid", "call_agent"), MOBILE, row=0
    ),
    Protection(
        "mail dead", "contact_points", _dead("email", "bounced", "email"), only("email"), row=1
    ),
    Protection(
        "somebody else's number",
        "contact_points",
        lambda c, rows: rows["contact_points"][0].update(holder="third_party"),
        MOBILE,
        row=0,
    ),
    Protection(
        "number given up",
        "contact_points",
        lambda c, rows: rows["contact_points"][0].update(valid_to=ago(1)),
        MOBILE,
        row=0,
    ),
    Protection(
        "number held",
        "contact_points",
        _hold(kind="do_not_contact", contact_point_id="{c}-mobile"),
        MOBILE,
        row=0,
    ),
)

Damage = Callable[[str, str, dict[str, Any]], Any]


def _cell(value: Any) -> Damage:
    return lambda c, column, row: row.update({column: value})


def _of(make: Callable[[str, Any], Any]) -> Damage:
    """Damage made from what stands there (customer, value)."""
    return lambda c, column, row: row.update({column: make(c, row.get(column))})


def _swap(other: str) -> Damage:
    def swap(c: str, column: str, row: dict[str, Any]) -> None:
        row[column], row[other] = row.get(other), row.get(column)

    return swap


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value or "x")


#: ways that stay the same when written as text
TEXT_DAMAGE: dict[str, Damage] = {
    "null": _cell(None),
    "empty": _cell(""),
    "blank": _cell("   "),
    "tab and line end": _cell("\t\r\n"),
    "garbage": _cell("#N/A!"),
    "word null": _cell("NULL"),
    "word nan": _cell("nan"),
    "word none": _cell("None"),
    "word NaT": _cell("NaT"),
    "dash": _cell("-"),
    "question mark": _cell("?"),
    "word unknown": _cell("unknown"),
    "unknown word": _cell("telepathy"),
    "digits": _cell("12345"),
    "fraction": _cell("0.5"),
    "below zero": _cell("-3"),
    "infinite": _cell("inf"),
    "truth": _cell("True"),
    "list": _cell("[1, 2]"),
    "half an object": _cell('{"days": ["MON"'),
    "object of nothing": _cell('{"days": []}'),
    "object of nonsense": _cell('{"start": "later", "end": null, "days": 7, "refused": "sms"}'),
    "object with NaN": _cell('{"start": NaN}'),
    "deep object": _cell('{"a":' * 5000),
    "naive": _cell("2026-05-20T10:00:00"),
    "plain date": _cell("2026-05-20"),
    "month": _cell("2026-05"),
    "year": _cell("2026"),
    "day first": _cell("20/05/2026 10:00 +00:00"),
    "bad offset": _cell("2026-05-20T10:00:00+99:00"),
    "bad zone": _cell("2026-05-20T10:00:00 Mars/Olympus"),
    "no such day": _cell("2026-02-30T10:00:00Z"),
    "the clock": _cell("now"),
    "today": _cell("today"),
    "epoch seconds": _cell("1780401600"),
    "epoch zero": _cell("1970-01-01T00:00:00Z"),
    "spreadsheet zero": _cell("1899-12-30T00:00:00Z"),
    "year one": _cell("0001-01-01T00:00:00Z"),
    "far past": _cell("1900-01-01T00:00:00Z"),
    "far future": _cell("2099-12-31T00:00:00Z"),
    "end of time": _cell("9999-12-31T00:00:00Z"),
    "beyond time": _cell("99999-12-31T00:00:00Z"),
    "machine's zone": _cell("localtime"),
    "no zone's name": _cell("Factory"),
    "abroad": _cell("Narnia"),
    "place and line end": _cell("MX\n"),
    "upper case": _of(lambda c, v: _text(v).upper()),
    "title case": _of(lambda c, v: _text(v).title()),
    "padded": _of(lambda c, v: f" {_text(v)} "),
    "invisible": _of(lambda c, v: f"{_text(v)}\u200b"),
    "cut short": _of(lambda c, v: _text(v)[:-1]),
    "twice": _of(lambda c, v: _text(v) * 2),
    "with zeros": _of(lambda c, v: f"00{_text(v)}"),
    "as a fraction": _of(lambda c, v: f"{_text(v)}.0"),
    "no such id": _cell("nobody-9"),
    "another customer's id": _cell(OTHER),
    "another's point": _cell(f"{OTHER}-mobile"),
    "another's debt": _cell(f"{OTHER}-d1"),
}

#: ways that only a frame can carry
CELL_DAMAGE: dict[str, Damage] = {
    **TEXT_DAMAGE,
    "NaN": _cell(math.nan),
    "pandas NA": _cell(pd.NA),
    "NaT": _cell(pd.NaT),
    "number": _cell(17),
    "float": _cell(1.5),
    "infinity": _cell(math.inf),
    "true": _cell(True),
    "false": _cell(False),
    "bytes": _cell(b"sms"),
    "sequence": _cell(["sms"]),
    "array": _cell(np.array([1, 2])),
    "mapping": _cell({"days": 7}),
    "mapping of mixed keys": _cell({1: 2, "a": 3}),
    "set": _cell(frozenset({"sms"})),
    "decimal NaN": _cell(Decimal("NaN")),
    "object": _cell(object()),
    "naive datetime": _cell(dt.datetime(2026, 5, 20, 10)),
    "date": _cell(dt.date(2026, 5, 20)),
    "numpy instant": _cell(np.datetime64("2026-05-20T10:00")),
    "numpy number": _cell(np.int64(1_780_401_600)),
    "duration": _cell(pd.Timedelta(days=1)),
    "lone surrogate": _cell("\ud800"),
    "null byte": _cell("a\x00b"),
}


def row_damage(table: str, text: bool) -> Iterator[tuple[str, str, Damage]]:
    """Column, name and damage, for every column of a table."""
    ways = TEXT_DAMAGE if text else CELL_DAMAGE
    for column in TABLES[table].columns:
        for name, damage in ways.items():
            yield column, name, damage
        for other in TABLES[table].columns:
            if other > column:
                yield column, f"swapped with {other}", _swap(other)


@dataclass(frozen=True)
class Case:
    """One protected customer with one damaged row."""

    customer: str
    protection: Protection
    column: str
    damage: str
    rows: Rows

    @property
    def told(self) -> str:
        return f"{self.protection.name} | {self.protection.table}.{self.column} | {self.damage}"


def cases(table: str, *, text: bool, column: str | None = None) -> list[Case]:
    """Every protection of a table x every column x every way, each a customer of its own."""
    found = []
    for p in (p for p in PROTECTIONS if p.table == table):
        for name, way, damage in row_damage(table, text):
            if (column is None or name == column) and not says_something_else(p, name, way):
                found.append(case(p, name, way, damage, f"c{len(found):04d}"))
    return found


def case(p: Protection, column: str, way: str, damage: Damage, c: str = "c0") -> Case:
    rows = clean(c)
    for point in rows["contact_points"]:  # every column is there to be damaged
        point.setdefault("address_key", f"key-{point['contact_point_id']}")
    p.tell(c, rows)
    damage(c, column, rows[p.table][p.row])
    return Case(c, p, column, way, rows)


#: null where null has a meaning of its own: the row then protects nobody, as the contract says
_MEANT = {("somebody else's number", "holder"), ("number given up", "valid_to")}
_NULLS = ("null", "empty", "blank", "tab and line end", "NaN", "pandas NA", "NaT", "decimal NaN")


def says_something_else(p: Protection, column: str, way: str) -> bool:
    """Whether the row is well-formed still, and what it says is another thing."""
    if (p.name, column) in _MEANT and (way in _NULLS or way.startswith("swapped")):
        return True
    if p.name == "number given up" and way in (
        "end of time",
        "far future",
        "swapped with valid_to",
    ):
        return column in ("valid_to", "recorded_at")
    if p.table == "holds" and (column, way) == ("ends_at", "swapped with recorded_at"):
        return True
    # nothing in the row points back to whom it was about
    lost = p.table in ("holds", "consents") and p.name not in (
        *("debt held", "point held", "point revoked"),
    )
    return lost and column == "customer_id" and way == "another customer's id"


def bystanders() -> list[Rows]:
    """Two customers whom nothing protects: one whose ids are borrowed, one touched of late."""
    sure = clean(SURE)
    sure["touches"].append(touch(SURE, "no_answer", started_at=ago(2)))
    # sound values in every column of instants, so that a broken one is a row's fault
    over = {"starts_at": ago(90), "ends_at": ago(60), "recorded_at": ago(89)}
    sure["holds"].append(hold(SURE, "hardship", **over))
    for row in (*sure["contact_points"], *sure["consents"]):
        row["recorded_at"] = ago(15)
    for row in sure["contact_points"]:
        row["valid_to"] = AS_OF + pd.Timedelta(days=900)
    return [clean(OTHER), sure]


def frames_of(some: list[Case]) -> dict[str, pd.DataFrame]:
    """Frames whose protecting tables hold plain objects: each cell is what it is."""
    parts = [*bystanders(), *(k.rows for k in some)]
    frames = merged([{n: r for n, r in part.items() if n not in PROTECTING} for part in parts])
    for table in PROTECTING:
        rows = [r for part in parts for r in part[table]]
        names = list(dict.fromkeys([*TABLES[table].columns, *(n for r in rows for n in r)]))
        columns = {}
        for name in names:
            column = np.empty(len(rows), dtype=object)
            for i, r in enumerate(rows):
                column[i] = r.get(name)
            columns[name] = pd.Series(column, dtype=object)
        frames[table] = pd.DataFrame(columns)
    return frames


def write_csv(frames: dict[str, pd.DataFrame], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        text = frame.map(lambda v: v.isoformat() if isinstance(v, pd.Timestamp) else v)
        text.to_csv(folder / f"{name}.csv", index=False)
    return folder


Load = Callable[[list[Case]], Portfolio]


def loaded(some: list[Case], load: Load) -> Iterator[tuple[list[Case], Portfolio]]:
    """Load cases together; those that cannot be loaded together in halves, down to one."""
    if not some:
        return
    try:
        yield some, load(some)
    except ContractError as error:
        if len(some) > 1 and not all_refused(some, error):
            half = len(some) // 2
            yield from loaded(some[:half], load)
            yield from loaded(some[half:], load)


def all_refused(some: list[Case], error: ContractError) -> bool:
    """Whether the refusal is about each of the cases: as many rows of nobody as cases."""
    told = [f for f in error.faults if getattr(f, "check", "") == "customer cannot be told"]
    return sum(int(str(f.detail).split()[0]) for f in told) == len(some)


def of_nobody(k: Case) -> bool:
    """Whether nothing in the damaged row names a customer, a debt or a contact point."""
    row = k.rows[k.protection.table][k.protection.row]
    if k.protection.table == "contact_points":
        return False
    ours = (k.customer, OTHER)
    known = {
        "customer_id": set(ours),
        "debt_id": {f"{c}-d1" for c in ours},
        "contact_point_id": {f"{c}-{kind}" for c in ours for kind in ("mobile", "email", "postal")},
    }
    return not any(
        isinstance(row.get(name), str) and row[name] in ids for name, ids in known.items()
    )


def open_actions(plan: ContactPlan) -> pd.DataFrame:
    """Every action that could have been drawn: customer_id, channel, hour, start."""
    batch = plan.batch
    row, arm = np.nonzero(np.asarray(plan.allocation.probabilities)[:, :-1] > 0)
    start = batch.slot_start[row, arm]
    instants = pd.Series(pd.to_datetime(start, unit="us", utc=True, errors="coerce"))
    channels = np.array(batch.actions.channels, dtype=object)[batch.actions.channel_index]
    return pd.DataFrame(
        {
            "customer_id": np.asarray(batch.customer_ids, dtype=object)[row],
            "channel": channels[arm],
            "hour": np.asarray(batch.actions.hours)[arm],
            "start": instants.mask(start < 0),
        }
    )


def leaks(some: list[Case], open_to: pd.DataFrame) -> list[str]:
    """Cases whose customer could be contacted by what the row protects from."""
    rows = dict(tuple(open_to.groupby("customer_id")))
    found = []
    for k in some:
        own = rows.get(k.customer)
        if own is None:
            continue
        actions = zip(own["channel"], own["hour"], own["start"], strict=True)
        hit = [k.protection.forbids(*action) for action in actions]
        if any(hit):
            found.append(f"{k.told}: {sorted(set(own['channel'][hit]))}")
    return found
