"""The whole conversation with one customer over all channels, as known at an instant."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts.portfolio import Portfolio
from contactopt.errors import ContractError
from contactopt.journal.journal import Journal
from contactopt.journal.local_time import to_us
from contactopt.journal.timeline.changes import changed_lines
from contactopt.journal.timeline.rows import OneCustomer, recorded_lines
from contactopt.journal.timeline.state import TimelineState, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "Timeline", "timeline", "timeline_of"]

#: what a line may be; lines of the same instant stand in this order
KINDS = (
    "debt",
    "debt_placed",
    "debt_state",
    "snapshot",
    "debt_charged_off",
    "party",
    "contact_point",
    "consent",
    "notice",
    "hold",
    "decision",
    "touch",
    "touch_event",
    "contact_point_dead",
    "contact_point_ended",
    "promise",
    "arrangement",
    "payment",
    "payment_reversed",
    "promise_kept",
    "promise_reopened",
    "promise_due",
    "promise_partial",
    "promise_broken",
    "promise_cancelled",
    "arrangement_ended",
    "hold_ended",
    "debt_recalled",
    "debt_closed",
)
#: columns of `Timeline.to_frame`, in order
_SHOWN = (
    "at_utc", "at_local", "known_at", "kind", "channel", "direction", "debt_id", "what", "by",
    "amount", "currency", "machine", "source", "source_id",
)  # fmt: skip
_TEXT = (
    "kind", "channel", "direction", "debt_id", "what", "by", "currency", "source", "source_id",
)  # fmt: skip


def timeline(
    portfolio: Portfolio,
    customer_id: object,
    as_of: Any,
    config: StrategyConfig | None = None,
) -> Timeline:
    """Tell the whole conversation with a customer, as it was known at an instant.

    Parameters
    ----------
    portfolio : Portfolio
    customer_id : str
    as_of : Timestamp, str with a zone, or int microseconds UTC
    config : StrategyConfig, optional
        For the delays of tables (``data_delay``), the days of grace of promises and how long
        offers stand. Defaults without: no delays, 3 days of grace, and offers of unknown length.

    Returns
    -------
    Timeline
        Without lines for a customer of whom nothing is known by then.

    Raises
    ------
    ContractError
        If the customer is not in the portfolio (one in quarantine is named as such), or the
        instant has no zone.
    """
    config = StrategyConfig() if config is None else config
    wanted = str(customer_id)
    if wanted in set(map(str, portfolio.quarantined_customers)):
        raise ContractError(
            f"customer {wanted} is in quarantine: a row that protects them is faulty",
            hint="`portfolio.quarantine` names the row; correct it and load again",
        )
    if wanted not in portfolio.customer_ids:
        raise ContractError(
            f"customer {wanted} is not in the portfolio",
            hint="`portfolio.customer_ids` lists who is",
        )
    journal = Journal(
        portfolio.subset(_related(portfolio, wanted)),
        data_delay=config.data_delay,
        promise_grace_days=config.orchestration.promise_grace_days,
    )
    return timeline_of(journal, wanted, as_of, config)


def timeline_of(journal: Journal, customer_id: str, as_of: Any, config: StrategyConfig) -> Timeline:
    """Tell one customer's timeline from an open journal; money stays as the journal has it."""
    view = journal.as_of(to_us(as_of))
    code = int(journal.customers.codes(pd.Series([customer_id], dtype="str"))[0])
    one = OneCustomer(journal, view, code)
    frame = _finished([*recorded_lines(one), *changed_lines(one)], one.zone)
    return Timeline(frame, state_of(one, {o.offer_id: o for o in config.offers}))


