"""Test vectors: given events, facts and an instant, is a contact allowed, and by which rule not.

A vector speaks in rule words and names facts that no table holds. It becomes a small journal view
and one contact `Told`; hours and counts then go through the same evaluators as every plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contactopt.compliance.block import Block
from contactopt.compliance.denials import Denials
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.vector_view import (
    PERSON,
    debt_name,
    instant_of,
    medium_of,
    told_of,
    view_of,
)
from contactopt.config import RulesConfig, StrategyConfig
from contactopt.contracts.action_space import Action, ActionSpace
from contactopt.errors import ContractError

__all__ = ["Check", "VectorReport", "check_vectors", "judge", "read_vectors"]

_HINT = (
    "a vector has id, jurisdictions, actor, candidate_zones, at_utc (or at_local and at_zone), "
    "action, prior_events, flags, facts, expected, expected_rule"
)
_US = "us"


@dataclass(frozen=True, eq=False)
class Check:
    """One vector and what the rules say of it.

    Parameters
    ----------
    id, description : str
    expected, found : str
        allow or deny.
    expected_rule, deciding_rule : str or None
    denied_by : tuple of str
        Ids of all rules that deny, the deciding one first.
    expected_rules : tuple of str or None
        All rules that the vector expects to deny, where it says so.
    """

    id: str
    description: str
    expected: str
    found: str
    expected_rule: str | None
    deciding_rule: str | None
    denied_by: tuple[str, ...]
    expected_rules: tuple[str, ...] | None

    @property
    def agrees(self) -> bool:
        """Whether verdict and deciding rule are the expected ones."""
        same_rule = self.expected_rule is None or self.expected_rule == self.deciding_rule
        return self.expected == self.found and same_rule

    @property
    def same_rules(self) -> bool:
        """Whether exactly the rules deny that the vector names."""
        return self.expected_rules is None or set(self.expected_rules) == set(self.denied_by)


@dataclass(frozen=True, eq=False)
class VectorReport:
    """What came of a file of vectors."""

    checks: tuple[Check, ...]
    rules_version: str

    @property
    def agreed(self) -> int:
        """Number of vectors that agree."""
        return sum(c.agrees for c in self.checks)

    @property
    def disagreements(self) -> tuple[Check, ...]:
        """Vectors whose verdict or deciding rule differs."""
        return tuple(c for c in self.checks if not c.agrees)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "agreed": self.agreed,
            "total": len(self.checks),
            "rules_version": self.rules_version,
            "disagreements": [_plain(c) for c in self.disagreements],
            "other_rules_differ": [_plain(c) for c in self.checks if c.agrees and not c.same_rules],
        }

    def __repr__(self) -> str:
        lines = [f"agreed {self.agreed}/{len(self.checks)} · rules {self.rules_version[:12]}"]
        for c in self.disagreements:
            lines.append(
                f"  {c.id}: expected {_said(c.expected, c.expected_rule)}, found "
                f"{_said(c.found, c.deciding_rule)}; denied by {', '.join(c.denied_by) or 'none'}"
                f" ({c.description})"
            )
        for c in self.checks:
            if c.agrees and not c.same_rules:
                lines.append(
                    f"  {c.id}: agrees, but the rules that deny are {', '.join(c.denied_by)}, not "
                    f"{', '.join(c.expected_rules or ())}"
                )
        return "\n".join(lines)


def _said(verdict: str, rule: str | None) -> str:
    return f"{verdict} by {rule}" if rule else verdict


def _plain(c: Check) -> dict[str, Any]:
    return {
        "id": c.id, "description": c.description, "expected": c.expected,
        "expected_rule": c.expected_rule, "found": c.found, "deciding_rule": c.deciding_rule,
        "denied_by": list(c.denied_by),
    }  # fmt: skip


# ---- reading -------------------------------------------------------------------------------------


def read_vectors(path: Path | str) -> list[dict[str, Any]]:
    """Read a file of vectors: a list, or a mapping with the list under ``vectors``.

    Raises
    ------
    ContractError
        No such file, no JSON, or no list of vectors.
    """
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ContractError(f"{Path(path).name}: {error.strerror}", hint=_HINT) from None
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{Path(path).name}: not JSON: {error}", hint=_HINT) from None
    found = data.get("vectors") if isinstance(data, Mapping) else data
    if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
        raise ContractError(f"{Path(path).name}: holds no list of vectors", hint=_HINT)
    return found


def check_vectors(
    vectors: Sequence[Mapping[str, Any]], config: RulesConfig | None = None
) -> VectorReport:
    """Judge vectors and compare with what they expect.

    Parameters
    ----------
    vectors : sequence of mappings
    config : RulesConfig, optional
        Packs, overrides and profile; default the shipped packs in the profile `law`. A vector may
        name its own ``profile``. The guard interval does not count: a vector asks for the law.

    Raises
    ------
    ContractError
        A vector that cannot be read; it is named.
    RulePackError
        A faulty pack.
    """
    config = config or RulesConfig.model_validate({})
    checks, version = [], RuleBook.load(config).version
    for number, x in enumerate(vectors):
        name = str(x.get("id", f"number {number + 1}"))
        try:
            if x.get("expected") not in ("allow", "deny"):
                raise ValueError("`expected` is allow or deny")
            denied = judge(x, config)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ContractError(
                f"vector {name}: cannot be read: {type(error).__name__}: {error}", hint=_HINT
            ) from None
        every = x.get("all_denying_rules")
        checks.append(
            Check(
                name,
                str(x.get("description", "")),
                x["expected"],
                "deny" if denied else "allow",
                x.get("expected_rule"),
                denied[0] if denied else None,
                denied,
                None if every is None else tuple(every),
            )
        )
    return VectorReport(tuple(checks), version)


# ---- judging -------------------------------------------------------------------------------------


def judge(vector: Mapping[str, Any], config: RulesConfig | None = None) -> tuple[str, ...]:
    """Return the ids of the rules that deny a vector's contact, the deciding one first.

    Rules set off by what is told come before those that are inferred; else the order of the packs
    decides.
    """
    config = config or RulesConfig.model_validate({})
    own = {"guard_minutes": 0, "profile": vector.get("profile", config.profile)}
    config = config.model_copy(update=own)
    at = instant_of(vector)
    action = vector["action"]
    book = RuleBook.load(config, pd.Timestamp(at), purposes=_purposes(vector))
    bare = [j for j in map(_code, vector["jurisdictions"]) if not book.covers(j)]
    if bare and book.fallback == "refuse":
        return ("house.no_pack",)
    told, view = told_of(vector, at), view_of(vector, at)
    word = medium_of(action["channel"])[1]
    strategy = StrategyConfig.from_mapping(
        {"channels": {word: {"slots": []}}, "lead_minutes": 0, "collector": _US}
    )
    space = ActionSpace([Action(word)])
    block = Block(view, book, strategy, space, told)
    found = Denials(block)
    rows = np.flatnonzero(_meant_rows(block, action))
    hit = np.bitwise_or.reduce(found.bits[:, rows, 0], axis=1) if len(rows) else []
    denying = [r for i, r in enumerate(block.rules) if _has(hit, i)]
    inferred = {block.rules[i].id for i in told.denying(block.rules)[1]}
    denying.sort(key=lambda r: (r.id in inferred, r.order))
    return tuple(dict.fromkeys(r.id for r in denying))


def _has(words: Any, i: int) -> bool:
    return bool(int(words[i // 64]) >> (i % 64) & 1)


def _meant_rows(block: Block, action: Mapping[str, Any]) -> Any:
    """Rows of the debts that the contact is about; a contact that names none is about all."""
    person = str(action.get("person", PERSON))
    own = block.view.customer_ids[block.customer] == person
    named = [debt_name(person, a) for a in action.get("accounts", [])]
    if not named:
        return own
    debts = np.full(block.n_rows, "", dtype=object)
    debts[: block.n_debts] = block.view.debts["debt_id"].to_numpy(dtype=object)
    return own & np.isin(debts, named)


def _code(jurisdiction: str) -> str:
    return str(jurisdiction).split("@")[0]


def _purposes(vector: Mapping[str, Any]) -> tuple[str, ...]:
    action = vector["action"]
    said = action.get("purposes", action.get("purpose", vector.get("purpose", ())))
    return ("collection", *([said] if isinstance(said, str) else said))
