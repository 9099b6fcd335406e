"""How the tables hang together: keys, event times, links, owners; read from the models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import pandera.pandas as pa

from contactopt.contracts.tables.arrangements import Arrangements
from contactopt.contracts.tables.consents import Consents
from contactopt.contracts.tables.contact_points import ContactPoints
from contactopt.contracts.tables.customers import Customers
from contactopt.contracts.tables.debt_parties import DebtParties
from contactopt.contracts.tables.debt_snapshots import DebtSnapshots
from contactopt.contracts.tables.debts import Debts
from contactopt.contracts.tables.decisions import Decisions
from contactopt.contracts.tables.fields import Kind
from contactopt.contracts.tables.holds import Holds
from contactopt.contracts.tables.notices import Notices
from contactopt.contracts.tables.payments import Payments
from contactopt.contracts.tables.promises import Promises
from contactopt.contracts.tables.touch_debts import TouchDebts
from contactopt.contracts.tables.touch_events import TouchEvents
from contactopt.contracts.tables.touches import Touches

__all__ = ["TABLES", "ColumnSpec", "Link", "TableSpec"]

Owner = Literal["customer_id", "debt_id", "touch_id"]
#: what a faulty row does: it goes, it takes its customer along, or (touches) it stays as unknown
OnFault = Literal["row", "customer", "touch"]


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column of a contract table."""

    name: str
    kind: Kind
    required: bool
    description: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A column that holds the key of another table.

    Parameters
    ----------
    column, parent : str
    loose : bool
        Whether the row goes on without it: a link that leads nowhere is then blanked and told,
        for a promise whose touch has not arrived yet is a promise all the same.
    """

    column: str
    parent: str
    loose: bool = False

    @property
    def parent_key(self) -> str:
        """Name of the key column in the parent table."""
        return TABLES[self.parent].key[0]


@dataclass(frozen=True)
class TableSpec:
    """What the contract says of one table.

    Parameters
    ----------
    name : str
    model : type of pandera.DataFrameModel
    key : tuple of str
        Columns that together are unique.
    needed : bool
        Whether the table must be there to rank (it may be empty).
    owner : {"customer_id", "debt_id", "touch_id"}
        Column through which a row belongs to a customer.
    event_time : str, optional
        Column that says when the row happened; it is known from the later of this and
        `recorded_at`.
    links : tuple of Link
    on_fault : {"row", "customer", "touch"}
    extras : bool
        Whether columns named `x_...` are kept.
    """

    name: str
    model: type[pa.DataFrameModel]
    key: tuple[str, ...]
    needed: bool
    owner: Owner
    event_time: str | None = None
    links: tuple[Link, ...] = ()
    on_fault: OnFault = "row"
    extras: bool = False

    @cached_property
    def schema(self) -> pa.DataFrameSchema:
        """Return the built pandera schema."""
        return self.model.to_schema()

    @cached_property
    def columns(self) -> dict[str, ColumnSpec]:
        """Return the contract's columns in order, by name."""
        found = {}
        for name, column in self.schema.columns.items():
            kind = (column.metadata or {})["kind"]
            assert kind in get_args(Kind)
            words = [c.statistics.get("allowed_values", ()) for c in column.checks]
            found[name] = ColumnSpec(
                name=name,
                kind=kind,
                required=column.required,
                description=column.description or "",
                words=tuple(w for ws in words for w in ws),
            )
        return found

    def of_kind(self, *kinds: Kind) -> tuple[str, ...]:
        """Return the names of the columns of some kinds."""
        return tuple(c.name for c in self.columns.values() if c.kind in kinds)

    @property
    def day_columns(self) -> tuple[str, ...]:
        """Return the columns that may be plain dates."""
        return self.of_kind("day", "due_day")

    @property
    def description(self) -> str:
        """Return what one row is."""
        return (self.model.__doc__ or "").strip()


_CUSTOMER = Link("customer_id", "customers")
_DEBT = Link("debt_id", "debts")
_POINT = Link("contact_point_id", "contact_points")
_TOUCH = Link("touch_id", "touches")

_ALL = (
    TableSpec("customers", Customers, ("customer_id",), True, "customer_id", extras=True),
    TableSpec(
        "debts", Debts, ("debt_id",), True, "customer_id", "opened_at", (_CUSTOMER,), extras=True
    ),
    TableSpec(
        "debt_snapshots",
        DebtSnapshots,
        ("debt_id", "observed_at"),
        True,
        "debt_id",
        "observed_at",
        (_DEBT,),
        extras=True,
    ),
    TableSpec(
        "debt_parties",
        DebtParties,
        ("debt_id", "customer_id"),
        False,
        "debt_id",
        "valid_from",
        (_DEBT, _CUSTOMER),
    ),
    TableSpec(
        "contact_points",
        ContactPoints,
        ("contact_point_id",),
        True,
        "customer_id",
        "valid_from",
        (_CUSTOMER,),
        "customer",
    ),
    TableSpec(
        "consents",
        Consents,
        ("customer_id", "channel", "changed_at", "contact_point_id"),
        True,
        "customer_id",
        "changed_at",
        (_CUSTOMER, _POINT),
        "customer",
    ),
    TableSpec(
        "holds",
        Holds,
        ("hold_id",),
        True,
        "customer_id",
        "starts_at",
        (_CUSTOMER, _DEBT, _POINT),
        "customer",
    ),
    TableSpec(
        "notices", Notices, ("notice_id",), False, "customer_id", "sent_at", (_CUSTOMER, _DEBT)
    ),
    TableSpec(
        "touches",
        Touches,
        ("touch_id",),
        True,
        "customer_id",
        "started_at",
        (_CUSTOMER, _DEBT, _POINT),
        "touch",
    ),
    TableSpec(
        "touch_debts",
        TouchDebts,
        ("touch_id", "debt_id"),
        False,
        "touch_id",
        links=(_TOUCH, _DEBT),
    ),
    TableSpec(
        "touch_events",
        TouchEvents,
        ("touch_id", "occurred_at", "event"),
        False,
        "touch_id",
        "occurred_at",
        (_TOUCH,),
    ),
    TableSpec(
        "promises",
        Promises,
        ("promise_id",),
        True,
        "debt_id",
        "made_at",
        (_DEBT, Link("touch_id", "touches", loose=True)),
    ),
    TableSpec(
        "payments",
        Payments,
        ("payment_id",),
        True,
        "debt_id",
        "paid_at",
        (_DEBT, Link("promise_id", "promises", loose=True)),
    ),
    TableSpec(
        "arrangements", Arrangements, ("arrangement_id",), False, "debt_id", "starts_at", (_DEBT,)
    ),
    TableSpec(
        "decisions",
        Decisions,
        ("decision_id",),
        False,
        "customer_id",
        "decided_at",
        (_CUSTOMER, _DEBT),
    ),
)

#: every table of the contract by name; parents stand before their children
TABLES: dict[str, TableSpec] = {t.name: t for t in _ALL}
