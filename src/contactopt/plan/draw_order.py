"""In which order customers are drawn: like beside like, so that minutes and money stay on course.

A push of the draw moves probability between customers who stand close together; if a contact of
theirs uses about as much, the units of a row hardly move. One row of minutes is served by a sort;
with several pools of minutes and money customers are laid along a curve through all their uses.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.capacity_rows import CellMap
from contactopt.plan.prices.problem import Rows
from contactopt.policy.kernels import UNIT

__all__ = ["ORDER", "places"]

#: the order of today's draws; logged, since the draw depends on it
ORDER = 2
#: pools whose use the order follows
_POOLS = 3
#: so many different uses are groups of their own
_FEW = 8
#: customers of a group at the least, where uses are cut into groups
_GROUP = 64


def places(
    batch: ScoredBatch,
    cells: CellMap,
    rows: Rows,
    probabilities: npt.NDArray[np.int64],
    expected_use: npt.NDArray[np.float64],
    order: int,
    n_threads: int,
) -> npt.NDArray[np.float64]:
    """Return what customers are sorted by; arguments as of `contactopt.plan.draw.build_tree`."""
    n = len(batch.customer_ids)
    weighted = np.flatnonzero(~rows.counting & (rows.limit > 0))
    tight = weighted[np.argsort(-(expected_use / np.maximum(rows.limit, 1e-300))[weighted],
                                kind="stable")]  # fmt: skip
    if order == 1:
        uses = [_mean_use(batch, cells, rows, probabilities, k, n_threads) for k in tight[:1]]
        return uses[0] if uses else np.zeros(n)
    outer = [k for k in tight if not _inside_another(rows.table.cover, k, weighted)][:_POOLS]
    return _along_curve(
        [_mean_use(batch, cells, rows, probabilities, k, n_threads) for k in outer], n
    )


def _inside_another(cover: npt.NDArray[np.bool_], row: int, rows: npt.NDArray[np.int64]) -> bool:
    """Tell whether another of the rows covers all of this one (of equal ones: an earlier one)."""
    for other in rows:
        within = other != row and not (cover[row] & ~cover[other]).any()
        if within and ((cover[other] & ~cover[row]).any() or other < row):
            return True
    return False


def _along_curve(uses: list[npt.NDArray[np.float64]], n: int) -> npt.NDArray[np.float64]:
    """Return each customer's place on a curve on which neighbours use about as much of everything.

    Of several uses the ones with few values cut the customers into groups, the last runs through
    each group, up and down in turn. Figures are compared to seven digits: what is equal but for the
    rounding of sums is equal.
    """
    if not uses:
        return np.zeros(n)
    ranked = [np.unique(u.astype(np.float32), return_inverse=True) for u in uses]
    ranked.sort(key=lambda found: len(found[0]))
    if len(uses) == 1:
        return ranked[0][1].astype(np.float64)
    groups = int(np.ceil((n / _GROUP) ** (1.0 / len(uses))))
    place = np.zeros(n, dtype=np.int64)
    for distinct, code in ranked[:-1]:
        if len(distinct) > max(groups, _FEW):
            below = np.cumsum(np.bincount(code, minlength=len(distinct))) - np.bincount(code)
            code, size = below[code] * groups // n, groups
        else:
            size = len(distinct)
        place = place * size + np.where(place % 2, size - 1 - code, code)
    distinct, code = ranked[-1]
    along = code / len(distinct)
    back = (len(distinct) - 1) / len(distinct) - along
    return place.astype(np.float64) + np.where(place % 2, back, along)


def _mean_use(batch, cells, rows: Rows, probabilities, row: int, n_threads: int):
    """Return what a contact of each customer uses of a row on average, 0 where there is none."""
    n, m = cells.cell.shape
    inside = np.append(rows.table.cover[row], [False, False])  # free and closed are outside
    use = np.zeros(n)

    def mean_use(_: int, a: int, b: int) -> None:
        own = slice(a, b)
        p = np.where(inside[cells.cell[own]], probabilities[own, :m] / UNIT, 0.0)
        use[own] = (p * batch.usage[own]).sum(axis=1) / np.maximum(p.sum(axis=1), 1e-300)

    in_blocks(n, block_size(m), mean_use, n_threads)
    return use
