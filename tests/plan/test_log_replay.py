"""A batch done again from its log alone; what was changed afterwards is seen and found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import capacity, make_batch

import contactopt as co
from contactopt.plan import rank
from contactopt.policy import ContactPolicy, Softmax

FIRST_LOG = Path(__file__).parent / "first_log"


def told(report: object, what: str) -> tuple[int, int]:
    line = report.to_frame().set_index("what").loc[what]  # type: ignore[attr-defined]
    return int(line["compared"]), int(line["equal"])


# 002-07
# 002-07
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(0, 90),
    minutes=st.booleans(),
    limited=st.booleans(),
    share=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    policy=st.sampled_from(
        [
            ContactPolicy(),
            ContactPolicy(exploration=Softmax(), floor=0.0),
            ContactPolicy(exploration=None),
            ContactPolicy(floor=0.01, exploration_share=0.5, holdout_share=0.2),
            ContactPolicy(exploration_share=0.001, holdout_share=0.0, floor=0.0),
        ]
    ),
)
def test_what_was_written_is_read_and_done_again_to_the_integer(
    seed: int, n: int, minutes: bool, limited: bool, share: float, policy: ContactPolicy
) -> None:
    batch = make_batch(n, seed=seed, minutes=minutes, allowed_share=share)
    table = capacity(n) if limited else None
    if limited and minutes:
        assert table is not None
        table.loc[table["pool"] == "call_agent", "units"] *= 7.5
    plan = rank(batch, capacity=table, policy=policy, random_state=seed)
    with TemporaryDirectory() as folder:
        log = co.read_decisions(plan.write(folder))
        report = log.replay(plan.batch_id)
        assert report.ok, report
        assert told(report, "draw") == (n, n)
        pairs = n * (len(batch.actions) + 1)
        if n:
            assert told(report, "probability") == (pairs, pairs)
            assert any(f"{pairs:,} of {pairs:,} prob" in note for note in report.notes)
        pd.testing.assert_frame_equal(log.to_frame(), plan.decisions(), check_dtype=False)
        if n:
            actions = pd.concat([log.actions(d) for d in plan.decision_id[:3]], ignore_index=True)
            pd.testing.assert_frame_equal(
                actions.drop(columns="checksum"), plan.decision_actions(0, min(3, n)),
                check_dtype=False, check_categorical=False, check_exact=True,
            )  # fmt: skip


def test_a_row_too_small_for_its_floor_is_done_again_too(tmp_path: Path) -> None:
    batch = make_batch(3000, seed=4, letter=False)
    table = pd.DataFrame(
        {"pool": ["call_agent", "sms"], "date": ["2026-06-02"] * 2, "units": [1.0, 2.0]}
    )
    plan = rank(batch, capacity=table, policy=ContactPolicy(floor=0.001, exploration_share=0.9))
    made = plan.allocation.rounding
    assert (made.factor < 1).any()
    report = co.read_decisions(plan.write(tmp_path)).replay()
    assert report.ok, report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("log")
    rank(make_batch(80, seed=7), capacity=capacity(80), random_state=1, batch_id="a").write(place)
    rank(make_batch(50, seed=8, minutes=True), capacity=capacity(50), batch_id="b").write(place)
    return place


def changed(path: Path, column: str, edit: Callable[[list], object]) -> None:
    """Write a file again with one column edited, everything else as it was."""
    table = pq.read_table(path)
    values = table.column(column).to_pylist()
    edit(values)
    k = table.schema.get_field_index(column)
    field = table.schema.field(k)
    pq.write_table(table.set_column(k, field, pa.array(values, field.type)), path)


def tampered(folder: Path, to: Path, table: str, column: str, edit: Callable[[list], object]):
    place = to / "log"
    shutil.copytree(folder, place)
    changed(next((place / table).glob("a*.parquet")), column, edit)
    return co.read_decisions(place)


def test_two_batches_are_done_again_each(folder: Path) -> None:
    log = co.read_decisions(folder)
    assert [log.replay(b).ok for b in ("a", "b")] == [True, True]
    report = log.replay("a")
    assert "the same" in repr(report) and "<table" in report._repr_html_()
    assert report.to_dict()["ok"] and report.differences.empty
    assert log.replay().batch_id == "b"  # the newest; of one instant the last by id


@pytest.mark.parametrize("step", [2.0**-36, 2.0**-20, 0.01])
def test_one_changed_probability_is_found(folder: Path, tmp_path: Path, step: float) -> None:
    width = 17

    def edit(values: list) -> None:
        at = 30 * width
        big = max(range(at, at + width), key=lambda k: values[k])
        values[big] -= step
        values[at if big != at else at + 1] += step

    log = tampered(folder, tmp_path, "decision_actions", "probability", edit)
    report = log.replay("a")
    assert not report.ok
    assert report.n_decisions_that_differ == 1
    wanted = log.decisions("a")["decision_id"][30]
    assert set(report.differences["decision_id"]) == {wanted}
    assert told(report, "checksum of all rows of a decision") == (80, 79)
    assert told(report, "draw") == (80, 80)
    assert wanted in repr(report) and "NOT the same" in repr(report)
    assert log.replay("b").ok


def test_one_changed_draw_is_found(folder: Path, tmp_path: Path) -> None:
    def edit(values: list) -> None:
        values[12] = "letter" if values[12] != "letter" else "wait"

    log = tampered(folder, tmp_path, "decisions", "action_id", edit)
    report = log.replay("a")
    wanted = log.decisions("a")["decision_id"][12]
    assert told(report, "draw") == (80, 79)
    found = report.differences.query("what == 'draw'").iloc[0]
    assert (found["decision_id"], found["logged"]) == (wanted, log.decisions("a").action_id[12])
    assert found["replayed"] != found["logged"]
    assert report.n_decisions_that_differ == 1


def test_a_drawn_action_that_does_not_exist_is_found(folder: Path, tmp_path: Path) -> None:
    def edit(values: list) -> None:
        values[12] = "fax"

    report = tampered(folder, tmp_path, "decisions", "action_id", edit).replay("a")
    assert told(report, "draw") == (80, 79)
    assert "(unknown action)" in set(report.differences["logged"])


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("decision_actions", "reasons", "us.other"),
        ("decision_actions", "value", 7.25),
        ("decision_actions", "harm", 0.5),
        ("decision_actions", "margin", 0.5),
        ("decision_actions", "p_reach", 0.125),
        ("decision_actions", "time_zone", "UTC"),
        ("decisions", "debt_id", "D-other"),
        ("decisions", "propensity", 0.5),
        ("decisions", "n_eligible", 99),
        ("decisions", "holdout", True),
    ],
)
def test_any_other_change_is_found_at_its_decision(
    folder: Path, tmp_path: Path, table: str, column: str, value: object
) -> None:
    at = 5

    def edit(values: list) -> None:
        rows = range(at * 17, at * 17 + 17) if table == "decision_actions" else [at]
        k = next(k for k in rows if values[k] not in ("", value))
        values[k] = value

    log = tampered(folder, tmp_path, table, column, edit)
    report = log.replay("a")
    assert not report.ok
    assert set(report.differences["decision_id"]) == {log.decisions("a")["decision_id"][at]}


def test_what_becomes_of_a_decision_later_is_no_change(folder: Path, tmp_path: Path) -> None:
    def edit(values: list) -> None:
        values[:] = ["sent"] * len(values)

    assert tampered(folder, tmp_path, "decisions", "dispatch_status", edit).replay("a").ok


def test_many_differences_are_counted_and_five_decisions_named(
    folder: Path, tmp_path: Path
) -> None:
    def edit(values: list) -> None:
        values[:] = [v + 1.0 for v in values]

    report = tampered(folder, tmp_path, "decision_actions", "harm", edit).replay("a")
    assert report.n_decisions_that_differ == 80
    assert report.differences["decision_id"].nunique() == 5
    assert repr(report).count("logged") <= 30


def test_changed_settings_of_the_batch_are_found(folder: Path, tmp_path: Path) -> None:
    def edit(values: list) -> None:
        values[0] += 1

    report = tampered(folder, tmp_path, "batches", "random_state", edit).replay("a")
    compared, equal = told(report, "draw")
    assert equal < compared and not report.ok


def test_the_first_format_is_done_again_as_far_as_it_goes(tmp_path: Path) -> None:
    log = co.read_decisions(FIRST_LOG)
    for batch_id in log.batch_ids:
        report = log.replay(batch_id)
        assert report.ok, report
        assert "draw" not in set(report.to_frame()["what"])
        assert any("first format" in note for note in report.notes)
    place = tmp_path / "log"
    shutil.copytree(FIRST_LOG, place)

    def edit(values: list) -> None:
        values[3] = "letter" if values[3] != "letter" else "wait"

    changed(place / "decisions" / "first.parquet", "action_id", edit)
    report = co.read_decisions(place).replay("first")
    wanted = log.decisions("first")["decision_id"][3]
    assert set(report.differences["decision_id"]) == {wanted}
    assert told(report, "content hash of ids, probabilities and draw") == (1, 0)


def test_rewriting_with_other_row_groups_changes_nothing(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "log"
    shutil.copytree(folder, place)
    for path in (place / "decision_actions").glob("*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=100)
    log = co.read_decisions(place)
    assert log.replay("a").ok
    ids = log.decisions("a")["decision_id"]
    same = co.read_decisions(folder)
    for at in (0, 5, 6, 79):
        assert repr(log.why(ids[at])) == repr(same.why(ids[at]))
    assert np.array_equal(log.batches["n_customers"], [80, 50])
