"""Settings of the learners, checked before the first row is used."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.errors import ConfigError
from contactopt.models.learners.debt_age import DAY_OF_BUCKET

__all__ = ["check_settings"]

_N_BUCKETS = len(DAY_OF_BUCKET)
_LEARNERS = ("auto", "logistic", "lightgbm", "blend")
#: setting -> least value, whether that value itself is allowed, greatest value
_BOUNDS: dict[str, tuple[float, bool, float]] = {
    "horizon_days": (0.0, False, np.inf),
    "n_folds": (2, True, np.inf),
    "max_rounds": (1, True, np.inf),
    "learning_rate": (0.0, False, np.inf),
    "num_leaves": (2, True, 131_072),
    "min_child_samples": (0, True, np.inf),
    "feature_fraction": (0.0, False, 1.0),
    "lambda_l2": (0.0, True, np.inf),
}


def check_settings(estimator: Any) -> None:
    """Raise a `ConfigError` that names the first setting which cannot be."""
    kind = type(estimator).__name__
    learner = getattr(estimator, "learner", "auto")
    if learner not in _LEARNERS:
        raise ConfigError(
            f"{kind}: learner={learner!r} is not known", hint=f"use one of {', '.join(_LEARNERS)}"
        )
    for name, (least, allowed, greatest) in _BOUNDS.items():
        value = getattr(estimator, name, None)
        if value is None:
            continue
        # a list holds one horizon per bucket of days past due
        listed = name == "horizon_days" and isinstance(value, list) and len(value) == _N_BUCKETS
        if not all(_inside(v, least, allowed, greatest) for v in (value if listed else [value])):
            raise ConfigError(
                f"{kind}: {name}={value!r} cannot be",
                hint=f"give a number {'from' if allowed else 'above'} {least:g}"
                + ("" if np.isinf(greatest) else f" to {greatest:g}"),
            )


def _inside(value: Any, least: float, allowed: bool, greatest: float) -> bool:
    number = isinstance(value, int | float | np.number) and np.isfinite(float(value))
    return bool(number and least <= value <= greatest and (allowed or value > least))
