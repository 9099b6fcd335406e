"""The portfolio: every table of the contract, checked once, cut into blocks by customer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.arrow_tables import returning_memory
from contactopt.contracts.capacity import read_capacity
from contactopt.contracts.completeness import newest_seen, read_complete_to, seen_hours
from contactopt.contracts.content_hash import content_hash
from contactopt.contracts.faults import Fault
from contactopt.contracts.folder import read_folder, write_folder
from contactopt.contracts.known import known_at
from contactopt.contracts.links import Codes
from contactopt.contracts.load import Loaded, load_tables
from contactopt.contracts.native_frames import to_pandas_by_name
from contactopt.errors import ContractError, sample_ids

if TYPE_CHECKING:
    from contactopt.contracts.needs import StrategyNeeds
    from contactopt.contracts.report import ValidationReport
    from contactopt.contracts.vendors import VendorFile

__all__ = ["Portfolio"]


class Portfolio:
    """All tables of a portfolio, valid and sorted; made by `from_folder` or `from_frames`.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        Every table of the contract (a missing optional one is empty), with every column of the
        contract (a missing optional one is null) and the user's `x_` columns; rows sorted by
        customer and key. Ids and words are text, instants datetime64[us, UTC], numbers float64.
    customer_ids : object array, shape (n_customers,)
        Sorted.
    capacity : pandas.DataFrame or None
        Capacity table that came with the portfolio.
    complete_to : dict of str to pandas.Timestamp
        Instant to which a table is complete, where the source says so.
    quarantine : pandas.DataFrame
        Columns table, key, column, check, value: every faulty value that was set aside.
    quarantined_customers : object array
        Customers who were taken out, because a row that protects them is faulty.
    dropped_columns : dict of str to list of str
        Columns that are not of the contract.

    Examples
    --------
    >>> names = ["debts", "debt_snapshots", "contact_points", "consents"]
    >>> names += ["holds", "touches", "promises", "payments"]
    >>> tables = {name: pd.DataFrame() for name in names}
    >>> tables["customers"] = pd.DataFrame({"customer_id": [7], "jurisdiction": ["CO"]})
    >>> portfolio = Portfolio.from_frames(tables)
    >>> portfolio
    Portfolio(1 customers, 0 debts, 0 touches, 0 payments)
    >>> portfolio.customer_ids
    array(['7'], dtype=object)
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        complete_to: dict[str, pd.Timestamp],
        capacity: pd.DataFrame | None,
    ) -> None:
        self.tables = loaded.tables
        self.customer_ids = loaded.customer_ids
        self.quarantine = loaded.quarantine
        self.quarantined_customers = loaded.quarantined_customers
        self.dropped_columns = loaded.dropped_columns
        self.complete_to = complete_to
        self.capacity = capacity
        self._loaded = loaded

    # ---- making --------------------------------------------------------------------------

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        max_quarantined_share: float = 0.0,
        extra_channels: Iterable[str] = (),
        progress: bool = False,
    ) -> Portfolio:
        """Read a portfolio folder.

        Parameters
        ----------
        path : str or Path
            Folder with one table per contract name: `name.parquet`, a folder `name/` of Parquet
            parts, or `name.csv`; `portfolio.json` and `capacity` beside them.
        max_quarantined_share : float
            See `from_frames`.
        extra_channels : iterable of str
            See `from_frames`.
        progress : bool
            Show a bar over tables (on stderr).

        Returns
        -------
        Portfolio

        Raises
        ------
        ContractError
            If the folder is missing, or as in `from_frames`.
        ConfigError
            If the capacity table is faulty.
        """
        with returning_memory():
            content = read_folder(path)
            return cls._make(
                content.frames,
                content.complete_to,
                content.capacity,
                max_quarantined_share,
                extra_channels,
                found_before=content.faults,
                progress=progress,
            )

    @classmethod
    def from_frames(
        cls,
        tables: Mapping[str, Any],
        *,
        complete_to: Mapping[str, Any] | None = None,
        capacity: Any = None,
        max_quarantined_share: float = 0.0,
        extra_channels: Iterable[str] = (),
    ) -> Portfolio:
        """Check tables and make a portfolio of them.

        Parameters
        ----------
        tables : mapping of str to frame
            pandas, polars or pyarrow frames by contract name; `capacity` may be among them.
        complete_to : mapping of str to instant, optional
            Table name to the instant to which it is complete.
        capacity : frame or path, optional
            Capacity table, see `read_capacity`; wins over one among the tables.
        max_quarantined_share : float
            Largest share, in [0, 1], of faulty rows and of customers in quarantine with which to
            go on; 0 refuses any fault.
        extra_channels : iterable of str
            Channels that the strategy adds by `like`, allowed in the tables as well.

        Returns
        -------
        Portfolio
            Without the rows and customers that are in quarantine. Empty tables give an empty
            portfolio.

        Raises
        ------
        ContractError
            Once, with all faults of all tables.
        ConfigError
            If the capacity table is faulty.
        """
        frames = to_pandas_by_name(tables)
        own = frames.pop("capacity", None)
        units = own if capacity is None else capacity
        return cls._make(frames, complete_to or {}, units, max_quarantined_share, extra_channels)

    @classmethod
    def _make(
        cls,
        frames: Mapping[str, pd.DataFrame],
        complete_to: Mapping[str, Any],
        capacity: Any,
        max_quarantined_share: float,
        extra_channels: Iterable[str],
        found_before: list[Fault] | None = None,
        progress: bool = False,
    ) -> Portfolio:
        instants, more = read_complete_to(complete_to)
        # the list itself: reading the tables may yet add to it
        before = [] if found_before is None else found_before
        before += more
        loaded = load_tables(
            frames,
            max_quarantined_share=max_quarantined_share,
            extra_channels=tuple(sorted(extra_channels)),
            found_before=before,
            progress=progress,
        )
        units = None if capacity is None else read_capacity(capacity)
        return cls(loaded, complete_to=instants, capacity=units)

    def with_vendor_file(self, file: VendorFile, max_quarantined_share: float = 0.0) -> Portfolio:
        """Return a portfolio with the rows of a vendor's file, checked anew as a whole.

        Rows with ids that are there already are folded into them (`vendors.folding`); if nothing
        is new the portfolio itself is returned. Raises ContractError if more rows are faulty than
        allowed (as in `from_frames`), or an id stands here for somebody else.
        """
        from contactopt.contracts.vendors.merging import merged_portfolio

        return merged_portfolio(self, file, max_quarantined_share)

    # ---- cutting -------------------------------------------------------------------------

    def blocks(self, size: int = 50_000) -> Iterator[Portfolio]:
        """Cut by ids into portfolios of at most ``size`` customers; an empty one gives itself."""
        if size < 1:
            raise ValueError("a block holds at least one customer")
        for start in range(0, max(self.n_customers, 1), size):
            if start == 0 and size >= self.n_customers:
                yield self
            else:
                yield self._slice(start, min(start + size, self.n_customers))

    def _slice(self, start: int, stop: int) -> Portfolio:
        cut = {
            name: slice(*np.searchsorted(codes, (start, stop)).tolist())
            for name, codes in self._loaded.owner.items()
        }
        return self._part(
            self.customer_ids[start:stop],
            {n: f.iloc[cut[n]].reset_index(drop=True) for n, f in self.tables.items()},
            {n: c[cut[n]] - start for n, c in self._loaded.owner.items()},
        )

    def only(self, position: int) -> Portfolio:
        """Return the portfolio of the customer at a position of ``customer_ids``, at once."""
        return self._slice(position, position + 1)

    def subset(self, customer_ids: Iterable[object]) -> Portfolio:
        """Return the portfolio of some customers, as old as the whole is.

        Raises
        ------
        ContractError
            If a customer is not in the portfolio (or is in quarantine).
        """
        wanted = np.unique(np.asarray([str(c) for c in customer_ids], object))
        where = np.searchsorted(self.customer_ids, wanted)
        there = np.zeros(len(wanted), bool)
        inside = where < self.n_customers
        there[inside] = self.customer_ids[where[inside]] == wanted[inside]
        if not there.all():
            held = np.isin(wanted[~there], self.quarantined_customers).sum()
            raise ContractError(
                f"{int((~there).sum())} customer(s) are not in the portfolio "
                f"({int(held)} of them in quarantine): {sample_ids(wanted[~there])}",
                hint="`.customer_ids` lists those who are, `.quarantine` says why others are not",
            )
        tables, owner = {}, {}
        for name, codes in self._loaded.owner.items():
            rows, owner[name] = _rows_of(codes, where)
            tables[name] = self.tables[name].iloc[rows].reset_index(drop=True)
        return self._part(wanted, tables, owner)

    def _part(
        self,
        ids: npt.NDArray[np.object_],
        tables: dict[str, pd.DataFrame],
        owner: dict[str, Codes],
    ) -> Portfolio:
        own = replace(self._loaded, tables=tables, owner=owner, customer_ids=ids, seen=self._seen)
        return Portfolio(own, complete_to=self.complete_to, capacity=self.capacity)

    @cached_property
    def _seen(self) -> dict[str, npt.NDArray[np.int64]]:
        seen = self._loaded.seen  # of the whole, if this is a part
        return seen_hours(self.tables) if seen is None else seen

    def newest_of_the_whole(self, table: str, when: pd.Timestamp) -> Any:
        """Return the last hour by then in which what this is a part of saw rows, or NaT."""
        seen = self._loaded.seen
        return pd.NaT if seen is None else newest_seen(seen[table], when)

    # ---- telling -------------------------------------------------------------------------

    @property
    def n_customers(self) -> int:
        """Return how many customers there are, without those in quarantine."""
        return len(self.customer_ids)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the tables' content, independent of row order and file format."""
        return content_hash(self.tables)

    def latest_instant(self, data_delay: Mapping[str, float] | None = None) -> pd.Timestamp:
        """Return the newest instant at which a touch, payment or debt snapshot became known.

        Parameters
        ----------
        data_delay : mapping of str to float, optional
            Hours after the event at which rows of a table are known, where they carry no
            `recorded_at`.

        Raises
        ------
        ContractError
            If these tables are empty: there is no latest instant.
        """
        newest = [
            known.max()
            for name in ("touches", "payments", "debt_snapshots")
            if (known := self.known_at(name, data_delay)).notna().any()
        ]
        if not newest:
            raise ContractError(
                "touches, payments and debt_snapshots are empty: there is no latest instant",
                hint="give as_of as an instant, for example 2026-06-02T12:00Z",
            )
        return max(newest)

    def known_at(self, table: str, data_delay: Mapping[str, float] | None = None) -> pd.Series:
        """Return when each row of an event table became known.

        The later of its event time and `recorded_at`; without `recorded_at` the event time plus
        the delay of that table (hours, default 0).
        """
        return known_at(table, self.tables[table], data_delay)

    def validate(
        self, config: StrategyNeeds | None = None, as_of: str | pd.Timestamp | None = None
    ) -> ValidationReport:
        """Report what is wrong with the tables and what they allow; raises for nothing.

        Parameters
        ----------
        config : StrategyConfig, optional
            With it, exchange rates, pools and staleness limits are checked as well.
        as_of : instant, optional
            With it, the age of the tables is judged.

        Returns
        -------
        ValidationReport
        """
        from contactopt.contracts.report import validation_report

        return validation_report(self, config, as_of)

    def timeline(self, customer_id: object, as_of: str | pd.Timestamp, config: Any = None) -> Any:
        """Tell the whole conversation with a customer, as it was known at an instant.

        Returns a `contactopt.Timeline`; see `contactopt.timeline`.
        """
        # the journal makes timelines and stands above this room, which may not import it: the
        # package is asked for its public name, and loads the journal then
        return import_module("contactopt").timeline(self, customer_id, as_of, config)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return the faults that loading found and the allowed share let pass."""
        return self._loaded.faults

    @property
    def quarantined_share(self) -> float:
        """Return the larger of the shares of faulty rows and of customers in quarantine."""
        return self._loaded.quarantined_share

    def to_folder(self, path: str | Path) -> Path:
        """Write the tables as Parquet, with `portfolio.json` and capacity; all or nothing.

        Raises
        ------
        ContractError
            If something that is not a portfolio stands at that place.
        """
        return write_folder(path, self.tables, capacity=self.capacity, complete_to=self.complete_to)

    def __len__(self) -> int:
        return self.n_customers

    def __repr__(self) -> str:
        n = {name: len(self.tables[name]) for name in ("debts", "touches", "payments")}
        out = len(self.quarantined_customers)
        held = f", {out} customers in quarantine" if out else ""
        counts = ", ".join(f"{k:,} {name}" for name, k in n.items())
        return f"Portfolio({self.n_customers:,} customers, {counts}{held})"


def _rows_of(codes: Codes, wanted: Codes) -> tuple[Codes, Codes]:
    """Rows whose owner is wanted, and whose they are: looked up, as rows stand by owner."""
    start, stop = (np.searchsorted(codes, wanted + k) for k in (0, 1))
    whose = np.repeat(np.arange(len(wanted)), stop - start)
    before = np.cumsum(stop - start) - (stop - start)
    return np.arange(len(whose)) + (start - before)[whose], whose
