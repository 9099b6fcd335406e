"""Plan and log on disk: whole or not at all, and the same bytes each time.

    folder/plan.parquet, plan.csv                     the plan to execute (of the newest batch; of a
                                                      re-plan with what stands of the earlier one)
    folder/decisions/<batch_id>.parquet               one row per customer
    folder/decision_actions/<batch_id>-00000.parquet  one row per considered action, in blocks
    folder/treatments/<batch_id>.parquet              messages and offers, where there was a choice
    folder/batches/<batch_id>.parquet                 one row, written last: the batch counts

Considered actions lie in row groups of whole customers, small enough that one decision can be read
by its position alone. All files are made in a temporary folder beside their places and then moved.
A crash in between leaves no row in batches/, so readers do not see the batch, and writing it again
completes it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ConfigError
from contactopt.plan.log.checksum import CHECKSUM, checksums
from contactopt.plan.log.parts import parts_of

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["write_plan"]

#: considered actions in one row group, about: what is read to explain one decision
_GROUP_ROWS = 8192
#: numbers of which there are few in a row group; of others a dictionary costs time for nothing
_FEW = ("margin", "usage", "cell", "checksum")


def write_plan(plan: ContactPlan, folder: Path) -> Path:
    """Write a plan and its log into a folder, beside those of earlier batches.

    Parameters
    ----------
    plan : ContactPlan
    folder : Path
        Made if it does not exist.

    Returns
    -------
    Path
        The folder. Writing a batch that is there already changes nothing.

    Raises
    ------
    ConfigError
        If another plan was written under the same batch_id.
    """
    done = folder / "batches" / f"{_file_name(plan.batch_id)}.parquet"
    if done.exists():
        _refuse_other(plan, done)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        files = _write_all(plan, scratch)
        _forget(folder, _file_name(plan.batch_id))
        for path in files:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _forget(folder: Path, name: str) -> None:
    """Remove parts that a crash left behind of a batch that never counted."""
    for path in parts_of(folder, name):
        path.unlink()


def _file_name(batch_id: str) -> str:
    """Return the id as a file name; refuse one that would leave the folder."""
    if not batch_id or not all(c.isalnum() or c in "-_." for c in batch_id) or batch_id[0] == ".":
        raise ConfigError(
            "batch_id cannot be a file name",
            hint="use letters, digits, '-', '_' and '.'; the default is a hash",
        )
    return batch_id


def _refuse_other(plan: ContactPlan, done: Path) -> None:
    import pyarrow.parquet as pq

    there = pq.read_table(done, columns=["content_hash"]).column(0)[0].as_py()
    if there != plan.content_hash:
        raise ConfigError(
            f"another plan was written under batch_id {plan.batch_id!r}",
            hint="leave batch_id out (its default is a hash of the content), or choose a new one",
        )


def _write_all(plan: ContactPlan, scratch: Path) -> list[Path]:
    """Write every file into the scratch folder; return their places, the batch's row last."""
    name = _file_name(plan.batch_id)
    files: list[Path] = []

    def place(path: str) -> Path:
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        files.append(Path(path))
        return target

    log = _plain_table(plan.decisions())
    width, at = len(plan.batch.actions) + 1, 0
    for k, block in enumerate(plan.decision_action_blocks()):
        own = log.slice(at, len(block) // width)
        at += own.num_rows
        _write_actions(block, own, width, place(f"decision_actions/{name}-{k:05d}.parquet"))
    _write_table(log, place(f"decisions/{name}.parquet"))
    if plan.drawn_treatments is not None:
        _write_table(_plain_table(plan.treatments()), place(f"treatments/{name}.parquet"))
    frame = plan.to_frame()
    if plan.replanned is not None:  # what stands of the day's earlier plan is still to execute
        frame = plan.replanned.with_new(frame)
    _to_csv(frame, place("plan.csv"))
    _write_table(_plain_table(frame), place("plan.parquet"))
    _write_table(_plain_table(plan.batches()), place(f"batches/{name}.parquet"))
    return files


def _write_actions(block: pd.DataFrame, decisions: Any, width: int, path: Path) -> None:
    """Write a block of considered actions in row groups of whole customers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = _plain_table(block)
    check = np.repeat(checksums(decisions, table), width)
    table = table.append_column(CHECKSUM, pa.array(check))
    step = max(1, _GROUP_ROWS // width) * width
    with pq.ParquetWriter(path, table.schema, **_options(table.schema, _FEW)) as out:
        for first in range(0, max(table.num_rows, 1), step):
            out.write_table(_own_words(table.slice(first, step)))


def _own_words(part: Any) -> Any:
    """Leave only the words that a part uses in its dictionaries: each row group stores them."""
    import pyarrow as pa

    for k, field in enumerate(part.schema):
        if not pa.types.is_dictionary(field.type):
            continue
        whole = part.column(k).combine_chunks()
        whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        used, own = np.unique(codes, return_inverse=True)
        missing = int(used.size and used[0] < 0)
        indices = pa.array(own.astype(np.int32) - missing, mask=codes < 0)
        words = whole.dictionary.take(pa.array(used[missing:]))
        part = part.set_column(k, field, pa.DictionaryArray.from_arrays(indices, words))
    return part


def _plain_table(frame: pd.DataFrame):
    """Return an arrow table with plain text columns and nothing about pandas in it."""
    import pyarrow as pa

    return pa.table({name: _column(frame[name]) for name in frame.columns})


def _column(given: pd.Series):
    """Return one column: instants as UTC microseconds, words as plain or dictionary text."""
    import pyarrow as pa

    if isinstance(given.dtype, pd.DatetimeTZDtype):
        utc = given.dt.tz_convert(None).to_numpy().view("int64")
        absent = utc == NO_INSTANT
        return pa.array(utc, mask=absent).cast(pa.timestamp("us", "UTC"))
    if isinstance(given.dtype, pd.StringDtype):
        return pa.array(given.astype(object).where(given.notna(), None).to_numpy(), pa.string())
    if isinstance(given.dtype, pd.CategoricalDtype):
        words = pa.array(list(given.cat.categories), pa.string())
        codes = given.cat.codes.to_numpy().astype(np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), words)
    return pa.array(given)


def _options(schema: Any, few: Iterable[str] = ()) -> dict[str, Any]:
    """Return how files are written: nothing in them depends on machine, time or index."""
    import pyarrow as pa

    words = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_dictionary(f.type)]
    words += [name for name in few if name in schema.names]
    return {"compression": "zstd", "use_dictionary": words, "store_schema": False}


def _write_table(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, **_options(table.schema))


def _to_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write UTF-8, comma, instants as ISO 8601 in UTC, empty where null."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    from pyarrow import compute as pc

    table = _plain_table(frame)
    for k, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            # to whole seconds: a slot starts on one, and strftime would print microseconds
            seconds = pc.cast(table.column(k), pa.timestamp("s", "UTC"), safe=False)
            iso = pc.call_function("strftime", [seconds], pc.StrftimeOptions("%Y-%m-%dT%H:%M:%SZ"))
            table = table.set_column(k, field.name, iso)
    pa_csv.write_csv(table, path, pa_csv.WriteOptions(quoting_style="needed"))
