"""``contactopt simulate``: a portfolio with known truth, and a strategy file for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import shows_progress, table, tell
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from contactopt.contracts import Portfolio

__all__ = ["simulate", "simulated_portfolio", "write_strategy_file"]

#: agents' minutes a day per customer: about three calls for a hundred customers
_AGENT_MINUTES_PER_CUSTOMER = 0.18
_AGENT_POOL, _AGENT_ZONE = "agents", "America/New_York"


def simulate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    customers: Annotated[int, typer.Option(min=0, help="Number of customers.")] = 20_000,
    random_state: Annotated[int, typer.Option(min=0, help="Seed of the world.")] = 0,
    days: Annotated[int, typer.Option(min=1, help="Days of contact history.")] = 100,
    preset: Annotated[
        str, typer.Option(help="Stage: mixed, early, mid, late or charged_off.")
    ] = "mixed",
    as_json: Json = False,
) -> None:
    """Write a simulated portfolio and a strategy.

    Customers, debts, payments and contact history of a world with known truth, with a strategy
    file for it. The same options give the same bytes.

    \b
    For example:
        contactopt simulate --customers 5000 --random-state 3 --out W
        contactopt simulate --preset late --days 60 --out late-world --json
    """
    made = simulated_portfolio(
        customers, random_state, days, preset, progress=shows_progress(as_json=as_json)
    )
    strategy = write_strategy_file(out / "strategy.yaml")
    folder = made.to_folder(out / "portfolio")
    rows = {name: len(frame) for name, frame in made.tables.items() if len(frame)}
    result = {"portfolio": folder, "strategy": strategy, "rows": rows}
    files = [("portfolio", folder), ("strategy", strategy)]
    tell(result, table([*((n, f"{k:,}") for n, k in rows.items()), *files]), as_json=as_json)


def simulated_portfolio(
    customers: int, random_state: int, days: int, preset: str, *, progress: bool
) -> Portfolio:
    """Simulate the demo portfolio and add the hours that its agents have next."""
    from contactopt.contracts import read_capacity
    from contactopt.datasets import load_demo

    made = load_demo(customers, random_state, preset=preset, n_days=days, progress=progress)
    made.capacity = read_capacity(_agent_minutes(customers, made.complete_to["touches"]))
    return made


def write_strategy_file(path: Path) -> Path:
    """Write the annotated example, with an answer for places that no rule pack covers.

    Raises
    ------
    ConfigError
        Another strategy stands there: it may have been edited.
    """
    from contactopt.config import example_strategy_text

    text = example_strategy_text().replace("fallback: refuse  ", "fallback: cautious")
    if path.exists() and path.read_text("utf-8") != text:
        raise ConfigError(
            f"{path.name} exists and differs from the example",
            hint="name another folder, or move the file away",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def _agent_minutes(customers: int, as_of: pd.Timestamp) -> pd.DataFrame:
    """Give the agents' minutes on the days that the next plan can fall on."""
    import pandas as pd

    today = as_of.tz_convert(_AGENT_ZONE).normalize()
    dates = [(today + pd.Timedelta(days=k)).strftime("%Y-%m-%d") for k in range(3)]
    minutes = float(max(60, round(_AGENT_MINUTES_PER_CUSTOMER * customers)))
    return pd.DataFrame({"pool": _AGENT_POOL, "date": dates, "units": minutes})
