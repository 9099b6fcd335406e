"""A vendor's rows with their mapping: columns of ours out of theirs, faults noted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.cast import STRING, empty_column
from contactopt.contracts.links import positions
from contactopt.contracts.local_days import customer_zones, place_days
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.clock import days_of, instants_of
from contactopt.contracts.vendors.codes import Coded, translate
from contactopt.contracts.vendors.mapping import VendorMapping, default_id_columns
from contactopt.contracts.vendors.row_faults import RowFaults
from contactopt.contracts.vendors.values import column_of, flags_of, ids_of, literal, numbers_of
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio

__all__ = ["Source", "texts"]

Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]
#: clocks differ; what lies further behind the receipt of the file was misread
_CLOCK_SLACK = pd.Timedelta(hours=2)


def texts(values: npt.ArrayLike) -> pd.Series:
    """Return a text column of the tables' own dtype; None becomes null."""
    given = np.asarray(values, object)
    if all(v is None for v in given[:1]) and pd.isna(given).all():
        return empty_column("text", len(given))
    return pd.Series(given, dtype=STRING)


@dataclass(slots=True)
class Source:
    """A vendor's rows while they are read.

    Parameters
    ----------
    raw : pandas.DataFrame, shape (n, n_their_columns)
    broken : bool array, shape (n,)
    mapping : VendorMapping
    portfolio : Portfolio
    received_at : pandas.Timestamp, optional
    """

    raw: pd.DataFrame
    broken: Mask
    mapping: VendorMapping
    portfolio: Portfolio
    received_at: pd.Timestamp | None
    faults: RowFaults = field(init=False)
    #: translated code columns by our name
    coded: dict[str, Coded] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.faults = RowFaults(len(self.raw))
        self.faults.note("", "broken line", self.broken)

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return len(self.raw)

    def has(self, ours: str) -> bool:
        """Return whether one of our columns is mapped."""
        return ours in self.mapping.columns

    def column(self, ours: str) -> pd.Series:
        """Return what is mapped to one of our columns, as it stands."""
        return column_of(self.raw, self.mapping.columns[ours])

    def _note(self, ours: str, check: str, rows: npt.ArrayLike) -> None:
        self.faults.note(ours, check, rows, self.mapping.columns.get(ours, ()))

    # ---- kinds of columns ------------------------------------------------------------------

    def instants(self, ours: str, *, event: bool = False) -> pd.Series:
        """Return instants, NaT where nothing is mapped, stated or readable.

        ``event``: one later than the receipt of the file is misread.
        """
        if not self.has(ours):
            return pd.Series(empty_column("instant", self.n))
        formats = self._formats(ours)
        times = instants_of(self.column(ours), formats, self.mapping.time_zone)
        if times.no_zone.any():
            raise ConfigError(
                f"columns.{ours}: {int(times.no_zone.sum())} time(s) carry no time zone",
                hint="say `time_zone:` in the mapping, for example America/Bogota",
            )
        self._note(ours, "not a time in this format", times.unreadable & ~self.broken)
        values = times.values.mask(self.broken)
        if event and self.received_at is not None:
            late = np.asarray(values > self.received_at + _CLOCK_SLACK)
            self._note(ours, "later than the file was received", late)
            values = values.mask(late)
        return values

    def _formats(self, ours: str) -> Sequence[str]:
        formats = self.mapping.formats
        return formats.get(ours, formats.get("", ()))

    def due_days(self, ours: str, zones: Texts) -> pd.Series:
        """Return due days as the last microsecond of the day in each row's zone."""
        days, bad = days_of(self.column(ours), self._formats(ours), self.mapping.time_zone)
        self._note(ours, "not a day in this format", bad & ~self.broken)
        plain = np.ones(self.n, bool)
        return place_days(days.dt.tz_localize("UTC"), plain, zones, due=True)

    def ids(self, ours: str, parent: str | None = None) -> pd.Series:
        """Return ids as text; such as are not in the parent table are faults, and null."""
        if ours in self.mapping.constants:
            return texts([self.mapping.constants[ours]] * self.n)
        if not self.has(ours):
            return pd.Series(empty_column("id", self.n))
        values, bad = ids_of(self.column(ours))
        self._note(ours, "not an id", bad)
        if parent is None:
            return values
        known = self.portfolio.tables[parent][TABLES[parent].key[0]]
        lost = np.asarray(values.notna()) & (positions(values, pd.Index(known)) < 0)
        self._note(ours, f"not in {parent}", lost)
        return values.mask(lost)

    def text(self, ours: str) -> pd.Series:
        """Return text as it stands, null where nothing does."""
        if ours in self.mapping.constants:
            return texts([self.mapping.constants[ours]] * self.n)
        if not self.has(ours):
            return pd.Series(empty_column("text", self.n))
        values = literal(self.column(ours))
        return values.mask(values == "")

    def numbers(self, ours: str, *, above: float | None = None) -> pd.Series:
        """Return numbers of zero or more (or above a limit), NaN for others, which are faults."""
        if ours in self.mapping.constants:
            return pd.Series(np.full(self.n, float(self.mapping.constants[ours])))
        if not self.has(ours):
            return pd.Series(np.full(self.n, np.nan))
        values, bad = numbers_of(self.column(ours), self.mapping.read)
        self._note(ours, "not a number", bad & ~self.broken)
        small = np.asarray(values < 0 if above is None else values <= above)
        self._note(ours, "negative" if above is None else "not above zero", small)
        return values.mask(small)

    def words(self, ours: str, vocabulary: tuple[str, ...]) -> Texts:
        """Return translated words, None where the code is blank or means nothing; no faults."""
        if ours in self.mapping.constants:
            return np.full(self.n, self.mapping.constants[ours], object)
        if not self.has(ours):
            return np.full(self.n, None, object)
        raw = literal(self.column(ours))
        self.coded[ours] = translate(raw, self.mapping.codes.get(ours), vocabulary)
        return self.coded[ours].word

    def checked_words(self, ours: str, vocabulary: tuple[str, ...]) -> Texts:
        """Return translated words; a code that means nothing is a fault, a blank one is not."""
        words = self.words(ours, vocabulary)
        if self.has(ours):
            said = np.asarray(literal(self.column(ours)) != "")
            self._note(ours, "unknown word", said & pd.isna(words))
        return words

    def machine(self) -> npt.NDArray[np.bool_]:
        """Return which rows a machine made: said by a column, a constant, or the code."""
        if "machine" in self.mapping.constants:
            return np.full(self.n, bool(self.mapping.constants["machine"]))
        said = np.full(self.n, -1, np.int8)
        if self.has("machine") and "machine" in self.mapping.codes:
            words = self.words("machine", ("true", "false"))
            bad = pd.isna(words) & np.asarray(literal(self.column("machine")) != "")
            said = np.where(words == "true", 1, np.where(words == "false", 0, -1)).astype(np.int8)
            said[bad] = 1
            self._note("machine", "neither true nor false", bad)
        elif self.has("machine"):
            said, bad = flags_of(self.column("machine"))
            # not known to be a person: no sign of one
            said = np.where(bad, np.int8(1), said)
            self._note("machine", "neither true nor false", bad & ~self.broken)
        coded = self.coded.get(self.mapping.code_column)
        by_code = np.full(self.n, -1, np.int8) if coded is None else coded.machine
        return (said == 1) | ((said < 0) & (by_code == 1)) | (by_code == 1)

    # ---- ids and zones ---------------------------------------------------------------------

    def keys(self, row: npt.NDArray[np.int64], owner: Texts) -> pd.Series:
        """Return the id of each (row, owner): theirs where it is mapped, else a stable hash.

        A row without anything in its id columns has the hash of all that are mapped.
        """
        mapping, n = self.mapping, self.n
        theirs = pd.Series(empty_column("id", n))
        if self.has(mapping.key):
            theirs = self.ids(mapping.key)
            self._note(mapping.key, "is null", theirs.isna() & ~self.broken)
        own = self._joined(mapping.id_from)
        every = self._joined(default_id_columns(mapping.columns, mapping.match, mapping.receipts))
        empty = np.asarray(own.str.strip("\x1f") == "")
        if mapping.id_from:
            self.faults.note("id_from", "is null", empty & ~self.broken, mapping.id_from)
        text = own.mask(empty, "\x1e" + every)
        vendor = self.text("vendor") if mapping.table == "touches" else texts([mapping.vendor] * n)
        text = mapping.table + "\x1f" + vendor.fillna("") + "\x1f" + text
        whole = text.take(row).reset_index(drop=True) + "\x1f" + texts(owner).fillna("")
        codes, distinct = pd.factorize(whole)
        hashes = [hashlib.sha256(t.encode()).hexdigest()[:32] for t in distinct]
        ids = pd.Series(np.asarray(hashes, object)[codes], dtype=STRING)
        given = theirs.take(row).reset_index(drop=True)
        return given.where(given.notna(), ids)

    def _joined(self, columns: Sequence[str]) -> pd.Series:
        joined = pd.Series([""] * self.n, dtype=STRING)
        for name in columns:
            joined = joined + literal(self.raw[name]) + "\x1f"
        return joined

    def recorded(self) -> pd.Series:
        """Return when rows became known: stated, else when the file was received."""
        stated = self.instants("recorded_at")
        return stated if self.received_at is None else stated.fillna(self.received_at)

    def zones(self, customer: Texts) -> Texts:
        """Return the zone in which each customer's due days end."""
        customers = self.portfolio.tables["customers"]
        by_id = pd.Series(customer_zones(customers, due=True), index=customers["customer_id"])
        return pd.Series(customer, dtype=object).map(by_id).fillna("UTC").to_numpy(object)
