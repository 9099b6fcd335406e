"""Who reads what: every column and word that is listed as read changes something, others nothing.

`contracts.usage` says for each column and word of the contract which room acts on it. Here each is
changed in a portfolio that fills every column, with all models held fixed, and what the rooms make
of it is compared: attempts and labels (what training reads), features, mask, scores, plan, and, in
the end, the models fitted anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from usage_rooms import Fingerprint, UsageWorld
from usage_world import AS_OF, days

from contactopt.contracts import Portfolio
from contactopt.contracts import vocabulary as v
from contactopt.contracts.tables import TABLES
from contactopt.contracts.tables.registry import ColumnSpec
from contactopt.contracts.usage import CAPACITY_READERS, KEYS, READERS, UNUSED_WORDS, not_used_yet
from contactopt.errors import ContractError

COLUMNS = [(t, c) for t, spec in TABLES.items() for c in spec.columns]
READ = [(t, c) for t, c in COLUMNS if READERS[t][c] not in (None, KEYS)]
IDS = [(t, c) for t, c in COLUMNS if READERS[t][c] == KEYS]
UNREAD = [(t, c) for t, c in COLUMNS if READERS[t][c] is None]
WORDS = [
    (t, c, word)
    for t, c in COLUMNS
    for word in TABLES[t].columns[c].words
    if READERS[t][c] is not None and len(TABLES[t].columns[c].words) < 100
]
READ_WORDS = [(t, c, w) for t, c, w in WORDS if w not in UNUSED_WORDS.get((t, c), ())]
DROP = object()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> UsageWorld:
    return UsageWorld(tmp_path_factory.mktemp("packs"))


# ---- changes of a column ------------------------------------------------------------------------

LATER = AS_OF + days(1)
#: columns for which the change by kind says nothing, with the values that do
_NEW: dict[tuple[str, str], Any] = {
    ("customers", "jurisdiction"): "FR",
    ("customers", "locality"): "Town",
    ("customers", "language"): "pt",
    ("debts", "currency"): "EUR",
    ("debts", "creditor"): "other",
    ("debts", "book"): "other",
    ("contact_points", "jurisdiction"): "FR",
    ("contact_points", "address_key"): "one for all",
    ("contact_points", "valid_from"): LATER,
    ("contact_points", "valid_to"): AS_OF - days(1),
    ("consents", "changed_at"): LATER,
    ("debt_parties", "valid_from"): LATER,
    ("debt_parties", "valid_to"): AS_OF - days(1),
    ("notices", "sent_at"): LATER,
    ("holds", "starts_at"): AS_OF + days(3),
    ("holds", "detail"): '{"start": "00:00", "end": "24:00"}',
    ("touches", "debt_id"): None,  # about all debts
    ("touches", "collector"): "another agency",
    ("touches", "outcome_at"): LATER,
    ("touches", "responded_at"): LATER,
    ("touches", "duration_s"): 1e6,
    ("touch_events", "occurred_at"): LATER,
    ("decisions", "slot_start"): AS_OF + pd.Timedelta(hours=30),
    ("decisions", "dispatch_status"): "no_capacity",
    ("decisions", "dispatched_at"): LATER,
}


def changed_column(world: UsageWorld, table: str, column: str) -> dict[str, pd.DataFrame]:
    """Return the table with other values in one column, of the column's own kind."""
    frame = world.base.tables[table]
    values, spec = frame[column], TABLES[table].columns[column]
    if (table, column) in _NEW:
        new = pd.Series(_NEW[table, column], index=frame.index)
        new = new.where(values.notna(), values) if column == "dispatched_at" else new
    elif column == "recorded_at":
        # every other row was not known yet
        late = np.arange(len(frame)) % 2 == 0
        new = values.where(~late, AS_OF + days(1))
    else:
        new = _by_kind(world, table, spec)
    assert not new.equals(values), "the change changes nothing"
    return {table: frame.assign(**{column: new.astype(values.dtype)})}


