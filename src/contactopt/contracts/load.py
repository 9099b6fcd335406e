"""The road from raw frames to clean tables: read, check, quarantine, place days, sort."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contactopt.contracts.arrow_tables import arrow_column
from contactopt.contracts.dropped import dropped_text
from contactopt.contracts.faults import Fault, contract_error
from contactopt.contracts.links import (
    Codes,
    Joined,
    check_keys,
    check_links,
    check_shared_owner,
    join,
    key_names,
)
from contactopt.contracts.local_days import customer_zones, place_days
from contactopt.contracts.placeholders import check_placeholders
from contactopt.contracts.quarantine import Quarantined, quarantine
from contactopt.contracts.read_tables import RawTables, read_tables
from contactopt.contracts.refusal import Refusal
from contactopt.contracts.tables import TABLES
from contactopt.errors import ContractError

__all__ = ["Loaded", "load_tables"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Clean tables, sorted by customer and key, with everything that was set aside."""

    tables: dict[str, pd.DataFrame]
    owner: dict[str, Codes]
    customer_ids: npt.NDArray[np.object_]
    faults: tuple[Fault, ...]
    quarantine: pd.DataFrame
    quarantined_customers: npt.NDArray[np.object_]
    quarantined_share: float
    dropped_columns: dict[str, list[str]]
    #: of a part, by table: the hours in which the whole saw rows
    seen: dict[str, npt.NDArray[np.int64]] | None = None


def load_tables(
    frames: Mapping[str, pd.DataFrame],
    *,
    max_quarantined_share: float = 0.0,
    extra_channels: tuple[str, ...] = (),
    found_before: Sequence[Fault] = (),
    progress: bool = False,
) -> Loaded:
    """Validate raw tables and make them ready to use.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        Raw tables by contract name; asked for one at a time, so they need not be in memory.
    max_quarantined_share : float
        Largest share, of rows and of customers, that may go into quarantine.
    extra_channels : tuple of str
        Channels that a strategy adds by `like`.
    found_before : sequence of Fault
        Faults that reading the files showed; looked at once all tables are read.
    progress : bool
        Show a bar over tables (on stderr).

    Returns
    -------
    Loaded

    Raises
    ------
    ContractError
        Once, with every fault of every table, if any table as a whole is at fault or more than
        the allowed share is in quarantine.
    """
    raw = read_tables(frames, extra_channels, progress)
    # a table that could not be read from its file is told as that, not as missing as well
    unread = {f.table for f in found_before}
    missing = [f for f in raw.log.structural if f.table not in unread]
    raw.log.structural[:] = [*found_before, *missing]
    joined = _check_across(raw)
    if raw.log.structural:
        raise _refusal(raw, raw.log.summary(_ids(raw)))
    _tell_dropped(raw)
    clean = quarantine(raw, joined) if raw.log.n_faulty_rows else _untouched(raw)
    faults = raw.log.summary(_ids(raw))
    share = _share(raw, clean)
    if raw.log.structural or share > max_quarantined_share:
        raise _refusal(raw, faults, share, clean)
    if faults:
        joined = join(clean.tables)
    ids, owner = joined.index["customers"].to_numpy(object), joined.owners()
    _place_all_days(raw, clean, owner)
    tables, owner = _sorted(clean.tables, owner)
    return Loaded(
        tables=tables,
        owner=owner,
        customer_ids=ids,
        faults=tuple(faults),
        quarantine=_quarantine_frame(raw),
        quarantined_customers=clean.customers,
        quarantined_share=share,
        dropped_columns=raw.dropped_columns,
    )


def _ids(raw: RawTables) -> dict[str, pd.Series]:
    return {name: raw.typed[name][spec.key[0]] for name, spec in TABLES.items()}


def _tell_dropped(raw: RawTables) -> None:
    """Name columns that are not of the contract: nothing the user gave goes without a word."""
    if raw.dropped_columns:
        told = "; ".join(f"{t}: {dropped_text(t, c)}" for t, c in raw.dropped_columns.items())
        _log.warning("columns that are not of the contract are left out: %s", told)


def _quarantine_frame(raw: RawTables) -> pd.DataFrame:
    faulty = {n: s for n, s in TABLES.items() if raw.log.columns_of(n)}
    keys = {name: key_names(spec, raw.typed[name]) for name, spec in faulty.items()}
    return raw.log.quarantine(keys, {name: raw.raw[name] for name in faulty})


def _check_across(raw: RawTables) -> Joined:
    unread = {fault.table for fault in raw.log.structural}
    for name, spec in TABLES.items():
        if name not in unread:
            check_keys(spec, raw.typed[name], raw.log)
    check_placeholders(raw.typed, raw.log)
    joined = join(raw.typed)
    check_links(raw.typed, joined, raw.log)
    if not unread:
        check_shared_owner(raw.typed, joined, joined.owners(), raw.log)
    return joined


