"""The plan and its log as frames, column for column as the contract names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vocabulary import WAIT
from contactopt.plan.log.safe_record import candidate_columns
from contactopt.plan.prices.capacity_rows import CLOSED
from contactopt.policy.kernels import UNIT

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["LOG_EXTRAS", "action_rows", "decision_rows", "instants", "plan_rows", "texts"]

Ints = npt.NDArray[np.int64]

#: what considered actions carry beyond the contract: for `why` in words and for the replay
LOG_EXTRAS = ("margin", "usage", "cell", "time_zone", "adjustment", "segment")


def take(names: Any, index: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    """Return names at an index, None where it is negative."""
    lookup = np.empty(len(names) + 1, dtype=object)
    lookup[:-1] = list(names)
    return lookup[np.where(index < 0, len(names), index)]


def texts(values: Any) -> pd.Series:
    """Return a string column, null where the value is None."""
    return pd.Series(values, dtype="str")


def instants(us: npt.NDArray[np.int64]) -> pd.Series:
    """Return a UTC column; `NO_INSTANT` is the null of datetime64."""
    return pd.Series(pd.DatetimeIndex(np.ascontiguousarray(us).view("M8[us]"), tz="UTC"))


def hours(plan: ContactPlan, arm: Ints) -> pd.Series:
    """Return local slot hours, null where the action has none."""
    h = np.append(plan.batch.actions.hours, -1)[arm]
    return pd.Series(h, dtype="Int64").mask(h < 0)


def _words(codes: npt.NDArray[Any], words: list[str]) -> Any:
    if len(set(words)) < len(words):  # scores from elsewhere may use our words for reasons
        first = {word: k for k, word in reversed(list(enumerate(words)))}
        codes = np.array([first[word] for word in words])[codes]
        words = [w if first[w] == k else f"{w} {k}" for k, w in enumerate(words)]
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(pd.Index(words, dtype="str")))


def _of_customers(words: npt.NDArray[np.object_], times: int) -> Any:
    codes, names = pd.factorize(pd.Series(words, dtype=object))  # null: not known
    return _words(np.repeat(codes, times), [str(name) for name in names])


def _repeat(value: object, n: int) -> pd.Series:
    return texts(np.full(n, value, dtype=object))


def plan_rows(plan: ContactPlan, k: int) -> pd.DataFrame:
    """Return the plan: rank 1 was drawn, ranks 2 to k inform."""
    batch = plan.batch
    m = len(batch.actions)
    row, arm, rank = _ranked(plan, k)
    at = (row, arm)
    n = len(row)
    priced = batch.value[at] - plan.price(row, arm)
    debt = batch.debt[at]
    attempts = np.ones(m, dtype=np.int64) if batch.max_attempts is None else batch.max_attempts
    columns: dict[str, Any] = {
        "decision_id": texts(plan.decision_id[row]),
        "batch_id": _repeat(plan.batch_id, n),
        "decided_at": _instant(plan, n),
        "customer_id": texts(batch.customer_ids[row]),
        "rank": rank,
        "action_id": texts(take(batch.actions.action_ids, arm)),
        "channel": texts(take(batch.actions.channels, batch.actions.channel_index[arm])),
        "pool": texts(take(batch.pools, batch.pool[at])),
        "slot_start": instants(batch.slot_start[at]),
        "start_before": instants(batch.start_before[at]),
        "slot_local_hour": hours(plan, arm),
        "time_zone": texts(batch.time_zone[row]),
        "contact_point_id": texts(take(batch.contact_point_ids, batch.contact_point[at])),
        "template_id": texts(take(batch.template_ids, batch.template[at])),
        "language": _optional(batch.language, row),
        "offer_id": _repeat(None, n)
        if batch.offer is None
        else texts(take(batch.offer_ids, batch.offer[at])),
        "debt_id": texts(take(batch.debt_ids, debt)),
        "debt_ids": _repeat(None, n)
        if batch.other_debts is None
        else texts(take(batch.other_debts, debt)),
        "max_attempts": np.asarray(attempts, dtype=np.int64)[arm],
        "priority": _priority(batch.pool[at], batch.slot_start[at], priced, rank),
        "propensity": plan.propensity(row, arm),
        "expected_value": batch.value[at].astype(np.float64),
        "price": plan.price(row, arm),
        "currency": _repeat(batch.currency, n),
    }
    columns |= _parts(plan, row, arm)
    columns["segment"] = _optional(batch.segment, row)
    columns["policy_version"] = _repeat(plan.policy_version, n)
    columns["rules_version"] = _repeat(plan.rules_version, n)
    return pd.DataFrame(columns)


def _instant(plan: ContactPlan, n: int) -> pd.Series:
    return instants(np.full(n, plan.as_of_us, dtype=np.int64))


def _optional(values: npt.NDArray[np.object_] | None, row: Ints) -> pd.Series:
    return _repeat(None, len(row)) if values is None else texts(values[row])


def _parts(plan: ContactPlan, row: Ints, arm: Ints) -> dict[str, Any]:
    batch, at = plan.batch, (row, arm)
    return {
        "p_reach": batch.p_reach[at].astype(np.float64),
        "p_pay": batch.p_pay[at].astype(np.float64),
        "p_pay_wait": batch.p_pay_wait[row].astype(np.float64),
        "amount": batch.amount[row].astype(np.float64),
        "lift": batch.lift[at].astype(np.float64),
        "cost": batch.cost[at].astype(np.float64),
        "harm": batch.harm[at].astype(np.float64),
    }


def _ranked(plan: ContactPlan, k: int) -> tuple[Ints, Ints, Ints]:
    """Return customer, arm and rank: the drawn arm, then others by priced value."""
    m = len(plan.batch.actions)
    row = np.flatnonzero(plan.drawn < m)
    arm = plan.drawn[row]
    rank = np.ones(len(row), dtype=np.int64)
    if k <= 1 or m <= 1 or len(row) == 0:
        return row, arm, rank
    step = max(1, 2_000_000 // m)
    found = [(row, arm, rank)]
    for a in range(0, len(row), step):
        r, drawn = row[a : a + step], arm[a : a + step]
        priced = np.where(plan.eligible(r), plan.priced_value(r), -np.inf)
        priced[np.arange(len(r)), drawn] = -np.inf
        best = np.argsort(-priced, axis=1, kind="stable")[:, : k - 1]
        i, j = np.nonzero(np.isfinite(np.take_along_axis(priced, best, axis=1)))
        found.append((r[i], best[i, j], j + 2))
    row, arm, rank = (np.concatenate(x) for x in zip(*found, strict=True))
    order = np.lexsort((rank, row))
    return row[order], arm[order], rank[order]


def _priority(
    pool: npt.NDArray[Any], slot: Ints, priced: npt.NDArray[np.float64], rank: Ints
) -> pd.Series:
    """Return 1, 2, ... within pool and slot by priced value, ties in the order of ids."""
    drawn = np.flatnonzero(rank == 1)
    order = drawn[np.lexsort((drawn, -priced[drawn], slot[drawn], pool[drawn]))]
    changed = np.ones(len(order), dtype=bool)
    changed[1:] = (np.diff(pool[order].astype(np.int64)) != 0) | (
        slot[order][1:] != slot[order][:-1]
    )
    start = np.maximum.accumulate(np.where(changed, np.arange(len(order)), 0))
    priority = np.zeros(len(rank), dtype=np.int64)
    priority[order] = np.arange(len(order)) - start + 1
    return pd.Series(priority, dtype="Int64").mask(priority == 0)


def decision_rows(plan: ContactPlan, first: int = 0, last: int | None = None) -> pd.DataFrame:
    """Return one row per customer ``first`` to ``last`` (exclusive), `wait` included."""
    batch, m = plan.batch, len(plan.batch.actions)
    row = np.arange(len(batch.customer_ids))[first:last]
    n, arm = len(row), plan.drawn[row]
    acts = arm < m
    safe = (row[acts], arm[acts])

    def of(array: npt.NDArray[Any], missing: int) -> npt.NDArray[np.int64]:
        out = np.full(n, missing, dtype=np.int64)
        out[acts] = array[safe]
        return out

    channel = np.append(batch.actions.channel_index, len(batch.actions.channels))[arm]
    nowhere = np.iinfo(np.int64).min
    frame = pd.DataFrame(
        {
            "decision_id": texts(plan.decision_id[row]),
            "batch_id": _repeat(plan.batch_id, n),
            "decided_at": _instant(plan, n),
            "customer_id": texts(batch.customer_ids[row]),
            "action_id": texts(take((*batch.actions.action_ids, WAIT), arm)),
            "channel": texts(take((*batch.actions.channels, WAIT), channel)),
            "slot_start": instants(of(batch.slot_start, nowhere)),
            "slot_local_hour": hours(plan, arm),
            "template_id": texts(take(batch.template_ids, of(batch.template, -1))),
            "offer_id": _repeat(None, n)
            if batch.offer is None
            else texts(take(batch.offer_ids, of(batch.offer, -1))),
            "debt_id": texts(take(batch.debt_ids, of(batch.debt, -1))),
            "propensity": plan.propensity(row, arm),
            "n_eligible": plan.eligible(row).sum(axis=1).astype(np.int64),
            "holdout": plan.control[row],
            "dispatch_status": texts(take(("pending",), np.where(acts, 0, -1))),
            "dispatched_at": instants(np.full(n, nowhere)),
            "policy_version": _repeat(plan.policy_version, n),
            "rules_version": _repeat(plan.rules_version, n),
        }
    )
    if plan.drawn_treatments is not None:
        # what of `propensity` is the treatment's: the quotient is the arm's own, exactly
        frame["treatment_propensity"] = plan.drawn_treatments.propensity(row)
    return frame


def action_rows(plan: ContactPlan, first: int, last: int) -> pd.DataFrame:
    """Return one row per considered action (`wait` too) of customers ``first`` to ``last``.

    Columns of the contract, then `LOG_EXTRAS`: the margin in value = margin x lift - cost - harm,
    the units the action takes of its pool and the cell of capacity it falls on (-1: closed), the
    zone of the customer's local hours, what of the lift was learned since the models were fitted,
    and the customer's segment. Where some arm had a choice of messages or offers, also
    ``treatment_group``: the group of `ContactPlan.treatments`, -1 without a choice. While safety
    is on, also every candidate's probability and the constant policy's value and spread.
    """
    batch, learned = plan.batch, plan.batch.adjustment
    rows = np.arange(first, min(last, len(batch.customer_ids)))
    n, m = len(rows), len(batch.actions)
    s = slice(first, first + n)
    reasons, sets = plan.reason_codes(rows)

    def flat(array: npt.NDArray[Any], wait: float | int = 0) -> npt.NDArray[Any]:
        # as wide as the arithmetic is, so that logged parts add up as the live ones do
        wide = np.float64 if array.dtype.kind == "f" else array.dtype
        out = np.empty((n, m + 1), dtype=wide)
        out[:, :m], out[:, m] = array, wait
        return out.ravel()

    def each(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.repeat(array[s].astype(np.float64), m + 1)

    p_wait = flat(np.broadcast_to(batch.p_pay[s], (n, m)))
    p_wait[m :: m + 1] = batch.p_pay_wait[s]
    codes = np.tile(np.arange(m + 1), n)
    frame = pd.DataFrame(
        {
            "decision_id": _words(np.repeat(np.arange(n), m + 1), list(plan.decision_id[s])),
            "action_id": _words(codes, [*batch.actions.action_ids, WAIT]),
            "probability": (plan.allocation.probabilities[s] / UNIT).ravel(),
            "value": flat(batch.value[s]),
            "priced_value": flat(plan.priced_value(rows)),
            "spread": flat(batch.spread[s]),
            "p_reach": flat(batch.p_reach[s]),
            "p_pay": p_wait,
            "p_pay_wait": each(batch.p_pay_wait),
            "amount": each(batch.amount),
            "lift": flat(batch.lift[s]),
            "cost": flat(batch.cost[s]),
            "harm": flat(batch.harm[s]),
            "reasons": _words(flat(reasons, 0), sets),
            "lawful_from": instants(flat(batch.lawful_from[s], np.iinfo(np.int64).min)),
            "margin": flat(batch.margin[s]),
            "usage": flat(batch.usage[s]),
            "cell": flat(plan.cells.cell[s], CLOSED),
            "time_zone": _of_customers(batch.time_zone[s], m + 1),
            "adjustment": flat(np.zeros((n, m)) if learned is None else learned[s]),
            "segment": _of_customers(
                np.full(n, None) if batch.segment is None else batch.segment[s], m + 1
            ),
        }
    )
    if plan.drawn_treatments is not None and batch.treatment_group is not None:
        frame["treatment_group"] = flat(batch.treatment_group[s], -1)
    return frame.assign(**candidate_columns(plan, s))
