"""Notice first: rules that wait for a legal notice, and the days after it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.counting import TimedDenial
from contactopt.compliance.data_tables import table
from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["first_notice", "notice_denials"]

Ints = npt.NDArray[np.int64]


def notice_denials(block: Block) -> list[TimedDenial]:
    """Work out every rule with a notice as precondition: no contact until it and the wait are over.

    A notice without a debt speaks of all debts. Days are local ones, in the latest zone.
    """
    out = []
    none = np.empty(0, dtype=np.int64)
    for i in block.of_kind("disclosure"):
        before = block.rules[i].parameters.get("precondition")
        if before is None or block.told is not None:
            continue
        until = first_notice(block, before["event"], int(before.get("wait_days", 0)))
        by_channel = np.where(block.reached(i), until[:, None], NEVER)
        out.append(TimedDenial(i, by_channel, none, np.zeros((0, 1), dtype=bool)))
    return out


def first_notice(block: Block, event: str, wait_days: int) -> Ints:
    """Return per row when the wait after the first fitting notice is over; else `INDEFINITE`."""
    over = np.full(block.n_rows, INDEFINITE)
    of = block.columns
    if of.size("notices") == 0:
        return over
    how = table("flags")["notices"][event]
    fits = of.among("notices", "kind", *how["kinds"])
    if "channels" in how:
        fits = fits & of.among("notices", "channel", *how["channels"])
    at = np.flatnonzero(fits)
    if len(at) == 0:
        return over
    customer, debt = of.ints("notices", "customer")[at], of.ints("notices", "debt")[at]
    sent = of.ints("notices", "sent_us")[at]
    _, end = block.day_begins(customer, sent, wait_days)
    # neither the zone nor the instant is known: no day can be told
    end = np.where((end == NEVER) | (sent == NO_INSTANT), INDEFINITE, end)
    named = np.flatnonzero((debt >= 0) & (block.row_of_debt[debt] >= 0))
    np.minimum.at(over, block.row_of_debt[debt[named]], end[named])
    whole = np.flatnonzero(debt < 0)
    pair, rows = block.rows_of(customer[whole])
    np.minimum.at(over, rows, end[whole][pair])
    return over
