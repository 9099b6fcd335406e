"""Messages and offers through the strategy: groups in any blocks, offers in flight, learning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES, Portfolio
from contactopt.journal.terms import open_journal
from contactopt.models.treatment import TreatmentCatalogue, TreatmentModel
from contactopt.policy.batch import score_portfolio
from contactopt.policy.treatments import offers_in_flight

WORDS = ["opt_out", "mini_miranda", "identity", "agency", "creditor"]
OFFERS = [
    {"offer_id": "half", "kind": "settlement", "discount_share": 0.5, "valid_days": 10},
    {"offer_id": "plan-3", "kind": "arrangement", "n_instalments": 3, "valid_days": 5},
]


def template(channel: str, k: int, **more: Any) -> dict[str, Any]:
    tone = ("warm", "firm")[k % 2]
    return {"template_id": f"{channel}-{k}", "channel": channel, "approved": True,
            "disclosures": WORDS, "features": {"tone": tone}, **more}  # fmt: skip


def config(**more: Any) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {"fallback": "cautious", "channels": ["call_agent", "sms", "email", "letter"],
         "slots": [10, 17], "random_state": 3, **more}
    )  # fmt: skip


def on_priors(own: StrategyConfig, at: pd.Timestamp) -> co.ContactStrategy:
    empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    return co.ContactStrategy(config=own).fit(Portfolio.from_frames(empty), as_of=at)


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return co.datasets.load_demo(n_customers=120, random_state=2)


@pytest.fixture(scope="module")
def at(portfolio: Portfolio) -> pd.Timestamp:
    return portfolio.latest_instant()


@pytest.fixture(scope="module")
def several(at: pd.Timestamp) -> co.ContactStrategy:
    names = [template(c, k) for c in ("sms", "email") for k in range(4)]
    return on_priors(config(templates=names, offers=OFFERS), at)


def with_rows(portfolio: Portfolio, **rows: list[dict[str, Any]]) -> Portfolio:
    tables = dict(portfolio.tables)
    for name, more in rows.items():
        tables[name] = pd.concat([tables[name], pd.DataFrame(more)], ignore_index=True)
    return Portfolio.from_frames(tables, complete_to=portfolio.complete_to)


# ---- groups ------------------------------------------------------------------------------------


def test_groups_are_the_same_in_blocks_of_any_size(several, portfolio, at):
    def score(size: int):
        return score_portfolio(
            portfolio, models=several.models_, rules=several._rules(at), config=several.config,
            as_of=at, random_state=3, policy_version="v", block_customers=size,
            segments=several.segments_,
        )  # fmt: skip

    whole, parts = score(10_000), score(17)
    assert whole.treatments.group_keys() == parts.treatments.group_keys()
    np.testing.assert_array_equal(whole.treatment_group, parts.treatment_group)
    np.testing.assert_array_equal(whole.template, parts.template)
    assert (whole.treatment_group[~whole.allowed] == -1).all()
    assert (whole.treatment_group[whole.allowed] >= 0).all()  # offers everywhere
    sms = whole.treatment_group[:, [a.channel == "sms" for a in whole.actions]]
    some = sms[sms >= 0]
    table = whole.treatments
    assert set(np.diff(table.starts)[some]) <= {4, 8, 12}


def test_a_single_message_is_as_without_a_choice(portfolio, at):
    one = on_priors(config(templates=[template("sms", 0), template("email", 0)]), at)
    bad = [template("sms", k, approved=False) for k in (1, 2)]
    same = on_priors(config(templates=[template("sms", 0), template("email", 0), *bad]), at)
    first, then = (s.rank(portfolio, as_of=at, batch_id="b") for s in (one, same))
    assert first.drawn_treatments is None and then.drawn_treatments is None
    np.testing.assert_array_equal(first.allocation.probabilities, then.allocation.probabilities)
    drop = ["policy_version"]
    pd.testing.assert_frame_equal(
        first.decisions().drop(columns=drop), then.decisions().drop(columns=drop)
    )


def test_arms_are_drawn_as_if_there_were_one_message(several, portfolio, at):
    one = on_priors(config(templates=[template("sms", 0), template("email", 0)]), at)
    first = one.rank(portfolio, as_of=at, batch_id="b")
    plan = several.rank(portfolio, as_of=at, batch_id="b")
    np.testing.assert_array_equal(first.allocation.probabilities, plan.allocation.probabilities)
    np.testing.assert_array_equal(first.drawn, plan.drawn)
    log = plan.decisions()
    sent = log[log["channel"] == "sms"]
    assert sent["template_id"].notna().all()
    assert log[log["channel"] == "call_agent"]["template_id"].isna().all()
    again = several.rank(portfolio, as_of=at, batch_id="b")
    assert again.content_hash == plan.content_hash


def test_replay_and_event(several, portfolio, at, tmp_path):
    plan = several.rank(portfolio, as_of=at)
    plan.write(tmp_path)
    assert several.replay(tmp_path, portfolio=portfolio).ok
    assert co.read_decisions(tmp_path).replay().ok
    who = plan.batch.customer_ids[plan.batch.allowed.any(axis=1)][0]
    debts = portfolio.tables["debts"]
    debt = debts["debt_id"][debts["customer_id"] == who].iloc[0]
    events = {"payments": [{"payment_id": "E", "paid_at": at, "amount": 1.0, "debt_id": debt}]}
    batch = several.on_event(portfolio, events, as_of=at + pd.Timedelta(minutes=5))
    drawn = co.rank(batch, policy=several.policy_)
    assert len(drawn.decisions()) == 1


# ---- offers ------------------------------------------------------------------------------------


def offers_of(strategy: co.ContactStrategy, portfolio: Portfolio, at, who: str) -> set[Any]:
    batch = strategy.score(portfolio, as_of=at)
    row = int(np.flatnonzero(batch.customer_ids == who)[0])
    groups = set(batch.treatment_group[row][batch.allowed[row]].tolist())
    table, found = batch.treatments, set()
    for g in groups:
        if g < 0:
            found.add(None)
            continue
        own = table.offer_of(table.member[table.starts[g] : table.starts[g + 1]])
        found |= {None if k < 0 else batch.offer_ids[k] for k in own.tolist()}
    return found


def touch(who: str, when: pd.Timestamp, offer: str | None, **more: Any) -> dict[str, Any]:
    return {"touch_id": f"T{who}{when:%d%H}{offer}", "customer_id": who, "direction": "outbound",
            "channel": "email", "started_at": when, "outcome": "opened", "outcome_at": when,
            "offer_id": offer, **more}  # fmt: skip


def test_an_offer_in_flight_is_not_contradicted(several, portfolio, at):
    batch = several.score(portfolio, as_of=at)
    calls = [a.channel == "call_agent" for a in batch.actions]
    ids = batch.customer_ids[batch.allowed[:, calls].any(axis=1)][:8].tolist()
    a, b, c, d, e, f, g, h = ids
    week = at - pd.Timedelta(days=7)
    three = at - pd.Timedelta(days=3)
    rows = [
        touch(a, week, "half"),  # 10 days: still in flight
        touch(b, week, "plan-3"),  # 5 days: lapsed
        touch(c, week, "half", outcome="bounced"),  # never came to the customer
        touch(d, week, "half"),
        touch(d, three, "plan-3"),  # two at once
        touch(e, three, "old-offer"),  # nobody knows what it said
        touch(f, week, "half", outcome="refused"),
        touch(g, three, None, decision_id="DG"),  # the decision carries it
        touch(h, at + pd.Timedelta(hours=3), "half"),  # not known yet
    ]
    decision = {"decision_id": "DG", "decided_at": three, "customer_id": g, "channel": "email",
                "propensity": 0.5, "offer_id": "plan-3", "slot_start": three}  # fmt: skip
    after = with_rows(portfolio, touches=rows, decisions=[decision])
    view = open_journal(after, several.config).as_of(at)
    held = dict(zip(view.customer_ids, offers_in_flight(view, several.config), strict=True))
    assert [int(held[x]) for x in ids] == [0, -1, -1, -2, -2, -1, 1, -1]
    wanted = {
        a: {None, "half"}, b: {None, "half", "plan-3"}, d: {None}, e: {None},
        g: {None, "plan-3"},
    }  # fmt: skip
    scored = several.score(after, as_of=at)
    for who, offers in wanted.items():
        if scored.allowed[scored.customer_ids == who].any():
            assert offers_of(several, after, at, who) == offers
    drawn = {}
    for seed in range(30):
        frame = co.rank(scored, policy=several.policy_, random_state=seed).to_frame()
        for who, offer in zip(frame["customer_id"], frame["offer_id"], strict=True):
            drawn.setdefault(who, set()).add(None if offer is None or offer != offer else offer)
    for who, offers in wanted.items():
        assert drawn.get(who, set()) <= offers


def test_an_offer_lapses_with_the_local_day(several, portfolio, at):
    who = str(portfolio.customer_ids[0])
    rows = [touch(who, at - pd.Timedelta(days=3), "plan-3")]
    after = with_rows(portfolio, touches=rows)
    journal = open_journal(after, several.config)
    days = [
        int(offers_in_flight(journal.as_of(at + pd.Timedelta(days=k)), several.config)[0])
        for k in range(5)
    ]
    assert days[:2] == [1, 1] and days[-1] == -1
    assert days == sorted(days, reverse=True)


def test_a_pending_decision_holds_its_offer(several, portfolio, at):
    who = str(portfolio.customer_ids[0])
    row = {"decision_id": "D1", "decided_at": at - pd.Timedelta(hours=1), "customer_id": who,
           "channel": "sms", "propensity": 0.5, "offer_id": "half", "dispatch_status": None,
           "slot_start": at + pd.Timedelta(hours=3)}  # fmt: skip
    view = open_journal(with_rows(portfolio, decisions=[row]), several.config).as_of(at)
    assert offers_in_flight(view, several.config)[0] == 0


def test_offers_fit_stage_template_and_the_creditors_least_share(portfolio, at):
    names = [template("sms", 0, offers=["plan-3"]), template("sms", 1, offers=[])]
    offers = [{**OFFERS[0], "stages": ["late", "charged_off"]}, OFFERS[1]]
    own = on_priors(config(templates=names, offers=offers), at)
    tables = dict(portfolio.tables)
    tables["debts"] = tables["debts"].assign(settlement_floor_share=0.7)
    strict = Portfolio.from_frames(tables, complete_to=portfolio.complete_to)
    batch, cut = own.score(portfolio, as_of=at), own.score(strict, as_of=at)
    table = batch.treatments
    for g in range(len(table)):
        channel, stage = table.contexts[table.context[g]]
        member = table.member[table.starts[g] : table.starts[g + 1]]
        pairs = set(zip(table.template_of(member).tolist(), table.offer_of(member).tolist(),
                        strict=True))  # fmt: skip
        assert ((0 in {o for _, o in pairs}) == (stage in ("late", "charged_off"))) or (
            channel == "sms"
        )
        if channel == "sms":
            assert pairs <= {(0, -1), (0, 1), (1, -1)}
        else:
            assert {t for t, _ in pairs} == {-1}
    assert (cut.treatments.offer_of(cut.treatments.member) != 0).all()  # half is too little


# ---- learning ----------------------------------------------------------------------------------


def warm_is_better(own: StrategyConfig) -> TreatmentModel:
    """Return a model that learned that warm texts add 0.1 to P(pays | reached)."""
    catalogue = TreatmentCatalogue.of(own)
    options = [(f"sms-{k}", None) for k in range(4)] + [(f"sms-{k}", "half") for k in range(4)]
    choices = pd.DataFrame(
        [("g", "sms", "early", t, o, 1 / 8) for t, o in options],
        columns=["group", "channel", "stage", "template_id", "offer_id", "probability"],
    )
    rng = np.random.default_rng(0)
    at_random = rng.integers(0, 8, 20_000)
    warm = np.isin(at_random % 4, (0, 2))
    pays = rng.random(20_000) < 0.2 + 0.5 * (0.1 * warm - 0.05)
    rows = choices.iloc[at_random][["group", "template_id", "offer_id"]].assign(
        residual=(pays - 0.2) * 100.0, scale=50.0, noise=100.0
    )
    return TreatmentModel(catalogue=catalogue).fit(rows, choices)


def test_what_was_learned_is_kept_in_the_bundle_and_moves_the_draw(
    several, portfolio, at, tmp_path
):
    model = warm_is_better(several.config)
    knows = co.ContactStrategy(config=several.config).fit(portfolio.subset([]), as_of=at)
    before = knows.version
    knows.models_ = replace(knows.models_, treatment=model)
    knows._version = None
    assert knows.version != before
    knows.save(tmp_path / "bundle")
    again = co.ContactStrategy.load(tmp_path / "bundle")
    plan, other = (s.rank(portfolio, as_of=at, batch_id="b") for s in (knows, again))
    assert plan.content_hash == other.content_hash
    told = plan.treatments()
    sms = told[told["channel"] == "sms"].assign(
        warm=lambda f: f["template_id"].isin(["sms-0", "sms-2"])
    )
    share = sms.groupby("warm")["probability"].mean()
    assert share[True] > 5 * share[False]
    e = sms.groupby("warm")["effect"].mean()
    assert e[True] - e[False] == pytest.approx(0.1, abs=0.04)
    assert plan.allocation.loss <= plan.allocation.budget


def test_safety_mixes_arms_and_leaves_what_was_learned_of_messages(
    several, portfolio, at, tmp_path
) -> None:
    rules = {"enabled": True, "incumbent": [{"channel": "sms", "hour": 10, "share": 0.6}]}
    names = [template(c, k) for c in ("sms", "email") for k in range(4)]
    safe, free = (
        on_priors(config(templates=names, offers=OFFERS, **more), at)
        for more in ({"safety": rules}, {})
    )
    for strategy in (safe, free):
        model = warm_is_better(strategy.config)
        strategy.models_ = replace(strategy.models_, treatment=model)
        strategy._version = None
    plan, alone = (s.rank(portfolio, as_of=at, batch_id="b") for s in (safe, free))
    assert plan.safe.verdict.lead == "incumbent"
    np.testing.assert_array_equal(plan.safe.learned.probabilities, alone.allocation.probabilities)
    assert not np.array_equal(plan.allocation.probabilities, alone.allocation.probabilities)
    # inside an arm the draw is the learned one, whoever leads
    log = plan.decisions()
    sms = log[(log["channel"] == "sms") & ~log["holdout"]]
    assert len(sms) > 10
    assert sms["template_id"].isin(["sms-0", "sms-2"]).mean() > 0.7
    key = ["group", "template_id", "offer_id"]
    inner = [
        f.set_index(key)["probability"].sort_index()
        for f in (plan.treatments(), alone.treatments())
    ]
    both = inner[0].index.intersection(inner[1].index)
    assert len(both) > 8
    pd.testing.assert_series_equal(inner[0][both], inner[1][both])
    plan.write(tmp_path)
    assert safe.replay(tmp_path, portfolio=portfolio).ok
    assert co.read_decisions(tmp_path).replay().ok
