"""Value over waiting: the factorised lift, its parts and its spread."""

from __future__ import annotations

import numpy as np
import pytest

from contactopt.config import PoolConfig
from contactopt.config.sections import PoolServes
from contactopt.contracts import ActionSpace
from contactopt.policy.pools import assign_pools
from contactopt.policy.value import action_values, discount_factor


def values(**changed):
    given = {
        "reach": np.array([[0.2, 0.5]]),
        "reach_sd": np.array([[0.05, 0.0]]),
        "p_pay_wait": np.array([0.4]),
        "gain": np.array([[0.10, 0.02]]),
        "gain_sd": np.array([[0.03, 0.0]]),
        "amount": np.array([200.0]),
        "margin": np.array([[0.5, 0.5]]),
        "cost": np.array([[1.0, 0.05]]),
        "harm": np.array([[0.2, 0.1]]),
    }
    return action_values(**{**given, **changed})


def test_lift_is_reach_times_gain_times_money() -> None:
    v = values()
    np.testing.assert_allclose(v.lift, [[0.2 * 0.10 * 200, 0.5 * 0.02 * 200]])
    np.testing.assert_allclose(v.value, 0.5 * v.lift - [[1.2, 0.15]])
    np.testing.assert_allclose(v.p_pay, [[0.42, 0.41]])


def test_spread_combines_reach_and_effect_and_is_zero_without_either() -> None:
    v = values()
    expected = 0.5 * 200 * np.hypot(0.2 * 0.03, 0.10 * 0.05)
    np.testing.assert_allclose(v.spread, [[expected, 0.0]])


def test_money_later_is_worth_less() -> None:  # 004-05
    assert discount_factor(0.10, 365) == pytest.approx(1 / 1.1)
    np.testing.assert_allclose(values(discount=0.9).lift, 0.9 * values().lift)


def test_empty_block() -> None:
    e = np.zeros((0, 2))
    v = action_values(
        reach=e, reach_sd=e, p_pay_wait=np.zeros(0), gain=e, gain_sd=e, amount=np.zeros(0),
        margin=e, cost=e, harm=e,
    )  # fmt: skip
    assert v.value.shape == (0, 2)


def test_first_pool_that_serves_is_used() -> None:
    space = ActionSpace.from_channels({"call_agent": [9], "sms": [9]})
    pools = {
        "spanish": PoolConfig(
            unit="minutes",
            handling_minutes_per_contact=8.0,
            serves=PoolServes(channels=("call_agent",), languages=("es",)),
        ),
        "bank-x": PoolConfig(serves=PoolServes(creditors=("X",))),
        "budget": PoolConfig(unit="money", serves=PoolServes(jurisdictions=("US",))),
    }
    index, names, usage = assign_pools(
        pools,
        space,
        language=np.array(["es-MX", "en", None], dtype=object),
        jurisdiction=np.array(["US-TX", "US", "PT"], dtype=object),
        creditor=np.array([["X", "X"], ["Y", None], ["Y", "X"]], dtype=object),
        cost=np.full((3, 2), 0.4),
    )
    assert names == ("spanish", "bank-x", "budget", "call_agent", "sms")
    assert [[names[k] for k in row] for row in index] == [
        ["spanish", "bank-x"],
        ["budget", "budget"],
        ["call_agent", "bank-x"],
    ]
    np.testing.assert_allclose(usage, [[8.0, 1.0], [0.4, 0.4], [1.0, 1.0]])
