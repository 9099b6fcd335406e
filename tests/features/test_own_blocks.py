"""Windows of any length, blocks of the user's own, frames in and out, stable names, bad input."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from feature_worlds import built
from sklearn.base import clone
from sklearn.pipeline import make_union
from weekly_touches import WeeklyTouches

from contactopt.bundle import load_bundle, save_bundle
from contactopt.contracts import Portfolio
from contactopt.datasets import load_demo
from contactopt.errors import BundleError, ConfigError, ContractError
from contactopt.features import BLOCKS, Column, FeatureBlock, FeaturePipeline, Moments
from contactopt.features.payments import Payments
from contactopt.journal import Journal

WINDOWED = ["payments", "channel", "pressure"]


@pytest.fixture(scope="module")
def world():
    _, _, journal, customers, instants = built(11)
    return journal, customers, instants


def features(world, **settings) -> pd.DataFrame:
    journal, customers, instants = world
    return FeaturePipeline(**settings).fit_transform(journal, as_of=instants, customers=customers)


def saved(pipeline: FeaturePipeline, folder: Path) -> FeaturePipeline:
    save_bundle({"features": pipeline.to_state()}, folder / "bundle")
    return FeaturePipeline.from_state(load_bundle(folder / "bundle")["features"])


# ---- windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", [(1,), (3, 14, 60, 365), (0.5, 2.25, 30), (7.0, 90)])
def test_any_ascending_windows(world, windows, tmp_path) -> None:
    found = features(world, blocks=WINDOWED, windows_days=windows)
    usual = features(world, blocks=WINDOWED)
    journal, customers, instants = world
    names = [f"{round(w * 24)}h" if w * 24 % 24 else f"{round(w)}d" for w in windows]
    for days, name in zip(windows, names, strict=True):
        # counted by hand
        log = journal.touches
        outbound = np.asarray(log.direction == "outbound")
        age = instants[:, None] - log.time[None, :]
        seen = (log.known[None, :] <= instants[:, None]) & (age < days * 86_400e6) & outbound
        mine = log.index.owner[None, :] == customers[:, None]
        assert (found[f"pressure.n_{name}"] == (seen & mine).sum(axis=1)).all()
        assert f"payments.sum_{name}" in found and f"pressure.reached_{name}" in found
    assert f"pressure.agreed_{names[-1]}" in found
    for shared in set(found) & set(usual):
        pd.testing.assert_series_equal(found[shared], usual[shared], check_exact=True)
    pipeline = FeaturePipeline(blocks=WINDOWED, windows_days=windows).fit(
        journal, as_of=instants, customers=customers
    )
    again = saved(pipeline, tmp_path)
    assert again.windows_days == windows
    assert again.catalogue.equals(pipeline.catalogue)


@pytest.mark.parametrize(
    ("windows", "message"),
    [((30, 7), "must ascend"), ((7, 7), "must ascend"), ((), "names no window"),
     ((0, 7), "above zero"), ((-1,), "above zero"), ((0.01,), "whole number of hours"),
     (("7",), "whole number of hours"), ((float("inf"),), "above zero"), ((True,), "whole")],
)  # fmt: skip
def test_windows_that_cannot_be_are_refused(world, windows, message) -> None:
    with pytest.raises(ConfigError, match=message):
        features(world, windows_days=windows)
    with pytest.raises(ConfigError, match=message):  # also in a block of its own
        features(world, blocks=[Payments(windows_days=windows)])


# ---- blocks of the user's own ------------------------------------------------------------------


def test_own_blocks_stand_beside_shipped_ones_and_are_saved(world, tmp_path) -> None:
    journal, customers, instants = world
    given = WeeklyTouches(weeks=(2, 6))
    blocks = [
        "default",
        given,
    ]
    pipeline = FeaturePipeline(blocks=blocks).fit(journal, as_of=instants, customers=customers)
    assert not hasattr(given, "usual_")  # a parameter is never fitted
    expected = pipeline.transform(journal, as_of=instants, customers=customers)
    assert expected.columns[-3:].tolist() == ["weekly.n_2w", "weekly.n_6w", "weekly.above_usual"]
    assert pipeline.catalogue["name"].tolist() == expected.columns.tolist()
    state = pipeline.to_state()
    assert state["own"] == {"weekly": "weekly_touches:WeeklyTouches"}
    again = saved(pipeline, tmp_path)
    found = again.transform(journal, as_of=instants, customers=customers)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    # what was loaded can be fitted anew, with the block's own parameters
    assert again.blocks[-1].weeks == (2, 6) and again.blocks[:-1] == list(BLOCKS)
    anew = clone(again).fit_transform(journal, as_of=instants, customers=customers)
    pd.testing.assert_frame_equal(anew, expected, check_exact=True)


def test_a_shipped_block_with_its_own_windows_keeps_them(world, tmp_path) -> None:
    journal, customers, instants = world
    pipeline = FeaturePipeline(blocks=["calendar", Payments(windows_days=(5,))])
    pipeline.fit(journal, as_of=instants, customers=customers)
    again = saved(pipeline, tmp_path)
    assert "payments.sum_5d" in again.catalogue["name"].tolist()
    anew = clone(again).fit(journal, as_of=instants, customers=customers)
    assert anew.catalogue.equals(pipeline.catalogue)


def test_a_class_that_is_gone_is_named_when_a_pipeline_is_loaded(world, monkeypatch) -> None:
    journal, customers, instants = world
    pipeline = FeaturePipeline(blocks=[WeeklyTouches()]).fit(
        journal, as_of=instants, customers=customers
    )
    state = pipeline.to_state()
    with monkeypatch.context() as patch:
        patch.delattr(sys.modules["weekly_touches"], "WeeklyTouches")
        with pytest.raises(BundleError, match="weekly_touches:WeeklyTouches, which cannot be"):
            FeaturePipeline.from_state(state)
    for path, message in [("no_such_module:Block", "cannot be imported here"),
                          ("os:getcwd", "is no feature block"),
                          ("os.path:join;x", "is no path"), ("pathlib", "is no path")]:  # fmt: skip
        with pytest.raises(BundleError, match=message):
            FeaturePipeline.from_state({**state, "own": {"weekly": path}})
    with pytest.raises(BundleError, match="knows no feature block weekly"):
        FeaturePipeline.from_state({**state, "own": {}})


def test_a_class_that_could_not_be_found_again_is_refused_when_saved(world) -> None:
    class Local(WeeklyTouches):
        name = "local"

    journal, customers, instants = world
    pipeline = FeaturePipeline(blocks=[Local()]).fit(journal, as_of=instants, customers=customers)
    with pytest.raises(ConfigError, match="defined inside a function"):
        pipeline.to_state()
    Local.__module__ = "__main__"
    with pytest.raises(ConfigError, match="script or notebook"):
        pipeline.to_state()


class Shifting(FeatureBlock):
    """A block that goes wrong in the way its parameter says."""

    name = "shifting"

    def __init__(self, *, how: str = "well") -> None:
        self.how = how

    def columns(self):
        more = self.how == "names" and hasattr(self, "n_moments_")
        return tuple(Column(n, "count", "all", "touches") for n in ("a", "b", *["c"] * more))

    def compute(self, moments: Moments):
        n = len(moments)
        out = {"a": np.zeros(n), "b": np.ones(n + (self.how == "length"))}
        if self.how == "less":
            del out["b"]
        return out | ({"d": np.zeros(n)} if self.how == "more" else {})


@pytest.mark.parametrize(
    ("how", "message"),
    [("names", "differ from those fitted with: with c besides"),
     ("less", "differ from those catalogued: without b"),
     ("more", "differ from those catalogued: with d besides"),
     ("length", "column 'b' has shape")],
)  # fmt: skip
def test_a_block_whose_columns_change_is_named(world, how, message) -> None:
    assert features(world, blocks=[Shifting()]).columns.tolist() == ["shifting.a", "shifting.b"]
    with pytest.raises(ConfigError, match=message):
        features(world, blocks=[Shifting(how=how)])


def test_blocks_are_transformers_of_moments(world) -> None:
    journal, customers, instants = world
    moments = Moments(journal, customers, instants)
    union = make_union(Payments(windows_days=(7,)), WeeklyTouches())
    joined = union.set_output(transform="pandas").fit_transform(moments)
    parts = [Payments(windows_days=(7,)), WeeklyTouches()]
    expected = pd.concat([p.fit_transform(moments) for p in parts], axis=1)
    assert (joined.to_numpy() == expected.to_numpy())[~expected.isna().to_numpy()].all()
    assert parts[1].get_feature_names_out().tolist() == ["weekly.n_1w", "weekly.n_4w",
                                                         "weekly.above_usual"]  # fmt: skip


def test_wrong_choices_of_blocks_are_named(world) -> None:
    with pytest.raises(ConfigError, match="unknown feature block 'money'"):
        features(world, blocks=["money"])
    with pytest.raises(ConfigError, match="named twice: payments"):
        features(world, blocks=["default", Payments()])
    with pytest.raises(ConfigError, match="no feature block"):
        features(world, blocks=[])
    with pytest.raises(ConfigError, match="neither a name nor a sequence"):
        features(world, blocks=7)
    assert features(world, blocks="calendar").shape[1] == 8


def test_a_pipeline_of_the_first_format_loads_and_its_conversions_are_refused(world) -> None:
    journal, customers, instants = world
    pipeline = FeaturePipeline().fit(journal, as_of=instants, customers=customers)
    old = pipeline.to_state()
    old["params"] = {**old["params"], "exchange_rates": None, "channel_roots": None}
    del old["own"]
    for block in old["blocks"].values():
        del block["names"]
    again = FeaturePipeline.from_state(old)
    pd.testing.assert_frame_equal(
        again.transform(journal, as_of=instants, customers=customers),
        pipeline.transform(journal, as_of=instants, customers=customers),
        check_exact=True,
    )
    old["params"]["exchange_rates"] = {"EUR": 1.1}
    with pytest.raises(BundleError, match="converted tables itself"):
        FeaturePipeline.from_state(old)


# ---- names stay --------------------------------------------------------------------------------


def test_names_of_the_default_pipeline_stay() -> None:
    frozen = Path(__file__).with_name("default_columns.txt").read_text("utf-8").splitlines()
    today = [
        f"{name}.{c.name} | {c.unit} | {c.window} | {c.source}"
        for name, block in BLOCKS.items()
        if name != "x"
        for c in block().columns()
    ]
    gone = [line for line in frozen if line not in today]
    assert not gone, "columns that fitted models rely on are gone or have another meaning"
    assert [line for line in today if line in frozen] == frozen  # and in their order
    assert len(today) == len(frozen), "write new columns down: see default_columns.py"


# ---- frames in and out -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo():
    return load_demo(30, n_days=40)


def test_frames_of_any_kind_go_in(demo, tmp_path) -> None:
    pl = pytest.importorskip("polars")
    now = demo.latest_instant()
    pipeline = FeaturePipeline().fit(demo, as_of=now)
    expected = pipeline.transform(Journal(demo), as_of=now)
    pandas = dict(demo.tables.items())
    demo.to_folder(tmp_path / "portfolio")
    polars = {f.stem: pl.read_parquet(f) for f in (tmp_path / "portfolio").glob("*.parquet")}
    for tables in (pandas, polars):
        found = pipeline.transform(tables, as_of=now)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    some = demo.customer_ids[[4, 1, 4]]
    rows = expected.iloc[[4, 1, 4]].reset_index(drop=True)
    for ids in (some, list(some), pl.Series(some.tolist()), pd.Series(some, index=[7, 7, 9])):
        times = pl.Series([now.to_pydatetime()] * 3)
        found = pipeline.transform(demo, as_of=times, customers=ids)
        pd.testing.assert_frame_equal(found, rows, check_exact=True)


def test_polars_frames_come_out(demo) -> None:
    pl = pytest.importorskip("polars")
    now = demo.latest_instant()
    pipeline = FeaturePipeline().set_output(transform="polars")
    found = clone(pipeline).fit_transform(demo, as_of=now)
    assert isinstance(found, pl.DataFrame)
    pipeline.fit(demo, as_of=now)
    expected = pipeline.set_output(transform="default").transform(demo, as_of=now)
    assert found.columns == expected.columns.tolist()
    assert found["payments.sum_90d"].to_list() == expected["payments.sum_90d"].tolist()
    words = expected["customer.language"].astype(object)
    assert found["customer.language"].to_list() == words.where(words.notna(), None).tolist()
    with pytest.raises(ConfigError, match="no output 'arrow'"):
        pipeline.set_output(transform="arrow")


def test_pairs_in_any_order_give_the_same_bits(world) -> None:
    journal, customers, instants = world
    pipeline = FeaturePipeline().fit(journal, as_of=instants, customers=customers)
    whole = pipeline.transform(journal, as_of=instants, customers=customers)
    order = np.random.default_rng(5).permutation(len(customers))
    mixed = pipeline.transform(journal, as_of=instants[order], customers=customers[order])
    expected = whole.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(mixed, expected, check_exact=True)
    assert list(mixed.index) == list(range(len(mixed)))
    both = FeaturePipeline().fit_transform(
        journal, as_of=instants[order], customers=customers[order]
    )
    pd.testing.assert_frame_equal(both, expected, check_exact=True)


# ---- bad input ---------------------------------------------------------------------------------


def test_what_is_no_journal_and_who_is_no_customer_is_named(demo) -> None:
    now = demo.latest_instant()
    pipeline = FeaturePipeline().fit(demo, as_of=now)
    with pytest.raises(ConfigError, match="not from DataFrame"):
        pipeline.transform(demo.tables["touches"], as_of=now)
    with pytest.raises(ContractError, match="1 customer ids are not in the journal: X-9"):
        pipeline.transform(demo, as_of=now, customers=[demo.customer_ids[0], "X-9"])
    with pytest.raises(ConfigError, match="1 customer codes lie outside 0 to 29"):
        pipeline.transform(demo, as_of=now, customers=[0, 30])
    with pytest.raises(ConfigError, match="customers is no array"):
        pipeline.transform(demo, as_of=now, customers=3)
    with pytest.raises(ContractError, match="no time zone"):
        pipeline.transform(demo, as_of="2026-01-01")
    with pytest.raises(ContractError, match="without a zone"):
        pipeline.transform(demo, as_of=[pd.Timestamp("2026-01-01")], customers=[0])
    with pytest.raises(ContractError, match="1 instants are missing"):
        pipeline.transform(demo, as_of=pd.Series([now, None]), customers=[0, 1])


def test_missing_reordered_and_empty_tables(demo) -> None:
    now = demo.latest_instant()
    pipeline = FeaturePipeline().fit(demo, as_of=now)
    expected = pipeline.transform(demo, as_of=now)
    tables = dict(demo.tables)
    turned = {n: tables[n][tables[n].columns[::-1]] for n in reversed(list(tables))}
    pd.testing.assert_frame_equal(pipeline.transform(turned, as_of=now), expected, check_exact=True)
    without = {n: f for n, f in tables.items() if n != "payments"}
    with pytest.raises(ContractError, match="payments"):
        pipeline.transform(without, as_of=now)
    broken = {**tables, "payments": tables["payments"].drop(columns="paid_at")}
    with pytest.raises(ContractError, match=r"payments\.paid_at missing column"):
        pipeline.transform(broken, as_of=now)
    nothing = {n: f.iloc[:0] for n, f in tables.items()}
    assert pipeline.transform(nothing, as_of=now).shape == (0, expected.shape[1])
    assert len(FeaturePipeline().fit_transform(Portfolio.from_frames(nothing), as_of=now)) == 0
