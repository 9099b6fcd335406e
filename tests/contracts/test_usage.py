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

from contactopt.contracts import Portfolio
from contactopt.contracts.tables import TABLES
from contactopt.contracts.tables.registry import ColumnSpec
from contactopt.contracts.usage import CAPACITY_READERS, KEYS, READERS, UNUSED_WORDS
from contactopt.errors import ContractError
from usage_world import AS_OF, UsageWorld, days

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
#: refitting takes seconds: only what nothing but a fit reads is left to it
QUICK = ("attempts", "labels", "features", "mask", "scores", "plan")
DROP = object()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> UsageWorld:
    return UsageWorld(tmp_path_factory.mktemp("packs"))


# ---- changes of a column ---------------------------------------------------------------------------

#: columns for which the change by kind says nothing, with the values that do
_NEW: dict[tuple[str, str], Any] = {
    ("customers", "jurisdiction"): "FR",
    ("customers", "locality"): "Town",
    ("customers", "language"): "pt",
    ("debts", "currency"): "EUR",
    ("debts", "creditor"): "other",
    ("debts", "book"): "other",
    ("contact_points", "jurisdiction"): "FR",
    ("holds", "detail"): '{"start": "00:00", "end": "24:00"}',
    ("decisions", "slot_start"): AS_OF + pd.Timedelta(hours=30),
    ("decisions", "dispatched_at"): AS_OF + pd.Timedelta(hours=5),
    ("touches", "collector"): "another agency",
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
        new = _by_kind(values, spec)
    assert not new.equals(values), "the change changes nothing"
    return {table: frame.assign(**{column: new.astype(values.dtype)})}


def _by_kind(values: pd.Series, spec: ColumnSpec) -> pd.Series:
    if spec.kind == "id" or (spec.kind == "text"):
        some = values.dropna()
        other = np.roll(some.to_numpy(), 1) if some.nunique() > 1 else "another"
        if len(some) == 0:
            return pd.Series("another", index=values.index)
        return values.where(values.isna(), pd.Series(other, index=some.index).reindex(values.index))
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


@pytest.mark.parametrize(("table", "column"), UNREAD)
def test_a_column_that_nobody_reads_changes_nothing(world, table, column):
    changed = world.fingerprint(changed_column(world, table, column))
    assert changed.first_difference(world.found, QUICK) is None


def test_what_nobody_reads_does_not_change_the_models_either(world):
    tables: dict[str, pd.DataFrame] = {}
    for table, column in UNREAD:
        one = changed_column(world, table, column)[table]
        tables[table] = tables.get(table, world.base.tables[table]).assign(**{column: one[column]})
    assert world.fingerprint(tables).first_difference(world.found) is None
