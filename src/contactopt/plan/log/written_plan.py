"""The plan to execute, read back from the folder it was written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError, ContractError

__all__ = ["WrittenPlan", "read_plan"]


class WrittenPlan(NamedTuple):
    """A plan as `ContactPlan.write` left it.

    Parameters
    ----------
    rows : DataFrame
        The plan of the contract.
    pools : dict of str to str
        IANA zone by pool, pools without a row included; empty where the log does not say.
    strategy : StrategyConfig or None
        What the plan was made with, where the log says so.
    """

    rows: pd.DataFrame
    pools: dict[str, str]
    strategy: StrategyConfig | None


def read_plan(folder: str | Path) -> WrittenPlan:
    """Return the newest plan of a folder.

    Parameters
    ----------
    folder : str or Path
        As `ContactPlan.write` made it; ``plan.parquet`` alone is enough.

    Returns
    -------
    WrittenPlan

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
    batches = _batches(Path(folder) / "batches", plan)
    return WrittenPlan(plan, _pools(batches), _strategy(batches))


def _batches(folder: Path, plan: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the plan's batches; of a plan without rows, of all batches of the folder."""
    ids = sorted(map(str, plan["batch_id"].dropna().unique()))
    paths = [folder / f"{Path(i).name}.parquet" for i in ids] or sorted(folder.glob("*.parquet"))
    return [dict(pd.read_parquet(path).iloc[0]) for path in paths if path.is_file()]


def _pools(batches: list[dict[str, Any]]) -> dict[str, str]:
    pools: dict[str, str] = {}
    for row in batches:
        if isinstance(row.get("pools"), str):
            pools |= json.loads(row["pools"])
    return pools


def _strategy(batches: list[dict[str, Any]]) -> StrategyConfig | None:
    """Strategy of the newest batch that names one."""
    for row in reversed(batches):
        found = json.loads(row["meta"]).get("strategy") if "meta" in row else None
        if found is not None:
            return StrategyConfig.from_mapping(found, source="the plan's strategy")
    return None
