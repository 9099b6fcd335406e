"""The composed line: blocks, bundles, seeds, empty and single portfolios, errors."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError, StalenessError
from contactopt.policy import scorer
from contactopt.policy.batch import score_portfolio

CONFIG = StrategyConfig.from_mapping(
    {
        "fallback": "cautious",
        "channels": ["call_agent", "sms", "email", "letter"],
        "slots": [9, 12, 18],
        "random_state": 4,
        "models": {"max_training_rows": 600},
        "exploration": {"share": 0.5},
    }
)


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.datasets.load_demo(n_customers=150, random_state=2, n_days=70)


@pytest.fixture(scope="module")
def as_of(portfolio: co.Portfolio) -> pd.Timestamp:
    return portfolio.latest_instant()


@pytest.fixture(scope="module")
def fitted(portfolio: co.Portfolio, as_of: pd.Timestamp) -> co.ContactStrategy:
    return co.ContactStrategy(config=CONFIG).fit(portfolio, as_of=as_of)


def assert_equal_batches(a: co.ScoredBatch, b: co.ScoredBatch) -> None:
    for f in fields(a):
        left, right = getattr(a, f.name), getattr(b, f.name)
        if f.name in ("reason", "reason_sets"):
            continue  # compared below: the code of a set may differ
        if isinstance(left, np.ndarray) and left.dtype != object:
            np.testing.assert_array_equal(left, right, err_msg=f.name)
        elif isinstance(left, np.ndarray):
            assert [str(x) for x in left] == [str(x) for x in right], f.name
        else:
            assert left == right, f.name
    reasons = [[x.reason_sets[k] for k in x.reason.ravel()] for x in (a, b)]
    assert reasons[0] == reasons[1]


@pytest.mark.parametrize("block", [1, 40, 149])
def test_scores_do_not_depend_on_the_block_size(portfolio, as_of, fitted, block: int) -> None:
    if block == 1:
        portfolio = portfolio.subset(portfolio.customer_ids[:12])

    def scored(size: int) -> co.ScoredBatch:
        return score_portfolio(
            portfolio,
            models=fitted.models_,
            rules=fitted._rules(as_of),
            config=CONFIG,
            as_of=as_of,
            random_state=4,
            policy_version="v",
            block_customers=size,
        )

    assert_equal_batches(scored(10_000), scored(block))


# 000-06, 003-06, 003-22
def test_value_is_margin_times_lift_less_cost_and_harm(portfolio, as_of, fitted) -> None:
    b = fitted.score(portfolio, as_of=as_of)
    np.testing.assert_allclose(b.value, b.margin * b.lift - b.cost - b.harm, atol=1e-9)
    assert (b.spread >= 0).all()
    assert (b.amount >= 0).all()
    assert b.allowed.any()
    assert not b.allowed.all()
    blocked = np.array([bool(s) for s in b.reason_sets])[b.reason]
    np.testing.assert_array_equal(blocked, ~b.allowed)


def test_saved_and_loaded_strategy_plans_the_same(portfolio, as_of, fitted, tmp_path) -> None:
    digest = fitted.save(tmp_path / "bundle")
    loaded = co.ContactStrategy.load(tmp_path / "bundle")
    assert loaded.version == fitted.version == digest
    plans = [s.rank(portfolio, as_of=as_of) for s in (fitted, loaded)]
    pd.testing.assert_frame_equal(plans[0].to_frame(), plans[1].to_frame())
    pd.testing.assert_frame_equal(plans[0].decisions(), plans[1].decisions())
    assert plans[0].batch_id == plans[1].batch_id


def test_nobody_is_alarmed_by_customers_without_arrears(
    portfolio, as_of, fitted, tmp_path, caplog, monkeypatch
) -> None:
    """Their stage is no unseen level, for models learn from arrears; the scores stay the same."""
    fitted.save(tmp_path / "s")
    told, plain = (co.ContactStrategy.load(tmp_path / "s") for _ in range(2))
    batch = told.score(portfolio, as_of=as_of)
    assert (pd.Series(batch.segment).str.split(" · ").str[0] == "current").any()
    assert not [m for m in caplog.messages if "debt.stage" in m or "debt.status" in m]
    monkeypatch.setattr(scorer, "_without_words_of_no_arrears", lambda features: features)
    assert_equal_batches(batch, plain.score(portfolio, as_of=as_of))
    assert [m for m in caplog.messages if "debt.stage" in m]


def test_equal_fits_give_equal_bundles(portfolio, as_of, fitted) -> None:
    again = co.ContactStrategy(config=CONFIG).fit(portfolio, as_of=as_of)
    assert again.version == fitted.version


def test_row_order_of_the_tables_changes_nothing(portfolio, as_of, fitted) -> None:
    shuffled = co.Portfolio.from_frames(
        {n: f.sample(frac=1.0, random_state=1) for n, f in portfolio.tables.items()},
        complete_to=portfolio.complete_to,
    )
    assert co.ContactStrategy(config=CONFIG).fit(shuffled, as_of=as_of).version == fitted.version
    assert (
        fitted.rank(shuffled, as_of=as_of).batch_id == fitted.rank(portfolio, as_of=as_of).batch_id
    )


def test_the_seed_moves_the_draw_but_not_the_probabilities(portfolio, as_of, fitted) -> None:
    a = fitted.rank(portfolio, as_of=as_of, random_state=4)
    b = fitted.rank(portfolio, as_of=as_of, random_state=4)
    np.testing.assert_array_equal(a.drawn, b.drawn)
    alone = portfolio.subset(
        c for c in portfolio.customer_ids if c not in _resting(portfolio, as_of)
    )
    p, q = (fitted.rank(alone, as_of=as_of, random_state=s) for s in (4, 5))
    np.testing.assert_array_equal(p.allocation.probabilities, q.allocation.probabilities)
    assert (p.drawn != q.drawn).any()


def _resting(portfolio: co.Portfolio, as_of: pd.Timestamp) -> set[str]:
    from contactopt.compliance import shared_point_rotation

    found: set[str] = set()
    for seed in (4, 5):
        found |= set(shared_point_rotation(portfolio, as_of, seed)["customer_id"])
    return found


def test_empty_portfolio_and_one_customer(portfolio, as_of, fitted) -> None:
    empty = co.Portfolio.from_frames({n: f.iloc[:0] for n, f in portfolio.tables.items()})
    plan = fitted.rank(empty, as_of=as_of)
    assert (len(plan.to_frame()), len(plan.decisions())) == (0, 0)
    cold = co.ContactStrategy(config=CONFIG).fit(empty, as_of=as_of)
    assert cold.models_.effect.prior_only_
    assert cold.models_.payment.cold_start_
    one = portfolio.subset(portfolio.customer_ids[:1])
    assert len(cold.rank(one, as_of=as_of).decisions()) == 1


def test_priors_alone_rank_sensibly(portfolio, as_of) -> None:
    empty = co.Portfolio.from_frames({n: f.iloc[:0] for n, f in portfolio.tables.items()})
    cold = co.ContactStrategy(config=CONFIG).fit(empty, as_of=as_of)
    batch = cold.score(portfolio, as_of=as_of)
    # within a stage, who owes more is worth more once a call gets through (who is reached differs)
    call = [a.channel == "call_agent" for a in batch.actions]
    reach, lift = batch.p_reach[:, call], batch.lift[:, call]
    calls = np.divide(lift, reach, out=np.full(lift.shape, np.nan), where=reach > 0)[:, 0]
    for stage in ("early", "mid", "late"):
        there = (batch.segment == stage) & (batch.amount > 0)
        assert there.sum() >= 8
        order = pd.DataFrame({"amount": batch.amount[there], "lift": calls[there]})
        assert order.corr("spearman").iloc[0, 1] > 0.6, stage


def test_unfitted_naive_and_stale_are_refused(portfolio, as_of, fitted) -> None:
    with pytest.raises(NotFittedError):
        co.ContactStrategy(config=CONFIG).rank(portfolio, as_of=as_of)
    for bad in ("2026-03-11", 1_700_000_000, "soon"):
        with pytest.raises(ConfigError, match="time zone"):
            fitted.rank(portfolio, as_of=bad)
    with pytest.raises(StalenessError, match="touches"):
        fitted.rank(portfolio, as_of=as_of + pd.Timedelta(days=9))


def test_money_is_converted_before_anything_is_learned(portfolio, as_of) -> None:
    tables = dict(portfolio.tables)
    money = {
        "debts": ["principal"],
        "debt_snapshots": ["balance", "past_due", "instalment"],
        "promises": ["amount"],
        "payments": ["amount"],
        "arrangements": ["instalment"],
    }
    for name, columns in money.items():
        tables[name] = tables[name].assign(**{c: tables[name][c] * 4.0 for c in columns})
    tables["debts"] = tables["debts"].assign(currency="BRL")
    foreign = co.Portfolio.from_frames(tables, complete_to=portfolio.complete_to)
    with pytest.raises(ConfigError, match="no exchange rate for BRL"):
        co.ContactStrategy(config=CONFIG).fit(foreign, as_of=as_of)
    rated = CONFIG.model_copy(
        update={"objective": CONFIG.objective.model_copy(update={"exchange_rates": {"BRL": 0.25}})}
    )
    at_home = co.ContactStrategy(config=CONFIG).fit(portfolio, as_of=as_of)
    abroad = co.ContactStrategy(config=rated).fit(foreign, as_of=as_of)
    np.testing.assert_array_equal(
        at_home.score(portfolio, as_of=as_of).value, abroad.score(foreign, as_of=as_of).value
    )


def test_own_channel_follows_rules_and_history_of_its_root(portfolio, as_of) -> None:  # 003-09
    config = StrategyConfig.from_mapping(
        {**CONFIG.to_mapping(), "channels": {"rcs": {"like": "sms"}, "sms": {}}}
    )

    def allowed(*, consented: bool) -> dict[str, np.ndarray]:
        tables = dict(portfolio.tables)
        touches, consents = tables["touches"], tables["consents"]
        renamed = touches["channel"].where(touches["channel"] != "sms", "rcs")
        tables["touches"] = touches.assign(channel=renamed)
        if consented:
            own = consents[consents["channel"] == "sms"].assign(channel="rcs")
            tables["consents"] = pd.concat([consents, own])
        own = co.Portfolio.from_frames(
            tables, complete_to=portfolio.complete_to, extra_channels=["rcs"]
        )
        batch = co.ContactStrategy(config=config).fit(own, as_of=as_of).score(own, as_of=as_of)
        channel = np.array([a.channel for a in batch.actions])
        return {c: batch.allowed[:, channel == c] for c in ("rcs", "sms")}

    both = allowed(consented=True)
    np.testing.assert_array_equal(both["rcs"], both["sms"])
    assert both["rcs"].any()
    # a consent to text messages opens no channel of another name
    without = allowed(consented=False)
    assert (without["rcs"] <= without["sms"]).all()
    assert without["rcs"].sum() < without["sms"].sum()
    np.testing.assert_array_equal(without["sms"], both["sms"])


def test_control_customers_only_wait(portfolio, as_of, fitted) -> None:
    policy = co.ContactPolicy(holdout_share=0.3, exploration_share=0.6)
    batch = fitted.score(portfolio, as_of=as_of)
    decisions = co.rank(batch, policy=policy, pools=CONFIG.pools).decisions()
    control = decisions[decisions["holdout"]]
    assert 20 <= len(control) <= 75
    assert (control["channel"] == "wait").all()
    assert (control["propensity"] == 1.0).all()
    # membership hangs on the customer alone
    other = co.rank(replace(batch, value=-batch.value), policy=policy).decisions()
    np.testing.assert_array_equal(decisions["holdout"], other["holdout"])
