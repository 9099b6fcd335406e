"""``contactopt rank``: the next 24 hours' plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactopt.cli.options import (
    AsOf,
    BatchId,
    Json,
    MaxQuarantinedShare,
    OptionalModel,
    PortfolioFolder,
    RandomState,
    StrategyFile,
    TrackingUri,
)
from contactopt.cli.output import check_folder, shows_progress, tell
from contactopt.cli.planning import open_for_a_plan

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig
    from contactopt.plan import ContactPlan

__all__ = ["plan_result", "plan_text", "rank"]


def rank(
    portfolio: PortfolioFolder,
    as_of: AsOf,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for plan and log.")],
    model: OptionalModel = None,
    strategy: StrategyFile = None,
    capacity: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Capacity table; wins over the portfolio's own."),
    ] = None,
    random_state: RandomState = None,
    batch_id: BatchId = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page that explains the plan, too."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan the next 24 hours of contacts.

    Who, which channel, which local hour, with which probability and expected net value.

    With --model a fitted strategy is used, with --strategy alone one that rests on priors.
    Writing the same batch twice changes nothing.

    \b
    For example:
        contactopt rank W/portfolio --model models:/s@champion --as-of latest --out plan
        contactopt rank portfolio --strategy strategy.yaml --as-of 2026-06-02T12:00Z --out plan
    """
    progress = shows_progress(as_json=as_json)
    check_folder(out)
    chosen, data, instant = open_for_a_plan(
        portfolio,
        as_of,
        model=model,
        strategy=strategy,
        tracking_uri=tracking_uri,
        max_quarantined_share=max_quarantined_share,
        progress=progress,
        hint="--model for a fitted strategy, --strategy to rank on priors alone",
    )
    plan = chosen.rank(
        data,
        as_of=instant,
        capacity=capacity,
        random_state=random_state,
        batch_id=batch_id,
        progress=progress,
    )
    plan.write(out)
    if html is not None:
        plan.to_html(html)
    tell(
        plan_result(plan, chosen.config, out, html),
        plan_text(plan, chosen.config, out, html),
        as_json=as_json,
    )


def plan_result(
    plan: ContactPlan, config: StrategyConfig, folder: Path, page: Path | None = None
) -> dict[str, Any]:
    """Give the plan in figures, with the rules that nobody checks and the files."""
    unchecked = [{"rule": rule, "why": why} for rule, why in _not_checked(plan, config)]
    notes = list(plan.batch.meta.get("rules_notes", ()))
    return {
        **plan.summary(),
        "not_checked": unchecked,
        "rules_notes": notes,
        "files": _files(folder, page),
    }


def plan_text(
    plan: ContactPlan, config: StrategyConfig, folder: Path, page: Path | None = None
) -> str:
    """Write the same for people."""
    lines = [repr(plan)]
    unchecked = [f"{rule}: {why}" for rule, why in _not_checked(plan, config)]
    lines += [f"  not checked       {line}" for line in _alike(unchecked)]
    lines += [
        f"  note              {line}" for line in _alike(plan.batch.meta.get("rules_notes", ()))
    ]
    lines += [f"  wrote             {path}" for path in _files(folder, page)]
    return "\n".join(lines)


def _alike(said: Iterable[str]) -> list[str]:
    """Put into one line whatever is said of several rules or places in the same words."""
    about: dict[str, list[str]] = {}
    for line in said:
        what, colon, words = line.partition(": ")
        about.setdefault(words if colon else line, []).append(what if colon else "")
    return [f"{', '.join(who)}: {words}" if any(who) else words for words, who in about.items()]


def _not_checked(plan: ContactPlan, config: StrategyConfig) -> tuple[tuple[str, str], ...]:
    from contactopt.compliance import RuleBook

    every = RuleBook.load(config.rules, plan.batch.as_of).unchecked
    here = plan.batch.meta.get("rules_not_checked")
    return every if here is None else tuple(line for line in every if line[0] in set(here))


def _files(folder: Path, page: Path | None) -> list[str]:
    files = {path.as_posix() for path in folder.rglob("*") if path.is_file()}
    return sorted(files | ({page.as_posix()} if page else set()))