def _by_kind(world: UsageWorld, table: str, spec: ColumnSpec) -> pd.Series:
    values = world.base.tables[table][spec.name]
    parents = [link for link in TABLES[table].links if link.column == spec.name]
    if parents:  # another row of the same parent table
        ids = world.base.tables[parents[0].parent][spec.name].tolist()
        return values.map(dict(zip(ids, [*ids[1:], ids[0]], strict=True)))
    if spec.kind in ("id", "text"):
        return pd.Series("another", index=values.index)
    if spec.kind == "word" and len(spec.words) > 100:
        return pd.Series("Asia/Tokyo", index=values.index)
    if spec.kind == "word":
        after = dict(zip(spec.words, [*spec.words[1:], spec.words[0]], strict=True))
        return values.map(after).fillna(spec.words[0])
    if spec.kind in ("instant", "day", "due_day"):
        return (values - days(5)).fillna(AS_OF - days(2))
    if spec.kind == "flag":
        return ~values
    if "share" in spec.description or spec.name == "propensity":
        return (1 - values).fillna(0.25)
    if spec.name == "slot_local_hour":
        return (values + 5) % 24
    return (values * 1.5 + 1).fillna(3.0)


@pytest.mark.parametrize(("table", "column"), READ)
def test_a_column_that_is_read_changes_something(world, table, column):
    changed = world.fingerprint(changed_column(world, table, column))
    assert changed.first_difference(world.found) is not None


def test_what_nobody_reads_changes_nothing_and_no_model(world):
    """All at once, as refitting takes seconds; what differs is then looked for one by one."""
    tables: dict[str, pd.DataFrame] = {}
    for table, column in UNREAD:
        one = changed_column(world, table, column)[table]
        tables[table] = tables.get(table, world.base.tables[table]).assign(**{column: one[column]})
    if world.fingerprint(tables).first_difference(world.found) is None:
        return
    one_by_one = {
        f"{t}.{c}": world.fingerprint(changed_column(world, t, c)).first_difference(world.found)
        for t, c in UNREAD
    }
    assert {name: room for name, room in one_by_one.items() if room} == {}
    pytest.fail("unread columns change something together")


def test_ids_are_read_by_the_loader_which_refuses_double_keys_and_broken_links(world):
    tables = {}
    for name, frame in world.base.tables.items():
        rows = [frame, frame.iloc[[0]]]
        for link in TABLES[name].links:
            rows.append(frame.iloc[[1]].assign(**{link.column: "nobody"}))
        tables[name] = pd.concat(rows, ignore_index=True)
    with pytest.raises(ContractError) as caught:
        Portfolio.from_frames(tables)
    found = {(f.table, c) for f in caught.value.faults for c in str(f.column).split(", ")}
    assert {(t, c) for t, c in IDS} - found == set()


@pytest.mark.parametrize("column", CAPACITY_READERS)
def test_every_capacity_column_changes_the_plan(world, column):
    frame = world.base.capacity
    values = frame[column]
    new = {
        "pool": lambda: values.replace({"sms": "email"}),
        "date": lambda: values.where(frame["pool"] != "sms", values + days(1)),
        "hour": lambda: values.replace({16: 15}),
        "units": lambda: values / 2,
        "min_units": lambda: values * 1.5,
        "until_date": lambda: values + days(16),
    }[column]()
    changed = world.fingerprint(capacity=frame.assign(**{column: new}))
    assert changed["plan"] != world.found["plan"]


# ---- words --------------------------------------------------------------------------------------


