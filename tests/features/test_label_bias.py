"""How far off refused labels are, in a world whose truth is known (policy_spec 7).

Every customer who is free on a day lives two futures, contacted that day and not, with the same
luck and the same policy afterwards; the policy leaves people alone who have promised. The
difference in payers within 30 days is the truth; the same lives are then labelled by each habit.
"""

import copy

import numpy as np
import pandas as pd
import pytest

from contactopt.errors import BiasedLabelsError, ConfigError
from contactopt.features import refuse_biased_labels, training_rows
from contactopt.journal import Journal, payment_labels
from contactopt.journal.local_time import DAY_US
from contactopt.simulation import World

HORIZON, CYCLE, DAY = 30, 8, 16
NEVER = np.iinfo(np.int64).max


def live_a_day(world: World, seed: int, force: bool | None = None):
    """Contact half of those whose turn it is, or (``force``) all who are free, or nobody."""
    state, day = world.state, world.day
    n = state.n_customers
    free = (state.lead >= 0) & ~(state.promise_until > day) & ~(state.held_until > day)
    coin = np.random.default_rng([seed, 77, day]).random(n) < 0.5
    today = free if force is not None else free & (np.arange(n) % CYCLE == day % CYCLE)
    go = today & (coin if force is None else force)
    actions = pd.DataFrame(
        {"customer_id": world.customer_ids[go], "channel": "call_agent", "slot_local_hour": 18}
    )
    at = world.as_of.value // 1000
    world._advance(world._attempts(actions), world._uniforms())
    return np.flatnonzero(today), np.flatnonzero(go), at


def next_contact(journal: Journal, customers, instants) -> np.ndarray:
    """First outbound contact later than the day of each instant; plain loops."""
    log = journal.touches
    outbound = np.asarray(log.direction == "outbound")
    owner, when = log.index.owner[outbound], log.time[outbound]
    by_owner = {c: np.sort(when[owner == c]) for c in np.unique(customers)}
    out = np.full(len(customers), NEVER)
    for i, (c, t) in enumerate(zip(customers, instants, strict=True)):
        later = by_owner[c][by_owner[c] > t + DAY_US]
        out[i] = later[0] if len(later) else NEVER
    return out


def habits(seed: int) -> dict[str, float]:
    world = World(n_customers=4000, random_state=seed, n_days=60)
    for _ in range(DAY):
        live_a_day(world, seed)
    found: dict[bool, dict[str, float]] = {}
    for contacted in (True, False):
        life = copy.deepcopy(world)
        who, _, at = live_a_day(life, seed, contacted)
        for _ in range(HORIZON):
            live_a_day(life, seed)
        journal = Journal(life.portfolio())
        start = np.full(len(who), at)
        labels = payment_labels(journal, who, start, horizon_days=HORIZON, as_of=life.as_of)
        paid = labels["paid"].to_numpy()
        paid_at = start + labels["first_delay_days"].fillna(1e5).to_numpy() * DAY_US
        again = next_contact(journal, who, start)
        cut = paid & (paid_at < again)
        alone = again > start + HORIZON * DAY_US
        found[contacted] = {
            "truth": paid.mean(),
            "until_next_contact": cut.mean(),
            # who waits gets no credit: there was no touch
            "last_touch": cut.mean() if contacted else 0.0,
            "not_contacted_later": paid[alone].mean(),
        }
    return {k: found[True][k] - found[False][k] for k in found[True]}


@pytest.fixture(scope="module")
def gains() -> pd.DataFrame:
    return pd.DataFrame([habits(seed) for seed in range(3)])


def test_the_truth_is_a_small_gain(gains) -> None:
    assert gains["truth"].between(0.002, 0.03).all()


def test_labels_cut_at_the_next_contact_exaggerate(gains) -> None:
    # who was reached and promised is left alone: their windows are longer
    assert (gains["until_next_contact"] > 1.25 * gains["truth"]).all()
    assert gains["until_next_contact"].mean() > 1.5 * gains["truth"].mean()


def test_the_last_touch_is_credited_with_what_would_have_come_anyway(gains) -> None:
    assert (gains["last_touch"] > 4 * gains["truth"]).all()


def test_rows_without_a_later_contact_are_those_who_paid(gains) -> None:
    off = gains["not_contacted_later"] - gains["truth"]
    assert abs(off.mean()) > gains["truth"].mean()
    assert off.abs().min() > 0.5 * gains["truth"].mean()


# ---- what is refused -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log():
    """A logged history with its decisions, and labels of every habit."""
    world = World(n_customers=1500, random_state=5, n_days=70)
    rows = []
    for _ in range(65):
        day = world.day
        decided, contacted, at = live_a_day(world, 5)
        if 5 <= day < 30:
            rows.append(pd.DataFrame({"code": decided, "us": at}).assign(
                touched=np.isin(decided, contacted)))  # fmt: skip
    portfolio, now = world.portfolio(), world.as_of
    frame = pd.concat(rows, ignore_index=True)
    journal = Journal(portfolio)
    code, start = frame["code"].to_numpy(), frame["us"].to_numpy()
    labels = payment_labels(journal, code, start, horizon_days=HORIZON, as_of=now)
    paid_at = start + labels["first_delay_days"].fillna(1e5).to_numpy() * DAY_US
    again = next_contact(journal, code, start)
    ends = np.minimum(again, start + HORIZON * DAY_US)
    whole = labels["paid"].to_numpy()
    frame = frame.assign(
        customer_id=journal.customer_ids[code].astype(str),
        as_of=pd.to_datetime(start, unit="us", utc=True),
        paid=whole,
        amount=labels["amount"],
        cut=whole & (paid_at < again),
        last=whole & (paid_at < again) & frame["touched"],
        window_end=pd.to_datetime(ends, unit="us", utc=True),
        again=again < start + HORIZON * DAY_US,
    )
    return portfolio, now, frame


