"""A whole portfolio scored block by block: a map over customers, then one ScoredBatch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance import RuleBook, Verdict, evaluate, shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.journal.terms import open_journal
from contactopt.models.fitting import FittedModels
from contactopt.policy.scorer import score_block

__all__ = ["concat_batches", "score_portfolio"]

#: rule that keeps all but one of the customers who share a contact point out of a batch
SHARED_POINT = "house.shared_point"


def score_portfolio(
    portfolio: Portfolio,
    *,
    models: FittedModels,
    rules: RuleBook,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    random_state: int,
    policy_version: str,
    block_customers: int,
    on_block: Callable[[str], None] = lambda _: None,
) -> ScoredBatch:
    """Score every customer of a portfolio in blocks.

    Masks depend only on data known at ``as_of`` and on the seeded rotation, never on a draw.

    Returns
    -------
    ScoredBatch
        The same for every block size.
    """
    resting = set(shared_point_rotation(portfolio, as_of, random_state)["customer_id"])
    parts = []
    for block in portfolio.blocks(block_customers):
        view = open_journal(block, config).as_of(as_of)
        verdict = evaluate(view, rules=rules, config=config, actions=config.action_space)
        rests = np.array([c in resting for c in view.customer_ids], dtype=bool)
        verdict = _deny(verdict, rests, SHARED_POINT)
        features = models.features.transform(view.journal, as_of=as_of)
        parts.append(score_block(view, features, models, verdict, config))
        on_block(f"{len(view.customer_ids)} customers")
    meta = {
        "portfolio_hash": portfolio.content_hash,
        "policy_version": policy_version,
        "config_hash": config.content_hash,
        "rules_version": rules.version,
        "rules_not_checked": tuple(rule_id for rule_id, _ in rules.unchecked),
    }
    return replace(concat_batches(parts), meta=meta)


def _deny(verdict: Verdict, rows: npt.NDArray[np.bool_], rule_id: str) -> Verdict:
    """Deny every action of some customers by one more rule."""
    if not rows.any():
        return verdict
    sets = list(verdict.reason_sets)
    place = {s: k for k, s in enumerate(sets)}
    code = np.empty(len(verdict.reason_sets), dtype=np.int32)
    for k, reasons in enumerate(verdict.reason_sets):
        more = tuple(sorted({*reasons, rule_id}))
        if more not in place:
            place[more] = len(sets)
            sets.append(more)
        code[k] = place[more]
    reason = verdict.reason.copy()
    reason[rows] = code[reason[rows]]
    allowed = verdict.allowed.copy()
    allowed[rows] = False
    return replace(verdict, allowed=allowed, reason=reason, reason_sets=tuple(sets))


def concat_batches(parts: Iterable[ScoredBatch]) -> ScoredBatch:
    """Join batches of disjoint customers, given in the order of their ids.

    Parameters
    ----------
    parts : iterable of ScoredBatch
        At least one; same instant, currency, actions, pools and templates.
    """
    parts = list(parts)
    first = parts[0]
    if len(parts) == 1:
        return first
    joined: dict[str, Any] = {
        f.name: _joined([getattr(p, f.name) for p in parts]) for f in fields(ScoredBatch)
        if isinstance(getattr(first, f.name), np.ndarray) and f.name != "max_attempts"
    }  # fmt: skip
    joined["reason"], joined["reason_sets"] = _joined_reasons(parts)
    for name, ids in (("debt", "debt_ids"), ("contact_point", "contact_point_ids")):
        joined[name] = _shifted(
            [getattr(p, name) for p in parts], [len(getattr(p, ids)) for p in parts]
        )
    if first.other_debts is not None:
        joined["other_debts"] = tuple(x for p in parts for x in p.other_debts or ())
    return replace(first, **joined)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """Stack by customers; equal rows repeated by broadcasting stay one row in memory."""
    if arrays[0].ndim == 2 and all(a.strides[0] == 0 and len(a) for a in arrays):
        rows = [a[0] for a in arrays]
        if all(np.array_equal(rows[0], r) for r in rows[1:]):
            return np.broadcast_to(rows[0], (sum(map(len, arrays)), arrays[0].shape[1]))
    return np.concatenate(arrays)


def _shifted(codes: list[np.ndarray], sizes: list[int]) -> np.ndarray:
    """Move codes into the joined id list; -1 stays none."""
    offset = np.cumsum([0, *sizes[:-1]])
    return np.concatenate([np.where(c >= 0, c + o, c) for c, o in zip(codes, offset, strict=True)])


def _joined_reasons(
    parts: list[ScoredBatch],
) -> tuple[npt.NDArray[np.int32], tuple[tuple[str, ...], ...]]:
    place: dict[tuple[str, ...], int] = {(): 0}
    moved = []
    for part in parts:
        code = np.array([place.setdefault(s, len(place)) for s in part.reason_sets], dtype=np.int32)
        moved.append(code[part.reason])
    return np.concatenate(moved), tuple(place)
