"""Which decisions a change of law changes: the same facts and instant, judged by two rule books."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contactopt.compliance.data_tables import shipped_packs
from contactopt.compliance.evaluate import evaluate
from contactopt.compliance.reading import OURS, pack_texts, read_packs
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import shared_contacts_of
from contactopt.compliance.verdict import Verdict
from contactopt.config import RulesConfig, StrategyConfig
from contactopt.errors import RulePackError
from contactopt.journal.local_time import to_us
from contactopt.journal.terms import open_journal

__all__ = ["RulesDiff", "diff", "law_of"]

_COLUMNS = (
    "customer_id", "action_id", "before", "after", "rules_before", "rules_after", "lawful_from",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class RulesDiff:
    """Decisions that differ between two laws.

    Parameters
    ----------
    changes : DataFrame
        One row per customer and action whose verdict changed: customer_id, action_id, before and
        after (``allowed`` or ``denied``), rules_before and rules_after (ids that deny, joined by
        ``|``), lawful_from (first lawful instant under the second law, where it denies).
    n_decisions : int
        Customers times actions compared.
    laws : tuple of two str
    """

    changes: pd.DataFrame
    n_decisions: int
    laws: tuple[str, str]

    def by_rule(self) -> dict[str, dict[str, int]]:
        """Return per rule how many decisions it newly denies and how many it no longer denies."""
        found: dict[str, dict[str, int]] = {}
        for before, after in zip(
            self.changes["rules_before"], self.changes["rules_after"], strict=True
        ):
            old, new = (set(filter(None, str(x).split("|"))) for x in (before, after))
            for name, what in [(n, "denies_now") for n in new - old] + [
                (n, "denied_before") for n in old - new
            ]:
                found.setdefault(name, {"denies_now": 0, "denied_before": 0})[what] += 1
        return dict(sorted(found.items()))

    def to_dict(self, limit: int = 1000) -> dict[str, Any]:
        """Return counts and the first changed decisions as plain values."""
        rows = [
            {**row, "lawful_from": None if pd.isna(when) else when.isoformat()}
            for row in self.changes.head(limit).to_dict("records")
            for when in [row["lawful_from"]]
        ]
        return {
            "laws": list(self.laws),
            "decisions": self.n_decisions,
            "changed": len(self.changes),
            "by_rule": self.by_rule(),
            "changes": rows,
            "shown": len(rows),
        }

    def __repr__(self) -> str:
        first, second = self.laws
        lines = [
            f"law of {first} -> law of {second}: {len(self.changes)} of {self.n_decisions} "
            "decisions change"
        ]
        for name, n in self.by_rule().items():
            lines.append(
                f"  {name}: denies {n['denies_now']} more, no longer denies {n['denied_before']}"
            )
        for row in self.changes.head(20).itertuples(index=False):
            why = row.rules_after or row.rules_before
            lines.append(
                f"    {row.customer_id} {row.action_id}: {row.before} -> {row.after} ({why})"
            )
        if len(self.changes) > 20:
            lines.append(f"    and {len(self.changes) - 20} more")
        return "\n".join(lines)


def law_of(config: RulesConfig, what: str | date, as_of: Any) -> RuleBook:
    """Return the rules of a date, of a pack version, or those to come, to be applied at as_of.

    Parameters
    ----------
    config : RulesConfig
    what : str or date
        A date (YYYY-MM-DD): the rules effective on it. A path of a pack, or of a folder of packs:
        they take the place of the shipped packs of the same name. ``proposed``: with drafted and
        scheduled rules as if in force. ``strategy``: as the strategy has them at as_of.
    as_of : instant
        When the rules are applied.

    Raises
    ------
    RulePackError
        If ``what`` is none of these, or a pack is faulty.
    """
    if what == "strategy":
        return RuleBook.load(config, as_of)
    if what == "proposed":
        return RuleBook.load(config, as_of).with_proposed()
    day = _date(what)
    if day is None:
        return RuleBook.load(_with_packs(config, Path(str(what))), as_of)
    book = RuleBook.load(config)
    rules = [
        replace(r, effective_from=None, effective_to=None)
        for r in book.rules
        if r.effective_on(day)
    ]
    version = hashlib.sha256(f"{book.version}@{day}".encode()).hexdigest()
    return replace(book, rules=tuple(rules), version=version, as_of_us=to_us(as_of))


def _date(what: str | date) -> date | None:
    try:
        return what if isinstance(what, date) else date.fromisoformat(str(what))
    except ValueError:
        return None


def _with_packs(config: RulesConfig, path: Path) -> RulesConfig:
    """Put packs of a file or folder in the place of those of the same name."""
    files = sorted(p for p in path.iterdir() if p.suffix in _SUFFIXES) if path.is_dir() else [path]
    if not files or not all(f.is_file() for f in files):
        raise RulePackError(
            f"{path.name} is no date, pack or folder of packs",
            hint="write a date YYYY-MM-DD, a path, `strategy` or `proposed`",
        )
    texts = {f.name: f.read_text("utf-8") for f in files}
    own = {p["pack"] for p in read_packs(texts).values()}
    named = [n for n in pack_texts(config.packs) if n not in OURS]
    paths = {Path(n).name: n for n in config.packs if n not in shipped_packs() and n != "auto"}
    kept = [paths.get(n, n) for n in named if n not in own and n not in texts]
    return config.model_copy(update={"packs": (*kept, *map(str, files))})


_SUFFIXES = (".json", ".yaml", ".yml")


def diff(
    portfolio: Any,
    *,
    config: StrategyConfig,
    as_of: Any,
    laws: tuple[str | date, str | date],
    denied: Mapping[str, Collection[str]] | None = None,
    block_customers: int = 50_000,
    on_block: Callable[[int], None] | None = None,
) -> RulesDiff:
    """Judge every decision of a portfolio by two laws and return those that differ.

    Facts, clock and orchestration are the same on both sides; only the law changes.

    Parameters
    ----------
    portfolio : Portfolio
    config : StrategyConfig
    as_of : Timestamp or str with a zone
    laws : pair of str or date
        See `law_of`.
    denied : mapping of rule id to customer ids, optional
        As in `evaluate`.
    block_customers : int
        Customers judged at a time; the answer does not depend on it.
    on_block : callable, optional
        Called with the number of customers of each block done.

    Returns
    -------
    RulesDiff
        Without changes for an empty portfolio.

    Raises
    ------
    RulePackError
        As `law_of`.
    """
    books = tuple(law_of(config.rules, what, as_of) for what in laws)
    names = np.array(config.action_space.action_ids, dtype=object)
    shared = shared_contacts_of(portfolio, config, as_of)
    parts, n = [], 0
    for block in portfolio.blocks(block_customers):
        view = open_journal(block, config).as_of(as_of)
        one, two = (
            evaluate(view, rules=b, config=config, denied=denied, shared=shared) for b in books
        )
        parts.append(_changes(view.customer_ids, names, one, two))
        n += one.allowed.size
        if on_block is not None:
            on_block(block.n_customers)
    found = [p for p in parts if len(p)]
    empty = pd.DataFrame({c: pd.Series([], dtype=object) for c in _COLUMNS})
    changes = pd.concat(found, ignore_index=True) if found else empty
    return RulesDiff(changes, n, (str(laws[0]), str(laws[1])))


def _changes(ids: Any, names: Any, one: Verdict, two: Verdict) -> pd.DataFrame:
    who, action = np.nonzero(one.allowed != two.allowed)
    words = {True: "allowed", False: "denied"}
    # the least integer, NO_INSTANT, is NaT
    lawful = pd.DatetimeIndex(two.lawful_from[who, action].astype("datetime64[us]"))
    return pd.DataFrame(
        {
            "customer_id": ids[who],
            "action_id": names[action],
            "before": [words[bool(x)] for x in one.allowed[who, action]],
            "after": [words[bool(x)] for x in two.allowed[who, action]],
            "rules_before": _joined(one, who, action),
            "rules_after": _joined(two, who, action),
            "lawful_from": lawful.tz_localize("UTC"),
        },
        columns=list(_COLUMNS),
    )


def _joined(verdict: Verdict, who: Any, action: Any) -> Any:
    sets = np.array(["|".join(s) for s in verdict.reason_sets], dtype=object)
    return sets[verdict.reason[who, action]]