#: with what a word is compared, on the same rows: the word that says nothing, null, or no row
_AGAINST: dict[tuple[str, str], Any] = {
    ("debt_snapshots", "status"): "open",
    ("contact_points", "place"): "home",
    ("contact_points", "holder"): "customer",
    ("consents", "channel"): DROP,
    ("consents", "status"): DROP,
    ("holds", "kind"): DROP,
    ("touches", "direction"): "inbound",
    ("touches", "channel"): "portal",
    ("touches", "outcome"): "unknown",
    ("touch_events", "event"): DROP,
    ("payments", "kind"): "adjustment",
    ("notices", "kind"): DROP,
    ("notices", "channel"): DROP,
    ("debt_parties", "role"): DROP,
    ("arrangements", "frequency"): "daily",
    ("decisions", "channel"): "wait",
    ("decisions", "dispatch_status"): "pending",
}
#: words that are to be compared with another than their column's
_OTHERWISE = {
    ("debt_snapshots", "status", "open"): None,
    ("contact_points", "place", "home"): "work",
    ("contact_points", "holder", "customer"): "unknown",
    ("holds", "channel", "portal"): "letter",
    ("touches", "direction", "inbound"): "outbound",
    ("touches", "channel", "portal"): "sms",
    ("touches", "outcome", "unknown"): "no_answer",
    ("payments", "kind", "legal"): "voluntary",
    ("arrangements", "frequency", "daily"): "monthly",
    ("payments", "kind", "adjustment"): "voluntary",
    ("decisions", "channel", "wait"): "sms",
    ("decisions", "dispatch_status", "pending"): "suppressed_rule",
    ("decisions", "dispatch_status", "sent"): "suppressed_rule",
}
_CACHE: dict[tuple[str, str, Any], Fingerprint] = {}


def with_word(world: UsageWorld, table: str, column: str, word: Any) -> Fingerprint:
    """Return the fingerprint with one word in every row of a column, or without the rows."""
    key = (table, column, word)
    if key not in _CACHE:
        frame = world.base.tables[table]
        if word is DROP:
            frame = frame.iloc[:0]
        else:
            values = pd.Series(word, index=frame.index, dtype=frame[column].dtype)
            frame = frame.assign(**{column: values})
            if table == "touch_events":  # by people: a machine's events show nothing
                frame["machine"] = False
        _CACHE[key] = world.fingerprint({table: frame})
    return _CACHE[key]


@pytest.mark.parametrize(("table", "column", "word"), READ_WORDS)
def test_a_word_that_is_read_changes_something(world, table, column, word):  # 002-12, 003-10
    against = _OTHERWISE.get((table, column, word), _AGAINST.get((table, column)))
    changed = with_word(world, table, column, word)
    assert changed.first_difference(with_word(world, table, column, against)) is not None


@pytest.mark.parametrize(("table", "column"), UNUSED_WORDS)
def test_words_that_nobody_reads_change_nothing(world, table, column):
    """Each stands in some rows; the rows might as well be missing."""
    frame = world.base.tables[table]
    words = np.resize(np.array(UNUSED_WORDS[table, column], dtype=object), len(frame))
    spread = frame.assign(**{column: pd.Series(words, index=frame.index, dtype="str")})
    if table == "touch_events":
        spread["machine"] = False
    changed = world.fingerprint({table: spread})
    without = with_word(world, table, column, _AGAINST[table, column])
    assert changed.first_difference(without) is None


def test_validate_prints_what_the_data_fill_and_nobody_reads(world):
    unread = {f"{t}.{c}" for t, c in UNREAD}
    named = world.base.validate().not_used_yet
    assert unread - set(named) <= {f"{t}.recorded_at" for t in TABLES}
    line = next(x for x in repr(world.base.validate()).splitlines() if "not used yet" in x)
    assert all(name in line for name in named)
    events = world.base.tables["touch_events"]
    tables = {**world.base.tables, "touch_events": events.assign(event="unknown")}
    assert "touch_events.event=unknown" in not_used_yet(tables)


#: words of which the contract says that they forbid: features that change are not enough
BLOCKING = [
    *(("holds", "kind", w) for w in v.HOLD_KINDS),
    *(("touches", "outcome", w) for w in v.HOLDING_OUTCOMES),
    ("touch_events", "event", "opted_out"),
    ("consents", "status", "revoked"),
    *(("debt_snapshots", "status", w) for w in v.DEBT_STATUSES if w not in ("open", "in_plan")),
    ("contact_points", "holder", "third_party"),
    ("contact_points", "holder", "unknown"),
]


@pytest.mark.parametrize(("table", "column", "word"), BLOCKING)
def test_a_word_that_forbids_closes_actions(world, table, column, word):
    against = _OTHERWISE.get((table, column, word), _AGAINST.get((table, column)))
    free = with_word(world, table, column, against).verdict
    held = with_word(world, table, column, word).verdict
    assert held.allowed.sum() < free.allowed.sum()
