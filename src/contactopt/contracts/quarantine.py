"""What happens to faulty rows: they never vanish, and they fail closed.

A faulty row of holds, consents or contact_points takes its customer out of the portfolio. A faulty
touch stays, with outcome `unknown`, if customer, channel and instant can be read, because it
counts against caps; else it takes its customer out. So does one that told of a wish to be left
alone or of a dead contact point: masking its outcome would forget that. So do a promise, which
silences, and a row that may name an heir or representative of the debtor. A loose link that leads
nowhere is blanked. Any other faulty row goes, and its children with it. A hold or consent whose
customer cannot be told fails the load. A phone or address that somebody in quarantine has too is of
an unknown holder: what was done and said there is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.links import Codes, Joined, positions
from contactopt.contracts.read_tables import RawTables
from contactopt.contracts.tables import TABLES, Link, TableSpec
from contactopt.contracts.vocabulary import DEAD_POINT_OUTCOMES, HOLDING_OUTCOMES

__all__ = ["Quarantined", "quarantine"]

Mask = npt.NDArray[np.bool_]
#: without these nobody knows against which cap a touch counts
_TOUCH_MUST = ("customer_id", "channel", "started_at")
#: outcomes and events that protect: whoever loses one is not planned
_PROTECTING = (*HOLDING_OUTCOMES, *DEAD_POINT_OUTCOMES)
#: roles that say nothing against contacting the main debtor
_OBLIGORS = ("co_obligor", "guarantor")


@dataclass(slots=True)
class Quarantined:
    """What is left after faulty rows were dealt with."""

    tables: dict[str, pd.DataFrame]
    kept: dict[str, Mask]
    customers: npt.NDArray[np.object_]


def quarantine(tables: RawTables, joined: Joined) -> Quarantined:
    """Take faulty rows and their customers out; may note further faults in the log.

    Parameters
    ----------
    tables : RawTables
        Typed tables with the faults of all checks in their log.
    joined : Joined
        Links of these tables.

    Returns
    -------
    Quarantined
        Clean tables, the mask of the rows that stayed, and the ids of quarantined customers.
    """
    work = _Quarantine(tables, joined)
    work.first_pass()
    while work.cascade():
        pass
    work.doubt_addresses()
    return work.result()


class _Quarantine:
    """Working state: which rows are kept, which customers are out."""

    def __init__(self, tables: RawTables, joined: Joined) -> None:
        self.log = tables.log
        self.typed = dict(tables.typed)
        self.faulty = {n: tables.log.faulty(n, len(f)) for n, f in self.typed.items()}
        self.kept = {n: np.ones(len(f), bool) for n, f in self.typed.items()}
        self.joined = joined
        self.customers = joined.index["customers"]
        self.owner = joined.owners()
        self.out = np.zeros(len(self.customers), bool)
        #: tables whose keys were changed: links to the old names lead nowhere
        self.renamed: set[str] = set()

    # ---- direct faults -------------------------------------------------------------------

    def first_pass(self) -> None:
        for name, spec in TABLES.items():
            rows = self.faulty[name]
            if not rows.any():
                continue
            if name == "customers":
                self._customers(rows)
            elif spec.on_fault == "customer":
                self._fail_closed(spec, rows)
            elif spec.on_fault == "touch":
                self._touches(rows)
            else:
                rows = rows & ~self._without_loose_links(spec)
                self._protected_by(name, rows & ~self._surplus_copies(name))
                self.kept[name] &= ~rows

    def _without_loose_links(self, spec: TableSpec) -> Mask:
        """Blank loose links that lead nowhere; return the rows that have no other fault."""
        columns = self.log.columns_of(spec.name)
        frame = self.typed[spec.name]
        loose = [link.column for link in spec.links if link.loose and link.column in columns]
        mended = self.log.faulty(spec.name, len(frame), tuple(loose))
        if mended.any():
            mended &= ~self.log.faulty(spec.name, len(frame), tuple(set(columns) - set(loose)))
            self._blank(spec.name, loose, mended)
        return mended

    def _blank(self, name: str, columns: list[str], rows: Mask) -> None:
        frame = self.typed[name].copy()
        for column in columns:
            index = self.joined.codes[name, column]
            frame.loc[rows & (index < 0), column] = None
        self.typed[name] = frame

    def _protected_by(self, name: str, rows: Mask) -> None:
        """Take out the customers of rows that would protect, before they go.

        Touches and events that told of a wish or a dead contact point; promises, as an open one
        silences all channels; and heirs and representatives, who say that the debtor must not be
        contacted, as anybody whose role cannot be read may be one.
        """
        if name == "promises":
            self._take_out(self.owner[name][rows])
        if name == "debt_parties":
            harmless = np.asarray(self.typed[name]["role"].isin(_OBLIGORS))
            self._take_out(self.owner[name][rows & ~harmless])
        column = {"touches": "outcome", "touch_events": "event"}.get(name)
        if column is not None:
            telling = np.asarray(self.typed[name][column].isin(_PROTECTING))
            self._told(TABLES[name], rows & telling)

    def _customers(self, rows: Mask) -> None:
        """Take faulty customers out; of identical copies the first stays without fault."""
        only_copy = self._surplus_copies("customers")
        self._take_out(self.owner["customers"][rows & ~only_copy])
        self.kept["customers"] &= ~rows

    def _surplus_copies(self, name: str) -> Mask:
        """Return rows whose only fault is that an identical row stands before them."""
        columns = self.log.columns_of(name)
        frame = self.typed[name]
        key = TABLES[name].key[0]
        other = self.log.faulty(name, len(frame), tuple(c for c in columns if c != key))
        suspect = self.log.faulty(name, len(frame), (key,)) & ~other
        rows = np.flatnonzero(suspect)
        if not len(rows):
            return suspect
        first = np.zeros(len(frame), bool)
        first[rows] = True
        sound = pd.concat([frame[~self.faulty[name]], frame.iloc[rows]], ignore_index=True)
        repeats = np.asarray(sound.duplicated(keep="first"))[-len(rows) :]
        first[rows] = repeats
        return first

    def _fail_closed(self, spec: TableSpec, rows: Mask) -> None:
        """Take out the customers of faulty rows, by every road that leads to one."""
        self.kept[spec.name] &= ~rows
        rows = rows & ~self._surplus_copies(spec.name)
        told = self._told(spec, rows)
        if spec.name == "contact_points":
            return
        lost = rows.copy()
        lost[np.flatnonzero(rows)] = ~told
        if lost.any():
            self.log.table(
                spec.name,
                "customer cannot be told",
                f"{int(lost.sum())} faulty row(s): nobody knows whom they protect",
                column="customer_id",
            )

    def _told(self, spec: TableSpec, rows: Mask) -> Mask:
        """Take out whoever faulty rows may be about; return which rows name anybody."""
        roads = [self.owner[spec.name][rows]]
        for link in spec.links:
            if link.parent != "customers":
                roads.append(self.joined.through(spec.name, link.column, self.owner)[rows])
        for road in roads:
            self._take_out(road)
        return np.any([road >= 0 for road in roads], axis=0)

    def _touches(self, rows: Mask) -> None:
        frame = self.typed["touches"].copy()
        unreadable = np.asarray(frame[list(_TOUCH_MUST)].isna().any(axis=1))
        unreadable = unreadable | (self.owner["touches"] < 0)
        unreadable = unreadable | self.log.faulty("touches", len(frame), _TOUCH_MUST)
        gone = rows & unreadable
        self._told(TABLES["touches"], gone)
        self.kept["touches"] &= ~gone
        stays = rows & ~unreadable
        self._protected_by("touches", stays & ~self._surplus_copies("touches"))
        self._repair(frame, stays)
        self.typed["touches"] = frame

    def _repair(self, frame: pd.DataFrame, stays: Mask) -> None:
        """Blank what is wrong in touches that stay, and forget what came of them."""
        copies = self._surplus_copies("touches")
        self.kept["touches"] &= ~(stays & copies)
        stays = stays & ~copies
        for column, faulty in self.log.columns_of("touches").items():
            if column in frame and column not in ("touch_id", "direction", "outcome"):
                frame.loc[faulty[stays[faulty]], column] = None
        columns = self.log.columns_of("touches")
        outcome = np.flatnonzero(stays)
        frame.loc[outcome, "outcome"] = "unknown"
        # an attempt of unknown direction counts as ours: against the caps
        wrong = columns.get("direction", np.zeros(0, np.int64))
        frame.loc[wrong[stays[wrong]], "direction"] = "outbound"
        wrong = columns.get("touch_id", np.zeros(0, np.int64))
        wrong = wrong[stays[wrong]]
        if len(wrong):
            # copies with one id but different content: each counts, under a name of its own
            again = frame.loc[wrong].sort_values(
                ["touch_id", *_TOUCH_MUST, "debt_id", "contact_point_id"], kind="stable"
            )
            nth = again.groupby("touch_id", dropna=False).cumcount() + 1
            name = again["touch_id"].fillna("no-id") + "#" + nth.astype("str")
            frame.loc[again.index, "touch_id"] = name
            self.renamed.add("touches")

    # ---- consequences --------------------------------------------------------------------

    def cascade(self) -> bool:
        """Take out rows of customers who are out, and children of rows that went; once."""
        before = self._state()
        gone = np.append(self.out, False)
        for name in TABLES:
            self.kept[name] &= ~gone[self.owner[name]]
        for spec in TABLES.values():
            for link in spec.links:
                self._orphans(spec, link)
        return self._state() != before

    def _state(self) -> tuple[int, ...]:
        return (int(self.out.sum()), *(int(k.sum()) for k in self.kept.values()))

    def _orphans(self, spec: TableSpec, link: Link) -> None:
        if self.kept[link.parent].all() and link.parent not in self.renamed:
            return
        parent = self.typed[link.parent].loc[self.kept[link.parent], link.parent_key]
        values = self.typed[spec.name][link.column]
        lost = np.asarray(values.notna()) & (positions(values, pd.Index(parent.unique())) < 0)
        lost &= self.kept[spec.name]
        if not lost.any():
            return
        if link.loose:
            frame = self.typed[spec.name].copy()
            frame.loc[lost, link.column] = None
            self.typed[spec.name] = frame
            self.log.rows(spec.name, link.column, f"{link.parent} in quarantine", lost)
            return
        self._protected_by(spec.name, lost)
        if spec.on_fault == "touch" and link.parent != "customers":
            # the attempt was made all the same: it goes on counting, for all debts
            frame = self.typed["touches"].copy()
            frame.loc[lost, link.column] = None
            frame.loc[lost, "outcome"] = "unknown"
            self.typed["touches"] = frame
            self.log.rows(spec.name, link.column, f"{link.parent} in quarantine", lost)
            return
        self.kept[spec.name] &= ~lost
        if spec.on_fault == "customer" and link.parent != "customers":
            self._take_out(self.owner[spec.name][lost])
        self.log.rows(spec.name, link.column, f"{link.parent} in quarantine", lost)

    def doubt_addresses(self) -> None:
        """Say of points whose address stands in a row that went that their holder is unknown."""
        points, kept = self.typed["contact_points"], self.kept["contact_points"]
        gone = points.loc[~kept & ~self._surplus_copies("contact_points"), "address_key"].dropna()
        if gone.empty:
            return
        shared = kept & np.asarray(points["address_key"].isin(gone.unique()))
        shared &= np.asarray(points["holder"] != "third_party")
        if not shared.any():
            return
        points = points.copy()
        points["holder"] = points["holder"].mask(shared, "unknown")
        self.typed["contact_points"] = points
        self.log.rows("contact_points", "address_key", "shared with a point in quarantine", shared)

    def _take_out(self, codes: Codes) -> None:
        self.out[codes[codes >= 0]] = True

    def result(self) -> Quarantined:
        tables = {n: f.loc[self.kept[n]].reset_index(drop=True) for n, f in self.typed.items()}
        names = np.sort(np.asarray(self.customers[self.out], object))
        return Quarantined(tables, self.kept, names)
