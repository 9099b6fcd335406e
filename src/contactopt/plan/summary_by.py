"""The plan in figures by segment, channel, pool, hour or any other column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ConfigError
from contactopt.policy.kernels import UNIT
from contactopt.segments.stages import in_order

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["summarise_by"]

Ints = npt.NDArray[np.int64]

#: columns that each customer, each action, or each pair of the two has
_OF_CUSTOMERS = ("segment", "time_zone", "language")
_OF_ACTIONS = ("channel", "slot_local_hour", "action_id")
_OF_PAIRS = {"pool": "pools", "template_id": "template_ids", "offer_id": "offer_ids"}
_NONE = "(none)"
_MOST_GROUPS = 5_000
_PAIRS_AT_ONCE = 2_000_000


def summarise_by(plan: ContactPlan, by: str | pd.Series | Mapping[str, Any]) -> pd.DataFrame:
    """Return the plan in figures, one row per group; totals are those of `summarise`.

    Parameters
    ----------
    plan : ContactPlan
    by : str, or Series or mapping by customer id
        A column of the plan, or a value of your own for each customer (others: `(none)`).

    Returns
    -------
    DataFrame
        Named after ``by`` first, then customers, planned, control, share_contacted,
        expected_value (over all probabilities), planned_value, cost and harm (of the contacts
        drawn), mean_propensity (of them), pairs (customer x action), blocked_pairs, blocked_share
        and top_rules (reasons that block most pairs).

        By a column of customers (segment, time_zone, language, your own) each customer counts in
        their group, and share_contacted is of these. By a column of actions the customers who
        wait are a group of their own, `wait`; the others count where their contact was drawn, and
        share_contacted is of all customers of the batch. By any other column of the plan nothing
        is known of what was not drawn: expected_value and the figures on pairs are null.

    Raises
    ------
    ConfigError
        If the plan has no such column, or more than 5,000 groups come of it.
    """
    groups = _groups(plan, by)
    if len(groups.names) > _MOST_GROUPS:
        raise ConfigError(
            f"{groups.label} makes {len(groups.names):,} groups", hint="group by a coarser column"
        )
    k = len(groups.names)
    m = len(plan.batch.actions)
    acts = np.flatnonzero(plan.drawn < m)
    at = (acts, plan.drawn[acts])
    own = groups.of_customers
    drawn = own[acts]
    frame = pd.DataFrame({groups.label: pd.Series(groups.names, dtype="str")})
    frame["customers"] = np.bincount(own, minlength=k)
    frame["planned"] = np.bincount(drawn, minlength=k)
    frame["control"] = np.bincount(own[plan.control], minlength=k)
    whole = frame["customers"] if groups.each_customer else len(plan.drawn)
    frame["share_contacted"] = frame["planned"] / np.maximum(whole, 1)
    frame["expected_value"] = np.nan  # it rests on all pairs
    money = {"planned_value": plan.batch.value, "cost": plan.batch.cost, "harm": plan.batch.harm}
    for name, values in money.items():
        frame[name] = np.bincount(drawn, weights=values[at].astype(np.float64), minlength=k)
    odds = np.bincount(drawn, weights=plan.allocation.probabilities[at] / UNIT, minlength=k)
    frame["mean_propensity"] = np.where(
        frame["planned"] > 0, odds / np.maximum(frame["planned"], 1), np.nan
    )
    return _with_pairs(plan, groups, frame)


class _Groups:
    """Names of groups, the group of every customer, and of every pair where it has one."""

    def __init__(
        self, label: str, names: list[str], of_customers: Ints, pairs: Any, each_customer: bool
    ) -> None:
        self.label, self.names, self.of_customers = label, names, of_customers
        self.each_customer = each_customer
        #: function of customer rows -> groups of their pairs, broadcastable to (rows, m), or None
        self.pairs = pairs


def _groups(plan: ContactPlan, by: Any) -> _Groups:
    if isinstance(by, pd.Series | Mapping):
        return _of_own(plan, pd.Series(by))
    if by in _OF_CUSTOMERS:
        values = getattr(plan.batch, by)
        n = len(plan.drawn)
        values = np.full(n, None, dtype=object) if values is None else values
        return _of_customers(by, pd.Series(values, dtype="object"))
    if by in _OF_ACTIONS:
        return _of_actions(plan, by)
    if by in _OF_PAIRS:
        return _of_pairs(plan, by)
    return _of_rows(plan, by)


def _coded(values: pd.Series, label: str) -> tuple[Ints, list[str]]:
    """Return codes and names of groups, in their natural order; null is the last group."""
    codes, found = pd.factorize(values, sort=True)
    names = [str(x) for x in found]
    if label == "segment":
        order = in_order(names)
        place = np.argsort(order)
        codes, names = np.append(place, -1)[codes], [names[k] for k in order]
    codes = np.asarray(codes, dtype=np.int64)
    if (codes < 0).any():
        codes = np.where(codes < 0, len(names), codes)
        names = [*names, _NONE]
    return codes, names


def _of_customers(label: str, values: pd.Series) -> _Groups:
    codes, names = _coded(values, label)
    return _Groups(label, names, codes, lambda rows: codes[rows][:, None], True)


def _of_own(plan: ContactPlan, values: pd.Series) -> _Groups:
    if values.index.has_duplicates:
        raise ConfigError("a customer stands twice among the values to group by")
    label = "group" if values.name is None else str(values.name)
    keyed = values.set_axis(values.index.astype(str))
    return _of_customers(label, keyed.reindex(plan.batch.customer_ids).reset_index(drop=True))


def _drawn_or_wait(plan: ContactPlan, names: list[str], drawn: Ints) -> tuple[Ints, list[str]]:
    """Return the group of every customer: of what was drawn, the last one where they wait."""
    codes = np.full(len(plan.drawn), len(names), dtype=np.int64)
    codes[plan.drawn < len(plan.batch.actions)] = drawn
    return codes, [*names, WAIT]


def _of_actions(plan: ContactPlan, by: str) -> _Groups:
    actions = plan.batch.actions
    values = {
        "channel": [actions.channels[c] for c in actions.channel_index],
        "slot_local_hour": [None if h < 0 else int(h) for h in actions.hours],
        "action_id": list(actions.action_ids),
    }[by]
    if by == "slot_local_hour":
        known = sorted({h for h in values if h is not None})
        names = [str(h) for h in known] + [_NONE] * (None in values)
        code = np.array([len(known) if h is None else known.index(h) for h in values])
    else:
        names = list(dict.fromkeys(map(str, values)))
        code = np.array([names.index(str(x)) for x in values])
    code = code.astype(np.int64)
    own, names = _drawn_or_wait(plan, names, code[plan.drawn[plan.drawn < len(actions)]])
    return _Groups(by, names, own, lambda rows: code[None, :], False)


def _of_pairs(plan: ContactPlan, by: str) -> _Groups:
    batch = plan.batch
    codes = {"pool": batch.pool, "template_id": batch.template, "offer_id": batch.offer}[by]
    names = [*map(str, getattr(batch, _OF_PAIRS[by])), _NONE]
    if codes is None:
        codes = np.broadcast_to(np.int64(-1), batch.allowed.shape)
    acts = np.flatnonzero(plan.drawn < len(batch.actions))

    def of(found: Any) -> Ints:
        return np.where(found < 0, len(names) - 1, found).astype(np.int64)

    own, all_names = _drawn_or_wait(plan, names, of(codes[acts, plan.drawn[acts]]))
    return _Groups(by, all_names, own, lambda rows: of(codes[rows]), False)


def _of_rows(plan: ContactPlan, by: str) -> _Groups:
    frame = plan.to_frame()
    if by not in frame:
        raise ConfigError(
            f"the plan has no column {by!r}", hint=f"it has {', '.join(frame.columns)}"
        )
    codes, names = _coded(frame[by], by)
    own, names = _drawn_or_wait(plan, names, codes)
    return _Groups(by, names, own, None, False)


def _with_pairs(plan: ContactPlan, groups: _Groups, frame: pd.DataFrame) -> pd.DataFrame:
    """Add what all pairs tell, in blocks of customers."""
    if groups.pairs is None:
        return (
            _used(frame)
            .assign(pairs=np.nan, blocked_pairs=np.nan, blocked_share=np.nan, top_rules=None)
            .astype({"top_rules": "str"})
        )
    n, m = plan.batch.allowed.shape
    k, value = len(groups.names), np.zeros(len(groups.names))
    counts, sets = np.zeros((k, 0), dtype=np.int64), [""]
    for first in range(0, max(n, 1), max(1, _PAIRS_AT_ONCE // max(m, 1))):
        rows = np.arange(first, min(n, first + max(1, _PAIRS_AT_ONCE // max(m, 1))))
        codes, sets = plan.reason_codes(rows)
        group = np.broadcast_to(groups.pairs(rows), codes.shape).astype(np.int64)
        odds = plan.allocation.probabilities[rows, :m] / UNIT
        worth = (odds * plan.batch.value[rows]).ravel()
        value += np.bincount(group.ravel(), weights=worth, minlength=k)
        both = np.bincount((group * len(sets) + codes).ravel(), minlength=k * len(sets))
        both = both.reshape(k, len(sets))
        counts = both if counts.shape[1] == 0 else counts + both
    blocked = np.array([bool(text) for text in sets])
    pairs, out = counts.sum(axis=1), counts[:, blocked].sum(axis=1)
    frame = frame.assign(
        expected_value=value,
        pairs=pairs,
        blocked_pairs=out,
        blocked_share=np.where(pairs > 0, out / np.maximum(pairs, 1), np.nan),
        top_rules=pd.Series([_top(row, sets) for row in counts], dtype="str"),
    )
    return _used(frame, pairs > 0)


def _used(frame: pd.DataFrame, also: Any = False) -> pd.DataFrame:
    """Leave out groups without a customer, unless they have pairs."""
    return frame[(frame["customers"] > 0) | also].reset_index(drop=True)


def _top(counts: Ints, sets: list[str]) -> str:
    """Return the three reasons that block most pairs of a group, with their counts."""
    by_rule: dict[str, int] = {}
    for text, pairs in zip(sets, counts.tolist(), strict=True):
        for rule in filter(None, text.split("|")) if pairs else ():
            by_rule[rule] = by_rule.get(rule, 0) + pairs
    top = sorted(by_rule.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{rule} {pairs:,}" for rule, pairs in top)
