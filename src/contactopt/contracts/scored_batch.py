"""The seam: scores of every (customer, action), made by anybody, ranked by the policy.

Inside, a batch is a set of arrays of shape (n_customers, n_actions); `from_frame` and `to_frame`
speak the long form of the contract. `wait` is not stored: it is always allowed, has value 0,
spread 0, no cost and no usage.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import ActionSpace

__all__ = ["NO_INSTANT", "ScoredBatch"]

#: int64 microseconds that stand for "no instant" (NaT)
NO_INSTANT = np.iinfo(np.int64).min

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
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
        Versions and hashes of what made the batch (rules_version, content hashes, ...).
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
    meta: dict[str, str] = field(default_factory=dict)
