"""Habits that change are learned within 15 days; habits that hold keep the long memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contactopt.contracts import ActionSpace
from contactopt.models import ReachModel
from contactopt.models.reach.memory import choose_half_life

HOURS = np.arange(8, 20)
#: answered in the morning, or in the evening
MORNING = 0.42 - 0.03 * (HOURS - 8)
EVENING = MORNING[::-1]


def attempts(seed: int, *, days: int = 90, changed_days: float = 0.0, n: int = 700) -> pd.DataFrame:
    """Return calls at random hours; in the last days customers answer in the evening."""
    rng = np.random.default_rng(seed)
    rows = n * days // 3
    age = rng.uniform(0, days, rows)
    hour = rng.integers(0, len(HOURS), rows)
    customer = rng.integers(0, n, rows)
    own = rng.normal(0, 0.5, n)[customer]
    p = np.where(age < changed_days, EVENING[hour], MORNING[hour])
    p = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + own)))
    return pd.DataFrame(
        {
            "customer": customer,
            "channel": "call_agent",
            "local_hour": HOURS[hour].astype(float),
            "reached": (rng.random(rows) < p).astype(float),
            "outcome": "no_answer",
            "age_days": age,
            "touches_7d": 0.0,
        }
    )


def curve(rows: pd.DataFrame, half_life: float) -> np.ndarray:
    space = ActionSpace.from_channels({"call_agent": HOURS.tolist()})
    model = ReachModel(half_life_days=half_life).fit(rows)
    return model.predict(["nobody known"], space).probability[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_change_of_habits_is_learned_within_15_days(seed: int) -> None:
    rows = attempts(seed, changed_days=15)
    memory = choose_half_life(rows)
    assert memory.half_life_days == 5.0
    assert np.corrcoef(curve(rows, memory.half_life_days), EVENING)[0, 1] > 0.9
    # the long memory still believes in the morning
    assert np.corrcoef(curve(rows, 180.0), EVENING)[0, 1] < 0


@pytest.mark.parametrize("seed", [0, 1])
def test_habits_that_hold_keep_the_long_memory(seed: int) -> None:
    memory = choose_half_life(attempts(seed))
    assert memory.half_life_days == 180.0
    assert set(memory.log_loss) == {"180", "45", "15", "5"}


def test_few_results_are_not_compared() -> None:
    few = attempts(0).head(500)
    assert choose_half_life(few).log_loss == {}
    assert choose_half_life(few.head(0)).half_life_days == 180.0
