"""Who leads: evidence, hysteresis row by row, what the learned policy gets meanwhile."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import yaml

from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError, ContractError
from contactopt.metrics import Estimate
from contactopt.policy.safety import (
    SHARE_UNIT,
    Advantage,
    Incumbent,
    Inflation,
    SafetyEvidence,
    SafetyTerms,
    SafetyVerdict,
    decide_lead,
    proving_share,
)


def evidence(gain=0.0, noise=1.0, n=4000, seed=0, rival_gain=0.0, **changes):
    """Decisions between waiting and calling, half each; calling is worth ``gain`` more.

    Learned calls 9 of 10, constant 5 of 10, the incumbent 1 of 10 (its gain is on waiting).
    """
    rng = np.random.default_rng(seed)
    call = rng.random(n) < 0.5
    money = 2.0 + gain * call + rng.normal(0, noise, n)
    columns = {
        "customer": rng.integers(n // 2, size=n),
        "day": rng.integers(20, size=n),
        "reward": money,
        "propensity": np.full(n, 0.5),
        "learned": np.where(call, 0.9, 0.1),
        "constant": np.full(n, 0.5),
        "incumbent": np.where(call, 0.1, 0.9),
    }
    return SafetyEvidence(**(columns | changes))


def led_by(name):
    return None if name is None else SafetyVerdict(name, "cannot tell")


# the advantage over the constant policy is 0.4 x gain, over the incumbent 0.8 x gain
@pytest.mark.parametrize(
    ("gain", "noise", "before", "lead", "status"),
    [
        (1.0, 1.0, None, "learned", "learned leads"),
        (1.0, 1.0, "constant", "learned", "learned leads"),
        (1.0, 1.0, "incumbent", "learned", "learned leads"),
        (1.0, 1.0, "learned", "learned", "learned leads"),
        # estimates above 0, intervals that hold it: only who leads already stays
        (0.05, 1.0, None, "incumbent", "cannot tell"),
        (0.05, 1.0, "constant", "constant", "cannot tell"),
        (0.05, 1.0, "incumbent", "incumbent", "cannot tell"),
        (0.05, 1.0, "learned", "learned", "learned leads"),
        # estimates below 0: the learned one steps back at once
        (-0.05, 1.0, "learned", "incumbent", "cannot tell"),
        (-0.05, 1.0, "incumbent", "incumbent", "cannot tell"),
        # shown to be worse; the constant policy is worse than the incumbent, too
        (-1.0, 1.0, None, "incumbent", "behind"),
        (-1.0, 1.0, "learned", "incumbent", "behind"),
        (-1.0, 1.0, "constant", "incumbent", "behind"),
    ],
)
def test_hysteresis_row_by_row(gain, noise, before, lead, status):
    given = evidence(gain, noise)
    # the same noise for every row of the table: waiting and calling have equal sample means
    call = given.learned > 0.5
    money = given.reward - gain * call
    money[call] -= money[call].mean() - 2.0
    money[~call] -= money[~call].mean() - 2.0
    given = dataclasses.replace(given, reward=money + gain * call)
    found = decide_lead(given, previous=led_by(before))
    assert (found.lead, found.status) == (lead, status), str(found)
    # deciding twice on the same evidence changes nothing
    assert decide_lead(given, previous=found).lead == lead
    assert found.over("constant").estimate.value == pytest.approx(0.4 * gain, abs=0.02)


def test_the_constant_policy_leads_once_it_is_better_than_the_incumbent():
    given = evidence(1.0, noise=8.0, n=1500)
    worse = dataclasses.replace(given, learned=given.incumbent)
    found = decide_lead(evidence(0.6, learned=evidence().incumbent))
    assert found.lead == "constant"
    assert found.status == "behind"
    assert [a.over for a in found.advantages] == ["constant", "incumbent", "incumbent"]
    assert found.advantages[1].same and found.advantages[2].of == "constant"
    assert decide_lead(worse, rivals=("incumbent",)).lead == "learned"  # they never differ


@pytest.mark.parametrize(
    ("rivals", "before", "lead"),
    [
        (("constant", "incumbent"), None, "incumbent"),
        (("constant",), None, "constant"),
        (("incumbent",), None, "incumbent"),
        ((), None, "learned"),
        (("constant", "incumbent"), "constant", "constant"),
        (("constant", "incumbent"), "learned", "learned"),
    ],
)
def test_without_evidence_the_safer_leads_and_who_led_stays(rivals, before, lead):
    found = decide_lead(None, previous=led_by(before), rivals=rivals)
    assert found.lead == lead
    if lead != "learned":
        assert found.status == "no evidence" and found.pilot
        assert "the learned policy runs as a pilot" in str(found)
        assert "not enough data" in str(found)


def test_without_overlap_the_verdict_says_so():
    given = evidence(1.0)
    blind = dataclasses.replace(given, uncovered=np.full(len(given), 0.3))
    found = decide_lead(blind)
    assert found.lead == "incumbent" and found.pilot
    assert "30 % of the policy's choices were never drawn" in str(found)
    certain = dataclasses.replace(given, propensity=np.ones(len(given)))
    assert decide_lead(certain).status == "no evidence"


def test_faulty_evidence_is_refused():
    given = evidence()
    with pytest.raises(ContractError, match="`day` of the evidence has 3 rows"):
        decide_lead(dataclasses.replace(given, day=np.zeros(3)))
    with pytest.raises(ContractError, match="`learned` of the evidence is no probability"):
        decide_lead(dataclasses.replace(given, learned=given.learned + 0.2))
    with pytest.raises(ContractError, match="`propensity`"):
        decide_lead(dataclasses.replace(given, propensity=np.zeros(len(given))))
    with pytest.raises(ValueError, match="no rival 'greedy'"):
        decide_lead(given, rivals=("greedy",))


def test_verdict_survives_json():
    given = evidence(0.3)
    call = given.learned > 0.5
    given = dataclasses.replace(given, waited=~call, planned=np.full(len(given), 0.9))
    for found in (decide_lead(given), decide_lead(None)):
        found = dataclasses.replace(found, share=0.25)
        again = SafetyVerdict.from_state(json.loads(json.dumps(found.to_state(), allow_nan=False)))
        assert again.to_state() == found.to_state()
        assert str(again) == str(found)


def test_planned_over_cross_fitted_value_warns_above_1_2(caplog):
    given = evidence(1.0)
    call = given.learned > 0.5
    # the learned policy calls nine times of ten, and a call is worth 1: 0.9 over waiting
    for promised, warns in ((0.9, False), (1.5, True)):
        caplog.clear()
        found = decide_lead(
            dataclasses.replace(given, waited=~call, planned=np.full(len(given), promised))
        )
        assert found.inflation.ratio == pytest.approx(promised / 0.9, rel=0.1)
        assert found.inflation.warns is warns
        assert ("promise more than they keep" in str(found)) is warns
        assert bool(caplog.records) is warns
    lost = Inflation(0.5, Estimate(-0.2, -0.4, 0.1, 900))
    assert lost.warns and math.isnan(lost.ratio) and "no gain was found" in str(lost)
    assert not Inflation(0.5, Estimate(math.nan, math.nan, math.nan, 3, "no rows")).warns


def advantage(low):
    return (Advantage("learned", "constant", Estimate(low + 1, low, low + 2, 100)),)


@pytest.mark.parametrize(
    ("verdict", "budget", "cost", "share"),
    [
        (SafetyVerdict("learned", "learned leads"), 0.0, 50.0, 1.0),
        (SafetyVerdict("constant", "cannot tell"), 100.0, 1000.0, 0.1),
        (SafetyVerdict("constant", "cannot tell"), 100.0, -5.0, 0.5),
        (SafetyVerdict("constant", "cannot tell"), 100.0, 120.0, 0.5),
        (SafetyVerdict("constant", "no evidence"), 100.0, 120.0, 0.1),
        (SafetyVerdict("constant", "no evidence"), 100.0, 10_000.0, 0.01),
        (SafetyVerdict("constant", "cannot tell"), 0.0, 10.0, 0.0),
        (SafetyVerdict("constant", "cannot tell"), -3.0, 10.0, 0.0),
        # 1,000 customers at 0.8 each, should the lower bound be true
        (SafetyVerdict("constant", "cannot tell", advantage(-0.8)), 100.0, 0.0, 0.125),
        (SafetyVerdict("constant", "cannot tell", advantage(0.8)), 100.0, 0.0, 0.5),
        (SafetyVerdict("incumbent", "cannot tell", advantage(-0.8)), 100.0, 0.0, 0.5),
    ],
)
def test_share_to_prove_itself_fits_the_budget(verdict, budget, cost, share):
    units = proving_share(verdict, budget=budget, cost=cost, n_customers=1000)
    assert units == math.floor(share * SHARE_UNIT)


def test_terms_differ_by_content():
    config = StrategyConfig.from_mapping(yaml.safe_load("safety: on"))
    assert config.safety.enabled and config == StrategyConfig.from_mapping(config.to_mapping())
    one = SafetyTerms.of(config.safety, incumbent=None)
    assert not StrategyConfig.from_mapping(yaml.safe_load("safety: off")).safety.enabled
    assert not StrategyConfig().safety.enabled
    assert one.rivals == ("constant",) and one.verdict.lead == "constant"
    two = SafetyTerms.of(config.safety, incumbent=Incumbent({"": {"sms@10": 0.1}}, "file"))
    assert two.verdict.lead == "incumbent"
    assert one.key != two.key and one.key == SafetyTerms.of(config.safety, incumbent=None).key


def test_incumbent_from_the_strategy_file():
    config = StrategyConfig.from_mapping(
        {
            "channels": ["sms", "letter"],
            "slots": [9, 10],
            "safety": {
                "enabled": True,
                "incumbent": [
                    {"stage": "early", "channel": "sms", "hour": 10, "share": 0.7},
                    {"stage": "early", "channel": "letter", "share": 0.7},
                    {"channel": "sms", "hour": 23, "share": 0.4},
                ],
            },
        }
    )
    found = Incumbent.from_config(config)
    p = found.probabilities(["early", "late"], config.action_space.action_ids)
    assert p.tolist() == [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    assert Incumbent.from_state(json.loads(json.dumps(found.to_state()))) == found
    assert Incumbent.from_config(StrategyConfig()) is None
    with pytest.raises(ConfigError, match="did you mean 'enabled'"):
        StrategyConfig.from_mapping({"safety": {"enable": True}})
    with pytest.raises(ConfigError, match="unknown channel 'smss'"):
        StrategyConfig.from_mapping({"safety": {"incumbent": [{"channel": "smss", "share": 0.1}]}})
