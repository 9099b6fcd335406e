"""Rules for a kind of line or place: which points and which past contacts they speak of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import Block
from contactopt.compliance.events import Events
from contactopt.compliance.rule import Rule

__all__ = ["on_line", "went_there"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def on_line(block: Block, rule: Rule, point: Ints) -> Bools:
    """Whether a rule for a kind of line or place speaks of points (rows of ``view.points``).

    An unknown line or place: yes. A contact without a point is at home, on no line.
    """
    p = rule.parameters
    applies = np.ones(point.shape, dtype=bool)
    if p.get("line_type"):
        other = "mobile" if p["line_type"] == "residential" else "landline"
        applies &= ~block.point_is("kind", (other,), point)
    if p.get("place"):
        if p["place"].startswith("work"):
            applies &= block.point_is("place", ("work", "unknown"), point)
        else:
            applies &= ~block.point_is("place", ("work",), point)
    return applies


def went_there(block: Block, events: Events, rule: Rule) -> Bools:
    """Whether events went to the kind of line and place that a rule counts; not known: yes."""
    if not ({"line_type", "place"} & set(rule.parameters)):
        return np.ones(len(events), dtype=bool)
    code = block.columns.ints("points", "contact_point")
    rows = np.full(len(block.view.point_ids) + 1, -1, dtype=np.int64)
    rows[code] = np.arange(len(code))
    row = rows[events.point]
    return (row < 0) | on_line(block, rule, row)