def refused(log, rows, **more) -> str:
    portfolio, now, _ = log
    with pytest.raises(BiasedLabelsError) as error:
        refuse_biased_labels(portfolio, rows, horizon_days=HORIZON, as_of=now, **more)
    return str(error.value)


KEYS = ["customer_id", "as_of"]


def test_labels_of_the_whole_window_pass(log) -> None:
    portfolio, now, rows = log
    pl = pytest.importorskip("polars")
    for label in ("paid", "amount"):
        frame = rows[[*KEYS, label]]
        polars = pl.DataFrame({c: frame[c].to_list() for c in frame})
        for given in (frame, polars, frame.sample(frac=1.0, random_state=0)):
            refuse_biased_labels(portfolio, given, horizon_days=HORIZON, as_of=now, label=label)


def test_labels_that_end_at_the_next_contact_are_refused(log) -> None:
    rows = log[2]
    assert (rows["paid"] != rows["cut"]).mean() > 0.02
    message = refused(log, rows[[*KEYS, "cut"]], label="cut")
    assert "end at the next contact, or credit the last touch" in message
    money = rows.assign(cut_amount=rows["amount"].where(rows["cut"], 0.0))
    assert "lack it" in refused(log, money[[*KEYS, "cut_amount"]], label="cut_amount")
    assert "end at the next contact" in refused(log, rows[[*KEYS, "paid", "window_end"]])


def test_last_touch_labels_are_refused(log) -> None:
    rows = log[2]
    touched = rows[rows["touched"]]
    assert "credit the last touch" in refused(log, touched[[*KEYS, "last"]], label="last")


def test_samples_without_later_contacts_are_refused(log) -> None:
    rows = log[2]
    alone = rows.loc[~rows["again"], [*KEYS, "paid"]]
    assert 50 < len(alone) < 0.5 * len(rows)
    assert "rows with a later contact were left out" in refused(log, alone)


def test_a_control_group_and_another_horizon_are_not_refused(log) -> None:
    portfolio, now, rows = log
    # customers who are never contacted at all, as a control group is not
    control = set(rows["customer_id"].unique()[::5])
    tables = dict(portfolio.tables)
    keep = ~tables["touches"]["customer_id"].isin(control)
    tables["touches"] = tables["touches"][keep]
    own = rows.loc[rows["customer_id"].isin(control), [*KEYS, "paid"]]
    assert len(own) > 200
    refuse_biased_labels(Journal(tables), own, horizon_days=HORIZON, as_of=now)
    journal = Journal(portfolio)
    short = payment_labels(journal, rows["code"], rows["us"], horizon_days=10, as_of=now)["paid"]
    other = rows[KEYS].assign(paid=short.to_numpy())
    refuse_biased_labels(portfolio, other, horizon_days=HORIZON, as_of=now)
    refuse_biased_labels(portfolio, other.iloc[:0], horizon_days=HORIZON, as_of=now)


def test_missing_columns_are_named(log) -> None:
    portfolio, now, rows = log
    with pytest.raises(ConfigError, match="no column paid"):
        refuse_biased_labels(portfolio, rows[KEYS], horizon_days=HORIZON, as_of=now)


@pytest.mark.parametrize("asked", [{"label": "until_next_contact"}, {"label": "last_touch"},
                                   {"sample": "not_contacted_later"}])  # fmt: skip
def test_the_builder_refuses_and_says_why(log, asked) -> None:
    portfolio, now, _ = log
    with pytest.raises(BiasedLabelsError, match="depends on later contacts"):
        training_rows(portfolio, as_of=now, **asked)
    what = next(iter(asked))
    with pytest.raises(ConfigError, match=f"there is no {what} 'other'"):
        training_rows(portfolio, as_of=now, **{what: "other"})


def test_the_builder_gives_whole_windows_whoever_was_contacted(log) -> None:
    portfolio, now, _ = log
    rows = training_rows(portfolio, as_of=now, step_days=5)
    journal = Journal(portfolio)
    code = journal.customers.codes(rows["customer_id"])
    start = rows["as_of"].to_numpy(dtype="datetime64[us]").astype(np.int64)
    again = next_contact(journal, code, start) < start + HORIZON * DAY_US
    assert 0.3 < again.mean() < 0.97 and rows.loc[again, "paid"].any()
    assert (rows["as_of"] + pd.Timedelta(days=HORIZON) <= now).all()
    # windows overlap: labels added up are a multiple of the money there was
    money = portfolio.tables["payments"]
    money = money[money["kind"].isin(["voluntary", "direct_debit"])]["amount"].sum()
    assert rows["amount"].sum() > 1.5 * money
    refuse_biased_labels(portfolio, rows, horizon_days=HORIZON, as_of=now)
    assert len(training_rows(portfolio, as_of="2025-12-05T00:00Z")) == 0
    with pytest.raises(ConfigError, match="horizon_days is 0"):
        training_rows(portfolio, as_of=now, horizon_days=0)
