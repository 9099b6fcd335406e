"""What a pipeline is asked for: a journal, and pairs of customer and instant in any usual form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from contactopt.contracts import Portfolio
from contactopt.errors import ConfigError, ContractError, sample_ids
from contactopt.journal.columns import instants
from contactopt.journal.journal import Journal
from contactopt.journal.local_time import to_us

__all__ = ["journal_of", "pairs_of"]

Ints = npt.NDArray[np.int64]


def journal_of(source: Any) -> Journal:
    """Return the journal of a Journal, a Portfolio, or contract tables by name.

    Raises
    ------
    ContractError
        If tables given as frames do not meet the contract.
    ConfigError
        If it is none of these.
    """
    if isinstance(source, Journal):
        return source
    if isinstance(source, Mapping):
        source = Portfolio.from_frames(source)
    if not hasattr(source, "tables"):
        raise ConfigError(
            f"features are made from a journal, not from {type(source).__name__}",
            hint="give a Journal, a Portfolio, or a mapping of table names to frames",
        )
    return Journal(source)


def pairs_of(journal: Journal, customers: Any, as_of: Any) -> tuple[Ints, Ints]:
    """Return customer codes and instants, shape (n,) each.

    Parameters
    ----------
    journal : Journal
    customers : int array of codes, array of customer ids, or None for everybody
    as_of : one instant, or an array or column of instants of the same length

    Raises
    ------
    ConfigError
        If lengths differ or a code is not one of the journal's.
    ContractError
        If an id is not one of the journal's, or an instant has no time zone.
    """
    who = np.arange(journal.n_customers) if customers is None else _codes(journal, customers)
    column = _column(as_of)
    if column is None:
        return who, np.full(len(who), to_us(as_of), dtype=np.int64)
    when = _instants(column)
    if len(when) != len(who):
        raise ConfigError(
            f"{len(who)} customers and {len(when)} instants",
            hint="give one instant, or one per customer",
        )
    return who, when


def _column(values: Any) -> pd.Series | None:
    """Return an array or column as a Series, None where it is a single value."""
    if isinstance(values, pd.Series):
        return values
    if isinstance(values, np.ndarray | list | tuple | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(values)
    native: Any = nw.from_native(values, allow_series=True, pass_through=True)
    return native.to_pandas() if isinstance(native, nw.Series) else None


def _codes(journal: Journal, customers: Any) -> Ints:
    column = _column(customers)
    if column is None:
        raise ConfigError(
            "customers is no array", hint="give ids or codes as a list, an array or a column"
        )
    if len(column) == 0:
        return np.empty(0, dtype=np.int64)
    if types.is_integer_dtype(column.dtype):
        codes = column.to_numpy(dtype=np.int64)
        outside = int(((codes < 0) | (codes >= journal.n_customers)).sum())
        if outside:
            raise ConfigError(
                f"{outside} customer codes lie outside 0 to {journal.n_customers - 1}",
                hint="a code is a position in journal.customer_ids; ids may be given as text",
            )
        return codes
    codes = journal.customers.codes(column)
    if (codes < 0).any():
        raise ContractError(
            f"{int((codes < 0).sum())} customer ids are not in the journal: "
            f"{sample_ids(column[codes < 0].astype(str))}",
            hint="journal.customer_ids lists those that are",
        )
    return codes


def _instants(column: pd.Series) -> Ints:
    """Return an array of instants as microseconds; a column of times must have a zone."""
    if types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if len(column) == 0:
        return np.empty(0, dtype=np.int64)
    times = pd.to_datetime(column)
    if times.isna().any():
        raise ContractError(
            f"{int(times.isna().sum())} instants are missing", hint="give one instant per pair"
        )
    return instants(pd.DataFrame({"as_of": times}), "as_of")
