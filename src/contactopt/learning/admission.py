"""Which customers and decisions count where a plan is held against its control group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal import JournalView
from contactopt.journal.local_time import to_us
from contactopt.plan.log.reader import DecisionLog

__all__ = ["never_planned_before", "superseded"]

Ints = npt.NDArray[np.int64]


def never_planned_before(
    log: DecisionLog, batches: list[str], view: JournalView
) -> npt.NDArray[np.bool_]:
    """Tell by customer code whether the batches hold the first decision with a control group.

    Out are customers of earlier batches of the log, or of decisions in the tables, from the first
    that left somebody out on; and customers of batches by other models in between, whose contacts
    were never promised.

    Parameters
    ----------
    log : DecisionLog
    batches : list of str
        Those that are replayed, oldest first.
    view : JournalView

    Returns
    -------
    bool array, shape (n_customers,)
    """
    out = np.ones(len(view.customer_ids), dtype=bool)
    as_of = pd.DatetimeIndex(log.batches["as_of"]).tz_convert("UTC")
    ids = log.batches["batch_id"].astype(str).to_numpy(dtype=object)
    first = as_of[np.isin(ids, batches[:1])].min()
    own, left_out_before = set(batches), False
    for batch_id, at in sorted(zip(ids, as_of, strict=True), key=lambda pair: (pair[1], pair[0])):
        if batch_id in own or at > view.as_of:
            continue
        decisions = log.decisions(batch_id)
        left_out_before |= at < first and bool(decisions["holdout"].any())
        if at >= first or left_out_before:
            code = pd.Index(view.customer_ids).get_indexer(
                decisions["customer_id"].to_numpy(object)
            )
            out[code[code >= 0]] = False
    table = view.decisions
    when = table["decided_us"].to_numpy(dtype=np.int64)
    earlier = when < to_us(first)
    held = earlier & table["holdout"].to_numpy(dtype=bool)
    if held.any():
        since = earlier & (when >= when[held].min())
        out[table["customer"].to_numpy(dtype=np.int64)[since]] = False
    return out


def superseded(log: DecisionLog, batches: list[str], customer: Ints) -> npt.NDArray[np.bool_]:
    """Tell which decisions a re-plan of the same day has put another in the place of.

    Parameters
    ----------
    log : DecisionLog
    batches : list of str
        Oldest first.
    customer : int64 array, shape (n,)
        Codes, of all decisions of the batches in their order.

    Returns
    -------
    bool array, shape (n,)
    """
    out = np.zeros(len(customer), dtype=bool)
    ends = np.cumsum([0, *(log.facts(b).n_customers for b in batches)])
    rows = {b: slice(i, j) for b, i, j in zip(batches, ends[:-1], ends[1:], strict=True)}
    for batch_id in batches:
        before = log.facts(batch_id).replans
        while before is not None and before in rows:
            out[rows[before]] |= np.isin(customer[rows[before]], customer[rows[batch_id]])
            before = log.facts(before).replans
    return out
