"""Safety from the strategy file to the log and back: clone, pilot, verdict, bundle, replays."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.journal.terms import open_journal
from contactopt.learning.safety_rows import safety_evidence
from contactopt.policy.kernels import UNIT
from contactopt.policy.safety import SafetyVerdict

SETTINGS = {
    "fallback": "cautious",
    "channels": ["call_agent", "sms", "email", "letter"],
    "slots": [9, 12, 18],
    "models": {"max_training_rows": 600},
    "exploration": {"share": 0.5},
    "horizon_days": 14,
}


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.datasets.load_demo(n_customers=200, random_state=2, n_days=70)


@pytest.fixture(scope="module")
def fitted_at(portfolio: co.Portfolio) -> pd.Timestamp:
    return portfolio.latest_instant() - pd.Timedelta(days=25)


@pytest.fixture(scope="module")
def fitted(portfolio: co.Portfolio, fitted_at: pd.Timestamp) -> co.ContactStrategy:
    config = StrategyConfig.from_mapping({**SETTINGS, "safety": True})
    return co.ContactStrategy(config=config).fit(portfolio, as_of=fitted_at)


@pytest.fixture(scope="module")
def folder(portfolio, fitted, fitted_at, tmp_path_factory):
    """Eight days of plans."""
    place = tmp_path_factory.mktemp("plans")
    for day in range(1, 9):
        plan = fitted.rank(portfolio, as_of=fitted_at + pd.Timedelta(days=day))
        assert plan.safe is not None
        assert plan.safe.verdict.lead == "incumbent" and plan.safe.verdict.pilot
        plan.write(place)
    return place


def test_incumbent_is_cloned_from_touches_at_the_fit(portfolio, fitted, fitted_at) -> None:
    """By hand for one channel and hour, over customers of one stage."""
    view = open_journal(portfolio, fitted.config).as_of(fitted_at)
    incumbent = fitted.incumbent_
    assert "28 days before" in incumbent.source
    touches = view.touches
    since = view.as_of_us - 28 * 86_400_000_000
    from contactopt.journal.local_time import local_hour
    from contactopt.segments import customer_columns, stage_of

    stage = stage_of(fitted.segments_.predict(customer_columns(view)))
    name = max(set(stage), key=list(stage).count)
    own = touches[(touches["direction"] == "outbound") & (touches["started_us"] >= since)]
    who = own["customer"].to_numpy()
    hour = local_hour(own["started_us"].to_numpy(), view.journal.zones[who])
    hit = (own["channel"] == "call_agent").to_numpy() & (hour == 9) & (stage[who] == name)
    expected = hit.sum() / (28 * (stage == name).sum())
    assert incumbent.shares[name].get("call_agent@09", 0.0) == pytest.approx(expected)
    assert all(sum(own.values()) <= 1.0 + 1e-12 for own in incumbent.shares.values())


def test_plan_is_the_incumbents_with_a_share_of_the_learned(
    portfolio, fitted, fitted_at, tmp_path
) -> None:
    plan = fitted.rank(portfolio, as_of=fitted_at)
    assert 0 < plan.safe.verdict.share <= 0.1
    assert "incumbent leads (no evidence: the learned policy runs as a pilot)" in repr(plan)
    text = plan.to_html()
    assert "incumbent leads" in text
    told = json.loads(plan.batches()["safety"].iloc[0])
    assert SafetyVerdict.from_state(told["verdict"]) == plan.safe.verdict
    fitted.save(tmp_path)
    off = co.ContactStrategy.load(tmp_path)
    off.config = StrategyConfig.from_mapping(SETTINGS)
    alone = off.rank(portfolio, as_of=fitted_at)
    assert alone.safe is None and alone.batch.constant_value is None
    assert (alone.allocation.probabilities == plan.safe.learned.probabilities).all()


def test_evidence_is_what_the_log_says_of_the_drawn_actions(portfolio, fitted, folder) -> None:
    now = portfolio.latest_instant()
    log = co.read_decisions(folder)
    view = open_journal(portfolio, fitted.config).as_of(now)
    found = safety_evidence(log, view, fitted.config, since=fitted.as_of_)
    found.check()
    decisions = pd.concat([log.decisions(b) for b in log.batch_ids])
    kept = decisions[~decisions["holdout"]]
    assert len(found) == len(kept)
    assert (found.propensity == kept["propensity"].to_numpy()).all()
    assert not found.uncovered.any()
    share = json.loads(log.batches["safety"].iloc[0])["share"] / 65536
    first = np.flatnonzero(found.day == found.day[0])
    mixed = (1 - share) * found.incumbent[first] + share * found.learned[first]
    # remainders of the integers go to waiting
    acts = first[~found.waited[first]]
    off = np.abs(mixed - found.propensity[first])
    assert len(acts) > 5 and off[~found.waited[first]].max() < 2 / UNIT and off.max() < 50 / UNIT
    earlier = open_journal(portfolio, fitted.config).as_of(now - pd.Timedelta(days=20))
    assert len(safety_evidence(log, earlier, fitted.config, since=fitted.as_of_)) == 0
    assert len(safety_evidence(None, view, fitted.config, since=fitted.as_of_)) == 0


def test_update_decides_and_a_bundle_keeps_it(portfolio, fitted, folder, tmp_path) -> None:
    now = portfolio.latest_instant()
    fitted.save(tmp_path / "before")
    strategy = co.ContactStrategy.load(tmp_path / "before")
    assert strategy.incumbent_ == fitted.incumbent_ and strategy.verdict_ is None
    strategy.update(portfolio, as_of=now, log=folder)
    verdict = strategy.verdict_
    assert [a.over for a in verdict.advantages] == ["constant", "incumbent", "incumbent"]
    assert verdict.advantages[0].estimate.n > 100 or verdict.advantages[0].estimate.reason
    assert verdict.inflation is not None
    assert strategy.update_record_["safety"] == verdict.to_state()
    version = strategy.save(tmp_path / "after")
    again = co.ContactStrategy.load(tmp_path / "after")
    assert again.version == version
    assert again.verdict_.to_state() == verdict.to_state()
    twice = co.ContactStrategy.load(tmp_path / "after").update(portfolio, as_of=now, log=folder)
    assert twice.verdict_.to_state() == verdict.to_state()
    plan = again.rank(portfolio, as_of=now)
    told = plan.safe.verdict.to_state()
    assert told | {"share": None} == verdict.to_state()
    plan.write(folder)
    report = co.read_decisions(folder).replay(plan.batch_id)
    assert report.ok, str(report)
    exact = again.replay(folder, plan.batch_id, portfolio)
    assert exact.ok, str(exact)
