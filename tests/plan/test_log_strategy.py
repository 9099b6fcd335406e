"""A logged batch done again from tables and bundle, and asked by the command line."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outside.foreign_portfolio import AS_OF, foreign_tables, write_foreign

import contactopt as co
from contactopt.cli import main
from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError
from contactopt.journal.cut import cut_tables
from contactopt.simulation import strategy_mapping

N = 100


def contactopt(*args: object) -> tuple[int, str, str]:
    """Run a verb in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["contactopt", *map(str, args)]),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def grown() -> co.Portfolio:
    """Tables of today; the batch was made five days ago."""
    return co.datasets.load_demo(n_customers=N, random_state=2, n_days=60)


@pytest.fixture(scope="module")
def as_of(grown: co.Portfolio) -> pd.Timestamp:
    return grown.latest_instant() - pd.Timedelta(days=5)


@pytest.fixture(scope="module")
def then(grown: co.Portfolio, as_of: pd.Timestamp) -> co.Portfolio:
    """Tables of that day."""
    cut = cut_tables(grown.tables, as_of)
    return co.Portfolio.from_frames({**cut, "debts": grown.tables["debts"]})


@pytest.fixture(scope="module")
def fitted(then: co.Portfolio, as_of: pd.Timestamp) -> co.ContactStrategy:
    settings = strategy_mapping() | {"random_state": 3, "models": {"max_training_rows": 500}}
    return co.ContactStrategy(config=StrategyConfig.from_mapping(settings)).fit(then, as_of=as_of)


