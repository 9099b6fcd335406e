"""The considered actions of some decisions, read from the log as arrays of shape (k, m + 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ContractError
from contactopt.policy.kernels import UNIT

if TYPE_CHECKING:
    from contactopt.plan.log.reader import DecisionLog

__all__ = ["LoggedBlock", "logged_blocks"]


@dataclass(frozen=True, eq=False)
class LoggedBlock:
    """Decisions ``first`` to ``last`` of a batch: k decisions by m actions and `wait`.

    Parameters
    ----------
    first, last : int
    decision_ids : object array, shape (k,)
    action_ids : tuple of str
        The m actions in the order of the batch, then `wait`.
    table : pyarrow.Table
        Their k x (m + 1) rows.
    """

    first: int
    last: int
    decision_ids: npt.NDArray[np.object_]
    action_ids: tuple[str, ...]
    table: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Return (k, m + 1)."""
        return len(self.decision_ids), len(self.action_ids)

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of numbers, NaN where null."""
        values = self.table.column(name).to_pandas().to_numpy(np.float64)
        return values.reshape(self.shape)

    def instants(self, name: str) -> npt.NDArray[np.int64]:
        """Return a column of instants in microseconds, `NO_INSTANT` where null."""
        import pyarrow as pa

        whole = self.table.column(name).cast(pa.int64()).fill_null(NO_INSTANT)
        return whole.to_numpy().reshape(self.shape)

    def words(self, name: str) -> npt.NDArray[np.object_]:
        """Return a column of words, empty where null."""
        codes, found = pd.factorize(self.table.column(name).to_pandas().astype(object))
        return np.append(np.asarray(found, dtype=object), "")[codes].reshape(self.shape)

    @property
    def probabilities(self) -> npt.NDArray[np.int64]:
        """Return the nearest multiples of 2**-36."""
        return np.rint(self.numbers("probability") * UNIT).astype(np.int64)


def logged_blocks(log: DecisionLog, batch_id: str) -> Iterator[LoggedBlock]:
    """Yield all decisions of a batch in blocks, in order.

    Raises
    ------
    ContractError
        If rows are missing, were added or stand in another order.
    """
    parts = log.parts(batch_id)
    ids = log.decisions(batch_id)["decision_id"].to_numpy(dtype=object)
    action_ids: tuple[str, ...] = ()
    for first, last in parts.blocks():
        table = parts.read(first, last)
        width = parts.width
        if not action_ids:
            action_ids = tuple(table.column("action_id").slice(0, width).to_pylist())
        _check_order(table, ids[first:last], action_ids, batch_id)
        yield LoggedBlock(first, last, ids[first:last], action_ids, table)


def _check_order(table: Any, ids: Any, action_ids: tuple[str, ...], batch_id: str) -> None:
    width = len(action_ids)
    owner, names = pd.factorize(table.column("decision_id").to_pandas().astype(object))
    same = np.array_equal(owner, np.repeat(np.arange(len(ids)), width))
    same = same and list(names) == list(ids) and action_ids[-1] == WAIT
    action, known = pd.factorize(table.column("action_id").to_pandas().astype(object))
    same = same and tuple(known) == action_ids
    if not same or not np.array_equal(action, np.tile(np.arange(width), len(ids))):
        raise ContractError(
            f"the considered actions of batch {batch_id!r} do not follow its decisions",
            hint="rows were added, taken away or moved: take the folder as it was written",
        )
