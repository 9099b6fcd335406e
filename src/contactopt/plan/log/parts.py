"""Where the rows of one decision lie, and how they are read without touching the others.

Considered actions stand in the order of the decisions, as many rows for each, in numbered parts. A
decision is found by its position: the part and the row groups that hold its rows.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.errors import ContractError

__all__ = ["ActionParts", "parts_of"]


def parts_of(folder: Path, name: str) -> list[Path]:
    """Return the parts of a batch's considered actions, in order.

    A batch called `a` does not take the parts of one called `a-00000`.
    """
    own = re.compile(re.escape(name) + r"-(\d{5,})\.parquet")
    found = [(p, own.fullmatch(p.name)) for p in (folder / "decision_actions").glob("*.parquet")]
    return [p for p, match in sorted(found, key=lambda x: x[0].name) if match]


class ActionParts:
    """The considered actions of one batch on disk; opening reads nothing but the parts' footers.

    Parameters
    ----------
    folder : Path
    batch_id : str
    n_decisions : int
        Rows of the batch's decisions.

    Raises
    ------
    ContractError
        When rows are asked for, if parts are missing or do not hold as many rows for each decision.
    """

    def __init__(self, folder: Path, batch_id: str, n_decisions: int) -> None:
        self.batch_id = batch_id
        self.n_decisions = n_decisions
        self._paths = parts_of(folder, batch_id)

    @cached_property
    def _footers(self) -> list[Any]:
        """Footers are kept, files are not held open: a log may have thousands of parts."""
        import pyarrow.parquet as pq

        return [pq.read_metadata(path) for path in self._paths]

    def _read(self, part: int, groups: list[int], columns: list[str] | None) -> Any:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._paths[part], metadata=self._footers[part]) as file:
            return file.read_row_groups(groups, columns=columns)

    @cached_property
    def _groups(self) -> tuple[npt.NDArray[np.int64], list[tuple[int, int]]]:
        """Bounds of all row groups in rows of the batch, and the part and number of each."""
        at = [
            (part, group)
            for part, footer in enumerate(self._footers)
            for group in range(footer.num_row_groups)
        ]
        sizes = [self._footers[part].row_group(group).num_rows for part, group in at]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64), at

    @cached_property
    def width(self) -> int:
        """Rows of every decision: its actions and `wait`."""
        rows = int(self._groups[0][-1])
        if self.n_decisions == 0 and rows == 0:
            return 1
        if self.n_decisions == 0 or rows == 0 or rows % self.n_decisions:
            raise ContractError(
                f"the log of batch {self.batch_id!r} is not whole: {rows} considered actions for "
                f"{self.n_decisions} decisions",
                hint="copy the folder anew; all parts of decision_actions belong to it",
            )
        return rows // self.n_decisions

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that were written; none where there are no parts."""
        return tuple(self._footers[0].schema.names) if self._footers else ()

    def read(self, first: int, last: int, columns: list[str] | None = None) -> Any:
        """Return the rows of decisions ``first`` to ``last`` (exclusive) as a pyarrow Table."""
        import pyarrow as pa

        begin, end = first * self.width, last * self.width
        bounds, at = self._groups
        low = int(np.searchsorted(bounds, begin, side="right")) - 1
        high = max(int(np.searchsorted(bounds, end, side="left")), low + 1)
        wanted = at[low:high]
        if not wanted:
            return self._read(0, [], columns)  # no rows, all columns
        pieces = [
            self._read(part, [g for p, g in wanted if p == part], columns)
            for part in sorted({part for part, _ in wanted})
        ]
        return pa.concat_tables(pieces).slice(begin - int(bounds[low]), end - begin)

    def blocks(self, rows: int = 2_000_000) -> list[tuple[int, int]]:
        """Cut the decisions into ranges of about so many rows, at the bounds of row groups."""
        bounds, width = self._groups[0], self.width
        whole = bounds[bounds % width == 0] // width
        found, first = [], 0
        for k, end in enumerate(whole.tolist()):
            nearly = k + 1 == len(whole) or (int(whole[k + 1]) - first) * width > rows
            if end > first and nearly:
                found.append((first, end))
                first = end
        return found
