"""Anybody's scores in and out of the seam."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from contactopt.contracts import NO_INSTANT, ScoredBatch
from contactopt.contracts.batch_columns import BATCH_COLUMNS
from contactopt.errors import ContractError

AS_OF = pd.Timestamp("2026-06-02T12:00Z")


def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["C2", "C1", "C1", "C1", "C2"],
            "action_id": ["call_agent@10", "sms@09", "letter", "call_agent@10", "sms@09"],
            "channel": ["call_agent", "sms", "letter", "call_agent", "sms"],
            "slot_local_hour": [10, 9, None, 10, 9],
            "debt_id": ["D2", "D1", "D1", "D1", None],
            "template_id": [None, "hello", None, None, None],
            "allowed": [True, True, True, False, False],
            "reasons": ["", "", None, "us.hours|us.cap", "co.consent"],
            "p_reach": [0.3, 0.9, 0.8, 0.2, 0.9],
            "p_pay": [0.2, 0.15, 0.12, 0.1, 0.1],
            "p_pay_wait": [0.1, 0.05, 0.05, 0.05, 0.1],
            "amount": [100.0, 80.0, 80.0, 80.0, 100.0],
            "lift": [10.0, 6.0, 4.0, 0.0, 0.0],
            "cost": [1.5, 0.05, 0.95, 1.5, 0.05],
            "value": [3.5, 2.95, 1.05, -1.5, -0.05],
            "spread": [1.0, 0.5, 0.5, 1.0, 0.5],
            "time_zone": ["America/Bogota"] * 5,
            "slot_start": [AS_OF + pd.Timedelta(hours=3)] * 5,
        }
    )


def make(frame=None, **more) -> ScoredBatch:
    frame = scores() if frame is None else frame
    return ScoredBatch.from_frame(frame, **{"as_of": AS_OF, "currency": "USD", **more})


def test_rows_land_in_their_cells():
    batch = make()
    assert list(batch.customer_ids) == ["C1", "C2"]
    assert batch.actions.action_ids == ("call_agent@10", "sms@09", "letter")
    assert batch.allowed.tolist() == [[False, True, True], [True, False, False]]
    assert batch.value.tolist() == [[-1.5, 2.95, 1.05], [3.5, -0.05, 0.0]]
    assert batch.p_pay_wait.tolist() == [0.05, 0.1]
    assert batch.debt_ids[batch.debt[0]].tolist() == ["D1", "D1", "D1"]
    assert batch.debt[1].tolist()[1:] == [-1, -1]
    assert batch.reasons_of("C1") == {"call_agent@10": ("us.cap", "us.hours")}
    assert batch.reasons_of("C2") == {"sms@09": ("co.consent",), "letter": ("not_scored",)}
    assert batch.reason_sets[0] == ()
    assert batch.margin[1, 0] == pytest.approx(0.5)
    us = (AS_OF + pd.Timedelta(hours=3)).value // 1000
    assert batch.slot_start[0].tolist() == [us] * 3 and batch.slot_start[1, 2] == NO_INSTANT
    assert [batch.pools[k] for k in batch.pool[1]] == ["call_agent", "sms", "letter"]
    assert (len(batch), batch.n_customers) == (2, 2)


def test_missing_optional_columns_have_documented_defaults():
    needed = [c for c, spec in BATCH_COLUMNS.items() if spec.needed]
    batch = make(scores()[[*needed, "slot_local_hour"]])
    assert np.isnan(batch.p_reach).all() and np.isnan(batch.p_pay_wait).all()
    assert (batch.spread == 0).all() and (batch.harm == 0).all() and (batch.usage == 1).all()
    assert batch.lift[1, 0] == pytest.approx(5.0)
    assert np.allclose(batch.margin * batch.lift - batch.cost - batch.harm, batch.value)
    assert (batch.debt == -1).all() and (batch.slot_start == NO_INSTANT).all()
    assert list(batch.time_zone) == ["UTC", "UTC"]
    assert batch.offer is None


def test_row_order_does_not_matter_and_long_form_returns():
    one, two = make(), make(scores().sample(frac=1, random_state=2))
    long = one.to_frame()
    pd.testing.assert_frame_equal(long, two.to_frame())
    assert list(long.columns) == [*BATCH_COLUMNS, "as_of", "currency"]
    assert str(long["slot_start"].dtype) == "datetime64[us, UTC]"
    again = ScoredBatch.from_frame(long)
    pd.testing.assert_frame_equal(again.to_frame(), long)
    assert again.as_of == AS_OF and again.currency == "USD"
    assert long.loc[0, "reasons"] == "us.cap|us.hours" and pd.isna(long.loc[1, "reasons"])


def test_parts_by_position_or_id():
    batch = make()
    whole = batch.to_frame()
    pd.testing.assert_frame_equal(
        batch.to_frame(slice(1, 2)), whole[whole["customer_id"] == "C2"].reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(batch.to_frame(["C2"]), batch.to_frame(slice(1, 2)))
    assert list(batch.subset(["C1"]).customer_ids) == ["C1"]
    with pytest.raises(ContractError, match="not in this batch: C9"):
        batch.subset(["C9"])


def test_wait_rows_are_accepted_and_left_out():
    wait = pd.DataFrame(
        {
            "customer_id": ["C1", "C3"],
            "action_id": "wait",
            "channel": "wait",
            "allowed": True,
            "reasons": "",
            "cost": 0.0,
            "value": 0.0,
        }
    )
    batch = make(pd.concat([scores(), wait], ignore_index=True))
    assert list(batch.customer_ids) == ["C1", "C2", "C3"]
    assert "wait" not in batch.actions.action_ids and not batch.allowed[2].any()
    assert set(batch.reasons_of("C3").values()) == {("not_scored",)}


def test_ids_of_other_systems_are_kept_and_offers_told_apart():
    frame = scores().iloc[:2].assign(action_id=["A-7", "B-1"], offer_id=["half", None])
    again = frame.iloc[:1].assign(action_id="A-8", offer_id="full")
    batch = make(pd.concat([frame, again], ignore_index=True))
    assert batch.actions.action_ids == ("A-7", "A-8", "B-1")
    assert batch.offer is not None
    assert [batch.offer_ids[k] for k in batch.offer[1, :2]] == ["half", "full"]


def test_lists_of_reasons_and_arrow_frames():
    frame = scores()
    frame["reasons"] = [None, [], [], ["us.hours", "us.cap"], ["co.consent"]]
    pd.testing.assert_frame_equal(make(frame).to_frame(), make().to_frame())
    columns = {c: pa.array(list(scores()[c]), from_pandas=True) for c in scores()}
    pd.testing.assert_frame_equal(make(pa.table(columns)).to_frame(), make().to_frame())


@pytest.mark.parametrize(
    ("column", "row", "bad", "told"),
    [
        ("value", 0, np.nan, "value: empty where allowed in 1 row(s) (C2)"),
        ("cost", 0, -1.0, "cost: out of range in 1 row(s)"),
        ("p_reach", 0, 1.5, "p_reach: out of range in 1 row(s)"),
        ("spread", 0, -1.0, "spread: out of range"),
        ("customer_id", 0, None, "customer_id: empty in 1 row(s)"),
        ("reasons", 0, "us.cap", "reasons: given although allowed"),
        ("p_pay_wait", 1, 0.4, "p_pay_wait: differs between actions of 1 customer(s) (C1)"),
        ("time_zone", 0, "Mars/Olympus", "time_zone: 1 name(s) that are no IANA zone"),
        ("slot_local_hour", 0, 9.5, "slot_local_hour: not a whole hour"),
        ("slot_local_hour", 0, 25, "slot_local_hour: out of range"),
        ("channel", 0, "sms", "several channels or hours (call_agent@10)"),
        ("action_id", 1, "letter", "two rows for one customer and action in 2 row(s) (C1)"),
    ],
)
def test_faults_are_told(column, row, bad, told):
    frame = scores()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = bad
    with pytest.raises(ContractError) as caught:
        make(frame)
    assert told in str(caught.value)


def test_usage_below_zero_and_one_instant_and_currency():
    with pytest.raises(ContractError, match="usage: out of range"):
        make(scores().assign(usage=-1.0))
    two = scores().assign(as_of=[AS_OF] * 4 + [AS_OF + pd.Timedelta(hours=1)])
    with pytest.raises(ContractError, match="as_of: several instants"):
        ScoredBatch.from_frame(two, currency="USD")
    with pytest.raises(ContractError, match="currency: several"):
        make(scores().assign(currency="EUR"))
    for no_code in ("dollars", "usd", ""):
        with pytest.raises(ContractError, match="currency: not an ISO 4217 code"):
            make(scores(), currency=no_code)
    with pytest.raises(ContractError, match=r"as_of: missing(.|\n)*currency: missing"):
        ScoredBatch.from_frame(scores())
    with pytest.raises(ContractError, match="missing column 'value'"):
        make(scores().drop(columns="value"))


def test_no_rows_are_an_empty_batch():
    batch = make(scores().iloc[:0])
    assert (len(batch), len(batch.actions), len(batch.to_frame())) == (0, 0, 0)


def test_a_pair_without_score_does_not_count_as_allowed_at_scale():
    rng = np.random.default_rng(0)
    n, hours = 400, range(8, 20)
    frame = pd.DataFrame(
        {
            "customer_id": np.repeat([f"C{k}" for k in range(n)], 12),
            "action_id": np.tile([f"sms@{h:02d}" for h in hours], n),
            "channel": "sms",
            "slot_local_hour": np.tile([float(h) for h in hours], n),
            "allowed": True,
            "reasons": None,
            "cost": 0.1,
            "value": rng.normal(size=12 * n),
        }
    ).sample(frac=0.7, random_state=1)
    batch = make(frame)
    assert batch.allowed.sum() == len(frame)
    rows = batch.to_frame().query("allowed")
    both = rows.merge(frame, on=["customer_id", "action_id"], suffixes=("", "_given"))
    assert len(both) == len(frame) and (both["value"] == both["value_given"]).all()


def test_an_hour_on_a_known_clock_is_an_instant():
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c"],
            "action_id": ["sms@10", "sms@18", "sms@10", "sms@10"],
            "channel": "sms",
            "slot_local_hour": [10, 18, 10, 10],
            "time_zone": ["America/Bogota", None, None, "Europe/Madrid"],
            "allowed": [True, True, True, False],
            "reasons": ["", "", "", "some.rule"],
            "cost": 0.1,
            "value": 1.0,
        }
    )
    batch = ScoredBatch.from_frame(frame, as_of="2026-06-02T20:00Z", currency="USD")
    starts = batch.to_frame().set_index(["customer_id", "action_id"])["slot_start"]
    # tomorrow at ten in Bogota, today at six; of an unknown clock nothing is guessed
    assert starts["a", "sms@10"] == pd.Timestamp("2026-06-03T15:00Z")
    assert starts["a", "sms@18"] == pd.Timestamp("2026-06-02T23:00Z")
    assert starts[["b", "c"]].isna().all()
    given = frame.assign(slot_start=pd.Timestamp("2026-06-03T16:00Z"))
    again = ScoredBatch.from_frame(given, as_of="2026-06-02T20:00Z", currency="USD")
    assert (again.to_frame().query("allowed")["slot_start"] == given["slot_start"].iloc[0]).all()
