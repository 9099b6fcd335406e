"""The plan's charts and its page: figures reconcile, the page is whole, safe and loads nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scored import capacity, make_batch

from contactopt.config import PoolConfig
from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch
from contactopt.errors import ConfigError
from contactopt.plan import rank
from contactopt.plan.page.page_parts import sample
from contactopt.policy import ContactPolicy

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "use", "rect", "line"}
POOLS = {"call_agent": PoolConfig(time_zone="America/Bogota", unit="minutes")}


@pytest.fixture(scope="module")
def plan():
    batch = make_batch(300, seed=2, minutes=True)
    batch = replace(batch, segment=np.array(["early", "late<"] * 150, dtype=object))
    rules = {
        "us.hours": {
            "summary": "Only by day & <b>",
            "citation": "12 CFR 1006.6",
            "confidence": "seen: legal text",
            "unchecked": None,
        },
        "us.words": {
            "summary": "Say who calls.",
            "citation": "12 CFR 1006.18",
            "confidence": "seen: summary",
            "unchecked": "content is not checked",
        },
    }
    batch.meta.update(
        {
            "rules": {"searched_days": 30, "rules": rules},
            "rules_not_checked": ("us.words",),
            "rules_notes": ("no holidays of XX",),
        }
    )
    return rank(batch, capacity=capacity(600), pools=POOLS, random_state=5)  # fmt: skip


@pytest.fixture(scope="module")
def text(plan):
    return plan.to_html()


@pytest.fixture(scope="module")
def empty():
    return rank(make_batch(0))


# ---- charts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["customer", "pool"])
def test_load_adds_up_to_the_plan(plan, zone):
    data = plan.plot.load_by_hour(zone=zone).data
    frame = plan.to_frame()
    assert data["contacts"].sum() == plan.summary()["planned"] == len(frame)
    assert data.groupby("series")["contacts"].sum().to_dict() == {
        c: k for c, k in plan.summary()["planned_by_channel"].items() if k
    }
    used = data.groupby("pool")["units"].sum()
    for row in plan.summary()["capacity"]:
        assert row["drawn"] <= used[row["pool"]] + 1e-9
    one = plan.plot.load_by_hour(pool="sms", zone=zone).data
    pd.testing.assert_frame_equal(
        one, data[data["pool"] == "sms"].reset_index(drop=True), check_dtype=False
    )


def test_load_reads_the_clock_that_was_asked_for(plan):
    frame = plan.to_frame()
    customers = plan.plot.load_by_hour().data
    want = frame.groupby("slot_local_hour")["decision_id"].count()
    got = customers.dropna(subset="hour").groupby("hour")["contacts"].sum()
    assert got.to_dict() == want.to_dict()
    letters = int((frame["channel"] == "letter").sum())
    assert customers.loc[customers["hour"].isna(), "contacts"].sum() == letters > 0
    agents = frame[frame["pool"] == "call_agent"]
    bogota = agents["slot_start"].dt.tz_convert("America/Bogota")
    ax, data = plan.plot.load_by_hour("call_agent", "pool")
    got = data.set_index(["date", "hour"])["contacts"].to_dict()
    keys = pd.Series(list(zip(bogota.dt.strftime("%Y-%m-%d"), bogota.dt.hour, strict=True)))
    assert got == keys.value_counts().to_dict()
    limits = {r["row"]: r["units"] for r in plan.summary()["capacity"]}
    for line in data.itertuples():
        assert line.limit == limits[f"call_agent {line.date} {line.hour:02d}h"]
        assert line.units <= line.limit * 1.0000001
    assert ax.get_ylabel() == "minutes" and "America/Bogota" in ax.get_xlabel()


def test_an_unknown_pool_or_zone_is_refused_with_those_there_are(plan):
    with pytest.raises(ConfigError, match="call_agent, email, letter, sms"):
        plan.plot.load_by_hour(pool="agents")
    with pytest.raises(ConfigError, match="customer"):
        plan.plot.load_by_hour(zone="vendor")


def test_value_adds_up_to_the_summary(plan):
    data = plan.plot.value_by_channel().data
    s, frame = plan.summary(), plan.to_frame()
    assert data["expected_value"].sum() == pytest.approx(s["expected_value"], rel=1e-9)
    assert dict(zip(data["channel"], data["planned"], strict=True)) == s["planned_by_channel"]
    drawn = frame.groupby("channel")["expected_value"].sum()
    for row in data.itertuples():
        assert row.drawn_value == pytest.approx(drawn.get(row.channel, 0.0))
    p = plan.allocation.probabilities[:, :-1] / 2**36
    assert data["expected_contacts"].sum() == pytest.approx(p.sum())


def test_probabilities_count_everybody_once(plan):
    bins, steps = plan.plot.probability().data, plan.plot.probability(kind="ecdf").data
    s, log = plan.summary(), plan.decisions()
    assert bins["customers"].sum() == steps["customers"].sum() == s["customers"]
    by_kind = bins.groupby("series")["customers"].sum()
    assert by_kind["contact"] == s["planned"] and by_kind["control"] == s["control"]
    assert by_kind.get("nothing eligible", 0) + s["eligible"] + s["control"] == s["customers"]
    contacts = log.loc[log["action_id"] != "wait", "propensity"]
    own = steps[steps["series"] == "contact"]
    assert (own["probability"] * own["customers"]).sum() == pytest.approx(contacts.sum())
    half = bins[(bins["series"] == "contact") & (bins["low"] >= 0.5)]["customers"].sum()
    assert half == (contacts >= 0.5).sum()


def test_blocked_and_capacity_are_those_of_the_summary(plan):
    s = plan.summary()
    rules = plan.plot.blocked_by_rule(top=1).data
    assert dict(zip(rules["rule"], rules["pairs"], strict=True)) == s["blocked_by_rule"]
    assert rules["share"].to_numpy() * plan.batch.allowed.size == pytest.approx(rules["pairs"])
    assert plan.plot.capacity().data.to_dict(orient="records") == s["capacity"]


def test_charts_of_an_empty_plan_have_a_note(empty):
    plots = [
        *(empty.plot.load_by_hour(zone=z) for z in ("customer", "pool")),
        empty.plot.value_by_channel(), empty.plot.probability(),
        empty.plot.probability(kind="ecdf"), empty.plot.blocked_by_rule(), empty.plot.capacity(),
    ]  # fmt: skip
    for plot in plots:
        assert len(plot.ax.texts) == 1
        assert plot.data.select_dtypes("number").fillna(0).to_numpy().sum() == 0


def test_scores_without_slots_have_no_hour():
    batch = make_batch(40)
    none = np.full(batch.slot_start.shape, NO_INSTANT)
    bare = rank(replace(batch, slot_start=none, start_before=none), random_state=1)
    data = bare.plot.load_by_hour(zone="pool").data
    assert data["hour"].isna().all() and data["date"].isna().all()
    assert data["contacts"].sum() == bare.summary()["planned"] > 0
    assert "First rows" in bare.to_html()


# ---- the page ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Checks nesting and gathers what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.cells: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [v for k, v in attrs if k == "id"]
        self.loaded += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        assert not any(k.startswith("on") for k, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_the_page_is_whole_and_loads_nothing(text):
    page = Page(text)
    assert page.open == []
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert len(page.ids) == len(set(page.ids))
    assert all(ref.startswith("#") for ref in page.loaded)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert page.tags.count("svg") == page.tags.count("figure") >= 7
    assert text.count('role="img"') == text.count("<desc ") == page.tags.count("svg")
    assert "prefers-color-scheme: dark" in text and "Content-Security-Policy" in text
    assert len(text.encode()) < 2_000_000


def test_the_page_tells_the_figures_of_the_plan(plan, text):
    page, s = Page(text), plan.summary()
    words = " ".join(page.words)
    for figure in ("customers", "planned", "eligible", "control"):
        assert f"{s[figure]:,}" in words
    assert f"{s['expected_value']:,.0f} USD" in words
    assert f"{s['exploration_and_control_cost']:,.0f} USD" in words
    for row in s["capacity"]:
        at = page.cells.index(row["row"])
        assert page.cells[at + 2 : at + 6] == [
            f"{row['units']:,.6g}", f"{row['expected']:,.6g}", f"{row['drawn']:,.6g}",
            f"{row['price']:,.4g}",
        ]  # fmt: skip
    for row in plan.summary(by="segment").itertuples():
        at = page.cells.index(row.segment)
        assert page.cells[at + 1 : at + 5] == [
            f"{row.customers:,}", f"{row.planned:,}", f"{row.control:,}",
            f"{row.expected_value:,.2f}",
        ]  # fmt: skip
    at = page.cells.index("us.hours")
    assert page.cells[at + 1] == f"{s['blocked_by_rule']['us.hours']:,}"
    assert page.cells[at + 3 : at + 6] == [
        "Only by day & <b>", "12 CFR 1006.6", "seen: legal text"
    ]  # fmt: skip
    assert page.cells[page.cells.index("us.words") + 1] == "content is not checked"
    for said in ("Not legal advice", "no holidays of XX", "estimate", "start_before",
                 plan.batch_id, plan.policy_version, plan.content_hash, *s["notes"]):  # fmt: skip
        assert said in words


def test_rows_shown_are_the_first_of_each_pool(plan, text):
    frame = plan.to_frame()
    assert sample(plan, 10) in text
    for n_rows in (0, 3):
        page = Page(sample(plan, n_rows))
        shown = [c for c in page.cells if c in set(frame["decision_id"])]
        assert len(shown) == sum(min(n_rows, k) for k in frame["pool"].value_counts())
        chosen = frame[frame["decision_id"].isin(shown)]
        for pool, own in chosen.groupby("pool"):
            best = frame.loc[frame["pool"] == pool, "priority"].nsmallest(n_rows)
            assert sorted(own["priority"]) == sorted(best)
    with pytest.raises(ConfigError, match="n_rows"):
        plan.to_html(n_rows=-1)


def test_same_plan_same_bytes_whatever_the_users_settings(plan, text, tmp_path):
    path = tmp_path / "new" / "plan.html"
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "lines.color": "r"}):
        before = dict(matplotlib.rcParams)
        assert plan.to_html(path) == text
        assert dict(matplotlib.rcParams) == before
    assert path.read_bytes() == text.encode()
    assert [p.name for p in path.parent.iterdir()] == ["plan.html"]


def test_an_empty_plan_has_a_page(empty):
    page = Page(empty.to_html())
    assert page.open == []
    words = " ".join(page.words)
    assert "No contact is planned" in words and "nothing is limited" in words


def test_nobody_planned_but_many_blocked():
    batch = make_batch(30, allowed_share=0.0)
    page = Page(rank(batch, capacity=capacity(30)).to_html())
    assert page.cells[page.cells.index("us.hours") + 1] == f"{batch.allowed.size:,}"
    control = rank(make_batch(30), policy=ContactPolicy(holdout_share=1.0, exploration_share=1.0))
    assert "plan.control_group" in Page(control.to_html()).cells


def hostile_plan():
    bad = [
        "<script>alert(1)</script>",
        '"><img src=x onerror=y>',
        "</style>",
        "a\x00b",
        "$x$",
    ]
    frame = pd.DataFrame(
        {
            "customer_id": bad, "action_id": "s<i>", "channel": "sms", "allowed": True,
            "reasons": "", "value": 2.0, "cost": 0.1, "debt_id": "</table>",
            "pool": "<b>$pool$", "time_zone": "UTC",
            "slot_start": pd.Timestamp("2026-06-02T14:00Z"),
        }
    )  # fmt: skip
    frame.loc[len(frame)] = {**frame.loc[0].to_dict(),
        "customer_id": "z", "allowed": False, "reasons": "<script>rule</script>", "value": 0.0,
    }  # fmt: skip
    batch = ScoredBatch.from_frame(frame, as_of="2026-06-02T12:00Z", currency="USD")
    batch.meta.update({"rules_notes": ("<script>note",), "rules_version": "<script>"})
    return rank(batch, policy=ContactPolicy(holdout_share=0.0), batch_id="b-1")


def test_what_comes_from_outside_is_text():
    plan = hostile_plan()
    text = plan.to_html()
    page = Page(text)
    assert page.open == []
    assert not {"script", "img", "i", "b"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert "<script>alert(1)</script>" in page.cells
    assert "<script>rule</script>" in page.cells
    assert "\x00" not in text and "a\ufffdb" in page.cells
    assert "<b>$pool$" in " ".join(page.words)


def test_the_notebook_view_scrolls_and_escapes():
    view = hostile_plan()._repr_html_()
    page = Page(view)
    assert page.open == []
    assert "script" not in page.tags
    assert view.count("overflow-x:auto") == view.count("<table")
