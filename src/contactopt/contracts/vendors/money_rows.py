"""Rows of a vendor's file as payments or promises, before rows of one id are folded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.owners import customers_of, debt_owners, open_debts_of
from contactopt.contracts.vendors.source import Source, texts
from contactopt.contracts.vendors.touch_rows import Made
from contactopt.contracts.vendors.values import column_of, literal, objects

__all__ = ["payment_rows", "promise_rows"]

Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]


def payment_rows(source: Source) -> Made:
    """Make payments; rows without a debt, an instant or an amount above zero are left out."""
    paid = source.instants("paid_at", event=True)
    debt, unmatched = _debts(source, paid)
    kind = source.checked_words("kind", v.PAYMENT_KINDS)
    unsure = source.faults.mask & ~pd.isna(debt)
    columns = {
        "debt_id": texts(debt),
        "paid_at": _needed(source, "paid_at", paid),
        "amount": _needed(source, "amount", source.numbers("amount", above=0.0)),
        "kind": texts(kind),
        "method": source.text("method"),
        "promise_id": source.ids("promise_id", "promises"),
        "reversed_at": source.instants("reversed_at"),
        "recorded_at": source.recorded(),
    }
    # a kind that is not known might be no payment of the customer's own will
    out = _faulty(source, "kind") & unsure
    return _made(source, columns, debt, unmatched, ("paid_at", "amount"), out)


def promise_rows(source: Source) -> Made:
    """Make promises; rows without a debt, instants or an amount above zero are left out."""
    made = source.instants("made_at", event=True)
    debt, unmatched = _debts(source, made)
    customer = pd.Series(debt, dtype=object).map(debt_owners(source.portfolio))
    zones = source.zones(objects(customer))
    columns = {
        "debt_id": texts(debt),
        "made_at": _needed(source, "made_at", made),
        "due_at": _needed(source, "due_at", source.due_days("due_at", zones)),
        "amount": _needed(source, "amount", source.numbers("amount", above=0.0)),
        "touch_id": source.ids("touch_id", "touches"),
        "cancelled_at": source.instants("cancelled_at"),
        "recorded_at": source.recorded(),
    }
    none = np.zeros(source.n, bool)
    return _made(source, columns, debt, unmatched, ("made_at", "due_at", "amount"), none)


def _faulty(source: Source, ours: str) -> Mask:
    faulty = source.broken.copy()
    for column, _, rows, _ in source.faults.found:
        if column == ours:
            faulty[rows] = True
    return faulty


def _needed(source: Source, ours: str, values: pd.Series) -> pd.Series:
    null = np.asarray(values.isna()) & ~_faulty(source, ours)
    source.faults.note(ours, "is null", null, source.mapping.columns.get(ours, ()))
    return values


def _debts(source: Source, instants: pd.Series) -> tuple[Texts, Mask]:
    """Return each row's debt: stated, else the only one its customer had open then."""
    match, n = source.mapping.match, source.n
    debt = np.full(n, None, object)
    by_debt = match.by == "debt_id" and not source.has("debt_id")
    if source.has("debt_id"):
        debt = objects(source.ids("debt_id", "debts"))
    stated = _faulty(source, "debt_id") | ~pd.isna(debt)
    left = ~stated
    theirs = match.columns
    said = literal(column_of(source.raw, theirs))
    blank = np.asarray(said == "")
    if match.by == "debt_id":
        if by_debt:
            known = source.portfolio.tables["debts"]["debt_id"]
            debt = objects(said.where(said.isin(known)))
            source.faults.note("debt_id", "not in debts", left & ~blank & pd.isna(debt), theirs)
        source.faults.note("debt_id", "is null", left & blank, theirs)
        return debt, pd.isna(debt)
    owners = customers_of(column_of(source.raw, theirs), match, source.portfolio, instants)
    count = np.bincount(owners.row, minlength=n)
    first = np.searchsorted(owners.row, np.arange(n))
    customer = owners.customer[first] if n else np.empty(0, object)
    source.faults.note(match.by, "is null", left & blank, theirs)
    nobody = left & ~blank & pd.isna(customer)
    source.faults.note(match.by, owners.check, nobody, theirs)
    several = left & (count > 1)
    source.faults.note(match.by, "address of several customers", several, theirs)
    customer = np.array(customer)
    customer[~left | (count != 1)] = None
    only, n_open = open_debts_of(customer, instants, source.portfolio)
    known = ~pd.isna(customer) & np.asarray(instants.notna())
    source.faults.note("debt_id", "customer has no open debt then", known & (n_open == 0), theirs)
    source.faults.note("debt_id", "customer has several open debts", known & (n_open > 1), theirs)
    debt = np.where(left, only, debt)
    return debt, pd.isna(debt)


def _made(
    source: Source,
    columns: dict[str, pd.Series],
    debt: Texts,
    unmatched: Mask,
    needed: tuple[str, ...],
    out: Mask,
) -> Made:
    table = source.mapping.table
    keep = ~unmatched & ~source.broken & ~out
    for name in needed:
        keep &= np.asarray(columns[name].notna())
    frame = pd.DataFrame(columns, columns=list(TABLES[table].columns))
    frame[source.mapping.key] = source.keys(np.arange(source.n), debt)
    return Made(
        tables={table: frame[keep].reset_index(drop=True)},
        skipped=np.zeros(source.n, bool),
        unmatched=unmatched,
        stop_lost={},
    )
