"""Batch features equal an event-by-event replay on real calls and texts (issue 5, Shows).

The whole study, at every event, is replayed by `benchmarks/bench_features.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from oracles.cns_phone import cns_events, cns_tables, moments_of, one_life_per_moment

from contactopt.contracts import Portfolio
from contactopt.features import FeaturePipeline
from contactopt.journal import Journal
from contactopt.journal.cut import cut_tables

DATA = os.environ.get("CONTACTOPT_DATA")
pytestmark = pytest.mark.skipif(
    DATA is None or not (Path(DATA) / "cns_phone").is_dir(),
    reason="the Copenhagen Networks Study is read from CONTACTOPT_DATA, which is not set",
)


@pytest.fixture(scope="module")
def study():
    folder = Path(str(DATA))
    portfolio = Portfolio.from_frames(cns_tables(folder))
    moments = moments_of(cns_events(folder))
    at = {"as_of": moments["as_of"], "customers": moments["customer_id"]}
    pipeline = FeaturePipeline(windows_days=(0.5, 3, 14)).fit(portfolio, **at)
    return portfolio, moments, pipeline, pipeline.transform(portfolio, **at)


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True
    )


def test_every_twentieth_event_replayed_from_a_life_cut_off_there(study) -> None:
    portfolio, moments, pipeline, batch = study
    rows = np.arange(0, len(moments), 20)
    some = moments.iloc[rows].reset_index(drop=True)
    lives = Journal(one_life_per_moment(portfolio.tables, some))
    assert lives.n_customers == len(some) and len(lives.touches) > 100_000
    replayed = pipeline.transform(lives, as_of=some["as_of"], customers=np.arange(len(some)))
    same(batch.iloc[rows], replayed)
    # something happens in the columns, and outcomes that came later are hidden at first
    busy = [c for c in batch if batch[c].nunique() > 20]
    assert len(busy) > 60 and "pressure.fatigue" in busy
    outcomes = lives.touches.frame["outcome"]
    assert (outcomes == "unknown").sum() > 100


def test_events_one_by_one_on_the_whole_study_cut_at_each(study) -> None:
    portfolio, moments, pipeline, batch = study
    for row in np.linspace(0, len(moments) - 1, 12).astype(int):
        asked = moments.iloc[row]
        then = Journal(cut_tables(portfolio.tables, asked["as_of"]))
        one = pipeline.transform(then, as_of=asked["as_of"], customers=[asked["customer_id"]])
        same(batch.iloc[[row]], one)


def test_the_replay_sees_a_look_ahead(study) -> None:
    """Replies that are taken for known when the text was sent change the features."""
    portfolio, moments, pipeline, batch = study
    tables = dict(portfolio.tables)
    touches, receipts = tables["touches"], tables["touch_events"]
    sent = receipts["touch_id"].map(touches.set_index("touch_id")["started_at"])
    tables["touch_events"] = receipts.assign(occurred_at=sent)
    some = moments.iloc[::40]
    early = pipeline.transform(Journal(tables), as_of=some["as_of"], customers=some["customer_id"])
    differs = (early["channel.sms_reached"].to_numpy()
               != batch.iloc[::40]["channel.sms_reached"].to_numpy())  # fmt: skip
    assert differs.mean() > 0.05
