"""The file for those who execute: exact ids, right clocks, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import capacity, make_batch

from contactopt.config import PoolConfig
from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.errors import ConfigError, ContractError
from contactopt.plan import rank, read_dispatch
from contactopt.plan.dispatch import DISPATCH_COLUMNS, dispatch_csv, dispatch_frame
from contactopt.plan.log.written_plan import read_plan
from contactopt.policy import ContactPolicy

POOLS = {"call_agent": PoolConfig(time_zone="Asia/Kolkata"), "post": PoolConfig()}
IDS = ["decision_id", "customer_id", "contact_point_id", "template_id", "offer_id", "debt_id",
       "debt_ids", "batch_id"]  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    batch = make_batch(200, seed=3)
    n, m = batch.allowed.shape
    batch = replace(
        batch,
        contact_point=np.broadcast_to(np.arange(n)[:, None], (n, m)),
        contact_point_ids=np.array([f"00{k}" for k in range(n)], dtype=object),
        template=np.zeros((n, m), dtype=np.int16),
        template_ids=("t;1",),
        offer=np.zeros((n, m), dtype=np.int16),
        offer_ids=('say "hi", ñandú',),
        other_debts=tuple(f"E-{k}|F-{k}" if k % 2 else "" for k in range(n)),
        language=np.array(["es-CO", None] * (n // 2), dtype=object),
        max_attempts=np.full(m, 3),
    )
    return rank(batch, capacity=capacity(400), pools=POOLS, random_state=5)


def rows(text: str, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


def test_a_row_is_the_plans_row_in_the_order_of_execution(plan):
    frame = plan.to_frame()
    read = rows(plan.to_csv(pool="call_agent"))
    own = frame[frame["pool"] == "call_agent"].sort_values(["slot_start", "priority"])
    assert list(read[0]) == list(DISPATCH_COLUMNS)
    assert [r["decision_id"] for r in read] == list(own["decision_id"])
    for got, want in zip(read, own.itertuples(), strict=True):
        local = want.slot_start.tz_convert(want.time_zone)
        assert got["slot_start_local"] == local.isoformat()
        assert got["start_before_local"] == want.start_before.tz_convert(want.time_zone).isoformat()
        assert pd.Timestamp(got["slot_start"]) == want.slot_start
        assert got["slot_start"].endswith("Z") and got["start_before"].endswith("Z")
        for name in ("customer_id", "channel", "action_id", "time_zone", "debt_id", "pool",
                     "policy_version", "rules_version", "contact_point_id"):  # fmt: skip
            assert got[name] == getattr(want, name)
        assert (got["max_attempts"], int(got["priority"])) == ("3", want.priority)
        assert got["language"] in ("es-CO", "") and got["offer_id"] == 'say "hi", ñandú'


def test_all_pools_stand_one_after_the_other_and_letters_last(plan):
    read = pd.DataFrame(rows(plan.to_csv()))
    assert len(read) == len(plan.to_frame())
    assert read["pool"].is_monotonic_increasing
    letters = read[read["pool"] == "letter"]
    assert len(letters) and (letters[["slot_start", "slot_start_local"]] == "").all().all()
    parts = [plan.to_csv(pool=p).splitlines()[1:] for p in sorted(set(read["pool"]))]
    assert [line for part in parts for line in part] == plan.to_csv().splitlines()[1:]


def test_only_what_was_drawn_is_executed(plan):
    text = dispatch_csv(plan.to_frame(k=3))
    assert text == plan.to_csv()


def test_contacts_of_the_morning_are_not_dispatched_again_at_noon(plan):
    """A plan made anew holds what stands of the earlier one, and some of it is over."""
    frame = plan.to_frame()
    spoken = frame["start_before"].notna()
    noon = frame["start_before"][spoken].quantile(0.5, interpolation="lower")
    # standing rows keep the instant of their own decision
    later = frame.assign(decided_at=frame["decided_at"].where(frame.index % 2 == 0, noon))
    sent = rows(dispatch_csv(later) or "")
    over = set(frame["decision_id"][spoken & (frame["start_before"] <= noon)])
    assert 0 < len(over) < len(frame)
    assert {r["decision_id"] for r in sent} == set(frame["decision_id"]) - over


def test_the_command_says_how_many_are_over(plan, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from contactopt.cli import app

    plan.write(tmp_path / "plan")
    frame, pools, rest = read_plan(tmp_path / "plan")
    noon = frame["start_before"].quantile(0.5, interpolation="lower")
    over = int((frame["start_before"] <= noon).sum())
    anew = (frame.assign(decided_at=noon), pools, rest)
    monkeypatch.setattr("contactopt.plan.log.written_plan.read_plan", lambda folder: anew)
    file = tmp_path / "all.csv"
    done = CliRunner().invoke(app, ["export", str(tmp_path / "plan"), "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert f"{over} contact(s) of the plan may no longer start and are left out" in done.output
    assert len(rows(file.read_text("utf-8"))) == len(frame) - over


@pytest.mark.parametrize("zone", ["pool", "America/Sao_Paulo"])
def test_local_columns_show_the_clock_asked_for(plan, zone):
    wanted = {"pool": "Asia/Kolkata"}.get(zone, zone)
    for got in rows(plan.to_csv(pool="call_agent", zone=zone)):
        local = pd.Timestamp(got["slot_start"]).tz_convert(wanted)
        assert got["slot_start_local"] == local.isoformat()
    assert rows(plan.to_csv(pool="sms", zone="pool"))[0]["slot_start_local"].endswith("+00:00")
    with pytest.raises(ContractError, match="Mars"):
        plan.to_csv(zone="Mars/Olympus")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.datetimes(pd.Timestamp("1975-01-01"), pd.Timestamp("2085-01-01")),
            st.sampled_from(["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC",
                             "America/St_Johns", "Africa/Casablanca", None]),
        ),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_wall_time_and_offset_name_the_instant(moments):
    instants = pd.to_datetime([m for m, _ in moments], utc=True).as_unit("us")
    frame = pd.DataFrame(
        {
            "decision_id": [str(k) for k in range(len(moments))],
            "pool": "p",
            "slot_start": instants,
            "start_before": instants,
            "time_zone": pd.Series([z for _, z in moments], dtype="str"),
        }
    )
    got = dispatch_frame(frame).set_index("decision_id")
    for k, (_, zone) in enumerate(moments):
        whole = instants[k].floor("s")
        assert got.at[str(k), "slot_start_local"] == whole.tz_convert(zone or "UTC").isoformat()
        assert pd.Timestamp(got.at[str(k), "start_before"]) == whole <= instants[k]


def test_read_back_every_id_is_the_plans(plan, tmp_path):
    frame = plan.to_frame().set_index("decision_id", drop=False).sort_index()
    columns = {"customer_id": "Kunde", "decision_id": "REF", "debt_ids": "otras deudas"}
    for k, (separator, encoding) in enumerate(
        [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")]
    ):
        path = tmp_path / f"{k}.csv"
        assert plan.to_csv(path, separator=separator, encoding=encoding) is None
        assert path.read_bytes().startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
        back = read_dispatch(path, separator=separator).set_index("decision_id", drop=False)
        pd.testing.assert_frame_equal(back.sort_index()[IDS], frame[IDS], check_dtype=False)
        plan.to_csv(path, separator=separator, encoding=encoding, columns=columns)
        head = path.read_text("utf-8-sig").splitlines()[0]
        assert head == separator.join(f'"{theirs}"' for theirs in columns.values())
        back = read_dispatch(path, separator=separator, columns=columns)
        assert list(back.columns) == list(columns)
        assert sorted(back["customer_id"]) == sorted(frame["customer_id"])
    plain = pd.read_csv(tmp_path / "0.csv", dtype=str, keep_default_na=False)
    assert list(plain.columns) == ["Kunde", "REF", "otras deudas"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.csv", "1.csv", "2.csv"]


def scores(ids: list[str]) -> ScoredBatch:
    frame = pd.DataFrame(
        {"customer_id": ids, "action_id": "sms", "channel": "sms", "allowed": True, "reasons": "",
         "value": 2.0, "cost": 0.1, "debt_id": ids}
    )  # fmt: skip
    return ScoredBatch.from_frame(frame, as_of="2026-06-02T12:00Z", currency="USD")


def everybody(ids: list[str]):
    policy = ContactPolicy(holdout_share=0.0, exploration=None)
    return rank(scores(ids), policy=policy, batch_id="b-1")


HOSTILE = ["=1+1", "+57300", "-5", "@SUM(A1)", "\t=x", "'=x", "''+y", "\uff1d1", "'plain", "007",
           "NA", "null", "a,b;c", 'q"q', "é\u200b"]  # fmt: skip


def test_cells_that_a_spreadsheet_would_run_are_quoted_and_told(tmp_path):
    plan = everybody(HOSTILE)
    with pytest.warns(UserWarning, match=r"customer_id \(8\), debt_id \(8\)"):
        plan.to_csv(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_bytes().decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not [c for c in cells if c[:1] and c[0] in "=+-@\t\r\n\uff1d"]
    assert "'=1+1" in cells and "'+57300" in cells and "'plain" in cells
    back = read_dispatch(tmp_path / "a.csv")
    assert sorted(back["customer_id"]) == sorted(back["debt_id"]) == sorted(HOSTILE)


def test_kept_as_they_are_for_machines(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = everybody(HOSTILE).to_csv(formulas="keep")
    assert sorted(r["customer_id"] for r in rows(text)) == sorted(HOSTILE)


def test_ids_over_several_lines_stay_in_their_cells(tmp_path):
    plan = everybody(["a\nb", "c\r\nd"])
    plan.to_csv(tmp_path / "a.csv")
    assert sorted(read_dispatch(tmp_path / "a.csv")["customer_id"]) == ["a\nb", "c\r\nd"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5, unique=True))
def test_any_id_comes_back(tmp_path_factory, ids):
    frame = pd.DataFrame({"decision_id": [f"k{i}" for i in range(len(ids))], "customer_id": ids,
                          "pool": "p", "slot_start": pd.NaT})  # fmt: skip
    frame["slot_start"] = pd.to_datetime(frame["slot_start"], utc=True)
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dispatch_csv(frame, path)
    back = read_dispatch(path).set_index("decision_id")["customer_id"]
    assert [back[f"k{i}"] for i in range(len(ids))] == ids


def test_faults_are_named_with_the_way_on(plan, tmp_path):
    for fault, words in [
        ({"pool": "call_agents"}, "did you mean 'call_agent'.*call_agent, email, letter, sms"),
        ({"columns": {"decision_id": "a", "customer": "b"}}, "did you mean 'customer_id'"),
        ({"columns": {"customer_id": "a"}}, "leaves out decision_id"),
        ({"columns": {"customer_id": "a", "decision_id": "a"}}, "two columns"),
        ({"separator": "x"}, "separator"),
        ({"encoding": "latin-1"}, "utf-8 or utf-8-sig"),
        ({"formulas": "run"}, "quote or keep"),
    ]:
        with pytest.raises(ConfigError) as caught:
            plan.to_csv(tmp_path / "x.csv", **fault)
        assert re.search(words, str(caught.value), re.S)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="folder"):
        plan.to_csv(tmp_path)


def test_a_failed_write_leaves_the_old_file(plan, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        plan.to_csv(tmp_path / "a.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_an_empty_plan_and_an_idle_pool_are_a_header(plan, tmp_path):
    empty = rank(make_batch(0), pools=POOLS)
    assert plan.to_csv().splitlines()[0] == empty.to_csv().strip()
    none = rank(make_batch(20, allowed_share=0.0))
    assert len(none.to_csv(pool="sms").splitlines()) == 1
    none.to_csv(tmp_path / "a.csv")
    back = read_dispatch(tmp_path / "a.csv")
    assert back.empty and list(back.columns) == list(DISPATCH_COLUMNS)


def test_a_written_plan_gives_the_same_file_without_the_plan(plan, tmp_path):
    plan.write(tmp_path)
    frame, pools, _ = read_plan(tmp_path)
    assert pools == plan.pool_zones
    for zone in ("customer", "pool"):
        assert dispatch_csv(frame, pools=pools, zone=zone) == plan.to_csv(zone=zone)
    alone = tmp_path / "alone"
    alone.mkdir()
    (tmp_path / "plan.parquet").rename(alone / "plan.parquet")
    frame, pools, _ = read_plan(alone)
    assert pools == {} and dispatch_csv(frame, pool="sms") == plan.to_csv(pool="sms")
    with pytest.raises(ConfigError, match="IANA"):
        dispatch_csv(frame, zone="pool")
    with pytest.raises(ConfigError, match=r"plan\.parquet"):
        read_plan(tmp_path)
    (alone / "plan.parquet").write_bytes(b"PAR1")
    with pytest.raises(ContractError, match="damaged"):
        read_plan(alone)


def test_a_damaged_file_is_no_dispatch(tmp_path):
    (tmp_path / "a.csv").write_text('"decision_id","pool"\n"k1"\n')
    with pytest.raises(ContractError, match="separator"):
        read_dispatch(tmp_path / "a.csv")
