"""From the log back into the model: which message did better, from logged draws alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
from treated import OFFERS, treated_batch

from contactopt.config import StrategyConfig
from contactopt.learning.treatments import learn_treatments
from contactopt.plan import rank, read_decisions
from contactopt.policy import ContactPolicy

CONFIG = StrategyConfig.from_mapping(
    {
        "channels": ["call_agent", "sms", "email", "letter"],
        "templates": [
            {
                "template_id": f"t{k}",
                "channel": "sms",
                "features": {"tone": ("warm", "firm")[k % 2]},
            }
            for k in range(6)
        ],
        "offers": [{"offer_id": o} for o in OFFERS],
    }
)


def test_the_log_teaches_what_the_tone_does(tmp_path):
    policy = ContactPolicy(exploration_share=0.05, holdout_share=0.02)
    batch = treated_batch(6_000, shift=1.0)
    rng = np.random.default_rng(0)
    expected = {}
    for k in range(3):
        plan = rank(batch, policy=policy, batch_id=f"b{k}", random_state=k)
        plan.write(tmp_path)
        log = plan.decisions()
        row = np.arange(len(log))
        arm = np.minimum(plan.drawn, len(batch.actions) - 1)
        acts = plan.drawn < len(batch.actions)
        warm = log["template_id"].isin(["t0", "t2", "t4"]).to_numpy()
        chosen = plan.drawn_treatments.treatment >= 0
        p = np.where(acts, batch.p_pay[row, arm], 0.2)
        p = p + np.where(chosen, batch.p_reach[row, arm] * (0.1 * warm - 0.05), 0.0)
        pays = rng.random(len(log)) < np.clip(p + 0.1, 0, 1)  # and the scores are 0.1 too low
        expected[f"b{k}"] = pays * batch.amount * 0.99
    view = SimpleNamespace(as_of=batch.as_of + pd.Timedelta(days=60))
    log = read_decisions(tmp_path)
    model = learn_treatments(log, view, CONFIG, expected=expected, discount=0.99)
    assert model is not None
    effect, spread = model.predict("sms", "early", [("t0", None), ("t1", None), ("t2", None)])
    assert 0.03 < effect[0] - effect[1] < 0.15
    assert (spread < 0.06).all()
    again = learn_treatments(log, view, CONFIG, expected=expected, discount=0.99)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    early = SimpleNamespace(as_of=batch.as_of - pd.Timedelta(days=1))
    assert learn_treatments(log, early, CONFIG, expected={}, discount=0.99) is None
    assert learn_treatments(None, early, CONFIG, expected={}, discount=0.99) is None
    blind = {b: np.full(len(v), np.nan) for b, v in expected.items()}
    nothing = learn_treatments(log, view, CONFIG, expected=blind, discount=0.99)
    assert nothing is None or not nothing.learned
