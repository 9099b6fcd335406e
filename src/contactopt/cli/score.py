"""``contactopt score``: one row of scores per customer in arrears."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contactopt.cli.frame_file import check_frame_file, write_frame
from contactopt.cli.inputs import instant_of, read_portfolio, read_strategy
from contactopt.cli.options import (
    AsOf,
    Json,
    MaxQuarantinedShare,
    Model,
    PortfolioFolder,
    TrackingUri,
)
from contactopt.cli.output import shows_progress, table, tell

__all__ = ["score"]


def score(
    portfolio: PortfolioFolder,
    as_of: AsOf,
    model: Model,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Scores, .parquet or .csv.")],
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Score customers: propensity to pay, expected money, best channel and hour.

    Describes every customer in arrears; law and capacity are not in it: `rank` decides.

    \b
    For example:
        contactopt score W/portfolio --model models:/s@champion --as-of latest --out scores.csv
        contactopt score portfolio --model bundle --as-of 2026-06-02T12:00Z --out s.parquet
    """
    check_frame_file(out)
    chosen = read_strategy(model, tracking_uri)
    progress = shows_progress(as_json=as_json)
    data = read_portfolio(
        portfolio, chosen.config, max_quarantined_share=max_quarantined_share, progress=progress
    )
    instant = instant_of(as_of, data, chosen.config)
    scores = chosen.score_customers(data, as_of=instant, progress=progress)
    write_frame(scores, out)
    result = {
        "file": out,
        "as_of": instant.isoformat(),
        "customers": data.n_customers,
        "in_arrears": len(scores),
        "expected_recovery": float(scores["expected_recovery"].sum()),
        "with_a_best_hour": int(scores["best_hour"].notna().sum()),
        "policy_version": chosen.version,
    }
    lines: list[tuple[str, object]] = [
        ("scores", out),
        ("as of", instant.isoformat()),
        ("customers in arrears", f"{len(scores):,} of {data.n_customers:,}"),
        (
            "expected recovery",
            f"{result['expected_recovery']:,.0f} {chosen.config.objective.currency}",
        ),
        ("with a best hour", f"{result['with_a_best_hour']:,}"),
    ]
    tell(result, table(lines), as_json=as_json)
