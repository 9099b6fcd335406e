"""What is left of a portfolio that was refused: enough to say what is wrong and what would go."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contactopt.contracts.faults import Fault

__all__ = ["Refusal"]


@dataclass(frozen=True, eq=False)
class Refusal:
    """Carried by the `ContractError` that refuses a portfolio, as ``error.refusal``.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Sound rows of every table, as far as they could be told; not to be planned on.
    faults : tuple of Fault
    quarantine : pandas.DataFrame
        Columns table, key, column, check, value.
    quarantined_customers : tuple of str
    rows : dict of str to int
        Rows read by table, faulty ones included.
    dropped_columns : dict of str to list of str
    """

    tables: dict[str, pd.DataFrame]
    faults: tuple[Fault, ...]
    quarantine: pd.DataFrame
    quarantined_customers: tuple[str, ...]
    rows: dict[str, int]
    dropped_columns: dict[str, list[str]]
