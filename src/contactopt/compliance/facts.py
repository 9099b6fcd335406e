"""Facts that forbid: holds, outcomes that act like one, promises, the state of the debt.

A fact says of whom, of which debt, in which channels and from when to when. The table
`flags.json` names the flags that a fact sets; the rules of the packs hang on those flags. Holds
of one contact point or place concern the choice of the point and are told apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import FactIndex, Facts, fact_arrays, joined
from contactopt.compliance.holds import facts_of_holds
from contactopt.compliance.orchestration import History, facts_of_orchestration
from contactopt.compliance.words import root_of
from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["collect_facts"]

Ints = npt.NDArray[np.int64]


def collect_facts(block: Block, index: FactIndex, history: History) -> Facts:
    """Read every fact of a block from the journal view."""
    parts = [
        *_of_customers(block, index),
        *_of_debts(block, index),
        *_of_promises(block, index),
        *_of_channels(block, index),
        *_of_outcomes(block, index),
        *_of_parties(block, index),
        *_of_arrangements(block, index),
    ]
    holds, windows = facts_of_holds(block, index)
    orchestrated = facts_of_orchestration(block, index, history)
    found = joined([*parts, holds, orchestrated])
    return replace(found, windows=tuple(windows)) if windows else found


# ---- customers, debts, promises, channels --------------------------------------------------------


def _of_rows(block: Block, rows: Ints, name: int) -> Facts:
    return fact_arrays(len(rows), customer=block.customer[rows], row=rows, name=name)


def _of_customers(block: Block, index: FactIndex) -> list[Facts]:
    refused = np.array([s.refused for s in block.rule_sets], dtype=bool)[block.rule_set]
    unknown = np.array([not z for z in block.places.zone_sets], dtype=bool)[block.zone_set]
    without = np.arange(block.n_debts, block.n_rows)
    return [
        _of_rows(block, np.flatnonzero(refused), index.of("pack:none")),
        _of_rows(block, np.flatnonzero(unknown), index.of("zone:none")),
        _of_rows(block, without, index.of("debt:none")),
    ]


def _of_debts(block: Block, index: FactIndex) -> list[Facts]:
    of = block.columns
    dpd = of.floats("debts", "days_past_due")
    status, words = of.words("debts", "status")
    said = {
        "debt:no_snapshot": (status < 0) | np.isnan(dpd),
        "debt:current": dpd <= 0,
        "debt:paid_since": of.bools("debts", "paid_since_snapshot"),
        "debt:closed": of.known("debts", "closed_at"),
        "debt:recalled": of.known("debts", "recalled_at"),
    }
    here = set(np.unique(status).tolist())
    said.update({f"status:{w}": status == i for i, w in enumerate(words) if i in here})
    return [
        _of_rows(block, np.flatnonzero(hit), index.of(name))
        for name, hit in said.items()
        if index.of(name) >= 0
    ]


def _of_promises(block: Block, index: FactIndex) -> list[Facts]:
    """Silence towards the whole customer until due day and grace are over, in every zone."""
    of = block.columns
    if of.size("promises") == 0:
        return []
    live = ~of.among("promises", "state", "cancelled")
    grace = max([0, *[_grace(block, r) for r in block.flag_rules.get("house.promise_silence", [])]])
    customer, due = of.ints("promises", "customer")[live], of.ints("promises", "due_us")[live]
    _, end = block.day_begins(customer, due, 1 + grace)
    # a promise without a day: silence
    end = np.where(due == NO_INSTANT, INDEFINITE, end)
    keep = end > block.view.as_of_us
    return [
        fact_arrays(
            int(keep.sum()), customer=customer[keep], end=end[keep], name=index.of("promise:open")
        )
    ]


def _grace(block: Block, rule: int) -> int:
    value: Any = block.rules[rule].parameters.get("grace_days", 0)
    if isinstance(value, dict):
        found: Any = block.config
        for part in value["config"].split("."):
            found = getattr(found, part)
        return int(found)
    return int(value)


def _of_channels(block: Block, index: FactIndex) -> list[Facts]:
    """Return channels that are facts by themselves: a visit is one where visits are ruled out."""
    everyone = np.arange(block.n)
    parts = [fact_arrays(block.n, customer=everyone, name=index.of("always"))]
    for c, name in enumerate(block.channels):
        code = index.of(f"channel:{root_of(name, block.config)}")
        if code >= 0:
            own = np.uint64(1) << np.uint64(c)
            parts.append(fact_arrays(block.n, customer=everyone, name=code, channels=own))
    return parts


def _of_parties(block: Block, index: FactIndex) -> list[Facts]:
    """Read what a further party says of the main one: represented, or deceased."""
    of = block.columns
    if of.size("parties") == 0:
        return []
    row = block.row_of_debt[of.ints("parties", "debt")]
    return [
        _of_rows(block, row[of.among("parties", "role", word) & (row >= 0)], index.of(name))
        for word, name in (("representative", "party:representative"), ("heir", "party:heir"))
    ]


def _of_arrangements(block: Block, index: FactIndex) -> list[Facts]:
    """Debts under an arrangement that is being kept."""
    of = block.columns
    if of.size("arrangements") == 0:
        return []
    row = block.row_of_debt[of.ints("arrangements", "debt")]
    own = np.unique(row[of.among("arrangements", "state", "active") & (row >= 0)])
    return [_of_rows(block, own, index.of("arrangement:kept"))]


# ---- outcomes ------------------------------------------------------------------------------------


def _of_outcomes(block: Block, index: FactIndex) -> list[Facts]:
    """Let an outcome act like a hold until a hold row of that meaning says that it ended."""
    of, parts = block.columns, []
    code, words = of.words("touches", "outcome")
    acting = table("flags")["outcomes"]
    some = np.flatnonzero(of.among("touches", "outcome", *acting))
    for word, how in acting.items():
        if word not in words or len(some) == 0:
            continue
        at = some[code[some] == words.index(word)]
        if len(at) == 0:
            continue
        customer = of.ints("touches", "customer")[at]
        since = of.ints("touches", "outcome_known_us")[at]
        row = np.full(len(at), -1, dtype=np.int64)
        if how["debts"] == "touch":
            at, customer, since, row = _per_debt(block, at, customer, since)
        end = _ended(block, how["ended_by_hold"], customer, row, since)
        name = index.of(f"outcome:{word}")
        parts.append(fact_arrays(len(at), customer=customer, row=row, end=end, name=name))
    return parts


def _per_debt(block: Block, at: Ints, customer: Ints, since: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """One entry per named debt; a contact that names none is about all."""
    of = block.columns
    position = np.full(of.size("touches") + 1, -1, dtype=np.int64)
    position[at] = np.arange(len(at))
    which = position[of.ints("touch_debts", "touch")]
    row = block.row_of_debt[of.ints("touch_debts", "debt")]
    keep = (which >= 0) & (row >= 0)
    which, row = which[keep], row[keep]
    bare = np.setdiff1d(np.arange(len(at)), which)
    source = np.concatenate([which, bare])
    rows = np.concatenate([row, np.full(len(bare), -1)])
    owner = np.where(rows >= 0, block.customer[rows], customer[source])
    return at[source], owner.astype(np.int64), since[source], rows.astype(np.int64)


def _ended(block: Block, kinds: list[str], customer: Ints, row: Ints, since: Ints) -> Ints:
    """End of the latest hold of that meaning that outlasts the outcome; else indefinite."""
    of = block.columns
    own = of.among("holds", "kind", *kinds) & ~of.known("holds", "channel")
    held = np.flatnonzero(own & (of.ints("holds", "contact_point") < 0))
    end = np.full(len(customer), NEVER)
    if len(held):
        h_end = of.ints("holds", "ends_us")[held]
        h_debt = of.ints("holds", "debt")[held]
        left = pd.DataFrame(
            {"customer": customer, "row": row, "since": since, "i": np.arange(len(row))}
        )
        right = pd.DataFrame(
            {
                "customer": of.ints("holds", "customer")[held],
                "h_row": np.where(h_debt < 0, -1, block.row_of_debt[h_debt]),
                "whole": h_debt < 0,
                "end": np.where(h_end == NO_INSTANT, INDEFINITE, h_end),
            }
        )
        both = left.merge(right, on="customer")
        fits = both["whole"] | ((both["row"] >= 0) & (both["row"] == both["h_row"]))
        both = both[fits & (both["end"] > both["since"])]
        np.maximum.at(end, both["i"].to_numpy(), both["end"].to_numpy(dtype=np.int64))
    return np.where(end == NEVER, INDEFINITE, end)
