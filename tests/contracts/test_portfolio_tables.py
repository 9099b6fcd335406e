"""What comes out of good input: types, days, folders, blocks, hashes."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from contract_tables import T0, days, large_tables, small_tables

from contactopt.contracts import TABLES, Portfolio
from contactopt.contracts.local_days import place_days
from contactopt.contracts.zones import zones_of
from contactopt.errors import ContractError

UTC = "datetime64[us, UTC]"


@pytest.fixture(scope="module")
def small() -> Portfolio:
    return Portfolio.from_frames(small_tables())


@pytest.fixture(scope="module")
def large() -> Portfolio:
    return Portfolio.from_frames(large_tables(200, 3000))


# ---- values ----------------------------------------------------------------------------------


def test_every_table_has_every_column_in_its_type(small):
    for name, spec in TABLES.items():
        frame = small.tables[name]
        assert list(frame.columns[: len(spec.columns)]) == list(spec.columns)
        for column in spec.columns.values():
            kind = {"number": "float64", "flag": "bool"}.get(column.kind, "str")
            wanted = UTC if column.kind in ("instant", "day", "due_day") else kind
            assert str(frame[column.name].dtype) == wanted, (name, column.name)


def test_rows_are_sorted_by_customer_and_key(large):
    touches = large.tables["touches"]
    wanted = touches.sort_values(["customer_id", "touch_id"], ignore_index=True)
    pd.testing.assert_frame_equal(touches, wanted)
    points = large.tables["contact_points"]
    assert list(points["customer_id"]) == list(large.customer_ids)


@pytest.mark.parametrize(
    "ids",
    [
        [17, 5, 9],
        np.array([17.0, 5.0, 9.0]),
        pd.array([17, 5, 9], dtype="Int64"),
        ["17", "5", "9"],
        pd.Categorical(["17", "5", "9"]),
        np.array([17, "5", 9.0], dtype=object),
    ],
)
def test_ids_become_text_faithfully(ids):
    tables = {n: pd.DataFrame() for n, s in TABLES.items() if s.needed}
    tables["customers"] = pd.DataFrame({"customer_id": ids, "jurisdiction": "CO"})
    assert list(Portfolio.from_frames(tables).customer_ids) == ["17", "5", "9"]


def test_an_id_that_lost_digits_is_a_fault():
    tables = small_tables()
    tables["payments"]["payment_id"] = [1.0e17, 1.0]
    with pytest.raises(ContractError, match=r"payment_id not an id .* in 1 row \(row 0\)"):
        Portfolio.from_frames(tables)
    tables["payments"]["payment_id"] = ["007", "7"]
    assert list(Portfolio.from_frames(tables).tables["payments"]["payment_id"]) == ["007", "7"]


def test_extra_columns_are_kept_where_the_contract_says_so_and_dropped_elsewhere():
    tables = small_tables()
    tables["touches"]["x_mood"] = "grim"
    tables["debts"]["x_seen"] = T0
    got = Portfolio.from_frames(tables)
    assert got.dropped_columns == {
        "customers": ["shoe_size"],
        "debts": ["x_seen"],
        "touches": ["x_mood"],
    }
    customers = got.tables["customers"]
    assert customers["x_score"].tolist()[:1] == [0.5] and np.isnan(customers["x_score"][1])
    assert (str(customers["x_vip"].dtype), str(customers["x_grade"].dtype)) == ("bool", "str")


def test_flags_and_json_are_read(small):
    assert small.tables["touch_events"]["machine"].tolist() == [False, True]
    tables = small_tables()
    tables["holds"]["detail"] = [None, {"to_hour": 10, "from_hour": 8}]
    got = Portfolio.from_frames(tables)
    details = got.tables["holds"]["detail"]
    assert pd.isna(details[0])
    assert json.loads(details[1]) == {"from_hour": 8, "to_hour": 10}
    assert got.content_hash == small.content_hash


# ---- days --------------------------------------------------------------------------------------


def test_days_begin_and_due_days_end_on_the_customers_clock(small):
    debts = small.tables["debts"].set_index("debt_id")
    assert debts.loc["D1", "opened_at"] == pd.Timestamp("2024-01-10T05:00Z")  # New York, winter
    assert debts.loc["D2", "opened_at"] == pd.Timestamp("2023-05-05T05:00Z")  # Colombia
    # the US without a state: a day begins first in the east, a due day ends last in the west
    assert debts.loc["D3", "opened_at"] == pd.Timestamp("2022-07-01T04:00Z")
    due = small.tables["debt_snapshots"].set_index("debt_id")["next_due_at"]
    assert due["D3"] == pd.Timestamp("2026-03-08T09:59:59.999999Z")
    # New York's summer time begins on 8 March 2026: the day has 23 hours
    promise = small.tables["promises"]["due_at"][0]
    assert promise == pd.Timestamp("2026-03-09T03:59:59.999999Z")


@pytest.mark.parametrize(
    "given",
    [
        dt.date(2024, 1, 10),
        pd.Timestamp("2024-01-10"),
        "2024-01-10",
        "2024-01-10T00:00:00",
        "2024-01-10T23:00:00-05:00",
        pd.Timestamp("2024-01-10T21:30", tz="America/New_York"),
        pd.Timestamp("2024-01-10T05:00Z"),
    ],
)
def test_a_day_is_the_same_however_it_is_written(given):
    tables = small_tables()
    tables["debts"] = tables["debts"].iloc[:1].assign(opened_at=[given])
    for name in ("debt_snapshots", "payments", "promises"):
        tables[name] = tables[name].query("debt_id == 'D1'").assign()
    tables["touches"]["debt_id"] = None
    tables["touch_debts"], tables["holds"] = pd.DataFrame(), pd.DataFrame()
    got = Portfolio.from_frames(tables)
    assert got.tables["debts"]["opened_at"][0] == pd.Timestamp("2024-01-10T05:00Z")


def test_days_against_a_slow_twin():
    rng = np.random.default_rng(1)
    zones = ["America/New_York", "Europe/Madrid", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]
    dates = pd.date_range("2024-02-25", periods=400, tz="UTC").as_unit("us")
    at = rng.integers(0, 400, 500)
    where = np.array(zones, object)[rng.integers(0, 5, 500)]
    for due in (False, True):
        got = place_days(pd.Series(dates[at]), np.ones(500, bool), where, due=due)
        for k in range(500):
            day = dates[at[k]].date() + dt.timedelta(days=int(due))
            slow = pd.Timestamp(day).tz_localize(where[k]).tz_convert("UTC")
            assert got[k] == slow - pd.Timedelta(microseconds=int(due))


def test_zones_stand_from_east_to_west():
    assert (
        zones_of("ES") == ("Europe/Madrid", "Africa/Ceuta", "Atlantic/Canary")
        or zones_of("ES")[-1] == "Atlantic/Canary"
    )
    assert zones_of("US-TN") == ("America/New_York", "America/Chicago")
    assert zones_of("GB-EAW") == ("Europe/London",)
    assert zones_of("ZZ") == ()


# ---- folders -----------------------------------------------------------------------------------


def write_csv(portfolio: Portfolio, folder) -> None:
    folder.mkdir()
    for name, frame in portfolio.tables.items():
        text = frame.copy()
        for column in text.select_dtypes(["datetimetz"]):
            text[column] = text[column].map(lambda v: v.isoformat(), na_action="ignore")
        text.to_csv(folder / f"{name}.csv", index=False)


def test_saving_and_loading_twice_changes_nothing(small, tmp_path):
    portfolio = Portfolio.from_frames(
        small_tables(),
        complete_to={"consents": T0},
        capacity=pd.DataFrame({"pool": ["sms"], "date": ["2026-03-03"], "units": [5]}),
    )
    first = Portfolio.from_folder(portfolio.to_folder(tmp_path / "p"))
    second = Portfolio.from_folder(first.to_folder(tmp_path / "p"))
    assert portfolio.content_hash == first.content_hash == second.content_hash
    assert second.content_hash == small.content_hash
    for name, frame in portfolio.tables.items():
        pd.testing.assert_frame_equal(frame, second.tables[name])
    assert second.complete_to == {"consents": T0}
    assert second.capacity is not None
    pd.testing.assert_frame_equal(second.capacity, portfolio.capacity)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p"]


def test_csv_parts_and_files_are_the_same_portfolio(small, tmp_path):
    write_csv(small, tmp_path / "csv")
    small.to_folder(tmp_path / "parts")
    touches = small.tables["touches"]
    (tmp_path / "parts" / "touches.parquet").unlink()
    (tmp_path / "parts" / "touches" / "month=1").mkdir(parents=True)
    touches.iloc[:0].to_parquet(tmp_path / "parts" / "touches" / "a.parquet")
    touches.iloc[2:].to_parquet(tmp_path / "parts" / "touches" / "b.parquet")
    touches.iloc[:2].to_parquet(tmp_path / "parts" / "touches" / "month=1" / "c.parquet")
    for kind in ("csv", "parts"):
        got = Portfolio.from_folder(tmp_path / kind)
        assert got.content_hash == small.content_hash, kind
        for name, frame in small.tables.items():
            pd.testing.assert_frame_equal(frame, got.tables[name], check_dtype=len(frame) > 0)


def test_namibia_is_a_country_in_csv_too(tmp_path):
    for name, spec in TABLES.items():
        if spec.needed:
            (tmp_path / f"{name}.csv").write_text(",".join(spec.columns) + "\n")
    (tmp_path / "customers.csv").write_text("customer_id,jurisdiction\n007,NA\n")
    got = Portfolio.from_folder(tmp_path)
    assert got.tables["customers"].iloc[0, :2].tolist() == ["007", "NA"]


def test_faults_of_files_are_told_with_the_others(small, tmp_path):
    folder = small.to_folder(tmp_path / "p")
    (folder / "holds.parquet").write_bytes(b"PAR1 cut short")
    (folder / "payments.csv").write_text("payment_id\n")
    (folder / "touch_events.parquet").rename(folder / "touch_evens.parquet")
    (folder / "portfolio.json").write_text("[")
    (folder / "notes.txt").write_text("not ours")
    with pytest.raises(ContractError) as caught:
        Portfolio.from_folder(folder)
    found = {(f.table, f.check) for f in caught.value.faults}
    assert found == {
        ("holds", "unreadable file"),
        ("payments", "given twice"),
        ("touch_evens", "unknown table"),
        ("portfolio.json", "unreadable file"),
    }


def test_a_missing_folder_and_a_taken_place_are_refused(small, tmp_path):
    with pytest.raises(ContractError, match="no portfolio folder"):
        Portfolio.from_folder(tmp_path / "none")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear to me")
    with pytest.raises(ContractError, match="not a portfolio folder"):
        small.to_folder(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_failed_write_leaves_the_old_portfolio(small, tmp_path, monkeypatch):
    from contactopt.contracts import folder

    target = small.to_folder(tmp_path / "p")
    before = {p.name: p.read_bytes() for p in target.iterdir()}

    def fail(frame, path):
        if path.stem == "touches":
            raise OSError("disk full")
        path.write_bytes(b"half")

    monkeypatch.setattr(folder, "_write_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        small.to_folder(target)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p"]


def test_arrow_tables_are_accepted(small):
    tables = {}
    for name, frame in small_tables().items():
        plain = frame.astype({c: object for c in frame if frame[c].dtype == object})
        tables[name] = pa.table({c: pa.array(list(plain[c]), from_pandas=True) for c in plain})
    assert Portfolio.from_frames(tables).content_hash == small.content_hash


# ---- hashes, blocks, subsets -------------------------------------------------------------------


def test_the_hash_depends_on_content_and_not_on_row_order(large):
    tables = large_tables(200, 3000)
    turned = {n: f.sample(frac=1, random_state=3) for n, f in tables.items()}
    assert Portfolio.from_frames(turned).content_hash == large.content_hash
    tables["touches"].loc[5, "outcome"] = "callback"
    assert Portfolio.from_frames(tables).content_hash != large.content_hash


def test_an_empty_optional_column_or_table_is_not_content(small):
    tables = small_tables()
    tables["touches"]["vendor"] = None
    tables["arrangements"] = pd.DataFrame(columns=["arrangement_id"])
    assert Portfolio.from_frames(tables).content_hash == small.content_hash


@pytest.mark.parametrize("size", [23, 200, 1000])
def test_blocks_together_are_the_whole(large, size):
    blocks = list(large.blocks(size))
    assert [b.n_customers for b in blocks] == [min(size, 200 - s) for s in range(0, 200, size)]
    for name, frame in large.tables.items():
        glued = pd.concat([b.tables[name] for b in blocks], ignore_index=True)
        pd.testing.assert_frame_equal(glued, frame, check_dtype=len(frame) > 0)
    again = [Portfolio.from_frames(b.tables) for b in blocks[:2]]
    assert [b.content_hash for b in again] == [b.content_hash for b in blocks[:2]]


def test_a_subset_is_what_loading_its_rows_gives(large):
    ids = list(large.customer_ids[[3, 50, 199]])
    part = large.subset(reversed(ids))
    assert list(part.customer_ids) == ids
    wanted = {
        n: f[f["customer_id"].isin(ids)] if "customer_id" in f else f
        for n, f in large.tables.items()
    }
    debts = set(wanted["debts"]["debt_id"])
    for name in ("debt_snapshots", "payments"):
        wanted[name] = wanted[name][wanted[name]["debt_id"].isin(debts)]
    assert Portfolio.from_frames(wanted).content_hash == part.content_hash
    assert [b.n_customers for b in part.blocks(2)] == [2, 1]
    with pytest.raises(ContractError, match=r"1 customer.* not in the portfolio .*: nobody"):
        large.subset(["nobody", ids[0]])


def test_empty_and_single_customer_portfolios():
    empty = {n: pd.DataFrame(columns=list(s.columns)) for n, s in TABLES.items()}
    nothing = Portfolio.from_frames(empty)
    assert (nothing.n_customers, [b.n_customers for b in nothing.blocks()]) == (0, [0])
    assert nothing.validate(as_of=T0).ok
    with pytest.raises(ContractError, match="no latest instant"):
        nothing.latest_instant()
    one = Portfolio.from_frames(large_tables(1, 5))
    assert (one.n_customers, len(one.tables["touches"])) == (1, 5)
    assert one.content_hash != nothing.content_hash


def test_latest_instant_is_when_rows_became_known(small):
    assert small.latest_instant() == T0
    assert small.latest_instant({"debt_snapshots": 5.0}) == T0 + pd.Timedelta(hours=5)
    tables = small_tables()
    tables["payments"]["recorded_at"] = [T0 + days(2), T0 - days(90)]
    got = Portfolio.from_frames(tables)
    assert got.latest_instant({"payments": 1000.0}) == T0 + days(2)
    # recorded before it happened: known when it happens
    assert got.known_at("payments").tolist() == [T0 + days(2), T0 - days(40)]
