"""Plans mixed in integers: feasible, summed and logged exactly, done again from the log alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import capacity, make_batch

from contactopt.errors import ConfigError
from contactopt.metrics import Estimate
from contactopt.plan import rank, read_decisions
from contactopt.plan.mixing import mix
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import UNIT
from contactopt.policy.safety import (
    SHARE_UNIT,
    Advantage,
    Incumbent,
    SafetyTerms,
    SafetyVerdict,
    decide_lead,
)

STAGES = np.array(["early", "mid · low balance", "late"], dtype=object)


def safe_batch(n=120, seed=0, **changes):
    """Return a batch whose constant scores are blurred ones of the learned."""
    batch = make_batch(n, seed=seed, **changes)
    rng = np.random.default_rng(seed + 1)
    mean = batch.value.sum(axis=0, keepdims=True) / max(n, 1)
    return dataclasses.replace(
        batch,
        constant_value=0.3 * batch.value + 0.7 * mean,
        constant_spread=0.5 * np.asarray(batch.spread),
        segment=STAGES[rng.integers(3, size=n)],
    )


INCUMBENT = Incumbent(
    {
        "early": {"call_agent@09": 0.3, "sms@11": 0.2},
        "mid": {"call_agent@11": 0.6, "letter": 0.1},
        "": {"call_agent@09": 0.9},
    },
    "test",
)


def terms(lead, status="cannot tell", **changes):
    return SafetyTerms(SafetyVerdict(lead, status), INCUMBENT, **changes)


def integers(draw_rng, n, m):
    cut = np.sort(draw_rng.integers(0, UNIT + 1, size=(n, m)), axis=1)
    return np.diff(np.hstack([np.zeros((n, 1), int), cut, np.full((n, 1), UNIT)]), axis=1)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, SHARE_UNIT))
def test_mixture_is_the_exact_mean_rounded_down_and_waiting_takes_the_rest(seed, share):
    rng = np.random.default_rng(seed)
    one, two = integers(rng, 7, 5), integers(rng, 7, 5)
    mixed = mix(one, two, share)
    assert (mixed.sum(axis=1) == UNIT).all()
    for i in range(7):
        for a in range(5):
            exact = int(one[i, a]) * (SHARE_UNIT - share) + int(two[i, a]) * share
            assert mixed[i, a] == exact // SHARE_UNIT
    assert ((one > 0) & (two > 0) <= (mixed > 0)).all()
    assert (mix(one, two, 0) == one).all() and (mix(one, two, SHARE_UNIT) == two).all()


def test_shares_outside_their_range_are_refused():
    p = integers(np.random.default_rng(0), 2, 3)
    with pytest.raises(ValueError, match="share"):
        mix(p, p, SHARE_UNIT + 1)
    with pytest.raises(ValueError, match="shape"):
        mix(p, p[:1], 5)


@settings(deadline=None, max_examples=12)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["constant", "incumbent"]),
    st.booleans(),
    st.integers(30, 160),
)
def test_every_mixture_keeps_every_capacity_row(seed, lead, minutes, n):
    batch = safe_batch(n, seed, minutes=minutes)
    table = capacity(n)
    if minutes:
        table.loc[table["pool"] == "call_agent", "units"] *= 6.0
    plan = rank(batch, capacity=table, safety=terms(lead), random_state=seed)
    p = plan.allocation.probabilities
    assert (p.sum(axis=1) == UNIT).all() and (p >= 0).all()
    m = len(batch.actions)
    limit = plan.rows.limit
    eligible = plan.eligible(np.arange(n))
    assert not p[:, :m][~eligible].any()
    use = np.zeros(len(limit))
    for k, cover in enumerate(plan.rows.table.cover):
        inside = np.append(cover, [False, False])[plan.cells.cell] & (plan.cells.cell >= 0)
        use[k] = ((p[:, :m] / UNIT) * batch.usage * inside).sum()
        if plan.rows.counting[k]:
            exact = sum(int(c) for c in p[:, :m][inside])
            assert exact <= round(limit[k] / plan.rows.per_contact[k]) * UNIT
    assert (use <= limit * (1 + 1e-9)).all()
    assert np.allclose(use, plan.allocation.expected_use, atol=1e-6)
    assert (plan.used[plan.rows.counting] <= plan.rows.table.units[plan.rows.counting]).all()
    # every action stays possible, so that all three policies can be judged later
    assert (p[:, :m][eligible] > 0).all()


def test_probabilities_are_the_leaders_and_the_learned_ones_by_the_share():
    batch = safe_batch()
    plan = rank(batch, capacity=capacity(120), safety=terms("constant"))
    safe = plan.safe
    assert 0 < safe.share <= SHARE_UNIT // 2
    assert safe.verdict.share == safe.share / SHARE_UNIT
    expected = mix(safe.constant.probabilities, safe.learned.probabilities, safe.share)
    assert (plan.allocation.probabilities == expected).all()
    alone = rank(batch, capacity=capacity(120))
    assert (safe.learned.probabilities == alone.allocation.probabilities).all()
    leads = rank(batch, capacity=capacity(120), safety=terms("learned", "learned leads"))
    assert (leads.allocation.probabilities == alone.allocation.probabilities).all()
    assert leads.safe.verdict.share == 1.0
    assert leads.batch_id != alone.batch_id != plan.batch_id
    m = len(batch.actions)
    by_hand = (plan.allocation.probabilities[:, :m] / UNIT * batch.value).sum()
    assert plan.allocation.value == pytest.approx(by_hand)


def test_share_is_paid_by_the_budget():
    """What learned scores lose by the safer scores, and what the evidence fears, is affordable."""
    batch, table = safe_batch(400, 3), capacity(400)
    for money in (0.05, 0.2, 0.5):
        policy = ContactPolicy(exploration_share=money)
        plan = rank(batch, policy=policy, capacity=table, safety=terms("constant"))
        m = len(batch.actions)

        def worth(p):
            return float((p[:, :m] / UNIT * batch.constant_value).sum())  # noqa: B023

        safe = plan.safe
        lost = worth(safe.constant.probabilities) - worth(plan.allocation.probabilities)
        whole = 2 * safe.constant.budget
        assert lost + safe.constant.loss <= whole * (1 + 1e-6)
        assert plan.allocation.loss <= plan.allocation.budget * (1 + 1e-6)
    fear = Advantage("learned", "constant", Estimate(0.1, -20.0, 20.2, 500))
    verdict = SafetyVerdict("constant", "cannot tell", (fear,))
    afraid = rank(batch, policy=policy, capacity=table, safety=SafetyTerms(verdict, INCUMBENT))
    n = int((afraid.n_eligible() > 0).sum())
    assert afraid.safe.verdict.share * 20.0 * n <= 2 * afraid.safe.constant.budget
    assert 0 < afraid.safe.verdict.share < plan.safe.verdict.share


def test_no_budget_is_told_not_passed_over():
    batch = safe_batch()
    policy = ContactPolicy(exploration_share=0.0)
    fear = Advantage("learned", "constant", Estimate(0.1, -20.0, 20.2, 500))
    verdict = SafetyVerdict("constant", "cannot tell", (fear,))
    plan = rank(
        batch, policy=policy, capacity=capacity(120), safety=SafetyTerms(verdict, INCUMBENT)
    )
    assert plan.safe.share == 0
    assert "no exploration budget is left for it" in repr(plan)


def test_incumbent_is_its_shares_where_nothing_stands_in_its_way():
    batch = safe_batch(60, 5, allowed_share=1.0)
    plan = rank(
        batch,
        policy=ContactPolicy(exploration_share=0.2, holdout_share=0.0, floor=1e-4),
        safety=terms("incumbent"),
    )
    p = plan.safe.incumbent.probabilities / UNIT
    stage = np.array([str(s).split(" ")[0] for s in batch.segment])
    at = {a: k for k, a in enumerate(batch.actions.action_ids)}
    floor, k = plan.safe.incumbent.floor, len(batch.actions) + 1
    early = p[stage == "early"]
    assert early[:, at["call_agent@09"]] == pytest.approx(floor + (1 - k * floor) * 0.3, abs=1e-9)
    assert early[:, -1] == pytest.approx(floor + (1 - k * floor) * 0.5, abs=1e-9)
    assert p[stage == "late"][:, at["call_agent@09"]] == pytest.approx(
        floor + (1 - k * floor) * 0.9, abs=1e-9
    )


def test_minimum_units_bring_the_incumbent_up_to_them():
    batch = safe_batch(100, 2)
    table = pd.DataFrame(
        {"pool": ["email"], "date": ["2026-06-02"], "units": [60.0], "min_units": [20.0]}
    )
    table = pd.concat([table, table.assign(date="2026-06-03")], ignore_index=True)
    plan = rank(
        batch,
        policy=ContactPolicy(exploration_share=0.5),
        capacity=table,
        safety=terms("incumbent"),
    )
    assert plan.safe.incumbent.rest > 0
    assert (plan.allocation.expected_use >= 20.0 - 1e-3).all()


@pytest.mark.parametrize("lead", ["learned", "constant", "incumbent"])
@pytest.mark.parametrize("minimum", [0.0, 10.0])
def test_log_alone_gives_every_probability_and_the_draw_again(tmp_path, lead, minimum):
    batch = safe_batch(90, 7)
    table = capacity(90).assign(min_units=0.0)
    table.loc[len(table)] = ["email", "2026-06-02", None, 50.0, minimum]
    table.loc[len(table)] = ["email", "2026-06-03", None, 50.0, 0.0]
    verdict = decide_lead(None, rivals=("constant", "incumbent"))
    verdict = dataclasses.replace(verdict, lead=lead)
    plan = rank(
        batch, capacity=table, policy=ContactPolicy(exploration_share=0.2),
        safety=SafetyTerms(verdict, INCUMBENT),
    )  # fmt: skip
    plan.write(tmp_path)
    log = read_decisions(tmp_path)
    report = log.replay()
    assert report.ok, str(report)
    assert "probability under the incumbent policy" in str(report)
    facts = log.facts(plan.batch_id)
    assert SafetyVerdict.from_state(facts.safe["verdict"]) == plan.safe.verdict
    assert facts.safe["share"] == plan.safe.share
    rows = plan.decision_actions()
    for name in ("learned", "constant", "incumbent"):
        told = rows[f"probability_{name}"].to_numpy().reshape(90, -1) * UNIT
        assert (told == plan.safe.probabilities_of(name)).all()
    assert all(line in repr(plan) for line in plan.safe.verdict.lines)


def test_a_changed_candidate_is_found_by_the_replay(tmp_path):
    batch = safe_batch(40, 1)
    plan = rank(batch, capacity=capacity(40), safety=terms("constant"))
    plan.write(tmp_path)
    [part] = (tmp_path / "decision_actions").glob("*.parquet")
    frame = pd.read_parquet(part)
    frame.loc[3, "probability_constant"] += 1e-6
    frame.to_parquet(part, index=False)
    report = read_decisions(tmp_path).replay()
    assert not report.ok
    assert "under the constant policy" in str(report)


def test_without_safety_nothing_of_it_is_in_plan_or_log():
    plan = rank(safe_batch(), capacity=capacity(120))
    assert plan.safe is None
    assert not [c for c in plan.decision_actions() if c.startswith("probability_")]
    assert "safety" not in plan.batches()


def test_a_leader_who_is_not_there_is_refused():
    bare = make_batch(30)
    with pytest.raises(ConfigError, match="no constant scores"):
        rank(bare, safety=terms("constant"))
    nobody = SafetyTerms(SafetyVerdict("incumbent", "no evidence"), None, ("incumbent",))
    with pytest.raises(ConfigError, match="incumbent policy leads"):
        rank(bare, safety=nobody)


def test_an_empty_batch_and_one_where_nobody_is_eligible_wait():
    for batch in (safe_batch(0), safe_batch(20, allowed_share=0.0)):
        for lead in ("constant", "incumbent", "learned"):
            plan = rank(batch, capacity=capacity(20), safety=terms(lead))
            assert (plan.drawn == len(batch.actions)).all()
            assert (plan.allocation.probabilities[:, -1] == UNIT).all()
