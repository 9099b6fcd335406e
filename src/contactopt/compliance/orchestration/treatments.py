"""Protected states: which templates may still go to a customer in one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import FactIndex, Facts
from contactopt.compliance.protected import STATES

__all__ = ["template_limits"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def template_limits(facts: Facts, index: FactIndex) -> list[tuple[Bools, frozenset[str]]]:
    """Return, per state that limits templates, the rows in it and the templates that may go.

    A fact in force at any time of the window puts its rows into the state for all of it.
    """
    block = index.block
    out = []
    for flag, state in STATES.items():
        allowed = getattr(block.config.orchestration.treatments, state).templates
        if not allowed:
            continue
        names = [index.of(f) for f in table("flags")["flags"][flag]]
        w = block.window
        here = np.isin(facts.name, names) & (facts.point < 0) & (facts.place < 0)
        here &= (facts.start < w.end_us) & (facts.end > w.begin_us)
        some = facts.take(np.flatnonzero(here))
        rows = np.zeros(block.n_rows, dtype=bool)
        rows[some.row[some.row >= 0]] = True
        rows[block.rows_of(some.customer[some.row < 0])[1]] = True
        out.append((rows, frozenset(allowed)))
    return out
