"""Messages and offers in plan and log: exact joint probabilities, the budget, the replay."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from scored import capacity, make_batch
from treated import treated_batch

from contactopt.config import StrategyConfig
from contactopt.errors import ContractError
from contactopt.plan import rank, read_decisions
from contactopt.plan.prices.plain import solve_plain
from contactopt.plan.prices.problem import build_problem
from contactopt.plan.treatments import with_effects
from contactopt.policy import ContactPolicy
from contactopt.policy.treatments import INNER_UNIT, inner_choice
from contactopt.policy.treatments.valid import valid_treatments

POLICY = ContactPolicy(exploration_share=0.05, holdout_share=0.0)


def joint(plan) -> dict[int, np.ndarray]:
    """Units by group and number of the treatment."""
    t = plan.drawn_treatments.choice.table
    out = {}
    for g in range(len(t)):
        own = slice(t.starts[g], t.starts[g + 1])
        out[g] = dict(zip(t.member[own].tolist(), plan.drawn_treatments.choice.units[own].tolist(),
                          strict=True))  # fmt: skip
    return out


# ---- probabilities -----------------------------------------------------------------------------


def test_the_joint_probability_is_the_product_exactly():
    plan = rank(treated_batch(400, effect=0.02), policy=POLICY, capacity=capacity(400))
    log = plan.decisions()
    arm = plan.allocation.probabilities[np.arange(400), plan.drawn]
    units = plan.drawn_treatments.units
    for p, a, u in zip(log["propensity"], arm.tolist(), units.tolist(), strict=True):
        assert int(p * 2**52) == a * u
    quotient = log["propensity"] / log["treatment_propensity"]
    np.testing.assert_array_equal(quotient, arm / (1 << 36))
    waits = (log["action_id"] == "wait").to_numpy()
    assert (log.loc[waits, "treatment_propensity"] == 1.0).all()
    frame = plan.to_frame()
    told = log[~waits].set_index("decision_id").loc[frame["decision_id"]]
    for name in ("template_id", "offer_id", "propensity"):
        assert frame[name].astype(object).fillna("").tolist() == told[name].astype(
            object).fillna("").tolist()  # fmt: skip


def test_arm_and_treatment_are_drawn_with_their_joint_probability():
    batch = treated_batch(40, templates=3, effect=0.02, spread=0.02)
    policy = ContactPolicy(exploration_share=0.3, floor=0.01, holdout_share=0.0, tau_learn=0.1)
    seeds, table = 400, capacity(40)
    plans = [rank(batch, policy=policy, capacity=table, random_state=s) for s in range(seeds)]
    p, units = plans[0].allocation.probabilities / (1 << 36), joint(plans[0])
    group, m = batch.treatment_group, len(batch.actions)
    found, statistic, freedom = {}, 0.0, 0
    for plan in plans:
        np.testing.assert_array_equal(plan.allocation.probabilities / (1 << 36), p)
        for i in range(40):
            key = (i, int(plan.drawn[i]), int(plan.drawn_treatments.treatment[i]))
            found[key] = found.get(key, 0) + 1
    for i in range(40):
        wanted = {}
        for a in range(m + 1):
            g = int(group[i, a]) if a < m else -1
            own = units[g] if g >= 0 else {-1: INNER_UNIT}
            wanted |= {(i, a, t): seeds * p[i, a] * u / INNER_UNIT for t, u in own.items()}
        assert sum(wanted.values()) == pytest.approx(seeds)
        small = [k for k, e in wanted.items() if e < 10]
        cells = [([k], e) for k, e in wanted.items() if e >= 10]
        if sum(wanted[k] for k in small) > 0:
            cells.append((small, sum(wanted[k] for k in small)))
        cells = [(keys, e) for keys, e in cells if e >= 5]
        statistic += sum((sum(found.get(k, 0) for k in keys) - e) ** 2 / e for keys, e in cells)
        freedom += len(cells) - 1
    assert set(found) <= {k for k in found if k[2] == -1 or k[2] in units[int(group[k[0], k[1]])]}
    assert 1e-3 < chi2.sf(statistic, freedom) < 1 - 1e-6


def test_with_nothing_known_the_arms_are_as_without_a_choice():
    batch = treated_batch(300, effect=0.0)
    plain = replace(batch, treatments=None, treatment_group=None)
    one, other = (
        rank(b, policy=POLICY, capacity=capacity(300), batch_id="b") for b in (batch, plain)
    )
    np.testing.assert_array_equal(one.allocation.probabilities, other.allocation.probabilities)
    np.testing.assert_array_equal(one.drawn, other.drawn)
    assert one.allocation.loss == other.allocation.loss
    assert other.drawn_treatments is None and other.treatments().empty
    assert "treatment_propensity" not in other.decisions()
    assert "treatment_group" not in other.decision_actions()
    np.testing.assert_array_equal(one.batch.value, batch.value)


def test_no_exploration_takes_the_best_treatment():
    plan = rank(
        treated_batch(200, effect=0.03), policy=ContactPolicy(exploration=None, holdout_share=0.0)
    )
    drawn = plan.drawn_treatments
    assert set(drawn.units.tolist()) == {INNER_UNIT}
    assert (drawn.choice.mean == drawn.choice.best).all()


# ---- money -------------------------------------------------------------------------------------


def _value(plan, batch) -> float:
    """Expected value of a plan, summed over arms and treatments one by one."""
    t, choice = batch.treatments, plan.drawn_treatments.choice
    p = plan.allocation.probabilities[:, :-1] / (1 << 36)
    total = float((p * batch.value)[batch.allowed].sum())
    worth = batch.margin * batch.p_reach * batch.amount[:, None] * t.discount
    for g in range(len(t)):
        own = slice(t.starts[g], t.starts[g + 1])
        raw = t.effect[t.context[g], t.member[own]]
        q = choice.units[own] / INNER_UNIT
        here = batch.treatment_group == g
        total += float((p * worth)[here].sum() * (q * (raw - raw.mean())).sum())
    return total


@pytest.mark.parametrize(("effect", "spread"), [(0.01, 0.01), (0.05, 0.2), (0.1, 0.5)])
def test_the_loss_of_the_inner_choice_counts_in_the_budget(effect, spread):
    batch = treated_batch(300, effect=effect, spread=spread, shift=0.0)
    policy = ContactPolicy(exploration_share=0.05, holdout_share=0.0, tau_learn=1.0)
    plan = rank(batch, policy=policy, capacity=capacity(300))
    found, choice = plan.allocation, plan.drawn_treatments.choice
    assert found.value == pytest.approx(_value(plan, batch), rel=1e-9)
    best = with_effects(batch, inner_choice(batch.treatments, heat=0.0, floor=0.0).best)
    greedy = solve_plain(build_problem(best, plan.cells))
    assert found.budget == pytest.approx(0.05 * greedy.value, rel=1e-6)
    assert found.loss == pytest.approx(greedy.bound - found.value, rel=1e-9)
    assert found.loss <= found.budget * (1 + 1e-9)
    assert found.loss >= 0.5 * found.budget  # the budget is used, not left
    assert "choice between messages and offers" in found.notes[-1]
    assert choice.heat < 1.0 if spread > 0.1 else choice.heat <= 1.0
    np.testing.assert_allclose(
        plan.batch.value,
        plan.batch.margin * plan.batch.lift - plan.batch.cost - plan.batch.harm,
        atol=1e-9,
    )


def test_a_share_that_floor_and_control_use_up_is_refused_with_what_works():
    from contactopt.errors import ConfigError

    policy = ContactPolicy(exploration_share=0.001, floor=0.01, holdout_share=0.02)
    batch = treated_batch(300, effect=0.05, spread=0.1, shift=2.0, allowed_share=1.0)
    with pytest.raises(ConfigError, match="smallest exploration_share") as caught:
        rank(batch, policy=policy, capacity=capacity(300))
    share = float(caught.value.hint.split("works is ")[1].split()[0])
    plan = rank(batch, policy=policy.set_params(exploration_share=1.2 * share),
                capacity=capacity(300))  # fmt: skip
    assert plan.allocation.loss <= plan.allocation.budget


# ---- log ---------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.03]))
@settings(max_examples=6, deadline=None)
def test_the_log_does_it_again_and_tells_why(tmp_path_factory, seed, effect):
    folder = tmp_path_factory.mktemp("log")
    plan = rank(treated_batch(60, effect=effect, seed=seed), policy=POLICY, random_state=seed)
    log = read_decisions(plan.write(folder))
    plan.write(folder)  # again: nothing changes
    report = log.replay()
    assert report.ok, repr(report)
    frame = log.treatments(plan.batch_id)
    assert frame["units"].tolist() == plan.treatments()["units"].tolist()
    assert frame.groupby("group")["probability"].sum().eq(1.0).all()
    for i in range(0, 60, 7):
        who = plan.batch.customer_ids[i]
        here, there = plan.why(who), log.why(log.decision_of(who))
        assert repr(here) == repr(there) and here.to_dict() == there.to_dict()
        if plan.drawn_treatments.treatment[i] >= 0:
            told = here.treatment
            assert told["probability"] == plan.drawn_treatments.units[i] / INNER_UNIT
            assert f"drawn with probability {told['probability']:.6g}" in " ".join(
                repr(here).split())  # fmt: skip
        else:
            assert here.treatment is None


def test_a_changed_choice_is_seen(tmp_path):
    plan = rank(treated_batch(60, effect=0.03), policy=POLICY)
    log = read_decisions(plan.write(tmp_path))
    path = tmp_path / "treatments" / f"{plan.batch_id}.parquet"
    frame = pd.read_parquet(path)
    frame.assign(units=frame["units"].to_numpy()[::-1]).to_parquet(path)
    with pytest.raises(ContractError, match="missing or were changed"):
        log.treatments(plan.batch_id)
    path.unlink()
    with pytest.raises(ContractError, match="missing or were changed"):
        read_decisions(tmp_path).replay()


def test_a_changed_template_of_a_decision_is_seen(tmp_path):
    plan = rank(treated_batch(60), policy=POLICY)
    plan.write(tmp_path)
    path = tmp_path / "decisions" / f"{plan.batch_id}.parquet"
    frame = pd.read_parquet(path)
    at = int(np.flatnonzero(plan.drawn_treatments.treatment >= 0)[0])
    frame.loc[at, "template_id"] = "t0" if frame.loc[at, "template_id"] != "t0" else "t1"
    frame.to_parquet(path)
    report = read_decisions(tmp_path).replay()
    assert not report.ok


# ---- size --------------------------------------------------------------------------------------


def test_120_templates_at_20_000_customers_stay_small_and_quick():
    n, per_channel = 20_000, 60
    batch = make_batch(n, hours=tuple(range(8, 20)), channels=("call_agent", "sms", "email"))
    config = StrategyConfig.from_mapping(
        {
            "channels": {"call_agent": {}, "sms": {}, "email": {}, "letter": {}},
            "slots": list(range(8, 20)),
            "templates": [
                {"template_id": f"{c}-{k}", "channel": c, "approved": True,
                 "features": {"tone": ("warm", "firm")[k % 2]}}
                for c in ("sms", "email") for k in range(per_channel)
            ],
            "offers": [{"offer_id": "half", "stages": ["late"]}, {"offer_id": "plan-3"}],
        }
    )  # fmt: skip
    rng = np.random.default_rng(0)
    channel = batch.actions.channel_index
    names = np.array(batch.actions.channels, dtype=object)[channel]
    sets, code = [], np.full(batch.allowed.shape, -1, dtype=np.int32)
    for c, first in (("sms", 0), ("email", per_channel)):
        arms = np.flatnonzero(names == c)
        sets.append(tuple(range(first, first + per_channel)))
        code[:, arms] = len(sets) - 1
        for rests in range(per_channel):  # each went to some customers lately
            sets.append(tuple(k for k in sets[code[0, arms[0]]] if k != first + rests))
            code[np.ix_(rng.random(n) < 0.01, arms)] = len(sets) - 1
    debts = pd.DataFrame(
        {
            "stage": pd.Categorical(rng.choice(["early", "mid", "late"], n)),
            "book": rng.choice(["a", "b"], n).astype(object),
            "settlement_floor_share": np.full(n, np.nan),
        }
    )
    none = pd.DataFrame(
        {"offer_id": pd.Series(dtype=object), "decision_id": pd.Series(dtype=object),
         "customer": pd.Series(dtype=np.int64), "open": pd.Series(dtype=bool),
         "slot_end_us": pd.Series(dtype=np.int64), "started_us": pd.Series(dtype=np.int64),
         "direction": pd.Series(dtype=object), "outcome": pd.Series(dtype=object)}
    )  # fmt: skip
    view = SimpleNamespace(
        debts=debts, touches=none, decisions=none, customer_ids=batch.customer_ids, as_of_us=0
    )
    verdict = SimpleNamespace(
        allowed=batch.allowed, debt=batch.debt, template=batch.template,
        template_set=np.where(batch.allowed, code, -1), template_sets=tuple(sets),
    )  # fmt: skip
    tracemalloc.start()
    began = time.perf_counter()
    found = valid_treatments(view, verdict, config, batch.actions, None, 1.0)
    took = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    dense = batch.allowed.size * 2 * per_channel * 3
    assert peak < 150e6 < 8 * dense / 10  # bytes; an array of pairs by treatments: 2.1 GB
    assert took < 10
    assert len(found.table) <= 122 * 3 + 6
    assert len(found.table.member) < 122 * 3 * per_channel * 3 + 100
    plan = rank(
        replace(
            batch, treatment_group=found.group, treatments=found.table,
            offer_ids=("half", "plan-3"),
            template_ids=tuple(t.template_id for t in config.templates),
        ),
        policy=POLICY, capacity=capacity(n),
    )  # fmt: skip
    acts = plan.drawn < len(batch.actions)
    assert (plan.drawn_treatments.treatment[acts] >= 0).all()
    assert len(plan.treatments()) == len(found.table.member)