def _related(portfolio: Portfolio, customer_id: str) -> list[str]:
    """Return the customer and the owners of debts and points that their rows name.

    A guarantor is called about somebody else's debt: without its owner the row leads nowhere.
    """
    found, links = {customer_id}, {"debt_id": "debts", "contact_point_id": "contact_points"}
    for name, frame in portfolio.tables.items():
        if name in ("debts", "contact_points") or "customer_id" not in frame:
            continue
        mine = frame[frame["customer_id"] == customer_id]
        for column, table in links.items():
            if column in mine and mine[column].notna().any():
                parent = portfolio.tables[table]
                found |= set(parent["customer_id"][parent[column].isin(mine[column].dropna())])
    touches = portfolio.tables["touches"]
    own = touches["touch_id"][touches["customer_id"] == customer_id]
    named = portfolio.tables["touch_debts"]
    named = named["debt_id"][named["touch_id"].isin(own)]
    debts = portfolio.tables["debts"]
    return sorted(found | set(debts["customer_id"][debts["debt_id"].isin(named)]))


def _finished(parts: Iterable[pd.DataFrame], zone: str) -> pd.DataFrame:
    """Put lines in order: time, kind, id; a line without a time stands first."""
    frame = pd.concat([p for p in parts if len(p)] or [next(iter(parts))], ignore_index=True)
    rank = {kind: k for k, kind in enumerate(KINDS)}
    order = np.lexsort(
        (
            pd.factorize(frame["source_id"], sort=True)[0],
            frame["kind"].map(rank).to_numpy(dtype=np.int64),
            frame["at_utc"].to_numpy(dtype=np.int64),
        )
    )
    frame = frame.iloc[order].reset_index(drop=True)
    for name in ("at_utc", "known_at"):
        us = frame[name].to_numpy(dtype=np.int64)
        frame[name] = pd.DatetimeIndex(us.view("datetime64[us]"), tz="UTC")
    frame["at_local"] = frame["at_utc"].dt.tz_convert(zone)
    frame = frame.astype(dict.fromkeys(_TEXT, "str") | {"amount": "float64", "machine": bool})
    return frame[list(_SHOWN)]


class Timeline:
    """One customer's conversation as known at an instant, and where it stands.

    Parameters
    ----------
    frame : DataFrame
        The lines, see `to_frame`.
    state : TimelineState
        What the next contact must know.

    Examples
    --------
    >>> import contactopt as co
    >>> portfolio = co.datasets.load_demo(n_customers=20, random_state=0, n_days=10)
    >>> told = portfolio.timeline(portfolio.customer_ids[0], portfolio.latest_instant())
    >>> bool((told.to_frame()["known_at"] <= told.state.as_of).all())
    True
    """

    def __init__(self, frame: pd.DataFrame, state: TimelineState) -> None:
        self._frame = frame
        #: what the next contact must know
        self.state = state

    def __len__(self) -> int:
        return len(self._frame)

    def to_frame(self) -> pd.DataFrame:
        """Return every line, oldest first.

        Returns
        -------
        DataFrame
            at_utc, at_local (in the customer's zone), known_at (UTC), kind (one of `KINDS`),
            channel, direction, debt_id (several joined by `|`, null: all or none), what (words),
            by, amount (in ``currency``; of a debt its principal, of a snapshot its balance),
            currency, machine (done by a machine, not by the customer), source (table) and
            source_id (key, parts joined by ` | `). Every known row of an event table is one line
            of the kind `debt`, `debt_state`, `snapshot`, `party`, `contact_point`, `consent`,
            `hold`, `notice`, `touch`, `touch_event`, `promise`, `payment`, `arrangement` or
            `decision`; the other kinds tell what followed from it.
        """
        return self._frame.copy()

    def brief(self) -> str:
        """Return half a page for whoever speaks to the customer next."""
        return self._brief

    @cached_property
    def _brief(self) -> str:
        from contactopt.journal.timeline.brief import brief_text

        return brief_text(self.state)

    def to_dict(self) -> dict[str, Any]:
        """Return state and lines as JSON-ready values."""
        frame = self._frame.copy()
        for name in ("at_utc", "at_local", "known_at"):
            frame[name] = [None if t is pd.NaT else t.isoformat() for t in frame[name]]
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return {"state": self.state.to_dict(), "events": rows}

    def __repr__(self) -> str:
        from contactopt.journal.timeline.brief import timeline_text

        return timeline_text(self._frame, self.brief())

    def _repr_html_(self) -> str:
        from contactopt.journal.timeline.brief import timeline_html

        return timeline_html(self._frame, self.state)
