"""The journal: a block of a portfolio as ordered events, cut at any instant."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.local_days import customer_zones
from contactopt.journal.columns import Ids, codes_of, text
from contactopt.journal.debts import DebtLog
from contactopt.journal.local_time import local_hour, to_us
from contactopt.journal.outcome_events import OutcomeEvents
from contactopt.journal.payments import PaymentLog
from contactopt.journal.points import PointLog
from contactopt.journal.promises import PromiseLog
from contactopt.journal.touches import TouchLog
from contactopt.journal.view import JournalView

__all__ = ["Journal", "TableSource"]


class TableSource(Protocol):
    """What a journal reads: a Portfolio, or anything with its ``tables``."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Contract tables by name."""
        ...


class Journal:
    """Everything that happened to a block of customers, and from when each of it is known.

    A row is known from max(its event time, ``recorded_at``), or its event time plus the table's
    delay where ``recorded_at`` is missing. Codes are positions: of a customer in
    ``customer_ids``, of a debt in ``debt_ids``, of a contact point in ``point_ids`` (all sorted).

    Parameters
    ----------
    portfolio : Portfolio
        Or any object whose ``tables`` map the contract's table names to loaded frames.
    data_delay : mapping of str to float, optional
        Hours until rows of a table are known, where ``recorded_at`` is missing.
    promise_grace_days : int
        Days after the due day in which a payment still keeps a promise.

    Raises
    ------
    ContractError
        If ids lead nowhere or instants have no zone (a loaded Portfolio has neither fault).

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["b", "a"], "jurisdiction": ["US"] * 2})
    >>> journal = Journal({"customers": customers})
    >>> journal.customer_ids.tolist(), len(journal.touches)
    (['a', 'b'], 0)
    >>> journal.as_of("2026-06-02T12:00Z").touches.shape[0]
    0
    """

    def __init__(
        self,
        portfolio: TableSource | Mapping[str, pd.DataFrame],
        *,
        data_delay: Mapping[str, float] | None = None,
        promise_grace_days: int = 0,
    ) -> None:
        tables = portfolio if isinstance(portfolio, Mapping) else portfolio.tables
        self.tables: Mapping[str, pd.DataFrame] = _Tables(tables)
        self.data_delay = dict(data_delay or {})
        self.promise_grace_days = promise_grace_days
        self.customers = Ids(self.tables["customers"].get("customer_id", []))
        self._customer_frame = _by_code(self.tables["customers"], "customer_id", self.customers)
        #: time zone of each customer: their own, else the jurisdiction's easternmost, else UTC
        self.zones = _zones(self._customer_frame)
        self._build()

    def _build(self) -> None:
        """Read the event tables, in the order in which they build on each other."""
        t, n = self.tables, len(self.customers)
        self._debts = Ids(t["debts"].get("debt_id", []))
        self._points = Ids(t["contact_points"].get("contact_point_id", []))
        debts = _by_code(t["debts"], "debt_id", self._debts)
        #: main obligor (customer code) of each debt
        self.debt_customer = codes_of(debts, "customer_id", self.customers, "debts")
        self.payments = PaymentLog.build(
            t["payments"], self._debts, self.debt_customer, n, self.delay_hours("payments")
        )
        self.debts = DebtLog.build(
            debts, t["debt_snapshots"], self._debts, self.debt_customer, self.zones,
            self.payments, self.delay_hours,
        )  # fmt: skip
        self.promises = PromiseLog.build(
            t["promises"], self._debts, self.debt_customer, n, self.payments,
            delay_hours=self.delay_hours("promises"), grace_days=self.promise_grace_days,
        )  # fmt: skip
        self.touches = TouchLog.build(
            t, self.customers, self._debts, self.debt_customer, self._points, self.delay_hours
        )
        points = _by_code(t["contact_points"], "contact_point_id", self._points)
        self.points = PointLog.build(
            points, self._points, self.customers, self.touches, self.delay_hours("contact_points")
        )

    def delay_hours(self, table: str) -> float:
        """Return the hours until rows of a table without ``recorded_at`` are known."""
        return float(self.data_delay.get(table, 0.0))

    @property
    def snapshots(self) -> Any:
        """Index of debt snapshots by debt."""
        return self.debts.snapshots

    @cached_property
    def outcomes(self) -> OutcomeEvents:
        """Outcomes of touches as events, for folds over windows."""
        return OutcomeEvents.build(self.touches)

    @cached_property
    def touch_hours(self) -> npt.NDArray[np.int64]:
        """Local clock hour, at the customer, at which each touch of the log began."""
        return local_hour(self.touches.time, self.zones[self.touches.index.owner])

    @property
    def customer_ids(self) -> npt.NDArray[np.object_]:
        """Sorted customer ids; a customer's code is the position."""
        return self.customers.values

    @property
    def debt_ids(self) -> npt.NDArray[np.object_]:
        """Sorted debt ids; a debt's code is the position."""
        return self._debts.values

    @property
    def point_ids(self) -> npt.NDArray[np.object_]:
        """Sorted contact point ids; a point's code is the position."""
        return self._points.values

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return len(self.customers)

    @property
    def customer_frame(self) -> pd.DataFrame:
        """The customers table in the order of the codes."""
        return self._customer_frame

    def as_of(self, instant: Any) -> JournalView:
        """Return everything known at an instant, and nothing that became known later.

        Views are read, never changed: while one of an instant is in use, asking again gives the
        same one, so that its frames are made once.

        Parameters
        ----------
        instant : Timestamp, str with a zone, or int microseconds UTC

        Raises
        ------
        ContractError
            If the instant has no zone.
        """
        at = to_us(instant)
        views: WeakValueDictionary[int, JournalView] = self.__dict__.setdefault(
            "_views", WeakValueDictionary()
        )
        view = views.get(at)
        if view is None:
            view = views[at] = JournalView(self, at)
        return view

    def __getstate__(self) -> dict[str, Any]:
        # views are made anew where a copy is used
        return {name: value for name, value in self.__dict__.items() if name != "_views"}

    def __repr__(self) -> str:
        return (
            f"Journal({self.n_customers} customers, {len(self.debt_ids)} debts, "
            f"{len(self.touches)} touches, {len(self.payments)} payments)"
        )


class _Tables(dict[str, pd.DataFrame]):
    """Tables by name; a missing optional table reads as an empty one."""

    def __missing__(self, name: str) -> pd.DataFrame:
        return pd.DataFrame()


def _zones(customers: pd.DataFrame) -> pd.Categorical:
    given = pd.DataFrame({c: text(customers, c) for c in ("time_zone", "jurisdiction")})
    if len(given) == 0:
        return pd.Categorical([], categories=["UTC"])
    return pd.Categorical(customer_zones(given, due=False))


def _by_code(frame: pd.DataFrame, key: str, ids: Ids) -> pd.DataFrame:
    """Return a table in the order of its ids' codes."""
    if len(frame) == 0:
        return frame
    return frame.iloc[np.argsort(ids.codes(frame[key]), kind="stable")].reset_index(drop=True)
