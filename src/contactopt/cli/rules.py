"""``contactopt rules``: check vectors, list the rules, compare two laws, explain one customer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactopt.cli.inputs import instant_of, read_config, read_portfolio
from contactopt.cli.options import AsOf, AsOptionalOf, Json, PortfolioFolder, StrategyFile
from contactopt.cli.output import say, shows_progress, tell

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig

__all__ = ["rules_app"]

rules_app = typer.Typer(
    name="rules",
    help="Look into the rules: check test vectors, list them, compare two laws, explain.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@rules_app.command()
def check(
    vectors: Annotated[
        Path, typer.Argument(metavar="VECTORS", help="File of test vectors (JSON).")
    ],
    strategy: StrategyFile = None,
    as_json: Json = False,
) -> None:
    """Judge test vectors and compare verdict and deciding rule.

    Prints agreed/total and each disagreement; exit 1 if there is any. With --strategy its packs,
    overrides and profile are judged, else the shipped packs in the profile law.

    \b
    For example:
        contactopt rules check vectors.json
        contactopt rules check vectors.json --strategy strategy.yaml --json
    """
    from contactopt.compliance.vectors import check_vectors, read_vectors

    config = read_config(strategy)
    report = check_vectors(read_vectors(vectors), None if config is None else config.rules)
    tell(report.to_dict(), repr(report), as_json=as_json)
    if report.disagreements:
        raise typer.Exit(1)


@rules_app.command(name="list")
def list_rules(
    strategy: StrategyFile = None,
    as_of: AsOptionalOf = None,
    jurisdiction: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only rules that apply in this code.")
    ] = None,
    proposed: Annotated[
        bool, typer.Option("--proposed", help="Rules that are drafted or to come.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the rules that bind, with source, dates and how sure they are.

    Without --as-of the rules of all times. Rules that no machine can test are marked as duties.

    \b
    For example:
        contactopt rules list --as-of 2026-06-02T12:00Z --jurisdiction US-NY
        contactopt rules list --proposed --json
    """
    from contactopt.compliance import RuleBook
    from contactopt.compliance.rule import within

    config = _config(strategy)
    book = RuleBook.load(config.rules, None if as_of is None else _instant(as_of))
    chosen = book.proposed if proposed else book.rules
    if jurisdiction is not None:
        chosen = tuple(r for r in chosen if within(jurisdiction, r.jurisdiction))
        if book.covers(jurisdiction):  # the cautious rules are for places without a pack
            chosen = tuple(r for r in chosen if r.pack != "cautious")
    unchecked = dict(book.unchecked)
    rows = [
        {
            **r.card(),
            "locality": r.locality,
            "status": r.status,
            "effective_from": r.effective_from,
            "effective_to": r.effective_to,
            "not_checked": unchecked.get(r.id),
        }
        for r in chosen
    ]
    result = {
        "rules_version": book.version,
        "profile": book.profile,
        "packs": list(book.packs),
        "excluded": list(book.excluded),
        "rules": rows,
    }
    tell(result, _listed(rows, book.summary()), as_json=as_json)


def _listed(rows: list[dict[str, Any]], summary: str) -> str:
    lines = []
    for r in rows:
        place = r["jurisdiction"] + (f" ({r['locality']})" if r["locality"] else "")
        dates = f"{r['effective_from'] or '...'} to {r['effective_to'] or '...'}"
        lines.append(f"{r['id']}  {place}  {r['kind']}  {r['strength']}  {dates}")
        lines.append(f"    {r['summary']}")
        lines.append(f"    {r['citation']} · {r['confidence']} · {r['source_url'] or 'no source'}")
        if r["not_checked"]:
            lines.append(f"    not checked: {r['not_checked']}")
    return "\n".join([*lines, "", summary])


@rules_app.command()
def diff(
    portfolio: PortfolioFolder,
    as_of: AsOf,
    law_of: Annotated[
        tuple[str, str],
        typer.Option(
            metavar="LAW LAW",
            help="Two laws: dates (YYYY-MM-DD), packs or folders of packs, `strategy`, `proposed`.",
        ),
    ],
    strategy: StrategyFile = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all changed decisions (CSV).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the decisions that two laws judge differently, everything else being equal.

    \b
    For example:
        contactopt rules diff portfolio --as-of 2026-08-30T12:00Z --law-of 2026-08-31 2026-09-01
        contactopt rules diff portfolio --as-of latest --law-of strategy proposed
        contactopt rules diff portfolio --as-of latest --law-of strategy new_packs/
    """
    from contactopt.compliance.compare import diff as compare

    config = _config(strategy)
    data = read_portfolio(
        portfolio, config, max_quarantined_share=None, progress=shows_progress(as_json=as_json)
    )
    found = compare(data, config=config, as_of=instant_of(as_of, data, config), laws=law_of)
    if out is not None:
        found.changes.to_csv(out, index=False)
        say(f"wrote {out}")
    tell(found.to_dict(), repr(found), as_json=as_json)


@rules_app.command()
def explain(
    portfolio: PortfolioFolder,
    customer: Annotated[str, typer.Option("--customer", metavar="ID", help="Whom to explain.")],
    as_of: AsOf,
    strategy: StrategyFile = None,
    as_json: Json = False,
) -> None:
    """Explain what stops each contact of one customer, and from when it is lawful.

    Rule ids with source and confidence, the contacts they counted, the facts they rest on.

    \b
    For example:
        contactopt rules explain portfolio --customer C-17 --as-of 2026-06-02T12:00Z
    """
    from contactopt.compliance import RuleBook, shared_point_rotation
    from contactopt.compliance.explaining import explain_customer

    config = _config(strategy)
    data = read_portfolio(
        portfolio, config, max_quarantined_share=None, progress=shows_progress(as_json=as_json)
    )
    instant = instant_of(as_of, data, config)
    resting = shared_point_rotation(data, instant, config.random_state)["customer_id"]
    found = explain_customer(
        data,
        customer,
        config=config,
        as_of=instant,
        rules=RuleBook.load(config.rules, instant),
        denied={"house.shared_point": resting},
    )
    tell(found.to_dict(), repr(found), as_json=as_json)


def _config(strategy: Path | None) -> StrategyConfig:
    from contactopt.config import StrategyConfig

    return read_config(strategy) or StrategyConfig.from_mapping({})


def _instant(text: str) -> Any:
    """Read an instant where no portfolio says what `latest` is."""
    from contactopt.contracts.instants import written_instant
    from contactopt.errors import ConfigError

    found = written_instant(text)
    if found is None or found.tzinfo is None:
        raise ConfigError("--as-of is no instant with a zone", hint="write 2026-06-02T12:00Z")
    return found.tz_convert("UTC")