@pytest.fixture(scope="module")
def folder(
    fitted: co.ContactStrategy,
    then: co.Portfolio,
    as_of: pd.Timestamp,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    day = as_of.date()
    agents = pd.DataFrame({"pool": ["agents"] * 2, "date": [day, day], "units": [30.0, 5.0]})
    agents["hour"] = [None, 15]
    plan = fitted.rank(then, as_of=as_of, capacity=agents, random_state=11)
    place = tmp_path_factory.mktemp("strategy")
    plan.write(place / "plan")
    fitted.save(place / "bundle")
    return place


# 002-07
# 002-07
def test_tables_that_have_grown_give_the_same_batch(
    folder: Path, fitted: co.ContactStrategy, grown: co.Portfolio, then: co.Portfolio
) -> None:
    same = fitted.replay(folder / "plan", None, then)
    assert same.ok and same.other_versions == {}, same
    assert same.to_frame().set_index("what").loc["draw", "compared"] == N
    report = co.ContactStrategy.load(folder / "bundle").replay(folder / "plan", None, grown)
    assert report.ok, report
    assert list(report.other_versions) == ["portfolio"]
    assert any("rows known only later" in note for note in report.notes)
    assert repr(report).splitlines()[1].strip().startswith("other portfolio: logged")
    assert "other portfolio" in report._repr_html_()


def test_a_batch_that_began_at_yesterdays_prices_begins_there_again(
    folder: Path,
    fitted: co.ContactStrategy,
    then: co.Portfolio,
    as_of: pd.Timestamp,
    tmp_path: Path,
) -> None:
    day = as_of.date()
    texts = pd.DataFrame({"pool": ["texts"], "date": [day], "units": [12.0]})
    yesterday = fitted.rank(then, as_of=as_of, capacity=texts, batch_id="yesterday")
    today = {"as_of": as_of, "capacity": texts.assign(units=11.0), "batch_id": "today"}
    cold = fitted.rank(then, **today)
    warm = fitted.rank(then, **today, warm_start=yesterday)
    assert warm.allocation.passes < cold.allocation.passes
    assert not np.array_equal(warm.allocation.probabilities, cold.allocation.probabilities)
    warm.write(tmp_path)
    report = fitted.replay(tmp_path, None, then)
    assert report.ok, report


def test_customers_who_came_later_are_left_out(
    folder: Path, fitted: co.ContactStrategy, grown: co.Portfolio
) -> None:
    tables = dict(grown.tables)
    one = tables["customers"].iloc[[0]].assign(customer_id="A-new")
    tables["customers"] = pd.concat([tables["customers"], one], ignore_index=True)
    assert fitted.replay(folder / "plan", None, co.Portfolio.from_frames(tables)).ok


def test_lost_customers_and_changed_history_are_named(
    folder: Path, fitted: co.ContactStrategy, then: co.Portfolio
) -> None:
    log = co.read_decisions(folder / "plan")
    batch_id = log.batch_ids[0]
    gone = then.customer_ids[4]
    report = fitted.replay(log, batch_id, then.subset(np.delete(then.customer_ids, 4)))
    assert not report.ok
    assert report.differences["decision_id"].iloc[0] == log.decision_of(gone)
    tables = dict(then.tables)
    payments = tables["payments"].copy()
    debtor = tables["debts"].set_index("debt_id")["customer_id"]
    who = str(debtor[payments["debt_id"].iloc[3]])
    payments["amount"] = payments["amount"].where(payments.index != 3, 9e5)
    tables["payments"] = payments
    changed = fitted.replay(log, batch_id, co.Portfolio.from_frames(tables))
    assert not changed.ok
    assert log.decision_of(who) in set(changed.differences["decision_id"])


def test_another_bundle_is_named_first(
    folder: Path, grown: co.Portfolio, as_of: pd.Timestamp
) -> None:
    settings = strategy_mapping() | {"slots": [9], "models": {"max_training_rows": 300}}
    other = co.ContactStrategy(config=StrategyConfig.from_mapping(settings))
    other.fit(grown, as_of=as_of)
    report = other.replay(folder / "plan", None, grown)
    assert not report.ok
    assert "policy" in report.other_versions
    assert report.to_frame()["what"].tolist()[-1] == "actions of the batch"
    with pytest.raises(ConfigError, match="needs a portfolio"):
        other.replay(folder / "plan")


@pytest.mark.parametrize("column", ["reasons", "probability", "action_id"])
def test_tampering_is_found_from_tables(
    folder: Path, fitted: co.ContactStrategy, then: co.Portfolio, tmp_path: Path, column: str
) -> None:
    place = tmp_path / "plan"
    shutil.copytree(folder / "plan", place)
    table = "decisions" if column == "action_id" else "decision_actions"
    path = next((place / table).glob("*.parquet"))
    rows = pq.read_table(path)
    values = rows.column(column).to_pylist()
    at = next(k for k, v in enumerate(values) if v and v != "wait")
    wanted = rows.column("decision_id")[at].as_py()
    values[at] = values[at] / 2 if column == "probability" else "house.cease"
    k = rows.schema.get_field_index(column)
    field = rows.schema.field(k)
    pq.write_table(rows.set_column(k, field, pa.array(values, field.type)), path)
    report = fitted.replay(place, None, then)
    assert not report.ok
    assert set(report.differences["decision_id"]) == {wanted}


def test_every_decision_adds_up_and_names_its_rules_in_words(folder: Path) -> None:
    log = co.read_decisions(folder / "plan")
    assert log.replay().ok
    for decision_id in log.to_frame()["decision_id"]:
        why = log.why(decision_id)
        table = why.to_frame()
        parts = table["margin_x_lift"] - table["cost"] - table["harm"]
        assert (abs(parts - table["value"]) <= 1e-9).all()
        blocked = table[table["reasons"] != ""]
        assert (blocked["lawful_from"].notna() ^ (blocked["until"] != "")).all()
        assert not blocked["until"].str.contains("no instant was given").any()
        for rule_id, rule in why.rules.items():
            assert rule["summary"], rule_id


def test_a_strangers_portfolio_is_explained_from_its_log(tmp_path: Path) -> None:
    home = write_foreign(tmp_path, foreign_tables(80))
    code, _, err = contactopt(
        *("rank", home, "--strategy", tmp_path / "strategy.yaml", "--as-of", AS_OF.isoformat()),
        *("--out", tmp_path / "out", "--batch-id", "b1"),
    )
    assert code == 0, err
    log = co.read_decisions(tmp_path / "out")
    assert log.replay("b1").ok
    seen: set[str] = set()
    for decision_id in log.decisions("b1")["decision_id"]:
        table = log.why(decision_id).to_frame()
        parts = table["margin_x_lift"] - table["cost"] - table["harm"]
        assert (abs(parts - table["value"]) <= 1e-9).all()
        assert (table["value"] - table["price"] == table["priced_value"]).all()
        assert table["probability"].sum() == 1.0
        blocked = table[table["reasons"] != ""]
        assert (blocked["lawful_from"].notna() ^ (blocked["until"] != "")).all()
        seen |= set(blocked["until"])
    assert not any("no instant was given" in text for text in seen)
    who = str(log.decisions("b1")["customer_id"].iloc[7])
    code, told, _ = contactopt("why", tmp_path / "out", who, "--json")
    assert code == 0 and json.loads(told)["customer_id"] == who


def line_of(text: str) -> dict[str, Any]:
    return json.loads(text)


def test_the_command_line_explains_and_replays(folder: Path, grown: co.Portfolio) -> None:
    plan, log = folder / "plan", co.read_decisions(folder / "plan")
    customer = str(grown.customer_ids[3])
    decision = log.decision_of(customer)
    code, told, _ = contactopt("why", plan, customer)
    assert code == 0 and f"decision {decision}" in told
    for given in ((customer,), (decision,), (customer, "--batch", log.batch_ids[0])):
        code, told, _ = contactopt("why", plan, *given, "--json")
        assert code == 0 and line_of(told)["decision_id"] == decision
    code, told, err = contactopt("why", plan, "nobody", "--json")
    assert (code, told) == (2, "")
    assert line_of(err)["message"] == "'nobody' is neither a decision nor a customer of this log"
    code, _, err = contactopt("why", folder, customer)
    assert code == 2 and "no batch in" in err
    code, told, _ = contactopt("replay", plan, "--json")
    assert code == 0 and line_of(told)["ok"]
    grown.to_folder(folder / "tables")
    from_tables = ("--model", folder / "bundle", "--portfolio", folder / "tables")
    code, told, _ = contactopt("replay", plan, *from_tables, "--json")
    assert code == 0 and list(line_of(told)["other_versions"]) == ["portfolio"]
    code, _, err = contactopt("replay", plan, "--model", folder / "bundle")
    assert code == 2 and "go together" in err
