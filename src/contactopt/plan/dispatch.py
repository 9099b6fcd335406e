"""What is handed to those who execute: a dialler, a CRM, a messaging gateway.

One row per contact, in the order of execution, with the key under which its outcome must come
back (``decision_id``). The file holds until ``start_before`` of each row and no longer: whoever
executes looks at the clock, and at holds and payments that came in since, before every contact.
What may no longer start at the newest instant of the plan itself, as contacts of the morning in a
plan made anew at noon, is not in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ConfigError
from contactopt.journal.local_time import local_us
from contactopt.plan.delimited import FORMULAS, delimited_bytes, read_delimited, replace_file

__all__ = ["DISPATCH_COLUMNS", "dispatch_csv", "dispatch_frame", "open_rows", "read_dispatch"]

#: columns of the file, in its order
DISPATCH_COLUMNS = (
    "decision_id",
    "customer_id",
    "contact_point_id",
    "channel",
    "action_id",
    "slot_start",
    "slot_start_local",
    "start_before",
    "start_before_local",
    "time_zone",
    "template_id",
    "language",
    "offer_id",
    "debt_id",
    "debt_ids",
    "max_attempts",
    "priority",
    "pool",
    "batch_id",
    "policy_version",
    "rules_version",
)

_SECOND_US, _MINUTE_US = 1_000_000, 60_000_000


def open_rows(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a plan that may still start at its newest instant.

    Parameters
    ----------
    plan : DataFrame
        The plan of the contract.

    Returns
    -------
    DataFrame
        Rows of rank 1 whose ``start_before`` lies after the newest ``decided_at`` of the plan;
        those without one (letters) stay.
    """
    rows = plan[plan["rank"] == 1] if "rank" in plan else plan
    if "decided_at" not in rows or len(rows) == 0:
        return rows
    before = _instants(rows, "start_before")
    return rows[(before == NO_INSTANT) | (before > _instants(rows, "decided_at").max())]


def dispatch_frame(
    plan: pd.DataFrame,
    *,
    pool: str | None = None,
    pools: Mapping[str, str] | None = None,
    zone: str = "customer",
) -> pd.DataFrame:
    """Return the rows to execute as text, in the order of execution.

    Parameters
    ----------
    plan : DataFrame
        The plan of the contract, as `ContactPlan.to_frame` and ``plan.parquet`` give it. Only
        its `open_rows` are taken: executing another is off-plan.
    pool : str, optional
        One pool only.
    pools : mapping of str to str, optional
        Pools there are and their IANA zones, those without a row in the plan included.
    zone : str
        Whose wall clock the ``_local`` columns show: ``customer``, ``pool`` or an IANA name.

    Returns
    -------
    DataFrame
        `DISPATCH_COLUMNS`: all text but max_attempts and priority. Instants in UTC are
        ``2026-06-02T13:00:00Z``, local ones ``2026-06-02T09:00:00-04:00``; fractions of a second
        are cut off, so that ``start_before`` is never later than meant. Sorted by pool,
        slot_start (none: last), priority. Header only for an empty plan.

    Raises
    ------
    ConfigError
        For a pool there is not, or ``zone="pool"`` where the pool's zone is not known.
    ContractError
        For a zone that does not exist.

    Examples
    --------
    >>> plan = pd.DataFrame(
    ...     {
    ...         "decision_id": ["k1"],
    ...         "customer_id": ["C-1"],
    ...         "rank": [1],
    ...         "pool": ["sms"],
    ...         "slot_start": pd.to_datetime(["2026-06-02T13:00Z"]),
    ...         "time_zone": ["America/New_York"],
    ...     }
    ... )
    >>> dispatch_frame(plan).loc[0, ["slot_start", "slot_start_local"]].tolist()
    ['2026-06-02T13:00:00Z', '2026-06-02T09:00:00-04:00']
    """
    known = {*(pools or {}), *plan["pool"].dropna().unique()}
    if pool is not None and pool not in known:
        raise ConfigError(
            f"the plan has no pool {pool!r}" + _did_you_mean(pool, known),
            hint=f"pools there are: {', '.join(sorted(known)) or 'none'}",
        )
    rows = open_rows(plan)
    if pool is not None:
        rows = rows[rows["pool"] == pool]
    order = [c for c in ("pool", "slot_start", "priority", "customer_id") if c in rows]
    rows = rows.sort_values(order, na_position="last", kind="stable", ignore_index=True)
    clocks = _clocks(rows, zone, pools or {})
    made: dict[str, Any] = {}
    for name in ("slot_start", "start_before"):
        us = _instants(rows, name)
        made[name], made[f"{name}_local"] = _utc(us), _local(us, clocks)
    found = {name: made[name] if name in made else _column(rows, name) for name in DISPATCH_COLUMNS}
    return pd.DataFrame(found)


