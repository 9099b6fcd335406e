"""The parameters of the public bandit, checked when they are first used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from contactopt.errors import ConfigError

__all__ = ["check_settings"]

_WHOLE = (int, np.integer)


def check_settings(policy: Any) -> None:
    """Refuse parameters of a `BanditPolicy` that are out of their range.

    Raises
    ------
    ConfigError
    """
    m = policy.n_actions
    if m is not None and not (isinstance(m, _WHOLE) and 1 <= m < 2**15):
        raise ConfigError(f"BanditPolicy: n_actions={m!r} is no whole number from 1 to 32767")
    if not (policy.exploration is None or getattr(policy.exploration, "method", None) in (0, 1)):
        raise ConfigError("BanditPolicy: exploration must be LogBarrier() or Softmax()")
    if not (math.isfinite(policy.tau) and policy.tau > 0):
        raise ConfigError(
            f"BanditPolicy: tau={policy.tau} must be positive",
            hint="small values such as 0.001 explore little; 0 would leave no propensities",
        )
    if not (isinstance(policy.num_threads, _WHOLE) and policy.num_threads >= 1):
        raise ConfigError(f"BanditPolicy: num_threads={policy.num_threads!r} is below 1")
    if policy.floor is not None and not 0.0 <= policy.floor < 1.0:
        raise ConfigError(f"BanditPolicy: floor={policy.floor} is outside [0, 1)")
    if not (math.isfinite(policy.optimism) and policy.optimism >= 0):
        raise ConfigError(f"BanditPolicy: optimism={policy.optimism} must be 0 or more")
    learned = getattr(policy, "statistics_", None)
    if learned is None:
        return
    if learned.forgetting != policy.forgetting or m not in (None, learned.n_arms):
        raise ConfigError(
            "BanditPolicy: forgetting or n_actions differ from what was learned with",
            hint="fit anew from the log to change them",
        )
