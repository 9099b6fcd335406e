"""``contactopt demo``: the whole line once, from raw tables to a plan and back from MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import say, shows_progress, tell
from contactopt.cli.rank import plan_result, plan_text
from contactopt.cli.simulate import simulate_into

__all__ = ["demo"]

_NAME = "contactopt-demo"
_DAYS = 100


def demo(
    customers: Annotated[int, typer.Option(min=0, help="Number of customers.")] = 20_000,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for everything.")] = Path(_NAME),
    random_state: Annotated[int, typer.Option(min=0, help="Seed of the world.")] = 0,
    as_json: Json = False,
) -> None:
    """Run the whole line on simulated data.

    Simulate, validate, fit, register, load and rank; everything lands in one folder.

    \b
    For example:
        contactopt demo
        contactopt demo --customers 2000 --out small-demo --json
    """
    from contactopt.strategy import ContactStrategy
    from contactopt.tracking import load_strategy, log_strategy

    progress = shows_progress(as_json=as_json)
    say(f"1/5 simulate {customers:,} customers over {_DAYS} days")
    portfolio = simulate_into(out, customers, random_state, _DAYS, "mixed", progress=progress)
    strategy = ContactStrategy.from_yaml(out / "strategy.yaml")
    as_of = portfolio.latest_instant(strategy.config.data_delay)

    say("2/5 validate")
    report = portfolio.validate(strategy.config, as_of)
    say(repr(report))
    report.raise_for_faults()

    say("3/5 fit")
    strategy.fit(portfolio, as_of=as_of, progress=progress)

    say("4/5 register and load")
    store = f"sqlite:///{(out / 'mlflow.db').as_posix()}"
    logged = log_strategy(strategy, registered_name=_NAME, tracking_uri=store)
    loaded = load_strategy(logged.uri, tracking_uri=store)

    say("5/5 rank")
    plan = loaded.rank(portfolio, as_of=as_of, progress=progress)
    plan.write(out / "plan")
    plan.to_html(out / "plan" / "plan.html")
    figures = plan_result(plan, loaded.config, out / "plan")
    result = {**figures, "version": logged.uri, "tracking_uri": store}
    text = (
        f"{plan_text(plan, loaded.config, out / 'plan')}\n"
        f"  inputs            {out / 'portfolio'}, {out / 'strategy.yaml'}\n"
        f"  registered        {logged.uri} ({logged.alias}) in {store}"
    )
    tell(result, text, as_json=as_json)
