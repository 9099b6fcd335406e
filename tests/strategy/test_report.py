"""A strategy's card lies in its bundle, its report is on later moments only, MLflow keeps both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import load_text
from mlflow.tracking import MlflowClient

import contactopt as co
from contactopt.bundle import content_hash, load_bundle
from contactopt.config import StrategyConfig
from contactopt.errors import BundleError, ConfigError, LeakageError
from contactopt.features import training_pairs
from contactopt.journal import payment_labels
from contactopt.journal.terms import open_journal

BACKCOMPAT = Path(__file__).parents[1] / "backcompat"
CONFIG = StrategyConfig.from_mapping(
    {
        "fallback": "cautious", "channels": ["sms", "letter"], "slots": [10],
        "models": {"max_training_rows": 200},
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.datasets.load_demo(n_customers=60, random_state=2, n_days=90)


@pytest.fixture(scope="module")
def now(portfolio) -> pd.Timestamp:
    return portfolio.latest_instant()


@pytest.fixture(scope="module")
def fitted(portfolio, now) -> co.ContactStrategy:
    return co.ContactStrategy(config=CONFIG).fit(portfolio, as_of=now - pd.Timedelta(days=45))


def test_the_card_tells_the_fit_and_lies_in_the_bundle(fitted, tmp_path) -> None:
    text = fitted.card_.to_markdown()
    for said in ("| Customers | 60 |", "## Who pays", "Learner: **", "not legal advice",
                 "## What contact adds", "## When people are reached"):  # fmt: skip
        assert said in text
    assert "seconds" not in fitted.card_.to_json()
    assert json.loads(fitted.card_.to_json())["data"]["portfolio_hash"]
    digest = fitted.save(tmp_path / "b")
    assert digest == fitted.version == content_hash(tmp_path / "b")
    assert (tmp_path / "b" / "MODEL_CARD.md").read_text("utf-8") == text
    assert "MODEL_CARD.md" in json.loads((tmp_path / "b" / "manifest.json").read_text())["files"]
    again = co.ContactStrategy.load(tmp_path / "b")
    assert again.card_.to_markdown() == text and again.save(tmp_path / "c") == digest
    assert "MODEL_CARD.md" not in load_bundle(tmp_path / "b")
    (tmp_path / "b" / "MODEL_CARD.md").write_text(text + "and it never errs\n")
    with pytest.raises(BundleError):
        co.ContactStrategy.load(tmp_path / "b")


def test_bundles_from_before_cards_keep_their_version() -> None:
    old = co.ContactStrategy.load(BACKCOMPAT / "bundle_v1")
    assert old.version == content_hash(BACKCOMPAT / "bundle_v1")
    assert "| Customers | 260 |" in old.card_.to_markdown()
    assert old.model_card() is old.card_ and old.behaviours_ is None


def test_a_report_rests_on_moments_after_the_fit_with_closed_windows(
    fitted, portfolio, now
) -> None:
    made = fitted.report(portfolio, as_of=now, by=["stage", "channel", "debt.days_past_due"])
    facts = made.facts
    assert facts["first_moment"] >= f"{fitted.as_of_:%Y-%m-%d}"
    horizon = pd.Timedelta(days=CONFIG.objective.horizon_days)
    assert pd.Timestamp(facts["last_moment"], tz="UTC") + horizon <= now
    # the slow way: every pair at those moments, labelled and scored
    journal = open_journal(portfolio, CONFIG)
    who, when = training_pairs(
        journal, as_of=now, step_days=CONFIG.models.training_step_days,
        horizon_days=CONFIG.objective.horizon_days, max_rows=10**6,
    )  # fmt: skip
    later = when >= fitted.as_of_.value // 1000
    who, when = who[later], when[later]
    paid = payment_labels(
        journal, who, when, horizon_days=CONFIG.objective.horizon_days, as_of=now
    )["paid"].to_numpy(dtype=float)
    X = fitted.models_.features.transform(journal, customers=who, as_of=when)
    p = fitted.models_.payment.predict_proba(X)[:, 1]
    told = made.numbers.set_index("metric")
    assert facts["rows"] == len(who)
    assert told.loc["brier", "value"] == pytest.approx(((p - paid) ** 2).mean())
    assert told.loc["auc", "n"] == len(np.unique(who))
    assert set(made.slices["slice"]) == {"(all)", "stage", "channel", "debt.days_past_due"}
    channels = made.slices.loc[made.slices["slice"] == "channel", "group"].unique()
    assert set(channels) <= CHANNELS
    card = fitted.model_card(made)
    assert "## On later moments" in card.to_markdown()
    assert fitted.model_card().to_markdown() == fitted.card_.to_markdown()


CHANNELS = {
    "call_agent", "call_bot", "sms", "whatsapp", "email", "push", "chat", "letter", "visit",
    "no contact in 30 days", "(none)",
}  # fmt: skip


def test_a_report_is_refused_where_windows_would_be_shared(fitted, portfolio, now) -> None:
    with pytest.raises(LeakageError, match="no moment lies after the fit"):
        fitted.report(portfolio, as_of=fitted.as_of_ + pd.Timedelta(days=20))
    with pytest.raises(LeakageError):
        fitted.report(portfolio, as_of=fitted.as_of_)
    with pytest.raises(ConfigError, match="no column 'shoe'"):
        fitted.report(portfolio, as_of=now, by=["shoe"])


def test_mlflow_keeps_card_and_report(fitted, portfolio, now, tracking_uri: str) -> None:
    made = fitted.report(portfolio, as_of=now, by=["stage"])
    logged = co.log_strategy(fitted, evaluation=made, tracking_uri=tracking_uri)
    client = MlflowClient(tracking_uri)
    names = {a.path for a in client.list_artifacts(logged.run_id)}
    assert {"MODEL_CARD.md", "MODEL_REPORT.md"} <= names
    run = client.get_run(logged.run_id)
    assert run.data.metrics["evaluation.auc"] == pytest.approx(made.metrics["auc"])
    text = load_text(f"{run.info.artifact_uri}/MODEL_CARD.md")
    assert text == fitted.card_.to_markdown()
