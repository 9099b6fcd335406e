"""Read the log of earlier batches back; a batch counts once its row in batches/ is there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from contactopt.errors import ConfigError

__all__ = ["read_decisions"]


def read_decisions(folder: str | Path) -> pd.DataFrame:
    """Return the decisions of all batches that were written whole, oldest first.

    Parameters
    ----------
    folder : str or Path
        As `ContactPlan.write` made it.

    Returns
    -------
    DataFrame
        Columns of the contract's decisions table, sorted by decided_at, batch_id, customer_id.

    Raises
    ------
    ConfigError
        If the folder holds no batch.
    """
    folder = Path(folder)
    names = sorted(p.name for p in (folder / "batches").glob("*.parquet"))
    if not names:
        raise ConfigError(
            f"no batch in {folder}", hint="give the folder that `ContactPlan.write` wrote to"
        )
    parts = [pd.read_parquet(folder / "decisions" / name) for name in names]
    log = pd.concat(parts, ignore_index=True)
    return log.sort_values(["decided_at", "batch_id", "customer_id"], ignore_index=True)
