"""``contactopt recheck``: which planned contacts to withdraw, just before dispatch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactopt.cli.frame_file import check_frame_file, write_frame
from contactopt.cli.inputs import instant_of, read_config, read_portfolio
from contactopt.cli.options import AsOf, Json, MaxQuarantinedShare, PortfolioFolder, StrategyFile
from contactopt.cli.output import shows_progress, table, tell
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["recheck"]

#: rows that are named on the terminal; --out and --json have all of them
_SHOWN = 20


def recheck(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="Folder that `rank --out` wrote.")],
    portfolio: PortfolioFolder,
    as_of: AsOf,
    strategy: StrategyFile = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the rows to withdraw (.csv, .parquet)."),
    ] = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    as_json: Json = False,
) -> None:
    """Name the planned contacts that must not go out any more, with the rules against them.

    Law and orchestration are judged once more by what the portfolio says now, for every contact
    that has not started. Who or what cannot be found any more is withdrawn; so is a contact
    whose last instant to start has passed. The plan is not changed.

    The strategy is the one the plan was made with, unless --strategy names another.

    \b
    For example:
        contactopt recheck plan W/portfolio --as-of 2026-06-02T14:00Z --out withdraw.csv
        contactopt recheck plan W/portfolio --as-of latest --json
    """
    from contactopt.contracts import check_config, check_staleness
    from contactopt.plan import read_plan
    from contactopt.plan import recheck as judge

    check_frame_file(out)
    rows, _, own = read_plan(plan)
    config = read_config(strategy) or own
    if config is None:
        raise ConfigError(
            "the plan does not say with which strategy it was made", hint="give --strategy"
        )
    data = read_portfolio(
        portfolio,
        config,
        max_quarantined_share=max_quarantined_share,
        progress=shows_progress(as_json=as_json),
    )
    instant = instant_of(as_of, data, config)
    check_config(data, config)
    check_staleness(data, config, instant)
    found = judge(rows, data, instant, config=config)
    if out is not None:
        write_frame(found, out)
    tell(_result(found, instant, out), _text(found, instant, out), as_json=as_json)


def _counts(found: pd.DataFrame) -> dict[str, int]:
    by_rule = Counter(r for reasons in found["reasons"] for r in reasons.split("|"))
    return dict(sorted(by_rule.items(), key=lambda pair: (-pair[1], pair[0])))


def _result(found: pd.DataFrame, instant: pd.Timestamp, out: Path | None) -> dict[Any, Any]:
    named = found.astype(object).where(found.notna(), None)
    rows = named.assign(reasons=found["reasons"].str.split("|").astype(object)).to_dict("records")
    return {
        "as_of": instant,
        **found.attrs,
        "by_rule": _counts(found),
        "withdraw": rows,
        "file": None if out is None else out.as_posix(),
    }


def _text(found: pd.DataFrame, instant: pd.Timestamp, out: Path | None) -> str:
    n, gone = found.attrs["rows"], found.attrs["withdrawn"]
    lines = [
        f"{gone:,} of {n:,} planned contacts to withdraw at {instant:%Y-%m-%dT%H:%MZ} "
        f"({found.attrs['started']:,} have started; rules {found.attrs['rules_version'][:12]})"
    ]
    if gone:
        lines.append(table([(f"  {k}", f"{v:,}") for k, v in _counts(found).items()]))
    for row in found.head(_SHOWN).itertuples():
        lines.append(f"  withdraw {row.decision_id}  {row.action_id}: {row.reasons}")
    if gone > _SHOWN:
        lines.append(f"  ... and {gone - _SHOWN:,} more: --out FILE or --json has all of them")
    if out is not None:
        lines.append(f"  wrote {out}")
    return "\n".join(lines)
