"""The seam: scores of every (customer, action), made by anybody, ranked by the policy.

Inside, a batch is a set of arrays of shape (n_customers, n_actions); `from_frame` and `to_frame`
speak the long form of the contract. `wait` is not stored: it is always allowed, has value 0,
spread 0, no cost and no usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.treatment_table import TreatmentTable
from contactopt.errors import ContractError, sample_ids

__all__ = ["NO_INSTANT", "ScoredBatch"]

#: int64 microseconds that stand for "no instant" (NaT)
NO_INSTANT = np.iinfo(np.int64).min

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class ScoredBatch:
    """Scores of one batch, as arrays; rows are customers (sorted by id), columns are actions.

    Arrays of shape (n, m) may be read-only broadcasts. Instants are int64 microseconds since the
    epoch, UTC, `NO_INSTANT` where absent. Money is in ``currency``.

    Parameters
    ----------
    as_of : pandas.Timestamp
        Instant of the decision, UTC.
    currency : str
        ISO 4217.
    customer_ids : object array, shape (n,)
        Sorted, unique.
    actions : ActionSpace
        The m arms.
    allowed : bool array, shape (n, m)
    reason : int array, shape (n, m)
        Index into ``reason_sets``; 0 is the empty set.
    reason_sets : tuple of tuple of str
        Rule ids that deny, sorted.
    lawful_from : int64 array, shape (n, m)
        First instant at which a blocked action becomes lawful; `NO_INSTANT` where it is allowed
        already or no such instant is known.
    value, spread : float array, shape (n, m)
        Posterior mean and standard deviation of margin x lift - cost - harm.
    p_reach, p_pay, lift, cost, harm : float array, shape (n, m)
        Probability of reaching the customer; of payment within the horizon under the action;
        money over waiting (before margin); variable cost; expected harm in money.
    margin : float array, shape (n, m)
        Margin share of the named debt, so that value = margin x lift - cost - harm.
    p_pay_wait, amount : float array, shape (n,)
        Probability of payment when waiting; expected money given payment.
    pool : int16 array, shape (n, m)
        Index into ``pools``.
    pools : tuple of str
    usage : float array, shape (n, m)
        Units of the pool that one action takes (contacts: 1; minutes; money).
    time_zone : object array, shape (n,)
        IANA zone in which the customer's local hours are meant.
    slot_start, start_before : int64 array, shape (n, m)
        First instant of the slot inside the window; last instant (exclusive) to start, with law
        and guard time included.
    debt : int64 array, shape (n, m)
        Index into ``debt_ids`` of the debt that the action names, -1 where none.
    debt_ids : object array
    other_debts : tuple of str, or None
        One entry per debt in ``debt_ids``: ids, joined by ``|``, of the other debts of the same
        customer, creditor and ownership that may be named in the same contact.
    contact_point : int64 array, shape (n, m)
        Index into ``contact_point_ids``, -1 where none.
    contact_point_ids : object array
    template : int16 array, shape (n, m)
        Index into ``template_ids``, -1 where none.
    template_ids : tuple of str
    language : object array, shape (n,), or None
    segment : object array, shape (n,), or None
    max_attempts : int array, shape (m,), or None
    meta : dict
        Versions and hashes of what made the batch (rules_version, content hashes, ...), and the
        texts of the rules in force, where they are known (``rules``).
    offer : int16 array, shape (n, m), or None
        Index into ``offer_ids``, -1 where none.
    offer_ids : tuple of str
    treatment_group : int32 array, shape (n, m), or None
        Group of ``treatments`` whose members the arm may carry: ``template`` and ``offer`` are
        then those of its first, and ``value`` that of a random one, until the ranking draws one.
        -1 where there is no choice; None where there is nowhere one.
    treatments : TreatmentTable or None
    adjustment : float array, shape (n, m), or None
        What of ``lift`` was learned from decisions since the models were fitted; None: nothing.
    constant_value, constant_spread : float array, shape (n, m), or None
        Value and spread with one effect per channel for everybody; kept while safety is on.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = pd.DataFrame(
    ...     {
    ...         "customer_id": ["C1", "C1", "C2"],
    ...         "action_id": ["sms@09", "letter", "sms@09"],
    ...         "channel": ["sms", "letter", "sms"],
    ...         "slot_local_hour": [9, None, 9],
    ...         "allowed": [True, True, False],
    ...         "reasons": ["", "", "us.cease"],
    ...         "cost": [0.05, 0.95, 0.05],
    ...         "value": [1.0, 2.5, 0.0],
    ...     }
    ... )
    >>> batch = ScoredBatch.from_frame(scores, as_of="2026-06-02T12:00Z", currency="USD")
    >>> batch
    ScoredBatch(2 customers x 2 actions at 2026-06-02T12:00Z, USD; 2 of 4 pairs allowed)
    >>> batch.reasons_of("C2")
    {'sms@09': ('us.cease',), 'letter': ('not_scored',)}
    """

    as_of: pd.Timestamp
    currency: str
    customer_ids: npt.NDArray[np.object_]
    actions: ActionSpace
    allowed: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.int32]
    reason_sets: tuple[tuple[str, ...], ...]
    lawful_from: Ints
    value: Floats
    spread: Floats
    p_reach: Floats
    p_pay: Floats
    lift: Floats
    cost: Floats
    harm: Floats
    margin: Floats
    p_pay_wait: Floats
    amount: Floats
    pool: npt.NDArray[np.int16]
    pools: tuple[str, ...]
    usage: Floats
    time_zone: npt.NDArray[np.object_]
    slot_start: Ints
    start_before: Ints
    debt: Ints
    debt_ids: npt.NDArray[np.object_]
    contact_point: Ints
    contact_point_ids: npt.NDArray[np.object_]
    template: npt.NDArray[np.int16]
    template_ids: tuple[str, ...] = ()
    other_debts: tuple[str, ...] | None = None
    language: npt.NDArray[np.object_] | None = None
    segment: npt.NDArray[np.object_] | None = None
    max_attempts: npt.NDArray[np.int64] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    offer: npt.NDArray[np.int16] | None = None
    offer_ids: tuple[str, ...] = ()
    adjustment: Floats | None = None
    constant_value: Floats | None = None
    constant_spread: Floats | None = None
    treatment_group: npt.NDArray[np.int32] | None = None
    treatments: TreatmentTable | None = None

    # ---- long form -----------------------------------------------------------------------

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        as_of: str | pd.Timestamp | None = None,
        currency: str | None = None,
    ) -> ScoredBatch:
        """Take anybody's scores in the long form of the contract, one row per customer and action.

        Parameters
        ----------
        frame : pandas, polars or pyarrow frame
            Needed: customer_id, action_id, channel, allowed, reasons (ids joined by `|`, or
            lists), cost, value. Optional, with what stands for them where missing or null:
            slot_local_hour, template_id, offer_id, contact_point_id, debt_id (none); spread,
            harm (0); p_reach, p_pay, p_pay_wait, amount (unknown, NaN); lift (value + cost +
            harm); pool (the channel); usage (1 unit); time_zone ("UTC"); slot_start (the
            hour's next start where time_zone is given, else none); start_before (none). Also as_of
            and currency, if not given as arguments. Rows of `wait` are accepted (value 0) and left
            out; a pair without a row is blocked, reason `not_scored`. ``amount`` is kept per
            customer: the mean over its rows.
        as_of : instant, optional
            Instant of the decision, with time zone.
        currency : str, optional
            ISO 4217.

        Returns
        -------
        ScoredBatch
            Customers sorted by id, actions by channel, hour and id. No rows: an empty batch.

        Raises
        ------
        ContractError
            With every fault at once: missing columns, two rows of a pair, several instants or
            currencies, no value where allowed, numbers out of range, reasons on an allowed pair.
        """
        from contactopt.contracts.batch_reader import batch_from_frame

        return batch_from_frame(frame, as_of=as_of, currency=currency)

    def to_frame(self, rows: slice | Iterable[object] | None = None) -> pd.DataFrame:
        """Return the long form, one row per customer and action, without `wait`.

        Parameters
        ----------
        rows : slice or iterable of customer ids, optional
            Some customers only: by position, or by id. All: n x m rows.

        Returns
        -------
        pandas.DataFrame
            Columns of the contract in its order, then as_of and currency; customers in order,
            actions in order of the action space. Instants are datetime64[us, UTC], reasons are
            rule ids joined by `|`.

        Raises
        ------
        ContractError
            If a customer is not in the batch.
        """
        from contactopt.contracts.batch_writer import batch_to_frame

        return batch_to_frame(self if rows is None else self.subset(rows))

    def subset(self, rows: slice | Iterable[object]) -> ScoredBatch:
        """Return the batch of some customers, by position (slice) or by id, in their order.

        Raises
        ------
        ContractError
            If a customer is not in the batch.
        """
        at = rows if isinstance(rows, slice) else self._positions(rows)
        cut = {name: value[at] for name, value in self.by_customer()}
        return replace(self, **cut)

    def by_customer(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Name the arrays whose first axis is the customer."""
        aside = ("debt_ids", "contact_point_ids", "max_attempts")
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray) and f.name not in aside:
                yield f.name, value

    def _positions(self, customer_ids: Iterable[object]) -> Ints:
        wanted = np.unique(np.asarray([str(c) for c in customer_ids], object))
        at = np.searchsorted(self.customer_ids, wanted)
        there = np.zeros(len(wanted), bool)
        inside = at < len(self)
        there[inside] = self.customer_ids[at[inside]] == wanted[inside]
        if not there.all():
            raise ContractError(
                f"{int((~there).sum())} customer(s) are not in this batch: "
                f"{sample_ids(wanted[~there])}",
                hint="`.customer_ids` lists those who are",
            )
        return at

    # ---- telling -------------------------------------------------------------------------

    def reasons_of(self, customer_id: object) -> dict[str, tuple[str, ...]]:
        """Return the ids of the rules that deny, for every blocked action of a customer.

        Raises
        ------
        ContractError
            If the customer is not in the batch.
        """
        row = int(self._positions([customer_id])[0])
        return {
            action_id: self.reason_sets[self.reason[row, k]]
            for k, action_id in enumerate(self.actions.action_ids)
            if not self.allowed[row, k]
        }

    @property
    def n_customers(self) -> int:
        """Return the number of customers."""
        return len(self.customer_ids)

    def __len__(self) -> int:
        return self.n_customers

    def __repr__(self) -> str:
        n, m = self.n_customers, len(self.actions)
        return (
            f"ScoredBatch({n:,} customers x {m} actions at {self.as_of:%Y-%m-%dT%H:%MZ}, "
            f"{self.currency}; {int(self.allowed.sum()):,} of {n * m:,} pairs allowed)"
        )
