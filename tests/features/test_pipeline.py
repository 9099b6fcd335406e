"""One instant and many give the same bits; columns, categories, state and faults."""

import numpy as np
import pandas as pd
import pytest
from feature_worlds import built, fitted
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.errors import ConfigError
from contactopt.features import BLOCKS, FeaturePipeline
from contactopt.journal import Journal
from contactopt.journal.terms import open_journal


@pytest.fixture(scope="module")
def world():
    tables, _, journal, customers, instants = built()
    return tables, journal, customers, instants, fitted(journal, customers, instants)


def test_one_instant_equals_many_pairs_bit_by_bit(world):
    _, journal, customers, instants, pipeline = world
    order = np.random.default_rng(0).permutation(len(customers))
    many = pipeline.transform(journal, as_of=instants[order], customers=customers[order])
    many.index = pd.Index(order)
    many = many.sort_index()
    for instant in np.unique(instants):
        rows = np.flatnonzero(instants == instant)
        one = pipeline.transform(journal, as_of=int(instant))
        assert len(one) == journal.n_customers
        pd.testing.assert_frame_equal(many.iloc[rows].reset_index(drop=True), one, check_exact=True)
    alone = pipeline.transform(journal, as_of=instants[-3:-2], customers=customers[-3:-2])
    pd.testing.assert_frame_equal(alone, many.iloc[-3:-2].reset_index(drop=True), check_exact=True)


def test_the_order_of_rows_changes_nothing(world):
    tables, journal, customers, instants, pipeline = world
    rng = np.random.default_rng(3)
    shuffled = {k: f.iloc[rng.permutation(len(f))] for k, f in tables.items()}
    other = Journal(shuffled, data_delay=journal.data_delay, promise_grace_days=2)
    a = pipeline.transform(journal, as_of=instants, customers=customers)
    b = pipeline.transform(other, as_of=instants, customers=customers)
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_names_are_unique_and_the_catalogue_describes_them_all(world):
    _, journal, _, instants, pipeline = world
    catalogue = pipeline.catalogue
    frame = pipeline.transform(journal, as_of=int(instants[-1]))
    assert catalogue["name"].tolist() == frame.columns.tolist()
    assert catalogue["name"].is_unique and catalogue.notna().all(axis=None)
    words = catalogue.loc[catalogue["unit"] == "category", "name"]
    assert frame.select_dtypes("category").columns.tolist() == words.tolist()
    others = frame.drop(columns=words)
    assert (others.dtypes == np.float64).all()
    assert pipeline.get_feature_names_out().tolist() == frame.columns.tolist()


def test_names_that_models_rely_on_stay():
    names = {f"{n}.{c.name}" for n, b in BLOCKS.items() if n != "x" for c in b().columns()}
    assert {
        "debt.days_past_due", "debt.past_due_now", "debt.stage", "trajectory.balance_lag5",
        "payments.sum_30d", "payments.sum_month_5", "promises.kept_share", "channel.sms_rate",
        "hour.voice_17_20_rate", "hour.message_08_11_known", "pressure.fatigue",
        "points.n_live_mobile", "calendar.days_to_pay_day", "customer.language",
    } <= names  # fmt: skip
    assert 150 <= len(names) <= 210
    assert "customer.age" not in names  # protected unless asked for (001-16)


def test_a_state_gives_the_same_pipeline_back(world):
    _, journal, customers, instants, pipeline = world
    again = FeaturePipeline.from_state(pipeline.to_state())
    pd.testing.assert_frame_equal(
        pipeline.transform(journal, as_of=instants, customers=customers),
        again.transform(journal, as_of=instants, customers=customers),
        check_exact=True,
    )
    assert again.get_params() == {**pipeline.get_params(), "blocks": list(BLOCKS)}


def test_a_category_not_seen_at_the_fit_is_missing(world):
    tables, journal, customers, instants, pipeline = world
    strange = dict(tables)
    strange["customers"] = tables["customers"].assign(language="qu")
    strange["debts"] = tables["debts"].assign(x_scheme="new", creditor="nobody")
    other = Journal(strange, data_delay=journal.data_delay, promise_grace_days=2)
    frame = pipeline.transform(other, as_of=instants, customers=customers)
    for name in ("customer.language", "x.debt_scheme", "debt.creditor"):
        assert frame[name].isna().all()
        assert len(frame[name].cat.categories) > 0


