"""The plan on one page, for a manager and an auditor: self-contained, the same bytes each time."""

from __future__ import annotations

from html import escape
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from contactopt.errors import ConfigError
from contactopt.plan.delimited import replace_file
from contactopt.plan.page import page_parts as parts
from contactopt.plotting import default_look

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["page_html", "write_page"]

#: the page may not load anything, even if an id were to smuggle a tag in
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page_html(plan: ContactPlan, *, n_rows: int = 10) -> str:
    """Return the page.

    Headline figures, load and value, capacity with prices, probabilities, what is blocked by which
    rule (with its text and source, where the scores brought them), notes and rules that nobody
    checks, first rows by pool, versions and hashes. No script, no network, ids only.

    Parameters
    ----------
    plan : ContactPlan
    n_rows : int
        Rows shown per pool, first by priority.

    Returns
    -------
    str
        A whole HTML document; the same for the same plan. An empty plan gives a page that says so.

    Raises
    ------
    ConfigError
        If ``n_rows`` is negative.
    """
    if n_rows < 0:
        raise ConfigError("n_rows is negative", hint="n_rows is the number of rows per pool")
    figures = plan.summary()
    with default_look():
        body = [
            _head(plan),
            parts.headline(figures),
            parts.work(plan, figures),
            parts.capacity(plan, figures),
            parts.probability(plan),
            parts.blocked(plan, figures),
            parts.notes(plan, figures),
            parts.sample(plan, n_rows),
            _versions(plan),
            _foot(),
        ]
    css = files("contactopt.plan.page").joinpath("page.css").read_text("utf-8")
    title = escape(f"Contact plan {plan.batch_id}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def write_page(plan: ContactPlan, path: str | Path | None, *, n_rows: int = 10) -> str:
    """Return the page, and write it whole or not at all where a path is given."""
    text = page_html(plan, n_rows=n_rows)
    if path is not None:
        replace_file(Path(path), text.encode("utf-8"))
    return text


def _head(plan: ContactPlan) -> str:
    as_of = pd.Timestamp(plan.batch.as_of).tz_convert("UTC")
    return (
        "<header>\n<h1>Contact plan</h1>\n"
        f'<p class="soft">As of {as_of:%Y-%m-%d %H:%M} UTC, for the 24 hours after. '
        f"Batch {escape(plan.batch_id)}. Money in {escape(plan.batch.currency)}.</p>\n</header>"
    )


def _versions(plan: ContactPlan) -> str:
    meta, policy = plan.batch.meta, plan.policy.to_state()
    from contactopt.plan.identity import table_hash

    rows: list[tuple[Any, Any]] = [
        ("batch_id", plan.batch_id),
        ("policy_version", plan.policy_version),
        ("rules_version", plan.rules_version),
        ("portfolio_hash", meta.get("portfolio_hash")),
        ("config_hash", meta.get("config_hash")),
        ("capacity_hash", table_hash(plan.capacity)),
        ("plan content_hash", plan.content_hash),
        ("random_state", plan.random_state),
        ("tau, floor", f"{plan.allocation.tau:.6g}, {plan.allocation.floor:.6g}"),
        ("policy", ", ".join(f"{k}: {v}" for k, v in sorted(policy.items()))),
        ("contactopt", _library()),
    ]
    told = [(name, "not known" if value is None else value) for name, value in rows]
    intro = (
        "<p>The plan and its log are reproduced bit for bit from the same tables, strategy, "
        "capacity and seed; these name them.</p>"
    )
    return parts.section(
        "Versions and hashes",
        intro + parts.table("Versions and hashes", ["what", "value"], told, ids=[1]),
    )


def _foot() -> str:
    return (
        "<footer>\n<p><strong>Not legal advice.</strong> Rules are research material for software; "
        "counsel must review each of them before use. Law and facts change after a plan is drawn: "
        "check <code>start_before</code>, holds and payments again before every contact.</p>\n"
        "</footer>"
    )


def _library() -> str:
    try:
        return version("contactopt")
    except PackageNotFoundError:
        return "run from source"
