"""Nothing known later shows: a view of cut tables equals the view of all tables."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.random_tables import random_tables

from contactopt.errors import ContractError
from contactopt.journal import Journal
from contactopt.journal.cut import cut_tables

FRAMES = ("debts", "touches", "touch_debts", "touch_events", "promises", "payments", "holds",
          "consents", "points", "notices", "parties", "arrangements", "decisions")  # fmt: skip
IDS = {"customer": "customer_ids", "debt": "debt_ids", "contact_point": "point_ids"}


def readable(view, name):
    """A frame with ids instead of codes: codes are positions and differ between cuts."""
    frame = getattr(view, name).copy()
    for column, ids in IDS.items():
        if column in frame:
            names = np.append(getattr(view, ids), None)
            frame[column] = names[frame[column]]
    if "touch" in frame:
        frame["touch"] = view.touches["touch_id"].to_numpy()[frame["touch"]]
    for column in frame.select_dtypes("category"):
        frame[column] = frame[column].astype(object)
    return frame


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(-5, 150), st.booleans())
def test_a_view_of_cut_tables_is_the_same(seed, day, delayed):
    delay = {"payments": 24.0, "touches": 6.0, "touch_events": 2.0} if delayed else {}
    tables = random_tables(5, random_state=seed)
    now = pd.Timestamp("2026-01-01T09:30Z") + pd.Timedelta(days=day)
    whole = Journal(tables, data_delay=delay).as_of(now)
    held = tables["holds"]  # holds on record that begin soon are told ahead: not part of the cut
    soon = held["recorded_at"].notna() & (held["starts_at"] > now)
    cut = cut_tables({**tables, "holds": held[~soon]}, now, data_delay=delay)
    part = Journal(cut, data_delay=delay).as_of(now)
    for name in FRAMES:
        a, b = readable(whole, name), readable(part, name)
        if name == "holds":
            ahead = set(held.loc[soon, "hold_id"])
            a = a[~a["hold_id"].isin(ahead)].reset_index(drop=True)
        if name == "debts":
            a, b = a.drop(columns=["opened_at"]), b.drop(columns=["opened_at"])
        pd.testing.assert_frame_equal(a, b, obj=name, check_dtype=len(a) > 0)


def test_times_without_a_zone_are_refused():
    naive = {"customers": pd.DataFrame({"customer_id": ["C"]}), "consents": pd.DataFrame()}
    naive["contact_points"] = pd.DataFrame(
        {
            "contact_point_id": ["P"],
            "customer_id": ["C"],
            "valid_from": pd.to_datetime(["2026-01-01"]),
        }
    )
    with pytest.raises(ContractError, match="without a zone"):
        Journal(naive)
