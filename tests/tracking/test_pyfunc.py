"""The pyfunc plans for a request, and refuses a faulty one without a word about its rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_strategy import FakeStrategy

from contactopt.errors import BundleError, ConfigError, ContactoptError, ContractError
from contactopt.tracking import log_strategy
from contactopt.tracking.requests import plan_as_text, read_parameters, read_portfolio

AS_OF = "2026-06-02T12:00:00Z"
SECRET = "424242.42"


def tables_of(customer: str, **more: Any) -> dict[str, Any]:
    debt = f"D-{customer}"
    tables: dict[str, Any] = {
        "customers": [{"customer_id": customer, "jurisdiction": "CO"}],
        "debts": [
            {
                "debt_id": debt,
                "customer_id": customer,
                "product": "credit_card",
                "creditor": "bank",
                "ownership": "first_party",
                "currency": "USD",
                "principal": 1000.0,
                "opened_at": "2024-01-01",
                "delinquent_since": "2026-04-01",
            }
        ],
        "debt_snapshots": [
            {
                "debt_id": debt,
                "observed_at": "2026-06-01T00:00:00Z",
                "balance": 900.0,
                "past_due": 300.0,
                "days_past_due": 61,
                "status": "open",
            }
        ],
    }
    return tables | more


def request(*customers: str, **more: Any) -> pd.DataFrame:
    texts = [json.dumps(tables_of(c, **more)) for c in customers]
    return pd.DataFrame({"customer_id": list(customers), "tables": texts})


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Path:
    store = tmp_path_factory.mktemp("store")
    shutil.copyfile(mlflow_template, store / "mlflow.db")
    log_strategy(FakeStrategy(0.25), tracking_uri=f"sqlite:///{store}/mlflow.db")  # type: ignore[arg-type]  # fake
    (folder,) = store.glob("mlruns/*/models/*/artifacts")
    return folder


@pytest.fixture
def model(model_folder: Path):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(model_folder))


def test_plan_of_a_request(model: Any) -> None:
    plan = model.predict(
        request("C-1", "C-2"),
        params={
            "as_of": "2026-06-02T14:00:00+02:00",
            "capacity": '[{"pool": "sms", "date": "2026-06-02", "units": 5}]',
            "random_state": "7",
        },
    )
    assert plan.to_dict("records") == [
        {"customer_id": "C-1", "decided_at": AS_OF, "expected_value": 0.25}
    ]
    asked = model.unwrap_python_model().strategy.asked
    assert asked["as_of"] == pd.Timestamp(AS_OF)
    assert asked["capacity"].to_dict("records") == [
        {"pool": "sms", "date": "2026-06-02", "units": 5}
    ]
    assert asked["random_state"] == 7


def test_empty_request_gives_an_empty_plan(model: Any) -> None:
    empty = pd.DataFrame({"customer_id": [], "tables": []})
    assert len(model.predict(empty, params={"as_of": AS_OF})) == 0


def test_misspelt_parameter_is_refused_not_ignored(model: Any) -> None:
    with pytest.raises(ConfigError, match="unknown parameter") as caught:
        model.predict(request("C-1"), params={"as_of": AS_OF, "capacty": "[]"})
    assert "capacity" in str(caught.value)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"customer_id": ["C-1"], "table": [SECRET]}),
        pd.DataFrame({"customer_id": [1.5], "tables": [SECRET]}),
        pd.DataFrame({"customer_id": ["C-1", "C-1"], "tables": [SECRET, SECRET]}),
        pd.DataFrame({"customer_id": ["C-1"], "tables": [SECRET]}),
        pd.DataFrame({"customer_id": ["C-1"], "tables": [None]}),
        pd.DataFrame({"customer_id": ["C-1"], "tables": [f'{{"debts": {SECRET}}}']}),
        pd.DataFrame({"customer_id": ["C-1"], "tables": [f'{{"debts": [{SECRET}]}}']}),
        pd.DataFrame({"customer_id": ["C-2"], "tables": [json.dumps(tables_of("C-1"))]}),
        request("C-1", payments=[{"payment_id": "P", "debt_id": "D-C-1", "amount": -424242.42}]),
        request("C-1", touchs=[{"amount": 424242.42}]),
        [SECRET],
    ],
)
def test_faulty_rows_are_refused_without_their_values(model: Any, frame: Any) -> None:
    with pytest.raises(ContractError) as caught:
        model.predict(frame, params={"as_of": AS_OF})
    assert caught.value.hint or caught.value.faults
    assert "424242" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (None, "no as_of"),
        ({"as_of": ""}, "no as_of"),
        ({"as_of": 1780401600}, "no instant with an offset"),
        ({"as_of": "1780401600"}, "no instant with an offset"),
        ({"as_of": "1780401600000"}, "no instant with an offset"),
        ({"as_of": "2026-06-02"}, "no instant with an offset"),
        ({"as_of": "2026-06-02T12:00:00"}, "no instant with an offset"),
        ({"as_of": "2026-02-30T12:00Z"}, "no day or hour that exists"),
        ({"as_of": AS_OF, "capacity": "{}"}, "no JSON list"),
        ({"as_of": AS_OF, "capacity": "capacity.csv"}, "no JSON list"),
        ({"as_of": AS_OF, "random_state": "x"}, "no whole number"),
        ({"as_of": AS_OF, "random_state": True}, "no whole number"),
        ({"as_of": AS_OF, "seed": 3}, "1 unknown parameter"),
    ],
)
def test_faulty_parameters(params: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_parameters(params)
    assert caught.value.hint


def test_parameters_have_one_meaning_whatever_the_offset() -> None:
    for text in (AS_OF, "2026-06-02T07:00-05:00", "2026-06-02 14:00:00.000+0200"):
        assert read_parameters({"as_of": text}).as_of == pd.Timestamp(AS_OF)
    found = read_parameters({"as_of": AS_OF, "capacity": "[]", "random_state": ""})
    assert found.random_state is None
    assert found.capacity is not None
    assert list(found.capacity.columns) == ["pool", "date", "units"]


def test_request_is_complete_to_its_instant() -> None:
    """A customer whose last touch is months old must not make the request stale."""
    portfolio = read_portfolio(request("C-1"), read_parameters({"as_of": AS_OF}))
    assert portfolio.complete_to["touches"] == pd.Timestamp(AS_OF)
    assert portfolio.customer_ids.tolist() == ["C-1"]


def test_instants_leave_as_text() -> None:
    plan = pd.DataFrame(
        {
            "slot_start": pd.to_datetime([AS_OF, None], utc=True),
            "rank": [1, 1],
            "channel": ["a", "b"],
        }
    )
    text = plan_as_text(plan)
    assert text["slot_start"].tolist()[0] == AS_OF
    assert text["slot_start"].isna().tolist() == [False, True]
    assert text[["rank", "channel"]].equals(plan[["rank", "channel"]])


def test_damaged_bundle_is_not_served(model_folder: Path, tmp_path: Path) -> None:
    import mlflow.pyfunc

    damaged = tmp_path / "model"
    shutil.copytree(model_folder, damaged)
    part = damaged / "artifacts" / "strategy" / "model.json"
    part.write_bytes(part.read_bytes().replace(b"0.25", b"0.75"))
    with pytest.raises(BundleError, match="altered"):
        mlflow.pyfunc.load_model(str(damaged))


def test_refusals_are_not_mlflow_errors(model: Any) -> None:
    """MLflow's server prints the whole request into its own exceptions, not into others."""
    from mlflow.exceptions import MlflowException

    with pytest.raises(ContactoptError) as caught:
        model.predict(request("C-1"), params={"as_of": "1780401600"})
    assert not isinstance(caught.value, MlflowException)