def dispatch_csv(
    plan: pd.DataFrame,
    path: str | Path | None = None,
    *,
    pool: str | None = None,
    pools: Mapping[str, str] | None = None,
    zone: str = "customer",
    columns: Mapping[str, str] | None = None,
    separator: str = ",",
    encoding: str = "utf-8",
    formulas: str = "quote",
) -> str | None:
    """Write the rows to execute as delimited text; see `dispatch_frame` for rows and order.

    Parameters
    ----------
    plan, pool, pools, zone
        See `dispatch_frame`.
    path : str or Path, optional
        File to write, whole or not at all; an older one is replaced.
    columns : mapping of str to str, optional
        Ours: theirs. Only these columns are written, in this order and under these names;
        ``decision_id`` must be among them, else no outcome could be joined back.
    separator : str
        One character: ``,`` ``;`` ``|`` or a tab.
    encoding : {"utf-8", "utf-8-sig"}
        The second begins with the mark by which Excel knows UTF-8.
    formulas : {"quote", "keep"}
        A text cell that begins with ``=`` ``+`` ``-`` ``@``, a tab or a line break is run as a
        formula by spreadsheets. ``quote`` puts a single quote before it and warns with column and
        count, for ids changed in a file must not surprise; `read_dispatch` takes it off again.
        ``keep`` writes ids as they are, for machines. ``decision_id`` never needs a quote.

    Returns
    -------
    str or None
        The text, without a path.

    Raises
    ------
    ConfigError
        For a pool, column, separator, encoding or word that there is not.
    """
    if formulas not in FORMULAS:
        raise ConfigError(f"no such treatment of formulas: {formulas!r}",
                          hint=f"formulas is {' or '.join(FORMULAS)}")  # fmt: skip
    frame = _renamed(dispatch_frame(plan, pool=pool, pools=pools, zone=zone), columns)
    content = delimited_bytes(
        frame, separator=separator, encoding=encoding, quote_formulas=formulas == "quote"
    )
    if path is None:
        return content.decode("utf-8")
    replace_file(Path(path), content)
    return None


def read_dispatch(
    path: str | Path, *, separator: str = ",", columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file of `dispatch_csv` back: every id as it stands in the plan.

    Parameters
    ----------
    path : str or Path
    separator : str
    columns : mapping of str to str, optional
        Ours: theirs, as it was written.

    Returns
    -------
    DataFrame
        All text, null where the plan has nothing, under our names. Quotes put before formulas are
        taken off. Of a file written with ``formulas="keep"`` ids that begin with a quote and a
        formula sign lose the quote.
    """
    frame = read_delimited(Path(path), separator)
    return frame.rename(columns={theirs: ours for ours, theirs in (columns or {}).items()})


# ---- pieces --------------------------------------------------------------------------------------


def _did_you_mean(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _renamed(frame: pd.DataFrame, columns: Mapping[str, str] | None) -> pd.DataFrame:
    if columns is None:
        return frame
    unknown = [c for c in columns if c not in DISPATCH_COLUMNS]
    if unknown:
        raise ConfigError(
            f"no column {unknown[0]!r}" + _did_you_mean(unknown[0], DISPATCH_COLUMNS),
            hint=f"columns there are: {', '.join(DISPATCH_COLUMNS)}",
        )
    theirs = list(columns.values())
    twice = sorted({name for name in theirs if theirs.count(name) > 1})
    if twice or not all(isinstance(name, str) and name for name in theirs):
        raise ConfigError(
            f"two columns are named {twice[0]!r}" if twice else "a column has no name",
            hint="columns maps each of our names to one name of theirs",
        )
    if "decision_id" not in columns:
        raise ConfigError(
            "columns leaves out decision_id",
            hint="map it too: executed contacts come back under it, and it keeps one from being "
            "executed twice",
        )
    return frame[list(columns)].rename(columns=dict(columns))


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    if name not in rows:
        return pd.Series([None] * len(rows), dtype="str")
    if name in ("max_attempts", "priority"):
        return rows[name].astype("Int64")
    return rows[name].astype("str")


def _instants(rows: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    if name not in rows:
        return np.full(len(rows), NO_INSTANT)
    given = pd.to_datetime(rows[name], utc=True).dt.tz_convert(None)
    return given.to_numpy().astype("M8[us]").view(np.int64)


def _clocks(rows: pd.DataFrame, zone: str, pools: Mapping[str, str]) -> Any:
    if zone == "customer":
        return rows["time_zone"].to_numpy(object) if "time_zone" in rows else "UTC"
    if zone != "pool":
        local_us(np.zeros(1, np.int64), zone)  # no such zone: said even of an empty plan
        return zone
    lacking = sorted(set(rows["pool"]) - set(pools))
    if lacking:
        raise ConfigError(
            f"the time zone of pool {lacking[0]!r} is not known here",
            hint="give an IANA name instead of 'pool', such as America/New_York",
        )
    return rows["pool"].map(dict(pools)).to_numpy(object)


def _utc(us: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    return _text_of(us, "Z")


def _local(us: npt.NDArray[np.int64], clocks: Any) -> npt.NDArray[np.object_]:
    """Return wall clock and offset: one look-up per zone, one text per distinct offset."""
    wall = local_us(us, clocks)
    absent = us == NO_INSTANT
    minutes = np.where(absent, 0, (wall - np.where(absent, 0, us)) // _MINUTE_US)
    minutes = np.where(absent, 0, minutes)
    offsets, at = np.unique(minutes, return_inverse=True)
    texts = np.array([_offset(int(o)) for o in offsets], dtype=object)
    return _text_of(wall, texts[at])


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _text_of(us: npt.NDArray[np.int64], end: Any) -> npt.NDArray[np.object_]:
    absent = us == NO_INSTANT
    seconds = np.where(absent, 0, us // _SECOND_US).astype("M8[s]")
    # few distinct instants: slots begin on the hour
    distinct, at = np.unique(seconds, return_inverse=True)
    texts = np.datetime_as_string(distinct, unit="s").astype(object)
    found = np.asarray(texts[at] + end, dtype=object)
    found[absent] = None
    return found
