"""Columns that look post-outcome are flagged: planted ones always, real ones where data are."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contactopt.datasets import load_demo
from contactopt.errors import ConfigError
from contactopt.features import FeaturePipeline, audit_columns, training_rows

N = 6000


def planted(seed: int = 0, n: int = N):
    """Honest columns, a drifting base rate, and columns written after the outcome."""
    rng = np.random.default_rng(seed)
    times = np.arange(n)
    skill = rng.normal(size=n)
    base = np.where(times < n // 2, -3.0, -0.5)
    y = rng.random(n) < 1 / (1 + np.exp(-(base + 0.8 * skill)))
    talk = rng.exponential(np.where(y, 500, 150)) + np.where(y, 90, 0)
    contacted = rng.random(n) < 0.6
    honest = pd.DataFrame(
        {
            "score": skill + rng.normal(size=n),
            "age": rng.integers(18, 80, n).astype(float),
            "rate_index": np.where(times < n // 2, 4.9, 1.2) + rng.normal(0, 0.05, n),
            "job": pd.Series(rng.choice(["a", "b", "c"], n)).astype("category"),
            "town": [f"town {k}" for k in rng.integers(0, n // 2, n)],  # hardly two alike
            "income": np.where(rng.random(n) < 0.3, np.nan, rng.lognormal(size=n)),
            "member": rng.random(n) < 0.5,
            "since": pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(times % 999, unit="D"),
            "constant": 1.0,
            "nothing": np.nan,
        }
    )
    leaks = pd.DataFrame(
        {
            "loan_size": np.where(y, rng.lognormal(6, 1, n), 0.0),
            "interest": np.where(y, rng.lognormal(2, 1, n), np.nan),
            "talk_seconds": talk,
            "closed_how": np.where(y, rng.choice(["paid", "plan"], n), "open"),
            "hint": np.where(rng.random(n) < 0.93, y, ~y).astype(float),
            "refused_mark": np.where(~y & (rng.random(n) < 0.2), 1.0, 0.0),
        }
    )
    after = pd.DataFrame({"call_result": np.where(contacted, rng.normal(size=n), np.nan)})
    return honest, leaks, after, y, times, contacted


def flagged(*args, **more) -> set[str]:
    found = audit_columns(*args, **more)
    return set(found.loc[found["flagged"], "name"])


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_leaks_are_flagged_and_honest_columns_are_not(seed, timed) -> None:
    honest, leaks, _, y, times, _ = planted(seed)
    more = {"times": times} if timed else {}
    assert flagged(honest, y, **more) == set()
    for name in leaks:  # each alone among honest columns
        assert flagged(honest.join(leaks[[name]]), y, **more) == {name}
    assert flagged(honest.join(leaks), y, **more) == set(leaks)


def test_reasons_and_figures_are_told() -> None:
    honest, leaks, _, y, times, _ = planted()
    found = audit_columns(honest.join(leaks), y, times=times).set_index("name")
    assert found.loc["loan_size", "reasons"].startswith("alone it predicts the label almost perf")
    assert "where it is missing 0 labels are 1" in found.loc["interest", "reasons"]
    assert "at 1 0 labels are 1" in found.loc["refused_mark", "reasons"]
    assert "at 'open' 0 labels are 1" in found.loc["closed_how", "reasons"]
    assert found.loc["income", "missing_share"] == pytest.approx(0.3, abs=0.02)
    assert found.loc["score", "reasons"] == "" and (found["n"] == N).all()
    hint = audit_columns(honest.join(leaks[["hint"]]), y).set_index("name").loc["hint"]
    assert "better than all 10 other columns together" in hint["reasons"]
    assert hint["auc_low"] <= hint["auc"] <= hint["auc_high"]
    assert hint["auc_of_the_rest"] < hint["auc_low"]
    # a column that only follows the drifting base rate is weak inside stretches of time
    drift = [audit_columns(honest, y, **more).set_index("name").loc["rate_index", "auc"]
             for more in ({}, {"times": times})]  # fmt: skip
    assert drift[0] > 0.7 and drift[1] < 0.6


def test_columns_that_exist_only_after_contact() -> None:
    honest, _, after, y, _, contacted = planted()
    frame = honest.join(after)
    assert flagged(frame, y) == set()  # nothing but the contact gives it away
    found = audit_columns(frame, y, contacted=contacted).set_index("name")
    assert found.index[found["flagged"]].tolist() == ["call_result"]
    assert "missing for 100% of those not contacted" in found.loc["call_result", "reasons"]


def test_rows_in_any_order_and_frames_of_any_kind_give_the_same() -> None:
    pl = pytest.importorskip("polars")
    honest, leaks, _, y, times, _ = planted(n=2000)
    frame = honest.drop(columns=["since", "job"]).join(leaks)
    groups = times // 3
    found = audit_columns(frame, y, times=times, groups=groups)
    order = np.random.default_rng(0).permutation(len(frame))
    again = audit_columns(frame.iloc[order], y[order], times=times[order], groups=groups[order])
    pd.testing.assert_frame_equal(found, again, rtol=1e-9)
    polars = pl.DataFrame({c: frame[c].tolist() for c in frame}, nan_to_null=True)
    pd.testing.assert_frame_equal(found, audit_columns(polars, y, times=times, groups=groups))
    some = audit_columns(frame, y, columns=["age", "loan_size"])
    assert set(some["name"]) == {"age", "loan_size"}


def test_many_rows_of_one_customer_are_no_evidence() -> None:
    rng = np.random.default_rng(0)
    customer = np.repeat(np.arange(40), 200)
    y = (np.arange(40) % 4 == 0)[customer]  # a customer pays always or never
    frame = pd.DataFrame({"quirk": (customer == 1).astype(float), "noise": rng.normal(size=8000)})
    assert flagged(frame, y) == {"quirk"}
    assert flagged(frame, y, groups=customer) == set()


def test_where_the_data_cannot_tell_nothing_is_flagged() -> None:
    honest, leaks, *_ = planted(n=500)
    frame = honest.join(leaks)
    one_class = audit_columns(frame, np.zeros(500))
    assert one_class["auc"].isna().all() and not one_class["flagged"].any()
    empty = audit_columns(frame.iloc[:0], [])
    assert len(empty) == frame.shape[1] and not empty["flagged"].any()
    assert len(audit_columns(frame[[]], np.arange(500) % 2)) == 0
    few = planted(n=60)
    assert flagged(few[0], few[3]) == set()


def test_bad_input_is_named() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(ConfigError, match="2 rows of X and 3 of y"):
        audit_columns(frame, [0, 1, 1])
    with pytest.raises(ConfigError, match="y must be 0 or 1"):
        audit_columns(frame, [0, 2])
    with pytest.raises(ConfigError, match="y must be 0 or 1"):
        audit_columns(frame, ["yes", "no"])
    with pytest.raises(ConfigError, match="X has no column b"):
        audit_columns(frame, [0, 1], columns=["b"])
    with pytest.raises(ConfigError, match="2 rows of X and 1 of times"):
        audit_columns(frame, [0, 1], times=[3])
    with pytest.raises(ConfigError, match="2 rows of X and 1 of groups"):
        audit_columns(frame, [0, 1], groups=["a"])
    with pytest.raises(ConfigError, match="names a column twice"):
        audit_columns(pd.concat([frame, frame], axis=1), [0, 1])


def test_features_of_the_pipeline_are_honest_and_an_own_column_can_leak() -> None:
    portfolio = load_demo(500, n_days=60)
    now = portfolio.latest_instant()
    rows = training_rows(portfolio, as_of=now, step_days=7)
    at = {"as_of": rows["as_of"], "customers": rows["customer_id"]}
    pipeline = FeaturePipeline().fit(portfolio, **at)
    found = pipeline.audit_columns(portfolio, rows["paid"], **at)
    assert len(rows) > 500 and not found["flagged"].any(), found.loc[found["flagged"]]
    # somebody exports the result of the month with the customers
    paid = rows.groupby("customer_id")["paid"].any()
    told = portfolio.tables["customers"]["customer_id"].map(paid).fillna(False)
    tables = {**portfolio.tables}
    tables["customers"] = tables["customers"].assign(x_result=told.astype(float))
    leaky = FeaturePipeline().fit(tables, **at)
    found = leaky.audit_columns(tables, rows["paid"], **at)
    assert found.loc[found["flagged"], "name"].tolist() == ["x.customer_result"]


# ---- real data -----------------------------------------------------------------------------------

DATA = os.environ.get("CONTACTOPT_DATA")


def real(path: str) -> pd.DataFrame:
    if DATA is None or not (Path(DATA) / path).is_file():
        pytest.skip(f"{path} is read from CONTACTOPT_DATA, which is not set or has it not")
    return pd.read_csv(Path(DATA) / path).drop(columns="row_id")


@pytest.mark.parametrize("part", [slice(None), slice(0, None, 3), slice(1, None, 3)])
def test_bank_marketing_flags_the_length_of_the_call(part) -> None:
    frame = real("bank_marketing/bank_additional.csv.gz").iloc[part]
    y, X = frame["y"] == "yes", frame.drop(columns="y")
    assert flagged(X, y) == {"duration"}
    assert flagged(X, y, times=np.arange(len(X))) == {"duration"}
    assert flagged(X.drop(columns="duration"), y) == set()


def test_direct_mail_flags_what_only_takers_have() -> None:
    frame = real("kz_direct_mail/kz_direct_mail.csv.gz")
    after = {"loansize", "term", "grossinterest", "pstdue_average", "applied", "rejected",
             "tookup_outside_only", "tookup_afterdead_enforced"}  # fmt: skip
    X, y = frame.drop(columns="tookup"), frame["tookup"]
    assert flagged(X, y) == after  # each is written after the letter
    assert flagged(X.drop(columns=list(after - {"loansize"})), y) == {"loansize"}
    borrowers = frame[frame["pstdue_average"].notna()]
    late = borrowers["pstdue_average"] > 0
    assert flagged(borrowers.drop(columns="pstdue_average"), late) == set()


@pytest.mark.parametrize(
    ("path", "label", "leaks"),
    [
        ("uci_default_credit/credit_default.csv.gz", "default_next_month", set()),
        ("karlan_list_letters/karlan_list.csv.gz", "out_gavedum",
         {"out_amountgive", "out_changeamtgive"}),
        ("social_pressure_mail/social_pressure.csv.gz", "primary_06", set()),
    ],
)  # fmt: skip
def test_no_false_alarm_on_other_sets(path, label, leaks) -> None:
    frame = real(path)
    assert flagged(frame.drop(columns=label), frame[label]) == leaks