def test_an_own_column_that_is_gone_is_missing(world):
    tables, _, customers, instants, pipeline = world
    without = {k: f[[c for c in f if not c.startswith("x_")]] for k, f in tables.items()}
    frame = pipeline.transform(Journal(without), as_of=instants, customers=customers)
    own = [c for c in frame if c.startswith("x.")]
    assert len(own) == 8 and frame[own].isna().all(axis=None)


def test_age_is_a_feature_only_on_request(world):  # 001-04, 004-04
    tables, journal, customers, instants, _ = world
    pipeline = fitted(journal, customers, instants, blocks=["customer"], use_age=True)
    age = pipeline.transform(journal, as_of="2026-03-02T15:20Z")["customer.age"]
    years = tables["customers"].sort_values("customer_id")["birth_year"]
    assert age.tolist() == (2026 - years).tolist()


def test_money_is_converted_where_the_journal_is_opened(world):
    tables, _, customers, instants, _ = world

    def features(currency, **rates):
        objective = {"objective": {"currency": currency, "exchange_rates": rates}}
        opened = open_journal(Portfolio.from_frames(tables), StrategyConfig.from_mapping(objective))
        pipeline = fitted(opened, customers, instants, blocks=["payments", "debt"])
        return pipeline.transform(opened, as_of=instants, customers=customers)

    a, b = features("USD"), features("EUR", USD=2.0)
    for name in ("payments.sum_90d", "debt.balance", "debt.total_past_due_now"):
        np.testing.assert_allclose(b[name], 2 * a[name])
        assert a[name].max() > 0
    np.testing.assert_allclose(b["debt.past_due_to_balance"], a["debt.past_due_to_balance"])
    with pytest.raises(ConfigError, match="no exchange rate"):
        features("EUR", COP=2.0)


def test_no_customers_and_no_history_give_frames_of_the_same_columns(world):
    *_, pipeline = world
    names = pipeline.catalogue["name"].tolist()
    empty = pipeline.transform(Journal({}), as_of="2026-03-01T00:00Z")
    assert empty.shape == (0, len(names)) and empty.columns.tolist() == names
    one = Journal({"customers": pd.DataFrame({"customer_id": ["C"], "jurisdiction": ["US-NY"]})})
    frame = pipeline.transform(one, as_of="2026-03-01T00:00Z")
    assert frame.shape == (1, len(names))
    assert frame["payments.n_all"].tolist() == [0.0]
    fresh = FeaturePipeline().fit_transform(Journal({}), as_of="2026-03-01T00:00Z")
    assert len(fresh) == 0


def test_faults_are_named(world):
    _, journal, customers, instants, pipeline = world
    with pytest.raises(NotFittedError):
        FeaturePipeline().transform(journal, as_of=instants, customers=customers)
    with pytest.raises(ConfigError, match="unknown feature block 'money'"):
        fitted(journal, customers, instants, blocks=["money"])
    with pytest.raises(ConfigError, match="must ascend"):
        fitted(journal, customers, instants, windows_days=(30, 7))
    with pytest.raises(ConfigError, match="10 customers and 2 instants"):
        pipeline.transform(journal, as_of=instants[:2])


def test_it_can_be_cloned_and_given_times_as_a_column(world):
    _, journal, customers, instants, pipeline = world
    copy = clone(pipeline).fit(journal, as_of=instants, customers=customers)
    times = pd.Series(pd.to_datetime(instants, unit="us", utc=True))
    pd.testing.assert_frame_equal(
        copy.transform(journal, as_of=times, customers=customers),
        pipeline.transform(journal, as_of=instants, customers=customers),
        check_exact=True,
    )


def test_other_windows_name_other_columns(world):
    _, journal, customers, instants, _ = world
    pipeline = fitted(journal, customers, instants, blocks=["payments"], windows_days=(14, 60))
    names = pipeline.catalogue["name"].tolist()
    assert "payments.sum_14d" in names and "payments.sum_30d" not in names
