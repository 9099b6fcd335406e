"""Batches of disjoint customers joined into one, each copied into place as soon as it is made."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.contracts import ScoredBatch
from contactopt.contracts.treatment_table import TreatmentTable

__all__ = ["BatchStack"]

#: arrays whose first axis is not the customer
_LISTS = ("debt_ids", "contact_point_ids")
_PER_ACTION = ("max_attempts",)
#: codes into a list of ids that every block counts for itself
_CODES = {"debt": "debt_ids", "contact_point": "contact_point_ids"}


class BatchStack:
    """Joins batches into arrays of the full size, so that no second copy of them is ever held.

    Parameters
    ----------
    n_customers : int
        Customers of all batches together.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = pd.DataFrame(
    ...     {
    ...         "customer_id": ["C1", "C2"],
    ...         "action_id": ["letter", "letter"],
    ...         "channel": ["letter", "letter"],
    ...         "allowed": [True, True],
    ...         "reasons": ["", ""],
    ...         "cost": [0.95, 0.95],
    ...         "value": [2.5, 1.0],
    ...     }
    ... )
    >>> batch = ScoredBatch.from_frame(scores, as_of="2026-06-02T12:00Z", currency="USD")
    >>> stack = BatchStack(2)
    >>> stack.add(batch.subset(["C1"]))
    >>> stack.add(batch.subset(["C2"]))
    >>> stack.batch().value.ravel().tolist()
    [2.5, 1.0]
    """

    def __init__(self, n_customers: int) -> None:
        self._n = n_customers
        self._filled = 0
        self._first: ScoredBatch | None = None
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        #: fields whose rows were all the same so far
        self._rows: dict[str, npt.NDArray[Any]] = {}
        self._lists: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _LISTS}
        self._other_debts: list[str] = []
        #: the empty set sorts first: 0 stays "no reason"
        self._reasons: dict[tuple[str, ...], int] = {(): 0}
        self._has_others = False
        #: groups of treatments, whichever block met them first
        self._groups: dict[tuple[tuple[str, str], bytes], int] = {}
        self._tables: list[TreatmentTable] = []

    def add(self, part: ScoredBatch) -> None:
        """Append a batch; customers come in the order of their ids.

        Parameters
        ----------
        part : ScoredBatch
            Same instant, currency, actions, pools and templates as those before it.
        """
        if self._first is None:
            # without its arrays: they are copied, and need not stay
            names = [f.name for f in fields(part) if isinstance(getattr(part, f.name), np.ndarray)]
            bare = {name: np.empty(0) for name in names if name not in _PER_ACTION}
            self._first = replace(part, other_debts=None, **bare)
        for name, values in part.by_customer():
            if name == "reason":
                values = self._reason(part)
            elif name == "treatment_group":
                values = self._group(part)
            elif name in _CODES:
                offset = sum(map(len, self._lists[_CODES[name]]))
                values = np.where(values >= 0, values + values.dtype.type(offset), values)
            self._put(name, values)
        for name in _LISTS:
            self._lists[name].append(getattr(part, name))
        self._other_debts.extend(part.other_debts or ())
        self._has_others = part.other_debts is not None
        self._filled += part.n_customers

    def batch(self) -> ScoredBatch:
        """Return the joined batch; at least one must have been added."""
        if self._first is None or self._filled != self._n:
            raise ValueError(f"{self._filled} of {self._n} customers were added")
        treatments = self._sort_groups()
        spread: dict[str, Any] = {
            name: np.broadcast_to(row, (self._n, *row.shape)) for name, row in self._rows.items()
        }
        self._sort_reasons()
        return replace(
            self._first,
            treatments=treatments,
            **self._arrays,
            **spread,
            **{name: np.concatenate(parts) for name, parts in self._lists.items()},
            reason_sets=tuple(self._reasons),
            other_debts=tuple(self._other_debts) if self._has_others else None,
        )

    def _put(self, name: str, values: npt.NDArray[Any]) -> None:
        """Copy rows into place; a field that is the same for everybody stays one row."""
        if name not in self._arrays:
            row = _common_row(values)
            if row is not None and np.array_equal(self._rows.setdefault(name, row), row):
                return
            array = np.empty((self._n, *values.shape[1:]), dtype=values.dtype)
            if self._filled:
                array[: self._filled] = self._rows[name]
            self._rows.pop(name, None)
            self._arrays[name] = array
        self._arrays[name][self._filled : self._filled + len(values)] = values

    def _sort_reasons(self) -> None:
        """Give reason sets numbers in their own order, whichever block met them first."""
        names = sorted(self._reasons)
        at = {reasons: k for k, reasons in enumerate(names)}
        code = np.array([at[reasons] for reasons in self._reasons], dtype=np.int32)
        for found in (self._arrays, self._rows):
            if "reason" in found:
                found["reason"] = code[found["reason"]]
        self._reasons = at

    def _group(self, part: ScoredBatch) -> npt.NDArray[np.int32]:
        """Return groups by their number among all blocks' groups."""
        table = part.treatments
        assert table is not None and part.treatment_group is not None
        if len(table):
            self._tables.append(table)
        place = self._groups
        code = [place.setdefault(key, len(place)) for key in table.group_keys()]
        return np.array([*code, -1], dtype=np.int32)[part.treatment_group]

    def _sort_groups(self) -> TreatmentTable | None:
        """Give groups numbers in their own order; nothing is left where there is no choice."""
        name = "treatment_group"
        if not self._groups:
            self._arrays.pop(name, None)
            self._rows.pop(name, None)
            if self._first is not None:
                self._first = replace(self._first, treatment_group=None)
            return None
        names = sorted(self._groups)
        at = {key: k for k, key in enumerate(names)}
        code = np.array([*(at[key] for key in self._groups), -1], dtype=np.int32)
        for found in (self._arrays, self._rows):
            if name in found:
                found[name] = code[found[name]]
        self._groups = at
        return TreatmentTable.from_keys(names, self._tables)

    def _reason(self, part: ScoredBatch) -> npt.NDArray[np.int32]:
        place = self._reasons
        code = np.array([place.setdefault(s, len(place)) for s in part.reason_sets], dtype=np.int32)
        return code[part.reason]


def _common_row(values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return the row that all rows of an (n, m) array equal, None if there is none."""
    if values.ndim != 2 or len(values) == 0:
        return None
    row = values[0]
    if values.strides[0] == 0 or (np.array_equal(row, values[-1]) and (values == row).all()):
        return row.copy()
    return None
