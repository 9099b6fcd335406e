"""What goes with a simulated portfolio: a strategy file and capacities that bind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, read_capacity
from contactopt.errors import ConfigError
from contactopt.simulation.incumbent import TEMPLATE_CHANNELS, template_name
from contactopt.simulation.population import LANGUAGES
from contactopt.simulation.presets import WORLD_CHANNELS, Preset, preset_by_name
from contactopt.simulation.world import World

__all__ = ["capacity_table", "simulate", "strategy_mapping", "write_strategy"]

#: channels a strategy plans in the world; the world itself also knows push, chat and visit
_PLANNED = ("call_agent", "call_bot", "sms", "whatsapp", "email", "letter")
_HANDLING_MINUTES = 6.0
#: the world's messages say who writes, for whom, and how to make it stop
_DISCLOSURES = ("opt_out", "mini_miranda", "identity", "agency")
_POOL_ZONE = "America/New_York"
#: pool -> (unit, channels it serves, contacts per customer and day)
_POOLS: dict[str, tuple[str, tuple[str, ...], float]] = {
    "agents": ("minutes", ("call_agent",), 0.08),
    "bots": ("contacts", ("call_bot",), 0.12),
    "texts": ("contacts", ("sms", "whatsapp"), 0.20),
    "mailer": ("contacts", ("email",), 0.25),
    "post": ("contacts", ("letter",), 0.03),
}


def strategy_mapping(preset: str | Preset = "mixed") -> dict[str, Any]:
    """Return the strategy that fits the world, as keys and values of a strategy file."""
    costs = dict(zip(WORLD_CHANNELS, preset_by_name(preset).unit_cost, strict=True))
    pools = {}
    for name, (unit, channels, _) in _POOLS.items():
        pools[name] = {"time_zone": _POOL_ZONE, "unit": unit, "serves": {"channels": [*channels]}}
        if unit == "minutes":
            pools[name]["handling_minutes_per_contact"] = _HANDLING_MINUTES
    per_channel = 2 * len(LANGUAGES)
    templates = [
        {
            "template_id": template_name(code),
            "channel": TEMPLATE_CHANNELS[code // per_channel],
            "language": LANGUAGES[code % per_channel // 2],
            "disclosures": list(_DISCLOSURES),
            "approved": True,
        }
        for code in range(len(TEMPLATE_CHANNELS) * per_channel)
    ]
    return {
        "objective": {"horizon_days": 30, "currency": "USD"},
        "channels": {c: {"unit_cost": costs[c]} for c in _PLANNED},
        "slots": list(range(8, 20)),
        "pools": pools,
        "templates": templates,
        "rules": {"fallback": "cautious"},
        "random_state": 0,
    }


def write_strategy(path: str | Path, preset: str | Preset = "mixed") -> Path:
    """Write the world's strategy as YAML, all or nothing, and return its path.

    Raises
    ------
    ConfigError
        If another strategy stands there: it may have been edited.
    """
    mapping = strategy_mapping(preset)
    StrategyConfig.from_mapping(mapping)
    head = (
        "# Strategy of a simulated portfolio: costs are those of the world, jurisdictions without\n"
        "# a rule pack are treated cautiously. Every key is explained in the annotated example.\n"
    )
    text = head + yaml.safe_dump(mapping, sort_keys=False, width=100)
    path = Path(path)
    if path.exists() and path.read_text("utf-8") != text:
        raise ConfigError(
            f"{path.name} exists and differs from the world's strategy",
            hint="name another folder, or move the file away",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(fresh).chmod(0o644)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
    return path


def capacity_table(n_customers: int, first: date, n_days: int = 2) -> pd.DataFrame:
    """Return capacities that bind: agents reach 8 % of the customers a day, texts 20 %, ...

    Parameters
    ----------
    n_customers : int
    first : date
        First day, in the pools' zone (New York).
    n_days : int
        Number of days; a plan's window of 24 hours touches two.

    Returns
    -------
    DataFrame
        pool, date, units (minutes for agents, contacts for the others), whole numbers.
    """
    rows = []
    for pool, (unit, _, share) in _POOLS.items():
        contacts = max(1, round(share * n_customers))
        units = float(contacts * (_HANDLING_MINUTES if unit == "minutes" else 1))
        for k in range(n_days):
            rows.append({"pool": pool, "date": first + timedelta(days=k), "units": units})
    return read_capacity(pd.DataFrame(rows, columns=["pool", "date", "units"]))


def simulate(
    n_customers: int,
    random_state: int,
    preset: str | Preset,
    n_days: int,
    out: str | Path,
    *,
    progress: Callable[[int], object] | None = None,
) -> Portfolio:
    """Simulate a portfolio and write it with its strategy.

    Parameters
    ----------
    n_customers, random_state, preset, n_days
        See `World`.
    out : path
        Folder that gets ``portfolio/`` (with its capacity) and ``strategy.yaml``; each is
        written whole or not at all.
    progress : callable, optional
        Called with 1 after each simulated day.

    Returns
    -------
    Portfolio
        What was written.
    """
    write_strategy(Path(out) / "strategy.yaml", preset)
    world = World(preset, n_customers=n_customers, random_state=random_state, n_days=n_days)
    portfolio = world.run(progress=progress).portfolio()
    portfolio.capacity = capacity_table(n_customers, world.as_of.date())
    portfolio.to_folder(Path(out) / "portfolio")
    return portfolio
