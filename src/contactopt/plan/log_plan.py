"""The plan to execute, read back from the folder it was written to."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from contactopt.errors import ConfigError, ContractError

__all__ = ["read_plan"]


def read_plan(folder: str | Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the newest plan of a folder and the pools there are.

    Parameters
    ----------
    folder : str or Path
        As `ContactPlan.write` made it; ``plan.parquet`` alone is enough.

    Returns
    -------
    plan : DataFrame
        The plan of the contract.
    pools : dict of str to str
        IANA zone by pool, pools without a row included; empty where the log does not say.

    Raises
    ------
    ConfigError
        If there is no plan.
    ContractError
        If the file is none that this library wrote.
    """
    import pyarrow as pa

    path = Path(folder) / "plan.parquet"
    if not path.is_file():
        raise ConfigError(
            f"no plan.parquet in {folder}",
            hint="give the folder that `contactopt rank --out` or `ContactPlan.write` wrote to",
        )
    try:
        plan = pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError):
        raise ContractError("plan.parquet is damaged", hint="write the plan again") from None
    lacking = [
        c for c in ("decision_id", "batch_id", "rank", "pool", "slot_start") if c not in plan
    ]
    if lacking:
        raise ContractError(
            f"plan.parquet has no column {', '.join(lacking)}", hint="write the plan again"
        )
    return plan, _pools(Path(folder) / "batches", plan)


def _pools(batches: Path, plan: pd.DataFrame) -> dict[str, str]:
    """Pools of the plan's batch; of a plan without rows, of all batches of the folder."""
    ids = plan["batch_id"].unique()
    paths = [batches / f"{Path(i).name}.parquet" for i in ids] or sorted(batches.glob("*.parquet"))
    pools: dict[str, str] = {}
    for path in paths:
        row = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
        if "pools" in row and isinstance(row["pools"].iloc[0], str):
            pools |= json.loads(row["pools"].iloc[0])
    return pools
