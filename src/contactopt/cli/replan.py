"""``contactopt replan``: what is left of the day, planned anew around what stands."""

from __future__ import annotations

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
from contactopt.cli.rank import plan_result, plan_text

if TYPE_CHECKING:
    from contactopt.plan import ContactPlan

__all__ = ["replan"]


def replan(
    earlier: Annotated[
        Path, typer.Argument(metavar="PLAN", help="Folder that `rank --out` wrote today.")
    ],
    portfolio: PortfolioFolder,
    as_of: AsOf,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for plan and log; default: PLAN."),
    ] = None,
    model: OptionalModel = None,
    strategy: StrategyFile = None,
    capacity: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of the whole day; wins over the portfolio's own."),
    ] = None,
    random_state: RandomState = None,
    batch_id: BatchId = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Plan the rest of the day anew; what was sent or still stands is fixed.

    Drawn are new customers, those whose contact was withdrawn (as `recheck` says, or told as not
    dispatched) and those to whom everything was closed and something is open now, within what
    the contacts that stand leave of the day's capacity. Nobody else has a new line in the log.

    Written beside the plan, plan.parquet has the contacts that stand and the new ones.

    \b
    For example:
        contactopt replan plan W/portfolio --model models:/s@champion --as-of 2026-06-02T17:00Z
        contactopt replan plan portfolio --strategy strategy.yaml --as-of latest --json
    """
    progress = shows_progress(as_json=as_json)
    check_folder(earlier if out is None else out)
    chosen, data, instant = open_for_a_plan(
        portfolio,
        as_of,
        model=model,
        strategy=strategy,
        tracking_uri=tracking_uri,
        max_quarantined_share=max_quarantined_share,
        progress=progress,
        hint="that with which the plan was made",
    )
    plan = chosen.replan(
        data,
        as_of=instant,
        earlier=earlier,
        capacity=capacity,
        random_state=random_state,
        batch_id=batch_id,
        progress=progress,
    )
    folder = earlier if out is None else out
    plan.write(folder)
    told = _standing(plan)
    lines = [
        f"  stands            {told['standing']:,} contacts and {told['waiting']:,} waiting, of "
        f"{told['replans']}",
        f"  withdrawn         {len(told['withdrawn']):,} contacts",
        *(f"    {row['decision_id']}: {row['reasons']}" for row in told["withdrawn"][:20]),
    ]
    tell(
        {**plan_result(plan, chosen.config, folder), **told},
        "\n".join([plan_text(plan, chosen.config, folder), *lines]),
        as_json=as_json,
    )


def _standing(plan: ContactPlan) -> dict[str, Any]:
    assert plan.replanned is not None
    standing = plan.replanned.standing
    return {
        "replans": standing.replans,
        "standing": len(standing.contacts),
        "waiting": standing.n_waiting,
        "withdrawn": standing.withdrawn.to_dict("records"),
    }
