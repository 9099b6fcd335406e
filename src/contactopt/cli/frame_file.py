"""A frame written to a file that a verb's --out names, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from contactopt.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_frame_file", "write_frame"]

_KINDS = (".csv", ".parquet")


def check_frame_file(out: Path | None) -> None:
    """Refuse a file that is neither CSV nor parquet, before any work is done."""
    if out is not None and out.suffix not in _KINDS:
        raise ConfigError(
            f"--out {out.name}: neither CSV nor parquet",
            hint="name a file that ends in .csv or .parquet",
        )


def write_frame(frame: pd.DataFrame, out: Path) -> None:
    """Write beside the place and move: no half file is ever read."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.writing")
    try:
        if out.suffix == ".csv":
            frame.to_csv(fresh, index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
        else:
            frame.to_parquet(fresh, index=False)
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)
