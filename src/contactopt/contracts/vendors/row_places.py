"""Where rows stand in a table as it was written, by the key that its raw values spell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.cast import cast_column
from contactopt.contracts.tables import TABLES

__all__ = ["places"]

Ints = npt.NDArray[np.int64]


def places(raw: pd.DataFrame, name: str, wanted: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return positions in ``raw`` and, for each, the row of ``wanted`` with the same key.

    Copies of a row are all found.
    """
    spec = TABLES[name]
    key = list(spec.key)
    typed = pd.DataFrame({c: cast_column(raw[c], spec.columns[c].kind).values for c in key})
    pairs = typed.assign(_raw=np.arange(len(typed))).merge(
        wanted[key].assign(_row=np.arange(len(wanted))), on=key
    )
    return pairs["_raw"].to_numpy(np.int64), pairs["_row"].to_numpy(np.int64)
