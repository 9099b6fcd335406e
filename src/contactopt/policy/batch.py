"""A whole portfolio scored block by block: a map over customers, then one ScoredBatch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pandas as pd

from contactopt.compliance import (
    RuleBook,
    SharedContacts,
    evaluate,
    shared_contacts_of,
    shared_point_rotation,
)
from contactopt.compliance.rule_texts import rule_texts
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.arrow_tables import release_memory, returning_memory
from contactopt.journal.terms import open_journal
from contactopt.models.fitting import FittedModels
from contactopt.policy.batch_stack import BatchStack
from contactopt.policy.residual import ResidualLayer
from contactopt.policy.scorer import score_block
from contactopt.segments import StageSegments, customer_columns

__all__ = ["SHARED_POINT", "score_customer", "score_portfolio"]

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
    segments: StageSegments | None = None,
    residual: ResidualLayer | None = None,
    fitted_as_of: pd.Timestamp | None = None,
    customers: Iterable[object] | None = None,
    on_block: Callable[[str], None] = lambda _: None,
) -> ScoredBatch:
    """Score every customer of a portfolio in blocks.

    Masks depend only on data known at ``as_of`` and on the seeded rotation, never on a draw.

    Parameters
    ----------
    segments : StageSegments, optional
        Fitted; without them customers are labelled by stage alone.
    residual : ResidualLayer, optional
        What was learned since the models were fitted.
    fitted_as_of : Timestamp, optional
        When they were: the log says so, because corrections belong to the models they correct.
    customers : iterable of ids, optional
        Score these alone, with what the others mean for them (shared contact points).

    Returns
    -------
    ScoredBatch
        The same for every block size.
    """
    resting = shared_point_rotation(portfolio, as_of, random_state)["customer_id"]
    shared = shared_contacts_of(portfolio, config, as_of)
    labels = StageSegments.from_state(None) if segments is None else segments
    chosen = portfolio if customers is None else portfolio.subset(customers)
    stack, notes = BatchStack(chosen.n_customers), set[str]()
    with returning_memory():
        for block in chosen.blocks(block_customers):
            # in a function of its own, so that nothing of a block outlives it
            scored, said = _scored(
                block, models, rules, config, as_of, resting, labels, shared, residual
            )
            stack.add(scored)
            notes.update(said)
            del scored
            release_memory()
            on_block(f"{block.n_customers} customers")
    places = _places_of(portfolio)
    meta = {
        "portfolio_hash": portfolio.content_hash,
        "policy_version": policy_version,
        **({} if fitted_as_of is None else {"fitted_as_of": fitted_as_of.isoformat()}),
        "config_hash": config.content_hash,
        "strategy": config.to_mapping(),
        "rules_version": rules.version,
        "rules_notes": tuple(sorted(notes)),
        "rules_not_checked": tuple(rule_id for rule_id, _ in rules.unchecked_in(places)),
        "rules": rule_texts(rules),
    }
    return replace(stack.batch(), meta=meta)


def score_customer(
    one: Portfolio,
    *,
    models: FittedModels,
    rules: RuleBook,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    rests: bool,
    shared: SharedContacts | None = None,
    policy_version: str,
    segments: StageSegments | None = None,
    residual: ResidualLayer | None = None,
) -> ScoredBatch:
    """Score the portfolio of one customer, as `score_portfolio` would among all.

    Parameters
    ----------
    rests : bool
        Whether the rotation of shared contact points leaves the customer out of this batch.
    shared : SharedContacts, optional
        Contacts with others at the customer's points, from `shared_contacts_of`.
    """
    resting = pd.Series(one.customer_ids if rests else [], dtype="str")
    labels = StageSegments.from_state(None) if segments is None else segments
    scored, notes = _scored(one, models, rules, config, as_of, resting, labels, shared, residual)
    meta = {
        "policy_version": policy_version,
        "rules_version": rules.version,
        "rules_notes": tuple(sorted(notes)),
        "rules_not_checked": tuple(rule_id for rule_id, _ in rules.unchecked_in(_places_of(one))),
        "rules": rule_texts(rules),
    }
    return replace(scored, meta=meta)


def _places_of(portfolio: Portfolio) -> set[str | None]:
    """Return the jurisdictions in which customers of a portfolio may be."""
    tables = (portfolio.tables["customers"], portfolio.tables["contact_points"])
    return {place for t in tables if "jurisdiction" in t for place in t["jurisdiction"].unique()}


def _scored(
    block: Portfolio,
    models: FittedModels,
    rules: RuleBook,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    resting: pd.Series,
    labels: StageSegments,
    shared: SharedContacts | None,
    residual: ResidualLayer | None,
) -> tuple[ScoredBatch, tuple[str, ...]]:
    view = open_journal(block, config).as_of(as_of)
    verdict = evaluate(
        view,
        rules=rules,
        config=config,
        actions=config.action_space,
        denied={SHARED_POINT: resting},
        shared=shared,
    )
    features = models.features.transform(view.journal, as_of=as_of)
    segment = labels.predict(customer_columns(view))
    scored = score_block(
        view, features, models, verdict, config, segment=segment, residual=residual
    )
    return scored, verdict.notes