def _untouched(raw: RawTables) -> Quarantined:
    kept = {n: np.ones(len(f), bool) for n, f in raw.typed.items()}
    return Quarantined(dict(raw.typed), kept, np.empty(0, object))


def _share(raw: RawTables, clean: Quarantined) -> float:
    """Return the larger of the shares of faulty rows and of customers in quarantine."""
    n_rows = sum(len(f) for f in raw.typed.values())
    n_customers = raw.typed["customers"]["customer_id"].nunique()
    return max(raw.log.n_faulty_rows / max(n_rows, 1), len(clean.customers) / max(n_customers, 1))


def _refusal(
    raw: RawTables, faults: list[Fault], share: float = 0.0, clean: Quarantined | None = None
) -> ContractError:
    n_customers = 0 if clean is None else len(clean.customers)
    n_rows = sum(f.n_rows for f in faults)
    whole = sum(f.structural for f in faults)
    headline = f"the portfolio does not meet the contract: {len(faults)} kind(s) of fault"
    if n_rows:
        headline += f", {n_rows} faulty value(s)"
    if n_customers:
        headline += f", {n_customers} customer(s) in quarantine"
    if whole:
        hint = (
            f"{whole} of them concern a whole table and can only be mended at the source; "
            "`contactopt schema` prints the columns of every table"
        )
    else:
        # rounded up, so that the share that is named is one that is enough
        enough = min(1.0, np.ceil(share * 10_000) / 10_000)
        hint = (
            "mend the rows, or go on without them and without the customers they concern: "
            f"max_quarantined_share={enough:.4f} allows this many"
        )
    return contract_error(faults, headline, hint, _what_is_left(raw, faults, clean))


def _what_is_left(raw: RawTables, faults: list[Fault], clean: Quarantined | None) -> Refusal:
    def sound(name: str) -> pd.DataFrame:
        frame = raw.typed[name]
        return frame[~raw.log.faulty(name, len(frame))] if raw.log.columns_of(name) else frame

    return Refusal(
        tables={name: sound(name) for name in TABLES} if clean is None else clean.tables,
        faults=tuple(faults),
        quarantine=_quarantine_frame(raw),
        quarantined_customers=() if clean is None else tuple(map(str, clean.customers)),
        rows={name: len(frame) for name, frame in raw.typed.items()},
        dropped_columns=raw.dropped_columns,
    )


def _place_all_days(raw: RawTables, clean: Quarantined, owner: dict[str, Codes]) -> None:
    customers = clean.tables["customers"]
    # owner codes count customers in sorted order
    order = np.argsort(owner["customers"], kind="stable")
    zones = {d: customer_zones(customers.iloc[order], due=d) for d in (False, True)}
    for (name, column), plain in raw.plain_dates.items():
        frame = clean.tables[name]
        if frame.empty:
            continue
        due = TABLES[name].columns[column].kind == "due_day"
        frame[column] = place_days(
            frame[column], plain[clean.kept[name]], zones[due][owner[name]], due=due
        )


def _in_order(by: pa.Table) -> bool:
    """Return whether rows stand in the order of all columns, each after a smaller one."""
    tied = np.ones(max(len(by) - 1, 0), bool)
    for column in by.combine_chunks().columns:
        values = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        rows = np.flatnonzero(tied)
        if len(rows) == 0:
            return True
        # most ties end at the owner or the first key: only those rows are compared further
        low, high = (values[:-1], values[1:]) if tied.all() else (
            values.take(pa.array(rows)), values.take(pa.array(rows + 1))
        )  # fmt: skip
        less = pc.call_function("less", [low, high]).fill_null(False)
        less = less.to_numpy(zero_copy_only=False)
        same = pc.call_function("equal", [low, high]).fill_null(False)
        same = same.to_numpy(zero_copy_only=False)
        if not (less | same).all():
            return False
        tied[rows] = same
    return not tied.any()


def _sorted(
    tables: dict[str, pd.DataFrame], owner: dict[str, Codes]
) -> tuple[dict[str, pd.DataFrame], dict[str, Codes]]:
    done: dict[str, pd.DataFrame] = {}
    codes: dict[str, Codes] = {}
    for name, spec in TABLES.items():
        frame = tables[name]
        by = pa.table({"owner": owner[name], **{c: arrow_column(frame[c]) for c in spec.key}})
        if _in_order(by):
            done[name], codes[name] = frame, owner[name]
            continue
        keys = [(c, "ascending") for c in by.column_names]
        by = by.append_column("row", pa.array(np.arange(len(frame))))
        order = by.sort_by(keys)["row"].to_numpy()
        if len(order) and (np.diff(order) != 1).any():
            frame = frame.take(order).reset_index(drop=True)
        done[name], codes[name] = frame, owner[name][order]
    return done, codes
