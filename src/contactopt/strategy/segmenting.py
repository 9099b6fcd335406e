"""The segments of a strategy: stage rules always, behaviour unless the strategy file says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.config import StrategyConfig
from contactopt.segments import (
    BehaviourSegments,
    StageSegments,
    behaviour_columns,
    customer_columns,
)

if TYPE_CHECKING:
    from contactopt.journal import JournalView

__all__ = ["fit_segments"]


def fit_segments(
    view: JournalView, config: StrategyConfig, previous: Any = None
) -> tuple[StageSegments, BehaviourSegments | None, dict[str, Any]]:
    """Fit stage and behaviour segments on what is known at an instant.

    Parameters
    ----------
    view : JournalView
    config : StrategyConfig
    previous : ContactStrategy, optional
        Its behaviour segments give their names to those that go on.

    Returns
    -------
    StageSegments, BehaviourSegments or None, record of plain values
    """
    stages = StageSegments.from_config(config.segments).fit(customer_columns(view))
    record: dict[str, Any] = {"balance_limits": [float(x) for x in stages.limits_]}
    if not config.segments.behaviour:
        return stages, None, record
    segments = BehaviourSegments(
        max_clusters=config.segments.max_behaviours,
        min_share=config.segments.min_behaviour_share,
        random_state=config.random_state,
    )
    before = getattr(previous, "behaviours_", None)
    X = behaviour_columns(view)
    segments = segments.fit(X) if before is None else segments.refit(X, before)
    record["behaviours"] = list(segments.names_)
    record["separated"] = segments.separated_
    if segments.match_ is not None:
        record["ari_with_previous"] = segments.match_.ari
        record["names_kept"] = len(segments.match_.kept)
    return stages, segments, record
