"""State of the public bandit: plain values out, the same policy back in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from contactopt.policy.bandit.decisions import LearnedDecisions
from contactopt.policy.bandit.design import BanditDesign
from contactopt.policy.bandit.statistics import LinearStatistics
from contactopt.policy.bandit.strengths import Strengths
from contactopt.policy.log_barrier import LogBarrier
from contactopt.policy.softmax import Softmax

__all__ = ["plain_numbers", "policy_state", "restored"]


def plain_numbers(features: Any) -> list[list[float]] | None:
    """Return a table of numbers as lists, None where there is none."""
    return None if features is None else np.asarray(features, dtype=np.float64).tolist()


def policy_state(policy: Any) -> dict[str, Any]:
    """Return parameters, statistics, strengths and the stream of draws."""
    given = policy.get_params(deep=False)
    given["exploration"] = (policy.exploration or LogBarrier()).name
    given["action_features"] = plain_numbers(policy.action_features)
    state: dict[str, Any] = {"parameters": given, "stream": policy._stream().bit_generator.state}
    if hasattr(policy, "statistics_"):
        strengths: Strengths | None = getattr(policy, "strengths_", None)
        state |= {
            "design": policy.design_.to_state(),
            "statistics": policy.statistics_.to_state(),
            "decisions": policy.decisions_.to_state(),
            "n_rounds": policy.n_rounds_,
            "strengths": None if strengths is None else strengths.to_state(),
            "rounds_at_strengths": getattr(policy, "rounds_at_strengths_", 0),
        }
    return state


def restored(kind: Any, state: Mapping[str, Any]) -> Any:
    """Return a policy of class ``kind`` from `policy_state`."""
    given = dict(state["parameters"])
    given["exploration"] = {e.name: e for e in (LogBarrier(), Softmax())}[given["exploration"]]
    policy = kind(**given)
    policy._stream().bit_generator.state = state["stream"]
    if "statistics" in state:
        statistics = LinearStatistics.from_state(state["statistics"])
        policy._settle(
            BanditDesign.from_state(state["design"]),
            statistics,
            LearnedDecisions.from_state(state["decisions"]),
            statistics.n_arms,
        )
        policy.n_rounds_ = int(state["n_rounds"])
        strengths = state["strengths"]
        policy.strengths_ = None if strengths is None else Strengths.from_state(strengths)
        policy.rounds_at_strengths_ = int(state["rounds_at_strengths"])
    return policy
