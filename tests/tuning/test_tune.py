"""Tuning: reproducible, continued without repeating itself, honest where nothing can be tuned."""

from __future__ import annotations

from functools import lru_cache
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError, ContractError
from contactopt.models.fitting.parts import amount_model, payment_model
from contactopt.simulation import World, strategy_mapping
from contactopt.tuning import TrialRecord
from contactopt.tuning.tasks import SPACE, Task, rows_of


@pytest.fixture(scope="module")
def world() -> tuple[co.Portfolio, pd.Timestamp]:
    made = World("early", n_customers=900, random_state=2, n_days=90).run(90)
    return made.portfolio(), made.as_of


@pytest.fixture(scope="module")
def config() -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {**strategy_mapping("early"), "models": {"payment": {"max_rounds": 20}, "n_folds": 2}}
    )


@pytest.fixture(scope="module")
def rows(config, world):
    """The rows of the module's world, cut once: their making is tested where they are real."""
    from contactopt.journal.terms import open_journal

    journal = open_journal(world[0], config)
    return rows_of(journal, config, world[1], max_rows=50_000, seed=config.random_state)


@pytest.fixture
def smooth(monkeypatch, rows):
    """A loss that is a smooth function of the settings, instead of models that are fitted."""
    monkeypatch.setattr("contactopt.tuning.search.rows_of", lambda *a, **k: rows)

    @lru_cache
    def of(settings):
        return sum((np.log(value) - k) ** 2 for k, (_, value) in enumerate(settings)) / 1000

    def loss(self, fold, settings):
        return float(0.3 + of(tuple(sorted(settings.items()))) + 0.001 * fold if settings else 0.4)

    monkeypatch.setattr(Task, "loss", loss)


def search(config, world, **asked):
    portfolio, as_of = world
    return co.tune(config, portfolio, as_of=as_of, progress=False, **asked)


def test_on_real_rows_the_first_trial_is_the_settings_in_place(config, world, rows, monkeypatch):
    # earlier rows of some customers, later rows of the others, a horizon between them
    horizon_us = 30 * 86_400_000_000
    for train, valid in rows.folds:
        assert not set(rows.customers[train]) & set(rows.customers[valid])
        assert rows.instants[train].max() + horizon_us <= rows.instants[valid].min()
    told, loss = [], Task.loss
    monkeypatch.setattr(Task, "loss", lambda *asked: told.append(loss(*asked)) or told[-1])
    result = search(config, world, n_trials=1)
    part = result.parts["payment"]
    assert part.baseline_value == part.best_value == pytest.approx(np.mean(told))
    assert result.best_parameters == {"payment": {}} and "log-loss" in repr(result)
    # the loss of the settings in place on the first fold, by hand
    train, valid = rows.folds[0]
    model = payment_model(config).fit(
        rows.X.iloc[train],
        rows.paid[train].astype(int),
        times=rows.instants[train],
        groups=rows.customers[train],
    )
    p = model.predict_proba(rows.X.iloc[valid])[:, 1]
    assert told[0] == pytest.approx(-np.log(np.where(rows.paid[valid], p, 1 - p)).mean())


def test_two_sittings_with_a_storage_are_the_trials_of_one(smooth, config, world, tmp_path):
    whole = search(config, world, n_trials=12)
    for n in (5, 7):
        again = search(config, world, n_trials=n, storage=tmp_path / "trials.db")
    pd.testing.assert_frame_equal(
        again.trials.drop(columns="seconds"), whole.trials.drop(columns="seconds")
    )
    assert again.best_parameters == whole.best_parameters
    assert whole.parts["payment"].baseline_value == pytest.approx(0.4)
    assert whole.parts["payment"].best_value < 0.4
    # a new seed goes on with proposals of its own
    more = search(config, world, n_trials=2, storage=tmp_path / "trials.db", random_state=9)
    other = search(config, world, n_trials=12, random_state=9)
    assert len(more.trials) == 14
    proposed = more.trials[list(SPACE)]
    assert not proposed.duplicated().any() and proposed.isna().all(axis=1).sum() == 1
    assert (
        not other.trials.loc[1:, list(SPACE)]
        .isin(proposed.loc[1:].to_numpy().ravel())
        .all(axis=None)
    )


def test_a_study_is_not_continued_on_other_data(smooth, config, world, tmp_path):
    search(config, world, n_trials=1, storage=tmp_path / "trials.db")
    later = StrategyConfig.from_mapping({**config.to_mapping(), "random_state": 5})
    with pytest.raises(ConfigError, match="another portfolio"):
        search(later, world, n_trials=1, storage=tmp_path / "trials.db")
    named = search(later, world, n_trials=1, storage=tmp_path / "trials.db", study_name="later")
    assert len(named.trials) == 1


