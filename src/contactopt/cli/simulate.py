"""``contactopt simulate``: a portfolio with known truth, and a strategy file for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import shows_progress, table, tell

if TYPE_CHECKING:
    from contactopt.contracts import Portfolio

__all__ = ["simulate", "simulate_into"]


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
    made = simulate_into(
        out, customers, random_state, days, preset, progress=shows_progress(as_json=as_json)
    )
    folder, strategy = out / "portfolio", out / "strategy.yaml"
    rows = {name: len(frame) for name, frame in made.tables.items() if len(frame)}
    result = {"portfolio": folder, "strategy": strategy, "rows": rows}
    files = [("portfolio", folder), ("strategy", strategy)]
    tell(result, table([*((n, f"{k:,}") for n, k in rows.items()), *files]), as_json=as_json)


def simulate_into(
    out: Path, customers: int, random_state: int, days: int, preset: str, *, progress: bool
) -> Portfolio:
    """Write portfolio, capacity and strategy, with a bar over the days."""
    from tqdm import tqdm

    from contactopt import simulation

    with tqdm(total=days, unit="day", desc="simulate", disable=not progress) as bar:
        return simulation.simulate(customers, random_state, preset, days, out, progress=bar.update)
