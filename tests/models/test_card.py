"""Reports and cards say what the numbers say: by hand, with clusters, for nobody, as JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from contactopt.metrics import auc, lift_at_capacity, log_loss
from contactopt.models import ModelCard, score_report
from contactopt.models.report import total_ratio

FACTS = {
    "fit_as_of": "2026-01-01", "as_of": "2026-03-01", "rows": 600, "customers": 300,
    "first_moment": "2026-01-01", "last_moment": "2026-01-29", "horizon_days": 30.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> dict:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.6, 600)
    y = (rng.random(600) < p).astype(float)
    return {
        "y": y,
        "p": p,
        "money": y * np.exp(rng.normal(5, 1, 600)),
        "expected": p * 200,
        "who": np.arange(600) // 2,
        "by": pd.DataFrame({"stage": np.where(p > 0.3, "early", "late|x"), "tiny": ["a"] * 600}),
    }


def report(world, **more):
    own = {"facts": FACTS, "by": world["by"], "groups": world["who"], "money": world["money"],
           "expected": world["expected"]} | more  # fmt: skip
    return score_report(world["y"], world["p"], **own)


def test_numbers_are_those_of_the_metrics(world) -> None:
    told = report(world).numbers.set_index("metric")
    wanted = {
        "auc": auc(world["y"], world["p"], groups=world["who"]),
        "log_loss": log_loss(world["y"], world["p"], groups=world["who"]),
        "lift in money": lift_at_capacity(
            world["money"], world["expected"], capacity=0.2, groups=world["who"]
        ),
        "expected over actual money": total_ratio(
            world["expected"], world["money"], groups=world["who"]
        ),
    }
    for name, found in wanted.items():
        assert tuple(told.loc[name, ["value", "low", "high", "n"]]) == pytest.approx(
            (found.value, found.low, found.high, found.n)
        )
    assert "a perfect model shows" in told.loc["calibration error", "note"]
    metrics = report(world).metrics
    assert metrics["auc_low"] < metrics["auc"] < metrics["auc_high"]
    assert "expected_over_actual_money" in metrics


def test_the_ratio_of_totals_covers(world) -> None:
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(150), 2)
        rate = rng.uniform(0.1, 0.6, 150)[who]
        paid = (rng.random(150)[who] < rate) * 100.0
        found = total_ratio(rate * 120, paid, groups=who)
        hits += found.low <= 1.2 <= found.high
    assert 0.90 <= hits / 300 <= 0.99
    assert total_ratio([1.0], [0.0]).reason == "nothing was paid"
    assert total_ratio([], []).reason == "no rows"


def test_markdown_json_and_charts(world) -> None:
    made = report(world)
    text = made.to_markdown()
    assert "### By stage" in text and "late\\|x" in text and "600 moments of 300" in text
    assert made._repr_markdown_() == text and "auc" in repr(made)
    json.dumps(made.to_dict(), allow_nan=False)
    assert len(made.plot_scores("stage").data) == 2
    assert made.plot_gain().ax.get_ylabel() == "captured share of money"
    assert len(made.plot_reliability().data) == len(made.reliability)
    assert "nothing to compare" in made.plot_drift().ax.texts[0].get_text()
    paid = report(world, money=None, expected=None)
    assert paid.facts["gain_of"] == "payments"
    assert "expected over actual money" not in paid.numbers["metric"].tolist()


def test_a_report_on_nobody_says_so() -> None:
    empty = score_report(
        [], [], facts={**FACTS, "rows": 0, "customers": 0}, by=pd.DataFrame({"stage": []})
    )
    assert (empty.numbers["told"] == "not enough data").all() and empty.metrics == {}
    assert "not enough data" in empty.to_markdown()
    json.dumps(empty.to_dict(), allow_nan=False)
    assert empty.plot_gain().ax.texts


def test_a_card_holds_what_it_is_given(world) -> None:
    card = ModelCard(
        {
            "data": {"as_of": "2026-01-01", "customers": 3},
            "payment": {"learner": "prior", "why": "too few rows"},
            "hours": {"sms": {"verdict": "no hour effect shown", "reason": "r", "p_value": 0.4,
                              "attempts": 9}},
            "limits": ["one", "two"],
        }
    )  # fmt: skip
    text = card.to_markdown()
    assert "Learner: **prior**, because too few rows." in text
    assert "| sms | no hour effect shown | r | 0.4 | 9 |" in text
    assert text.rstrip().endswith("- one\n- two") and "What contact adds" not in text
    lone = {"prior_only": False, "estimand": "lone contact"}
    assert "a contact that no other follows" in ModelCard({"effect": lone}).to_markdown()
    one_step = {"effect": lone | {"estimand": "one step"}}
    assert "no other follows" not in ModelCard(one_step).to_markdown()
    more = card.with_report(report(world))
    assert "## On later moments" in more.to_markdown() and "report" not in card.facts
    assert ModelCard.from_dict(json.loads(more.to_json())).to_markdown() == more.to_markdown()
    assert json.loads(ModelCard({"x": {"y": float("nan")}}).to_json()) == {"x": {"y": None}}
