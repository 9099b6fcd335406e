"""What was agreed: promises and payments that were only told, arrangements, callbacks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.fact_table import ALL, FactIndex, Facts, fact_arrays, joined
from contactopt.compliance.orchestration.history import (
    History,
    day_begins,
    latest_per,
    root_mask,
)
from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US

__all__ = ["callbacks_told", "plans_in_force", "told_outcomes"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_AGENT = v.CHANNELS.index("call_agent")
#: outcome -> the table whose row confirms it
_CONFIRMED_BY = {
    "promise": "promises",
    "plan_agreed": "agreements",
    "settlement_agreed": "agreements",
    "paid": "payments",
    "paid_online": "payments",
    "claims_paid": "payments",
}


def told_outcomes(block: Block, index: FactIndex, history: History) -> Facts:
    """Silence for some days where an outcome promises or claims payment, but no row says so.

    A row of the same customer that names the touch, or was made within a day of its outcome or
    later, takes over.
    """
    days = block.config.orchestration.outcome_silence_days
    if not days:
        return fact_arrays(0)
    parts = []
    told = np.flatnonzero(history.outcome.among(*_CONFIRMED_BY))
    told = told[history.settled[told] > block.long_past(days + 1)]
    for kind in sorted(set(_CONFIRMED_BY.values())) if len(told) else ():
        said = history.outcome.among(*(w for w, by in _CONFIRMED_BY.items() if by == kind))
        at = told[said[told]]
        at = at[~_confirmed(block, history, at, kind)]
        _, end = day_begins(block, history.customer[at], history.settled[at], days + 1)
        near = end > block.window.begin_us
        name = "outcome:says_paid" if kind == "payments" else "outcome:promised"
        parts.append(
            fact_arrays(
                int(near.sum()),
                customer=history.customer[at[near]],
                name=index.of(name),
                end=end[near],
            )
        )
    return joined(parts)


def _confirmed(block: Block, history: History, at: Ints, kind: str) -> Bools:
    of = block.columns
    named = np.zeros(len(at), dtype=bool)
    if len(at) == 0:
        return named
    if kind == "payments":
        customer, made = of.ints("payments", "customer"), of.ints("payments", "paid_us")
    else:
        customer, made = of.ints("promises", "customer"), of.ints("promises", "made_us")
        links = block.view.promises["touch_id"].dropna()
        if len(links):
            own = block.view.touches["touch_id"].iloc[history.touch[at]]
            named = own.isin(links).to_numpy(dtype=bool)
        if kind == "agreements":
            customer = np.append(customer, of.ints("arrangements", "customer"))
            made = np.append(made, of.ints("arrangements", "starts_us"))
    newest = np.full(block.n, NEVER)
    np.maximum.at(newest, customer, made)
    # a day is a civil day at its beginning: the row of a later hour may bear it
    return named | (newest[history.customer[at]] >= history.settled[at] - DAY_US)


def plans_in_force(block: Block, index: FactIndex) -> Facts:
    """Arrangements until the first due day that money does not cover, plus grace, is over.

    A snapshot that says `in_plan` holds until the next one, unless an arrangement of that debt
    has been broken or ended since. Like a promise, a plan is kept by the customer: it silences
    all of the customer's debts.
    """
    of = block.columns
    customer, due = of.ints("arrangements", "customer"), of.ints("arrangements", "uncovered_due_us")
    ended = of.ints("arrangements", "ended_us")
    running = (ended == NO_INSTANT) & (due != NO_INSTANT)
    grace = block.config.orchestration.promise_grace_days
    _, end = day_begins(block, customer, np.where(running, due, 0), 1 + grace)
    kept = running & (end > block.view.as_of_us)
    name = index.of("plan:in_force")
    own = fact_arrays(int(kept.sum()), customer=customer[kept], name=name, end=end[kept])
    said = of.among("debts", "status", "in_plan")
    said &= ~of.known("debts", "closed_at") & ~of.known("debts", "recalled_at")
    rows = np.flatnonzero(said)
    rows = rows[~_given_up(block, rows, np.where(running, end, NEVER), running, ended)]
    shown = fact_arrays(len(rows), customer=block.customer[rows], name=name)
    return joined([own, shown])


def _given_up(block: Block, rows: Ints, end: Ints, running: Bools, ended: Ints) -> Bools:
    """Whether an arrangement of each debt was broken, or ended after its latest snapshot."""
    if len(rows) == 0:
        return np.zeros(0, dtype=bool)
    row = block.row_of_debt[block.columns.ints("arrangements", "debt")]
    seen = np.full(block.n_rows + 1, NEVER)
    seen[: block.n_debts] = _us(block.view.debts["observed_at"])
    over = (running & (end <= block.view.as_of_us)) | ((ended != NO_INSTANT) & (ended > seen[row]))
    out = np.zeros(block.n_rows + 1, dtype=bool)
    out[row[over & (row >= 0)]] = True
    kept = np.zeros(block.n_rows + 1, dtype=bool)
    kept[row[running & (end > block.view.as_of_us) & (row >= 0)]] = True
    return (out & ~kept)[rows]


def _us(column: pd.Series) -> Ints:
    return column.to_numpy(dtype="datetime64[us]").astype(np.int64)


def callbacks_told(block: Block, index: FactIndex, history: History) -> Facts:
    """After an outcome `callback` without a hold: agents' calls and the same channel only.

    Over once the days have passed, the customer was spoken with again, or a hold
    `callback_agreed` says more.
    """
    days = block.config.orchestration.callback_days
    of = block.columns
    at = np.flatnonzero(history.outcome.among("callback")) if days else np.empty(0, np.int64)
    if len(at) == 0:
        return fact_arrays(0)
    at = at[latest_per(history.customer[at], history.settled[at])]
    spoken = np.flatnonzero(history.spoken & (history.touch >= 0))
    newest = np.full(block.n, NEVER)
    np.maximum.at(newest, history.customer[spoken], history.settled[spoken])
    at = at[newest[history.customer[at]] <= history.settled[at]]
    named = np.full(block.n, NEVER)
    mine = np.flatnonzero(of.among("holds", "kind", "callback_agreed"))
    until = of.ints("holds", "ends_us")[mine]
    until = np.where(until == NO_INSTANT, INDEFINITE, until)
    np.maximum.at(named, of.ints("holds", "customer")[mine], until)
    at = at[named[history.customer[at]] <= history.settled[at]]
    _, end = day_begins(block, history.customer[at], history.settled[at], days + 1)
    near = end > block.window.begin_us
    at, end = at[near], end[near]
    agents = root_mask(block, _AGENT)
    own = np.array(
        [root_mask(block, r) if r >= 0 else 0 for r in range(-1, len(v.CHANNELS))], dtype=np.uint64
    )
    return fact_arrays(
        len(at), customer=history.customer[at], name=index.of("outcome:callback"),
        channels=ALL ^ (own[history.channel[at] + 1] | agents), end=end,
    )  # fmt: skip
