"""What counts as reached, word by word."""

import numpy as np
import pytest

from contactopt.contracts.vocabulary import CHANNELS, OUTCOMES, RIGHT_PARTY_OUTCOMES
from contactopt.models import is_reached, touches_before


@pytest.mark.parametrize("channel", ["call_agent", "call_bot", "visit"])
def test_calls_and_visits_reach_by_conversation_only(channel):
    for outcome in OUTCOMES:
        [value] = is_reached([channel], [outcome])
        if outcome == "unknown":
            assert np.isnan(value)
        else:
            person = (*RIGHT_PARTY_OUTCOMES, "replied", "clicked", "visited", "paid_online")
            ends = ("opened", "opted_out", "complained", "represented", "bankrupt")
            assert value == float(outcome in (*person, *ends))


def test_messages_reach_when_opened_sms_when_delivered():
    outcomes = ["delivered", "opened", "bounced", "replied", "unknown"]
    email = is_reached(["email"] * 5, outcomes)
    sms = is_reached(["sms"] * 5, outcomes)
    assert email[:4].tolist() == [0, 1, 0, 1] and np.isnan(email[4])
    assert sms[:4].tolist() == [1, 1, 0, 1] and np.isnan(sms[4])


def test_what_nobody_can_see_is_left_out():  # 002-15
    assert np.isnan(is_reached(["letter"] * len(OUTCOMES), OUTCOMES)).all()
    assert np.isnan(is_reached(["email"], ["opened"], machine_only=[True])).all()
    assert is_reached(["call_agent"], ["promise"], machine_only=[True]) == 1
    assert np.isnan(is_reached(["sms"], ["replied"], direction=["inbound"])).all()
    assert is_reached(["rcs"], ["delivered"], like={"rcs": "sms"}) == 1
    assert len(is_reached([], [])) == 0


def test_every_pair_of_words_has_a_value():
    for channel in CHANNELS:
        values = is_reached([channel] * len(OUTCOMES), OUTCOMES)
        assert np.isin(values[~np.isnan(values)], (0.0, 1.0)).all()


def test_trailing_touches_equal_the_slow_count():
    rng = np.random.default_rng(0)
    customer = rng.integers(0, 20, size=400)
    time = rng.integers(0, 30 * 86_400, size=400) * 1_000_000
    week = 7 * 86_400_000_000
    slow = [
        sum(c == customer[k] and time[k] - week <= t < time[k]
            for c, t in zip(customer, time, strict=True))
        for k in range(400)
    ]  # fmt: skip
    assert touches_before(customer, time).tolist() == slow
    # far apart in time and many customers: no overflow of the joint axis
    spread = customer * 10_000_000
    assert touches_before(spread, time).tolist() == slow
    assert len(touches_before([], [])) == 0
