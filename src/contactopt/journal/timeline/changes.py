"""What follows from one customer's rows: promises kept or broken, holds ended, points dead.

These lines name the row that they follow from; `known_at` is the instant from which the change
could be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import Ints, codes_of, instants, text
from contactopt.journal.kernels import NEVER
from contactopt.journal.local_time import DAY_US
from contactopt.journal.promises import PROMISE_STATES
from contactopt.journal.timeline.rows import OneCustomer, lines
from contactopt.journal.timeline.words import plain, stated, way

__all__ = ["changed_lines"]

#: dates of a debt after its opening, and what each says
_DEBT_DATES = {
    "charged_off_at": "debt charged off",
    "placed_at": "debt placed with a collector",
    "recalled_at": "debt recalled by the creditor",
    "closed_at": "debt closed",
}


def changed_lines(one: OneCustomer) -> Iterator[pd.DataFrame]:
    """Yield the lines of changes known at the instant."""
    yield from _debt_dates(one)
    yield from _promise_changes(one)
    yield _reversals(one)
    yield from _ends(one)
    yield _dead_points(one)


def _debt_dates(one: OneCustomer) -> Iterator[pd.DataFrame]:
    for name, words in _DEBT_DATES.items():
        d = one.debts[one.debts[name].notna()]
        at = d[name].to_numpy(dtype="datetime64[us]").astype(np.int64)
        since = one.journal.debts.since[d["debt"].to_numpy(dtype=np.int64)]
        yield lines(
            f"debt_{name.removesuffix('_at')}", at, np.maximum(at, since),
            [words] * len(d), "debts", d["debt_id"], debt_id=list(d["debt_id"]),
        )  # fmt: skip


# ---- promises --------------------------------------------------------------------------------


def _promise_changes(one: OneCustomer) -> Iterator[pd.DataFrame]:
    """Tell when each promise fell due, and every change of its state as it became known.

    A state can only change when the promise, a payment or a reversal becomes known, at a
    cancellation and at the end of the days of grace: it is asked for at all of these instants.
    """
    log, now = one.journal.promises, one.view.as_of_us
    position = np.arange(log.starts[one.code], log.starts[one.code + 1])
    position = position[log.known[position] <= now]
    due = log.due_us[position]
    passed = (due != NO_INSTANT) & (due <= now) & (log.index.until[position] > due)
    yield _of_promises(
        one, "promise_due", position[passed], due[passed],
        np.maximum(due, log.known[position])[passed], ["day promised for payment"] * passed.sum(),
    )  # fmt: skip
    which, when = _moments(one, position)
    state, paid = log.states(which, when)
    same = np.append(False, (which[1:] == which[:-1]) & (state[1:] == state[:-1]))[: len(which)]
    first = np.append(True, which[1:] != which[:-1])[: len(which)]
    told = ~same & ~(first & (state == 0))
    words = {
        "open": "promise open again",
        "kept": "promise kept",
        "partial": "promise kept in part only",
        "broken": "promise broken",
        "cancelled": "promise taken back",
    }
    names = [PROMISE_STATES[s] for s in state[told]]
    what = [
        words[s] + (f": {p:,.2f} paid" if p > 0 else "")
        for s, p in zip(names, paid[told], strict=True)
    ]
    kinds = ["promise_reopened" if s == "open" else f"promise_{s}" for s in names]
    yield _of_promises(one, kinds, which[told], when[told], when[told], what)


def _moments(one: OneCustomer, position: Ints) -> tuple[Ints, Ints]:
    """Return the (promise, instant) pairs at which a state may change, sorted, up to now."""
    log, pay, now = one.journal.promises, one.journal.payments, one.view.as_of_us
    mine = slice(pay.starts[one.code], pay.starts[one.code + 1])
    debt, known, until = pay.debt[mine], pay.known[mine], pay.index.until[mine]
    pairs = []
    for p in position.tolist():
        of_debt = debt == log.debt[p]
        own = [log.known[p], log.index.until[p], log.due_us[p] + log.grace_days * DAY_US + 1]
        at = np.unique(np.concatenate([known[of_debt], until[of_debt], own]))
        at = at[(at >= log.known[p]) & (at <= now)]
        pairs.append((np.full(len(at), p, dtype=np.int64), at))
    if not pairs:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    which, when = (np.concatenate(x) for x in zip(*pairs, strict=True))
    return which, when


def _of_promises(
    one: OneCustomer, kind: Any, position: Ints, at: Ints, known: Ints, what: list[str]
) -> pd.DataFrame:
    log = one.journal.promises
    ids = one.debt_names(log.debt[position])
    names = text(log.frame, "promise_id").take(log.index.rows[position])
    return lines(
        kind, at, known, what, "promises", names, debt_id=ids, amount=log.amount[position],
        currency=one.currencies(ids),
    )  # fmt: skip


def _reversals(one: OneCustomer) -> pd.DataFrame:
    log = one.journal.payments
    at = np.arange(log.starts[one.code], log.starts[one.code + 1])
    at = at[(log.known[at] <= one.view.as_of_us) & (log.index.until[at] <= one.view.as_of_us)]
    rows = log.index.rows[at]
    ids = one.debt_names(log.debt[at])
    return lines(
        "payment_reversed", instants(log.frame, "reversed_at")[rows], log.index.until[at],
        ["payment reversed"] * len(at), "payments", text(log.frame, "payment_id").take(rows),
        debt_id=ids, amount=log.amount[at], currency=one.currencies(ids),
    )  # fmt: skip


# ---- ends ------------------------------------------------------------------------------------


def _ends(one: OneCustomer) -> Iterator[pd.DataFrame]:
    """Tell which holds, roles, contact points and arrangements are over."""
    holds, _, known = one.known_rows("holds", "starts_at", one.customers_of("holds"))
    end, over = _over(one, holds, "ends_at")
    kinds = text(holds, "kind")[over]
    yield lines(
        "hold_ended", end[over], np.maximum(end, known)[over],
        [f"hold ends: {plain(k)}" for k in kinds], "holds", text(holds, "hold_id")[over],
        channel=[stated(c) for c in text(holds, "channel")[over]],
        debt_id=[stated(d) for d in text(holds, "debt_id")[over]],
    )  # fmt: skip
    points, _, known = one.known_rows(
        "contact_points", "valid_from", one.customers_of("contact_points")
    )
    end, over = _over(one, points, "valid_to")
    yield lines(
        "contact_point_ended", end[over], np.maximum(end, known)[over],
        [f"contact point no longer in use: {k}" for k in text(points, "kind")[over]],
        "contact_points", text(points, "contact_point_id")[over],
    )  # fmt: skip
    yield _arrangements_ended(one)


def _arrangements_ended(one: OneCustomer) -> pd.DataFrame:
    table = one.journal.tables["arrangements"]
    debt = codes_of(table, "debt_id", one.journal.debts.ids, "arrangements")
    owner = one.journal.debt_customer[debt] if len(one.journal.debt_customer) else debt
    a, _, known = one.known_rows("arrangements", "starts_at", owner)
    end, over = _over(one, a, "ended_at")
    why = [stated(r) for r in text(a, "end_reason")[over]]
    return lines(
        "arrangement_ended", end[over], np.maximum(end, known)[over],
        ["arrangement ended early" + (f": {plain(r)}" if r else "") for r in why],
        "arrangements", text(a, "arrangement_id")[over], debt_id=list(text(a, "debt_id")[over]),
    )  # fmt: skip


def _over(one: OneCustomer, frame: pd.DataFrame, column: str) -> tuple[Ints, Any]:
    end = instants(frame, column)
    return end, (end != NO_INSTANT) & (end <= one.view.as_of_us) & (end < NEVER)


def _dead_points(one: OneCustomer) -> pd.DataFrame:
    """Tell which contact points are known to be dead, and since the last proof of it."""
    points = one.own(one.view.points)
    points = points[points["dead"].to_numpy(dtype=bool)]
    t = one.touches
    proof = t[t["outcome"].isin(v.DEAD_POINT_OUTCOMES)].sort_values("outcome_known_us")
    last = proof.groupby("contact_point")["outcome_known_us"].max()
    code = points["contact_point"]
    at = last.reindex(code).fillna(NO_INSTANT).to_numpy(dtype=np.int64)
    word = proof.groupby("contact_point")["outcome"].last().reindex(code).astype(object)
    channel = proof.groupby("contact_point")["channel"].last().reindex(code).astype(object)
    what = [
        f"contact point is dead: {kind}" + (f", {plain(w)} by {way(c)}" if stated(w) else "")
        for kind, w, c in zip(points["kind"].astype(str), word, channel, strict=True)
    ]
    return lines("contact_point_dead", at, at, what, "contact_points", points["contact_point_id"])
