"""Rows of a vendor's file as touches and touch events, before rows of one message are folded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.codes import SENT, SKIP, STOP_OUTCOMES
from contactopt.contracts.vendors.owners import Owners, customers_of
from contactopt.contracts.vendors.source import Source, texts
from contactopt.contracts.vendors.values import column_of, literal

__all__ = ["Made", "touch_rows"]

Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Made:
    """What the rows of a file became, row by row.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Rows of contract tables, several per id.
    skipped : bool array, shape (n,)
        Rows that the mapping leaves out.
    unmatched : bool array, shape (n,)
        Rows of nobody that is known (of no debt, for payments and promises).
    stop_lost : dict of str to int
        Outcomes that stop contact in rows of nobody: how many.
    n_shared : int
        Rows whose address belongs to several customers.
    """

    tables: dict[str, pd.DataFrame]
    skipped: Mask
    unmatched: Mask
    stop_lost: dict[str, int]
    n_shared: int = 0


def touch_rows(source: Source) -> Made:
    """Make touches, and events of receipts; what is wrong with rows is noted in the source.

    A faulty row stays as a touch if its customer is known: with what can be read of it, and an
    outcome that nobody can trust is `unknown` unless it stops contact. Where channel or instant
    cannot be read the touch has none, and the portfolio takes its customer out.
    """
    mapping = source.mapping
    word = source.words(mapping.code_column, v.OUTCOMES)
    if not source.has(mapping.code_column):
        word = source.words("outcome", v.OUTCOMES)
    machine = source.machine()
    skipped = np.asarray(word == SKIP, bool)
    started = source.instants("started_at", event=True)
    occurred = source.instants("occurred_at", event=True)
    begun = started.where(started <= occurred, occurred).fillna(started)
    _note_times(source, started, occurred, begun)
    owners = customers_of(
        column_of(source.raw, mapping.match.columns), mapping.match, source.portfolio, begun
    )
    unmatched = _unmatched(source, owners)
    columns = _columns(source, begun, word, machine, occurred)
    frame = _frame(source, columns, owners, ~skipped & ~unmatched)
    lost = unmatched & ~skipped & np.isin(np.where(pd.isna(word), "", word), STOP_OUTCOMES)
    tables = {"touches": frame.drop(columns=["_row", "_shared"])}
    if mapping.receipts:
        at = _event_times(source, begun, occurred, columns["outcome_at"])
        tables["touch_events"] = _events(frame, word, machine, at, source)
    counts = pd.Series(word[lost]).value_counts().sort_index()
    shared = owners.shared & ~skipped[owners.row]
    return Made(
        tables=tables,
        skipped=skipped,
        unmatched=unmatched & ~skipped,
        stop_lost={str(k): int(n) for k, n in counts.items()},
        n_shared=len(np.unique(owners.row[shared])),
    )


def _note_times(source: Source, started: pd.Series, occurred: pd.Series, begun: pd.Series) -> None:
    """Note rows without any time; one of the two is enough."""
    names = [c for c in ("started_at", "occurred_at") if source.has(c)]
    told = np.zeros(source.n, bool)
    for column, _, rows, _ in source.faults.found:
        if column in names:
            told[rows] = True
    none = np.asarray(begun.isna()) & ~told & ~source.broken
    source.faults.note(names[0], "is null", none, source.mapping.columns[names[0]])


def _unmatched(source: Source, owners: Owners) -> Mask:
    unmatched = np.zeros(source.n, bool)
    unmatched[owners.row[pd.isna(owners.customer)]] = True
    theirs = source.mapping.match.columns
    blank = np.asarray(literal(column_of(source.raw, theirs)) == "")
    by = source.mapping.match.by
    source.faults.note(by, "is null", unmatched & blank & ~source.broken, theirs)
    source.faults.note(by, owners.check, unmatched & ~blank & ~source.broken, theirs)
    return unmatched


def _columns(
    source: Source, begun: pd.Series, word: Texts, machine: Mask, occurred: pd.Series
) -> dict[str, pd.Series]:
    """Return all columns of touches but those that hang on the owner, one value per row."""
    outcome = np.where(pd.isna(word) | (word == SENT) | (word == SKIP), "unknown", word)
    # a machine's open or click says that the message arrived, nothing of the customer
    outcome = np.where(machine & np.isin(outcome, v.ENGAGED_OUTCOMES), "delivered", outcome)
    channels = (*v.CHANNELS, *source.mapping.extra_channels)
    channel = source.checked_words("channel", channels)
    source.faults.note("channel", "is null", pd.isna(channel) & ~_faulty(source, "channel"))
    direction = source.checked_words("direction", v.DIRECTIONS)
    stated = source.instants("outcome_at")
    if source.mapping.receipts:
        said = pd.Series(outcome != "unknown")
        stated = stated.where(stated.notna(), occurred.where(said))
    columns = {
        "debt_id": source.ids("debt_id", "debts"),
        # an attempt of unknown direction counts as ours: against the caps
        "direction": texts(np.where(pd.isna(direction), "outbound", direction)),
        "channel": texts(channel),
        "started_at": begun,
        "outcome": texts(outcome),
        "outcome_at": stated,
        "responded_at": source.instants("responded_at"),
        "contact_point_id": source.ids("contact_point_id", "contact_points"),
        "template_id": source.ids("template_id"),
        "offer_id": source.ids("offer_id"),
        "decision_id": source.ids("decision_id"),
        "handled_by": texts(source.checked_words("handled_by", v.HANDLED_BY)),
        "vendor": source.text("vendor"),
        "collector": source.text("collector"),
        "duration_s": source.numbers("duration_s"),
        "cost": source.numbers("cost"),
        "recorded_at": source.recorded(),
    }
    doubtful = source.faults.mask & ~np.isin(outcome, STOP_OUTCOMES)
    columns["outcome"] = columns["outcome"].mask(doubtful, "unknown")
    return columns


def _faulty(source: Source, ours: str) -> Mask:
    faulty = source.broken.copy()
    for column, _, rows, _ in source.faults.found:
        if column == ours:
            faulty[rows] = True
    return faulty


def _frame(
    source: Source, columns: dict[str, pd.Series], owners: Owners, wanted: Mask
) -> pd.DataFrame:
    """Return a touch for every wanted row and customer who may be meant."""
    keep = wanted[owners.row]
    row, customer = owners.row[keep], owners.customer[keep]
    made = {n: c.take(row).reset_index(drop=True) for n, c in columns.items()}
    made["touch_id"] = source.keys(owners.row, owners.customer)[keep].reset_index(drop=True)
    made["customer_id"] = texts(customer)
    made["contact_point_id"] = made["contact_point_id"].fillna(texts(owners.point[keep]))
    shared = owners.shared[keep]
    # which of them it was nobody knows: it counts for each, and says nothing but a stop
    quiet = shared & ~np.isin(made["outcome"].to_numpy(object), STOP_OUTCOMES)
    made["outcome"] = made["outcome"].mask(quiet, "unknown")
    frame = pd.DataFrame(made, columns=list(TABLES["touches"].columns))
    return frame.assign(_row=row, _shared=shared)


def _event_times(
    source: Source, begun: pd.Series, occurred: pd.Series, stated: pd.Series
) -> pd.Series:
    if source.has("occurred_at"):
        return occurred
    return stated.fillna(begun) if source.has("outcome_at") else begun


def _events(
    touches: pd.DataFrame, word: Texts, machine: Mask, at: pd.Series, source: Source
) -> pd.DataFrame:
    """Return one event per touch and row that says what happened to the message, and when."""
    row = touches["_row"].to_numpy(np.int64)
    event = word[row]
    known = ~pd.isna(event) & ~np.isin(np.where(pd.isna(event), "", event), (SENT, "unknown"))
    stop = np.isin(np.where(known, event, ""), STOP_OUTCOMES)
    when = at.take(row).reset_index(drop=True)
    keep = known & np.asarray(when.notna()) & (stop | ~touches["_shared"].to_numpy(bool))
    frame = pd.DataFrame(
        {
            "touch_id": touches["touch_id"],
            "occurred_at": when,
            "event": texts(event),
            "machine": machine[row],
            "recorded_at": touches["recorded_at"],
        }
    )
    return frame[keep].reset_index(drop=True)
