"""A whole portfolio scored block by block: a map over customers, then one ScoredBatch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance import RuleBook, Verdict, evaluate, shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.arrow_tables import release_memory, returning_memory
from contactopt.journal.terms import open_journal
from contactopt.models.fitting import FittedModels
from contactopt.policy.batch_stack import BatchStack
from contactopt.policy.scorer import score_block

__all__ = ["score_portfolio"]

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
    resting = shared_point_rotation(portfolio, as_of, random_state)["customer_id"]
    stack = BatchStack(portfolio.n_customers)
    with returning_memory():
        for block in portfolio.blocks(block_customers):
            # in a function of its own, so that nothing of a block outlives it
            stack.add(_scored(block, models, rules, config, as_of, resting))
            release_memory()
            on_block(f"{block.n_customers} customers")
    meta = {
        "portfolio_hash": portfolio.content_hash,
        "policy_version": policy_version,
        "config_hash": config.content_hash,
        "rules_version": rules.version,
        "rules_not_checked": tuple(rule_id for rule_id, _ in rules.unchecked),
    }
    return replace(stack.batch(), meta=meta)


def _scored(
    block: Portfolio,
    models: FittedModels,
    rules: RuleBook,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    resting: pd.Series,
) -> ScoredBatch:
    view = open_journal(block, config).as_of(as_of)
    verdict = evaluate(view, rules=rules, config=config, actions=config.action_space)
    rests = pd.Series(view.customer_ids).isin(resting).to_numpy(dtype=bool)
    verdict = _deny(verdict, rests, SHARED_POINT)
    features = models.features.transform(view.journal, as_of=as_of)
    return score_block(view, features, models, verdict, config)


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
