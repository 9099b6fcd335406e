"""Facts that forbid: holds, outcomes that act like one, promises, the state of the debt.

A fact says of whom, of which debt, in which channels and from when to when. The table
`flags.json` names the flags that a fact sets; the rules of the packs hang on those flags. Holds
of one contact point or place concern the choice of the point and are told apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import FIELDS, FactIndex, Facts, fact_frame
from contactopt.compliance.holds import facts_of_holds
from contactopt.compliance.orchestration import History, facts_of_orchestration
from contactopt.compliance.words import code_words, root_of
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import local_day, local_day_start

__all__ = ["as_facts", "collect_facts"]

Ints = npt.NDArray[np.int64]


def collect_facts(block: Block, index: FactIndex, history: History) -> Facts:
    """Read every fact of a block from the journal view."""
    parts = [
        _of_customers(block, index),
        _of_debts(block, index),
        _of_promises(block, index),
        _of_channels(block, index),
        _of_outcomes(block, index),
        _of_parties(block, index),
        _of_arrangements(block, index),
    ]
    holds, windows = facts_of_holds(block, index)
    merged = pd.concat([*parts, holds], ignore_index=True)
    return as_facts(merged, tuple(windows)).plus(facts_of_orchestration(block, index, history))


def as_facts(frame: pd.DataFrame, windows: tuple[dict[str, Any], ...] = ()) -> Facts:
    """Return the facts of a frame on which some flag hangs, as arrays."""
    frame = frame[frame["name"] >= 0]
    kinds = {f: np.uint64 if "channels" in f else np.int64 for f in FIELDS}
    arrays = {f: frame[f].to_numpy(dtype=kinds[f]) for f in FIELDS}
    return Facts(**arrays, windows=windows)


# ---- customers, debts, promises, channels --------------------------------------------------------


def _of_customers(block: Block, index: FactIndex) -> pd.DataFrame:
    refused = np.array([s.refused for s in block.rule_sets], dtype=bool)[block.rule_set]
    unknown = np.array([not z for z in block.places.zone_sets], dtype=bool)[block.zone_set]
    parts = []
    for name, hit in (("pack:none", refused), ("zone:none", unknown)):
        rows = np.flatnonzero(hit)
        parts.append(
            fact_frame(len(rows), customer=block.customer[rows], row=rows, name=index.of(name))
        )
    rows = np.arange(block.n_debts, block.n_rows)
    own = fact_frame(len(rows), customer=block.customer[rows], row=rows, name=index.of("debt:none"))
    return pd.concat([*parts, own], ignore_index=True)


def _of_debts(block: Block, index: FactIndex) -> pd.DataFrame:
    debts = block.view.debts
    dpd = debts["days_past_due"].to_numpy(dtype=np.float64)
    status, words = code_words(debts["status"])
    said = {
        "debt:no_snapshot": (status < 0) | np.isnan(dpd),
        "debt:current": dpd <= 0,
        "debt:paid_since": debts["paid_since_snapshot"].to_numpy(dtype=bool),
        "debt:closed": debts["closed_at"].notna().to_numpy(dtype=bool),
        "debt:recalled": debts["recalled_at"].notna().to_numpy(dtype=bool),
    }
    said.update({f"status:{w}": status == i for i, w in enumerate(words)})
    parts = []
    for name, hit in said.items():
        rows = np.flatnonzero(hit)
        parts.append(
            fact_frame(len(rows), customer=block.customer[rows], row=rows, name=index.of(name))
        )
    return pd.concat(parts, ignore_index=True)


def _of_promises(block: Block, index: FactIndex) -> pd.DataFrame:
    """Silence towards the whole customer until due day and grace are over, in every zone."""
    promises = block.view.promises
    live = promises[promises["state"].astype(object) != "cancelled"]
    grace = max([0, *[_grace(block, r) for r in block.flag_rules.get("house.promise_silence", [])]])
    customer = live["customer"].to_numpy(dtype=np.int64)
    due = live["due_us"].to_numpy(dtype=np.int64)
    source, zone = block.in_zones(block.places.zone_set[customer])
    end = np.full(len(customer), NEVER)
    over = local_day_start(local_day(due[source], zone) + 1 + grace, zone)
    np.maximum.at(end, source, over)
    end = np.where(due == NO_INSTANT, INDEFINITE, end)  # a promise without a day: silence
    keep = end > block.view.as_of_us
    return fact_frame(
        int(keep.sum()), customer=customer[keep], end=end[keep], name=index.of("promise:open")
    )


def _grace(block: Block, rule: int) -> int:
    value: Any = block.rules[rule].parameters.get("grace_days", 0)
    if isinstance(value, dict):
        found: Any = block.config
        for part in value["config"].split("."):
            found = getattr(found, part)
        return int(found)
    return int(value)


def _of_channels(block: Block, index: FactIndex) -> pd.DataFrame:
    """Return channels that are facts by themselves: a visit is one where visits are ruled out."""
    parts = []
    for c, name in enumerate(block.channels):
        code = index.of(f"channel:{root_of(name, block.config)}")
        if code >= 0:
            everyone = np.arange(block.n)
            parts.append(
                fact_frame(
                    block.n, customer=everyone, name=code, channels=np.uint64(1) << np.uint64(c)
                )
            )
    everyone = fact_frame(block.n, customer=np.arange(block.n), name=index.of("always"))
    return pd.concat([everyone, *parts], ignore_index=True)


def _of_parties(block: Block, index: FactIndex) -> pd.DataFrame:
    """Read what a further party says of the main one: represented, or deceased."""
    parties, parts = block.view.parties, [fact_frame(0)]
    row = block.row_of_debt[parties["debt"].to_numpy(dtype=np.int64)]
    role = parties["role"].astype(object).to_numpy()
    for word in ("representative", "heir"):
        own = row[(role == word) & (row >= 0)]
        name = index.of(f"party:{word}")
        parts.append(fact_frame(len(own), customer=block.customer[own], row=own, name=name))
    return pd.concat(parts, ignore_index=True)


def _of_arrangements(block: Block, index: FactIndex) -> pd.DataFrame:
    """Debts under an arrangement that is being kept."""
    arrangements = block.view.arrangements
    row = block.row_of_debt[arrangements["debt"].to_numpy(dtype=np.int64)]
    kept = (arrangements["state"].astype(object) == "active").to_numpy(dtype=bool)
    own = np.unique(row[kept & (row >= 0)])
    name = index.of("arrangement:kept")
    return fact_frame(len(own), customer=block.customer[own], row=own, name=name)


# ---- outcomes ------------------------------------------------------------------------------------


def _of_outcomes(block: Block, index: FactIndex) -> pd.DataFrame:
    """Let an outcome act like a hold until a hold row of that meaning says that it ended."""
    touches, parts = block.view.touches, [fact_frame(0)]
    code, words = code_words(touches["outcome"])
    known = touches["outcome_known_us"].to_numpy(dtype=np.int64)
    for word, how in table("flags")["outcomes"].items():
        if word not in words:
            continue
        at = np.flatnonzero(code == words.index(word))
        if len(at) == 0:
            continue
        customer = touches["customer"].to_numpy(dtype=np.int64)[at]
        since = known[at]
        row = np.full(len(at), -1, dtype=np.int64)
        if how["debts"] == "touch":
            at, customer, since, row = _per_debt(block, at, customer, since)
        end = _ended(block, how["ended_by_hold"], customer, row, since)
        parts.append(
            fact_frame(
                len(at), customer=customer, row=row, end=end, name=index.of(f"outcome:{word}")
            )
        )
    return pd.concat(parts, ignore_index=True)


def _per_debt(block: Block, at: Ints, customer: Ints, since: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """One entry per named debt; a contact that names none is about all."""
    named = block.view.touch_debts
    position = np.full(len(block.view.touches) + 1, -1, dtype=np.int64)
    position[at] = np.arange(len(at))
    which = position[named["touch"].to_numpy(dtype=np.int64)]
    row = block.row_of_debt[named["debt"].to_numpy(dtype=np.int64)]
    keep = (which >= 0) & (row >= 0)
    which, row = which[keep], row[keep]
    bare = np.setdiff1d(np.arange(len(at)), which)
    source = np.concatenate([which, bare])
    rows = np.concatenate([row, np.full(len(bare), -1)])
    owner = np.where(rows >= 0, block.customer[rows], customer[source])
    return at[source], owner.astype(np.int64), since[source], rows.astype(np.int64)


def _ended(block: Block, kinds: list[str], customer: Ints, row: Ints, since: Ints) -> Ints:
    """End of the latest hold of that meaning that outlasts the outcome; else indefinite."""
    holds = block.view.holds
    holds = holds[
        holds["kind"].isin(kinds) & holds["channel"].isna() & (holds["contact_point"] < 0)
    ]
    end = np.full(len(customer), NEVER)
    if len(holds):
        h_end = holds["ends_us"].to_numpy(dtype=np.int64)
        h_end = np.where(h_end == NO_INSTANT, INDEFINITE, h_end)
        h_row = block.row_of_debt[holds["debt"].to_numpy(dtype=np.int64)]
        whole = holds["debt"].to_numpy(dtype=np.int64) < 0
        left = pd.DataFrame(
            {"customer": customer, "row": row, "since": since, "i": np.arange(len(row))}
        )
        right = pd.DataFrame(
            {
                "customer": holds["customer"].to_numpy(),
                "h_row": np.where(whole, -1, h_row),
                "whole": whole,
                "end": h_end,
            }
        )
        both = left.merge(right, on="customer")
        fits = both["whole"] | ((both["row"] >= 0) & (both["row"] == both["h_row"]))
        both = both[fits & (both["end"] > both["since"])]
        np.maximum.at(end, both["i"].to_numpy(), both["end"].to_numpy(dtype=np.int64))
    return np.where(end == NEVER, INDEFINITE, end)
