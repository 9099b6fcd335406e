"""Where a task's table lies in the data folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_table(data: Path, folder: str) -> pd.DataFrame:
    """Read the CSV (plain or gzip) in a folder of the data; FileNotFoundError says what to do."""
    found = sorted((data / folder).glob("*.csv*"))
    if not found:
        raise FileNotFoundError(f"no CSV in {data.name}/{folder}: skipped")
    return pd.read_csv(found[0])
