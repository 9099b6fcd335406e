"""One customer's rows of every event table, as lines of a timeline: what was recorded, in words.

Every row that is known at the instant gives exactly one line here; what follows from rows (a
promise broken, a hold ended) is told by `timeline_changes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import Ints, codes_of, instants, known_at, numbers, text
from contactopt.journal.debts import STAGES, stage_codes
from contactopt.journal.journal import Journal
from contactopt.journal.timeline.words import (
    decision_words,
    plain,
    snapshot_words,
    stated,
    touch_words,
    way,
)
from contactopt.journal.view import JournalView

__all__ = ["COLUMNS", "OneCustomer", "lines", "recorded_lines", "stamps"]

#: columns of a timeline, in order; `at_utc` and `known_at` are microseconds until it is finished
COLUMNS = (
    "at_utc",
    "known_at",
    "kind",
    "channel",
    "direction",
    "debt_id",
    "what",
    "by",
    "amount",
    "currency",
    "machine",
    "source",
    "source_id",
)


class OneCustomer:
    """A customer inside a journal at an instant, and the few look-ups that lines need.

    Parameters
    ----------
    journal : Journal
    view : JournalView
        The same journal at the instant.
    code : int
        Customer code.
    """

    def __init__(self, journal: Journal, view: JournalView, code: int) -> None:
        self.journal, self.view, self.code = journal, view, code
        self.zone = str(journal.zones[code])
        self.debts = self.own(view.debts)
        ids, currency = (text(journal.debts.frame, c) for c in ("debt_id", "currency"))
        self._currency = dict(zip(ids, currency, strict=True))
        self.touches = self.own(view.touches)
        self._named = self._debts_named()

    def _debts_named(self) -> dict[int, list[str]]:
        """Return the debts that touches name, as the rows say: somebody else's among them."""
        row_of = dict(zip(text(self.touches, "touch_id"), self.touches.index, strict=True))
        named: dict[int, set[str]] = {}
        for frame in (self.journal.tables[t] for t in ("touches", "touch_debts")):
            for touch, debt in zip(text(frame, "touch_id"), text(frame, "debt_id"), strict=True):
                if touch in row_of and isinstance(debt, str):
                    named.setdefault(int(row_of[touch]), set()).add(debt)
        return {row: sorted(debts) for row, debts in named.items()}

    def own(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a view's frame that are the customer's; the index stays."""
        return frame[(frame["customer"] == self.code).to_numpy(dtype=bool)]

    def known_rows(self, table: str, event: str, owner: Ints) -> tuple[pd.DataFrame, Ints, Ints]:
        """Return the customer's known rows of a table, their event times and known-at."""
        frame = self.journal.tables[table]
        at = instants(frame, event)
        known = known_at(frame, at, self.journal.delay_hours(table))
        rows = np.flatnonzero((owner == self.code) & (known <= self.view.as_of_us))
        return frame.iloc[rows].reset_index(drop=True), at[rows], known[rows]

    def customers_of(self, table: str) -> Ints:
        """Return the customer code of every row of a table that names its customer."""
        return codes_of(
            self.journal.tables[table], "customer_id", self.journal.customers, table, elsewhere=True
        )

    def debts_of_touches(self, index: Any) -> list[str | None]:
        """Return the debts that touches name, joined by `|`; None where they are about all."""
        return ["|".join(self._named[i]) if i in self._named else None for i in index]

    def currencies(self, debt_ids: Any) -> list[str | None]:
        """Return the currency of each debt id, None where it is not known or not one debt."""
        return [stated(self._currency.get(d)) if isinstance(d, str) else None for d in debt_ids]

    def party_rows(self) -> tuple[pd.DataFrame, Ints, Ints]:
        """Return known rows of debt_parties: on the customer's debts, or naming the customer."""
        table = self.journal.tables["debt_parties"]
        debt = codes_of(table, "debt_id", self.journal.debts.ids, "debt_parties")
        main = self.journal.debt_customer[debt] if len(self.journal.debt_customer) else debt
        me = self.journal.customer_ids[self.code]
        mine = (main == self.code) | (text(table, "customer_id") == me).to_numpy(dtype=bool)
        return self.known_rows("debt_parties", "valid_from", np.where(mine, self.code, -1))

    def debt_names(self, codes: Any) -> list[str | None]:
        """Return debt ids of codes, None for -1."""
        return [str(self.journal.debt_ids[c]) if c >= 0 else None for c in np.asarray(codes)]


def lines(
    kind: str | Sequence[str], at: Any, known: Any, what: Sequence[str], source: str,
    source_id: Any, **more: Any,
) -> pd.DataFrame:  # fmt: skip
    """Return lines of one kind; what is not given is null."""
    n = len(what)
    nothing: dict[str, Any] = {c: [None] * n for c in COLUMNS}
    nothing["amount"], nothing["machine"] = np.full(n, np.nan), np.zeros(n, dtype=bool)
    nothing |= {
        "at_utc": np.asarray(at, dtype=np.int64),
        "known_at": np.asarray(known, dtype=np.int64),
        "kind": [kind] * n if isinstance(kind, str) else list(kind),
        "what": list(what),
        "source": [source] * n,
        "source_id": [str(x) for x in source_id],
    }
    return pd.DataFrame(nothing | more, columns=list(COLUMNS))


def stamps(us: Any) -> list[str]:
    """Return instants as text, for ids of rows that have none of their own."""
    return [str(np.datetime64(int(x), "us")) + "Z" if x != NO_INSTANT else "-" for x in us]


def recorded_lines(one: OneCustomer) -> Iterator[pd.DataFrame]:
    """Yield the lines of every event table."""
    yield _debts(one)
    yield _snapshots(one)
    yield _parties(one)
    yield _points(one)
    yield _consents(one)
    yield _holds(one)
    yield _notices(one)
    yield _touches(one)
    yield _touch_events(one)
    yield _promises(one)
    yield _payments(one)
    yield _arrangements(one)
    yield _decisions(one)


# ---- debts -----------------------------------------------------------------------------------


def _debts(one: OneCustomer) -> pd.DataFrame:
    d = one.debts
    code = d["debt"].to_numpy(dtype=np.int64)
    opened = d["opened_at"].to_numpy(dtype="datetime64[us]").astype(np.int64)
    what = [
        f"debt opened: {plain(stated(p) or 'debt')} of {stated(c) or 'unknown creditor'}"
        for p, c in zip(d["product"].astype(object), d["creditor"], strict=True)
    ]
    return lines(
        "debt", opened, one.journal.debts.since[code], what, "debts", d["debt_id"],
        debt_id=list(d["debt_id"]), amount=d["principal"].to_numpy(),
        currency=one.currencies(d["debt_id"]),
    )  # fmt: skip


def _snapshots(one: OneCustomer) -> pd.DataFrame:
    """Tell every snapshot; one that changes status or stage is a `debt_state`."""
    log = one.journal.debts
    mine = np.flatnonzero(log.customer == one.code)
    now = np.full(len(mine), one.view.as_of_us, dtype=np.int64)
    at, which = log.snapshots.pairs(mine, now)
    debt = mine[which]
    at = at[np.lexsort((log.snapshots.time[at], debt))]
    debt = log.snapshots.owner[at] if len(at) else debt
    time = log.snapshots.time[at]
    stage = stage_codes(
        log.days_past_due[at], log.date_known("charged_off_at", debt, time) != NO_INSTANT
    )
    status = np.asarray(log.status.codes, dtype=np.int64)[at]
    first = np.append(True, debt[1:] != debt[:-1])[: len(at)]
    same = np.append(False, (stage[1:] == stage[:-1]) & (status[1:] == status[:-1]))[: len(at)]
    ids = one.debt_names(debt)
    what = [
        snapshot_words(STAGES[s], stated(w), days, due)
        for s, w, days, due in zip(
            stage, log.status[at], log.days_past_due[at], log.past_due[at], strict=True
        )
    ]
    return lines(
        np.where(same & ~first, "snapshot", "debt_state").tolist(), time, log.snapshots.known[at],
        what, "debt_snapshots", [f"{d} | {t}" for d, t in zip(ids, stamps(time), strict=True)],
        debt_id=ids, amount=log.balance[at], currency=one.currencies(ids),
    )  # fmt: skip


def _parties(one: OneCustomer) -> pd.DataFrame:
    """Tell of further parties to the customer's debts, and of debts they are a party to."""
    frame, at, known = one.party_rows()
    ids, who = list(text(frame, "debt_id")), list(text(frame, "customer_id"))
    me = one.journal.customer_ids[one.code]
    what = [
        f"{plain(role)} of the debt: " + ("this customer" if c == me else f"customer {c}")
        for role, c in zip(text(frame, "role"), who, strict=True)
    ]
    keys = [f"{d} | {c}" for d, c in zip(ids, who, strict=True)]
    return lines("party", at, known, what, "debt_parties", keys, debt_id=ids)


# ---- permissions -----------------------------------------------------------------------------


def _points(one: OneCustomer) -> pd.DataFrame:
    frame, at, known = one.known_rows(
        "contact_points", "valid_from", one.customers_of("contact_points")
    )
    what = [
        f"contact point in use: {kind} ({place})"
        for kind, place in zip(text(frame, "kind"), text(frame, "place"), strict=True)
    ]
    return lines(
        "contact_point", at, known, what, "contact_points", text(frame, "contact_point_id")
    )


def _consents(one: OneCustomer) -> pd.DataFrame:
    frame, at, known = one.known_rows("consents", "changed_at", one.customers_of("consents"))
    points = [stated(p) for p in text(frame, "contact_point_id")]
    channel = list(text(frame, "channel"))
    what = [
        f"consent {status} for {way(c)}" + (f" at contact point {p}" if p else "")
        for status, c, p in zip(text(frame, "status"), channel, points, strict=True)
    ]
    keys = [
        f"{who} | {c} | {t} | {p or '-'}"
        for who, c, t, p in zip(
            text(frame, "customer_id"), channel, stamps(at), points, strict=True
        )
    ]
    return lines("consent", at, known, what, "consents", keys, channel=channel, by="customer")


def _holds(one: OneCustomer) -> pd.DataFrame:
    frame, at, known = one.known_rows("holds", "starts_at", one.customers_of("holds"))
    channel = [stated(c) for c in text(frame, "channel")]
    what = [
        f"hold begins: {plain(kind)}"
        + (f", for {way(c)} only" if c else "")
        + (f", at contact point {p} only" if (p := stated(point)) else "")
        for kind, c, point in zip(
            text(frame, "kind"), channel, text(frame, "contact_point_id"), strict=True
        )
    ]
    return lines(
        "hold", at, known, what, "holds", text(frame, "hold_id"), channel=channel,
        debt_id=[stated(d) for d in text(frame, "debt_id")],
    )  # fmt: skip


def _notices(one: OneCustomer) -> pd.DataFrame:
    frame, at, known = one.known_rows("notices", "sent_at", one.customers_of("notices"))
    what = [f"legal notice sent: {plain(kind)}" for kind in text(frame, "kind")]
    return lines(
        "notice", at, known, what, "notices", text(frame, "notice_id"), direction="outbound",
        channel=[stated(c) for c in text(frame, "channel")],
        debt_id=[stated(d) for d in text(frame, "debt_id")],
    )  # fmt: skip


# ---- contacts --------------------------------------------------------------------------------


def _touches(one: OneCustomer) -> pd.DataFrame:
    t = one.touches
    by = [
        ", ".join(str(w) for w in (who, vendor) if stated(w)) or None
        for who, vendor in zip(t["handled_by"].astype(object), t["vendor"], strict=True)
    ]
    return lines(
        "touch", t["started_us"], t["known_us"], [touch_words(row) for row in t.to_dict("records")],
        "touches", t["touch_id"], channel=list(t["channel"].astype(object)),
        direction=list(t["direction"].astype(object)), debt_id=one.debts_of_touches(t.index),
        by=by, machine=t["machine_only"].to_numpy(dtype=bool),
    )  # fmt: skip


def _touch_events(one: OneCustomer) -> pd.DataFrame:
    e = one.view.touch_events
    e = e[e["touch"].isin(one.touches.index)]
    t = one.touches.loc[e["touch"]]
    machine = e["machine"].to_numpy(dtype=bool)
    words = [plain(w) for w in e["event"].astype(object)]
    what = [
        f"{way(c)} {w}" + (" by a machine, not by the customer" if m else "")
        for c, w, m in zip(t["channel"].astype(object), words, machine, strict=True)
    ]
    keys = [
        f"{i} | {s} | {w}"
        for i, s, w in zip(t["touch_id"], stamps(e["occurred_us"]), e["event"], strict=True)
    ]
    # an event of a contact that is recorded later is known with it, not before
    known = np.maximum(e["known_us"].to_numpy(), t["known_us"].to_numpy())
    return lines(
        "touch_event", e["occurred_us"], known, what, "touch_events", keys,
        channel=list(t["channel"].astype(object)), debt_id=one.debts_of_touches(e["touch"]),
        by=["machine" if m else None for m in machine], machine=machine,
    )  # fmt: skip


# ---- money -----------------------------------------------------------------------------------


def _promises(one: OneCustomer) -> pd.DataFrame:
    p = one.own(one.view.promises)
    log = one.journal.promises
    known = log.index.known[log.index.at(one.view.as_of_us)][p.index]
    ids = one.debt_names(p["debt"])
    what = [f"promise to pay by {day}" for day in _days(p["due_us"], one.zone)]
    return lines(
        "promise", p["made_us"], known, what, "promises", p["promise_id"], debt_id=ids,
        by="customer", amount=p["amount"].to_numpy(), currency=one.currencies(ids),
    )  # fmt: skip


def _payments(one: OneCustomer) -> pd.DataFrame:
    p = one.own(one.view.payments)
    log = one.journal.payments
    known = log.index.known[log.index.at(one.view.as_of_us)][p.index]
    ids = one.debt_names(p["debt"])
    what = [
        f"payment ({plain(kind)}" + (f", {method})" if stated(method) else ")")
        for kind, method in zip(p["kind"].astype(str), p["method"].astype(object), strict=True)
    ]
    return lines(
        "payment", p["paid_us"], known, what, "payments", p["payment_id"], debt_id=ids,
        amount=p["amount"].to_numpy(), currency=one.currencies(ids),
    )  # fmt: skip


def _arrangements(one: OneCustomer) -> pd.DataFrame:
    table = one.journal.tables["arrangements"]
    debt = codes_of(table, "debt_id", one.journal.debts.ids, "arrangements")
    owner = one.journal.debt_customer[debt] if len(one.journal.debt_customer) else debt
    frame, at, known = one.known_rows("arrangements", "starts_at", owner)
    ids = list(text(frame, "debt_id"))
    amount, count = numbers(frame, "instalment"), numbers(frame, "n_instalments")
    what = [
        f"arrangement begins: {n:.0f} {how} instalments"
        for n, how in zip(count, text(frame, "frequency"), strict=True)
    ]
    return lines(
        "arrangement", at, known, what, "arrangements", text(frame, "arrangement_id"), debt_id=ids,
        amount=amount, currency=one.currencies(ids),
    )  # fmt: skip


def _decisions(one: OneCustomer) -> pd.DataFrame:
    d = one.own(one.view.decisions)
    table = one.journal.tables["decisions"]
    known = known_at(table, instants(table, "decided_at"), one.journal.delay_hours("decisions"))
    by_id = dict(zip(text(table, "decision_id"), known, strict=True))
    used = set(one.touches["decision_id"].dropna())
    hours = _hours(d["slot_start_us"], one.zone)
    what = [
        decision_words(row, hour, off_plan=row["decision_id"] in used)
        for row, hour in zip(d.to_dict("records"), hours, strict=True)
    ]
    return lines(
        "decision", d["decided_us"], [by_id[i] for i in d["decision_id"]], what, "decisions",
        d["decision_id"], channel=list(d["channel"].astype(object)), direction="outbound",
        debt_id=one.debt_names(d["debt"]), by=[stated(v) for v in d["policy_version"]],
    )  # fmt: skip


# ---- local days ------------------------------------------------------------------------------


def _local(us: Any, zone: str, pattern: str) -> list[str | None]:
    at = pd.DatetimeIndex(np.asarray(us, dtype=np.int64).view("datetime64[us]"), tz="UTC")
    return [None if x is pd.NaT else x.strftime(pattern) for x in at.tz_convert(zone)]


def _days(us: Any, zone: str) -> list[str | None]:
    return _local(us, zone, "%Y-%m-%d")


def _hours(us: Any, zone: str) -> list[str | None]:
    return _local(us, zone, "%Y-%m-%d %H:%M")
