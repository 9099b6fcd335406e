"""What is known at one instant, as frames; each is made when it is first asked for."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal.arrangements import arrangement_frame
from contactopt.journal.debts import debt_frame
from contactopt.journal.decisions import decision_frame
from contactopt.journal.payments import payment_frame
from contactopt.journal.permissions import consent_frame, hold_frame, notice_frame, party_frame
from contactopt.journal.points import point_frame
from contactopt.journal.promises import promise_frame
from contactopt.journal.touches import touch_debt_frame, touch_event_frame, touch_frame

if TYPE_CHECKING:
    from contactopt.journal.journal import Journal

__all__ = ["JournalView"]


class JournalView:
    """A journal cut at an instant. Integer columns `customer`, `debt`, `contact_point` are codes.

    Codes are positions in ``customer_ids``, ``debt_ids`` and ``point_ids``, -1 where none is
    named. Columns ending in `_us` are int64 microseconds UTC (`NO_INSTANT` where absent), columns
    ending in `_at` are timestamps. Words are categories. Made by `Journal.as_of`.

    Parameters
    ----------
    journal : Journal
    as_of_us : int
        Microseconds UTC.
    """

    def __init__(self, journal: Journal, as_of_us: int) -> None:
        self.journal = journal
        self.as_of_us = as_of_us

    @property
    def as_of(self) -> pd.Timestamp:
        """The instant, UTC."""
        return pd.Timestamp(np.datetime64(self.as_of_us, "us"), tz="UTC")

    @property
    def customer_ids(self) -> npt.NDArray[np.object_]:
        """Sorted customer ids, shape (n,)."""
        return self.journal.customer_ids

    @property
    def debt_ids(self) -> npt.NDArray[np.object_]:
        """Sorted ids of all debts of the block, also of those not known yet."""
        return self.journal.debt_ids

    @property
    def point_ids(self) -> npt.NDArray[np.object_]:
        """Sorted ids of all contact points of the block."""
        return self.journal.point_ids

    @cached_property
    def customers(self) -> pd.DataFrame:
        """Customers as they stand, one row per entry of ``customer_ids``."""
        return self.journal.customer_frame

    @cached_property
    def debts(self) -> pd.DataFrame:
        """Debts known, one row each by debt code, brought forward to the instant.

        ``debt`` is the code, ``customer`` the main obligor. ``past_due`` is the latest
        snapshot's, ``past_due_now`` less the payments since (NaN without a snapshot);
        ``days_past_due`` counts on by local days and is 0 once payments cover the arrears
        (``paid_since_snapshot``). Dates after the instant are null.
        """
        return debt_frame(self.journal.debts, self.as_of_us)

    @cached_property
    def touches(self) -> pd.DataFrame:
        """Contacts, by (customer, known-at, id); the outcome is `unknown` until it is known.

        The outcome is the effective one: human digital events lift it, machine opens do not.
        ``debt`` is -1 where the touch is about all open debts or several (``n_debts`` says how
        many are named, ``touch_debts`` which).
        """
        return touch_frame(self.journal.touches, self.as_of_us)

    @cached_property
    def touch_debts(self) -> pd.DataFrame:
        """Named debts: ``touch`` (row of ``touches``), ``debt`` (code)."""
        return touch_debt_frame(self.journal.touches, self.as_of_us)

    @cached_property
    def touch_events(self) -> pd.DataFrame:
        """Digital events: ``touch`` (row of ``touches``), event, machine, occurred_us."""
        return touch_event_frame(self.journal.touches, self.as_of_us)

    @cached_property
    def promises(self) -> pd.DataFrame:
        """Promises with the money received in their window and the state that makes."""
        return promise_frame(self.journal.promises, self.as_of_us)

    @cached_property
    def payments(self) -> pd.DataFrame:
        """Payments, in each debt's currency, with those known to be reversed flagged."""
        return payment_frame(self.journal.payments, self.as_of_us)

    @cached_property
    def holds(self) -> pd.DataFrame:
        """Holds known, ended ones too, and recorded ones that begin within 48 hours."""
        nothing = self._nothing("holds", "holds")
        if nothing is not None:
            return nothing
        j = self.journal
        return hold_frame(
            j.tables["holds"], j.customers, j.debts.ids, j.debt_customer, j.points.ids,
            self.as_of_us, j.delay_hours("holds"),
        )  # fmt: skip

    @cached_property
    def consents(self) -> pd.DataFrame:
        """Latest consent per customer, channel and contact point (-1: the whole channel)."""
        nothing = self._nothing("consents", "consents")
        if nothing is not None:
            return nothing
        j = self.journal
        return consent_frame(
            j.tables["consents"], j.customers, j.points.ids, self.as_of_us,
            j.delay_hours("consents"),
        )  # fmt: skip

    @cached_property
    def notices(self) -> pd.DataFrame:
        """Legal notices sent."""
        nothing = self._nothing("notices", "notices")
        if nothing is not None:
            return nothing
        j = self.journal
        return notice_frame(
            j.tables["notices"], j.customers, j.debts.ids, self.as_of_us, j.delay_hours("notices")
        )

    @cached_property
    def parties(self) -> pd.DataFrame:
        """Further obligors of debts: customer (-1: of another block), debt, role."""
        nothing = self._nothing("parties", "debt_parties")
        if nothing is not None:
            return nothing
        j = self.journal
        return party_frame(
            j.tables["debt_parties"], j.customers, j.debts.ids, self.as_of_us,
            j.delay_hours("debt_parties"),
        )  # fmt: skip

    @cached_property
    def points(self) -> pd.DataFrame:
        """Contact points known; ``valid`` at the instant, ``dead`` as touches have shown."""
        return point_frame(self.journal.points, self.as_of_us)

    @cached_property
    def arrangements(self) -> pd.DataFrame:
        """Payment arrangements with what is due, what came, and their state."""
        nothing = self._nothing("arrangements", "arrangements")
        if nothing is not None:
            return nothing
        j = self.journal
        return arrangement_frame(
            j.tables["arrangements"], j.debts.ids, j.debt_customer, j.zones, j.payments,
            self.as_of_us, j.delay_hours("arrangements"),
        )  # fmt: skip

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """Earlier decisions; ``open`` ones are commitments that count as touches."""
        nothing = self._nothing("decisions", "decisions")
        if nothing is not None:
            return nothing
        j = self.journal
        return decision_frame(
            j.tables["decisions"], j.customers, j.debts.ids, self.touches, self.as_of_us,
            j.delay_hours("decisions"),
        )  # fmt: skip

    def _nothing(self, name: str, table: str) -> pd.DataFrame | None:
        """Return the frame of an empty table, made once for all views; None where there are rows.

        Most customers have no holds, notices or arrangements: their frames need not be built.
        """
        if len(self.journal.tables[table]) or len(self.journal.customer_ids) == 0:
            return None
        return _empty_frame(name).copy()

    def __repr__(self) -> str:
        return f"JournalView({len(self.customer_ids)} customers as of {self.as_of.isoformat()})"


@cache
def _empty_frame(name: str) -> pd.DataFrame:
    from contactopt.journal.journal import Journal

    return getattr(Journal({}).as_of(0), name)
