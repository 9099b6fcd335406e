"""One checksum per logged decision, so that a later change of any of its rows is seen and found.

It guards against accidents (a tool that rewrote the files, a column that was rounded), not against
somebody who means to deceive and computes it anew: keep the log where it cannot be written.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["CHECKSUM", "checksums"]

#: name of its column among the considered actions
CHECKSUM = "checksum"

#: what is covered of every considered action, in this order
_ACTION_COLUMNS = (
    "action_id", "probability", "value", "priced_value", "spread", "p_reach", "p_pay",
    "p_pay_wait", "amount", "lift", "cost", "harm", "reasons", "lawful_from", "margin", "usage",
    "cell", "time_zone",
)  # fmt: skip
#: what is covered of the decision itself: all but what becomes of it later
_DECISION_COLUMNS = (
    "decision_id", "batch_id", "decided_at", "customer_id", "action_id", "channel", "slot_start",
    "slot_local_hour", "template_id", "offer_id", "debt_id", "propensity", "n_eligible", "holdout",
    "policy_version", "rules_version",
)  # fmt: skip
#: covered where they are there: they came later
_LATER_ACTION_COLUMNS = ("treatment_group",)
_LATER_DECISION_COLUMNS = ("treatment_propensity",)
_ABSENT = np.uint64(0x9E3779B97F4A7C15)


def checksums(decisions: Any, actions: Any) -> npt.NDArray[np.int64]:
    """Return one number per decision.

    Parameters
    ----------
    decisions : pyarrow.Table, k rows
        Columns of the decisions table.
    actions : pyarrow.Table, k x (m + 1) rows
        Their considered actions, decision after decision.

    Returns
    -------
    int64 array, shape (k,)
    """
    k = decisions.num_rows
    if k == 0:
        return np.zeros(0, dtype=np.int64)
    # column after column inside a decision: fewer, longer copies
    columns = _with_later(_ACTION_COLUMNS, _LATER_ACTION_COLUMNS, actions)
    rows = np.empty((k, len(columns), actions.num_rows // k), dtype="<u8")
    for place, name in enumerate(columns):
        rows[:, place] = _bits(actions.column(name)).reshape(k, -1)
    told = _with_later(_DECISION_COLUMNS, _LATER_DECISION_COLUMNS, decisions)
    heads = zip(*(_texts(decisions.column(name)) for name in told), strict=True)
    found = [_one(rows[i], head) for i, head in enumerate(heads)]
    return np.frombuffer(b"".join(found), dtype="<i8").astype(np.int64)


def _with_later(names: tuple[str, ...], later: tuple[str, ...], table: Any) -> tuple[str, ...]:
    return (*names, *(name for name in later if name in table.column_names))


def _one(numbers: npt.NDArray[np.uint64], head: tuple[object, ...]) -> bytes:
    h = blake2b("\x1f".join(map(str, head)).encode(), digest_size=8)
    h.update(numbers.data)
    return h.digest()


def _bits(column: Any) -> npt.NDArray[np.uint64]:
    """Return 64 bits per value: of words a hash, of numbers and instants their own."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _hashes(column)
    if pa.types.is_timestamp(kind):
        return _whole(column).view(np.uint64)
    if pa.types.is_floating(kind):
        numbers = column.to_numpy(zero_copy_only=False) if _is_array(column) else column.to_numpy()
        numbers = numbers.astype(np.float64)
        return np.where(np.isnan(numbers), _ABSENT, numbers.view(np.uint64))
    return column.to_numpy().astype(np.int64).view(np.uint64)


def _hashes(column: Any) -> npt.NDArray[np.uint64]:
    import pyarrow as pa

    if not _is_array(column):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # several chunks may stay several
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = column.dictionary.to_pylist()
    digest = [blake2b(str(w).encode(), digest_size=8).digest() for w in words]
    table = np.append(np.frombuffer(b"".join(digest), dtype="<u8"), _ABSENT).astype(np.uint64)
    codes = column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return table[codes]


def _whole(column: Any) -> npt.NDArray[np.int64]:
    import pyarrow as pa

    return column.cast(pa.int64()).fill_null(NO_INSTANT).to_numpy()


def _texts(column: Any) -> list[object]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        return _whole(column).tolist()
    return column.to_pylist()


def _is_array(column: Any) -> bool:
    import pyarrow as pa

    return isinstance(column, pa.Array)
