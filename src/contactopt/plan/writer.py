"""Plan and log on disk: whole or not at all, and the same bytes each time.

    folder/plan.parquet, plan.csv                     the plan to execute (of the newest batch)
    folder/decisions/<batch_id>.parquet               one row per customer
    folder/decision_actions/<batch_id>-00000.parquet  one row per considered action, in blocks
    folder/batches/<batch_id>.parquet                 one row, written last: the batch counts

All files are made in a temporary folder beside their places and then moved. A crash in between
leaves no row in batches/, so readers do not see the batch, and writing it again completes it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["write_plan"]


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
        for path in _write_all(plan, scratch):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


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

    def put(path: str, frame: pd.DataFrame) -> None:
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (_to_csv if target.suffix == ".csv" else _to_parquet)(frame, target)
        files.append(Path(path))

    for k, block in enumerate(plan.decision_action_blocks()):
        put(f"decision_actions/{name}-{k:05d}.parquet", block)
    put(f"decisions/{name}.parquet", plan.decisions())
    frame = plan.to_frame()
    put("plan.csv", frame)
    put("plan.parquet", frame)
    put(f"batches/{name}.parquet", plan.batches())
    return files


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
        return pa.DictionaryArray.from_arrays(given.cat.codes.to_numpy(), words)
    return pa.array(given)


def _to_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write without anything that depends on machine, time or index."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = _plain_table(frame)
    words: Any = [f.name for f in table.schema if pa.types.is_string(f.type)]
    words += [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    # numbers differ from row to row: a dictionary of them costs time and saves nothing
    pq.write_table(table, path, compression="zstd", use_dictionary=words, store_schema=False)


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