def test_found_settings_go_into_the_strategy_and_its_models(smooth, config, world):
    result = search(config, world, n_trials=12)
    found = result.best_parameters["payment"]
    assert set(found) == set(SPACE)
    tuned = result.apply(config)
    assert result.to_mapping() == {"models": {"payment": found}}
    assert tuned.models.payment.given == {"max_rounds": 20, **found}
    assert payment_model(tuned).get_params()["num_leaves"] == found["num_leaves"]
    assert tuned.models.amount == config.models.amount
    # and a file without the new sections reads as before
    assert StrategyConfig.from_mapping({"models": {"n_folds": 4}}).models.payment.given == {}
    with pytest.raises(ConfigError, match="learning_rate"):
        StrategyConfig.from_mapping({"models": {"payment": {"learning_rate": 3}}})


def test_every_setting_that_is_searched_is_one_of_both_models(config):
    for model in (payment_model(config), amount_model(config)):
        assert set(SPACE) <= set(model.get_params())


def test_callbacks_get_a_record_per_trial(smooth, config, world):
    seen: list[TrialRecord] = []
    search(config, world, n_trials=3, callbacks=[seen.append])
    assert [r.number for r in seen] == [0, 1, 2]
    assert seen[2].best_value == min(r.value for r in seen if r.state == "complete")
    assert seen[0].parameters == {} and set(seen[1].parameters) == set(SPACE)


def test_the_amount_model_is_tuned_on_what_payers_paid(world, config, rows, monkeypatch):
    with pytest.raises(ContractError, match="too few payers to tune the amount"):
        Task("amount", rows, config)
    monkeypatch.setattr("contactopt.tuning.tasks._MIN_TRAIN_PAYERS", 50)
    task = Task("amount", rows, config)
    assert all(rows.paid[side].all() for fold in task.folds for side in fold)
    assert 0 < task.loss(0, {}) < 5


def test_a_trial_that_is_clearly_worse_is_pruned(smooth, config, world, monkeypatch):
    seen = []

    def loss(self, fold, settings):
        seen.append(fold)
        # the settings in place and nine more are good, what follows is bad from the first fold on
        return float(len(seen) > 30)

    monkeypatch.setattr(Task, "loss", loss)
    result = search(config, world, n_trials=11)
    assert result.trials["state"].tolist() == ["complete"] * 10 + ["pruned"]
    assert seen[-1] == 0
    # nothing was better than the settings in place
    assert result.best_parameters == {"payment": {}} and result.to_mapping() == {}
    assert "in place are the best" in repr(result)


def test_a_failed_trial_is_kept_as_failed_and_the_study_goes_on(smooth, config, world, tmp_path):
    with (
        mock.patch.object(Task, "loss", side_effect=RuntimeError("stopped")),
        pytest.raises(RuntimeError),
    ):
        search(config, world, n_trials=2, storage=tmp_path / "trials.db")
    result = search(config, world, n_trials=1, storage=tmp_path / "trials.db")
    assert result.trials["state"].tolist() == ["failed", "complete"]
    assert result.parts["payment"].baseline_value == pytest.approx(0.4)


def test_where_nothing_can_be_tuned_it_says_so(smooth, config, world, rows, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="parts"):
        search(config, world, parts=["reach"])
    with pytest.raises(ConfigError, match="no trial"):
        search(config, world, timeout=-1.0)
    with pytest.raises(ConfigError, match="no folder"):
        search(config, world, storage=tmp_path / "absent" / "trials.db")
    (tmp_path / "text.db").write_text("no database")
    with pytest.raises(ConfigError, match="storage cannot be used"):
        search(config, world, storage=tmp_path / "text.db")
    monkeypatch.setattr("contactopt.tuning.tasks._MIN_CLASS", 10_000)
    with pytest.raises(ContractError, match="too few payers"):
        search(config, world)


def test_a_history_without_a_later_time_is_refused(config, world):
    portfolio, as_of = world
    early = as_of - pd.Timedelta(days=55)
    few = portfolio.subset(portfolio.customer_ids[:50])
    with pytest.raises(ContractError, match="no later time"):
        co.tune(config, few, as_of=early, progress=False)


def test_nothing_is_shown_on_stdout(smooth, config, world, capsys):
    co.tune(config, world[0], as_of=world[1], n_trials=1, progress=True)
    shown = capsys.readouterr()
    assert shown.out == "" and "tune" in shown.err
