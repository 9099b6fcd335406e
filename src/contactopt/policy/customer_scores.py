"""One row of scores per customer: who pays, who rolls on, what comes in, how to get through."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts import ActionSpace, Portfolio
from contactopt.contracts.arrow_tables import release_memory, returning_memory
from contactopt.journal.terms import open_journal
from contactopt.models.fitting import FittedModels
from contactopt.models.reach.attempt_history import attempt_history, recent_touches
from contactopt.models.reach.events import UNOBSERVABLE
from contactopt.segments import StageSegments, customer_columns

__all__ = ["COLUMNS", "score_customers"]

#: column -> type of the customers' scores
COLUMNS = {
    "customer_id": "str",
    "segment": "str",
    "p_pay": "float64",
    "self_cure": "float64",
    "p_roll": "float64",
    "expected_recovery": "float64",
    "recovery_low": "float64",
    "recovery_high": "float64",
    "best_channel": "str",
    "best_hour": "Int64",
    "p_reach": "float64",
    "p_reach_low": "float64",
    "p_reach_high": "float64",
    "reach_rests_on": "str",
    "hour_reason": "str",
}


def score_customers(
    portfolio: Portfolio,
    *,
    models: FittedModels,
    segments: StageSegments,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    block_customers: int,
    coverage: float = 0.9,
    on_block: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Score customers in arrears, block by block; see `ContactStrategy.score_customers`."""
    found = [_empty()]
    with returning_memory():
        for block in portfolio.blocks(block_customers):
            # in a function of its own, so that nothing of a block outlives it
            found.append(_scored(block, models, segments, config, as_of, coverage))
            release_memory()
            on_block(f"{block.n_customers} customers")
    return pd.concat([f for f in found if len(f)] or found[:1], ignore_index=True)


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def _told_apart(config: StrategyConfig) -> ActionSpace:
    """Return the arms whose result somebody sees: a letter's arrival is a guess, never a best."""
    return ActionSpace(
        a for a in config.action_space if config.channel_root(a.channel) not in UNOBSERVABLE
    )


def _scored(
    block: Portfolio,
    models: FittedModels,
    segments: StageSegments,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    coverage: float,
) -> pd.DataFrame:
    view = open_journal(block, config).as_of(as_of)
    state = customer_columns(view)
    late = np.flatnonzero(state["lead_row"].to_numpy() >= 0)
    if len(late) == 0:
        return _empty()
    ids = view.customer_ids[late]
    X = models.features.transform(view.journal, as_of=as_of, customers=late)
    p_pay = models.payment.predict_proba(X)[:, 1]
    recovery = models.amount.expected_recovery(p_pay, X, coverage=coverage)
    best = models.reach.best(
        late,
        _told_apart(config),
        history=attempt_history(view),
        touches_7d=recent_touches(view)[late],
    ).reindex(range(len(late)))  # letters alone leave nothing to be best
    frame = pd.DataFrame(
        {
            "customer_id": ids,
            "segment": segments.predict(state.iloc[late]),
            "p_pay": p_pay,
            "self_cure": models.effect.predict_wait(p_pay),
            "p_roll": np.nan if models.roll is None else models.roll.predict_proba(X)[:, 1],
            "expected_recovery": recovery.mean,
            "recovery_low": recovery.low,
            "recovery_high": recovery.high,
            "best_channel": best["best_channel"],
            "best_hour": best["best_hour"],
            "p_reach": best["p"],
            "p_reach_low": best["low"],
            "p_reach_high": best["high"],
            "reach_rests_on": best["fallback"],
            "hour_reason": best["hour_reason"],
        }
    )
    return frame.astype(COLUMNS)
