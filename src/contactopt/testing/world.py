"""The case that checks run on: a small portfolio whose rows arrive late, and when to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.datasets import load_demo
from contactopt.features.moments import Moments
from contactopt.journal import Journal
from contactopt.journal.cut import cut_tables
from contactopt.journal.local_time import to_us

__all__ = ["Case", "case_of"]

Ints = npt.NDArray[np.int64]

#: events whose rows arrive hours to days later in the portfolio that is used by default
_LATE = {
    "touches": "started_at",
    "payments": "paid_at",
    "promises": "made_at",
    "debt_snapshots": "observed_at",
}
_HOURS = (0, 0, 2, 26, 71)
#: tables whose rows are named by rows of others, and by which column
_KEYS = {"debts": "debt_id", "touches": "touch_id"}
_MAX_CUSTOMERS = 40
_SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class Case:
    """Tables, and pairs of customer and instant: every customer at four instants.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    """

    tables: Mapping[str, pd.DataFrame]

    @cached_property
    def journal(self) -> Journal:
        """The journal of the whole tables."""
        return Journal(self.tables)

    @cached_property
    def days(self) -> Ints:
        """Instants that split the known events into quarters; the last knows them all."""
        logs = (self.journal.touches, self.journal.payments, self.journal.snapshots)
        known = np.sort(np.concatenate([log.known for log in logs]))
        if len(known) == 0:
            return np.array([to_us("2026-01-01T00:00Z")])
        places = [min(int(share * len(known)), len(known) - 1) for share in _SHARES]
        return np.unique(known[places])

    @cached_property
    def pairs(self) -> tuple[Ints, Ints]:
        """Customer codes and instants, every customer at every instant."""
        n = self.journal.n_customers
        return np.tile(np.arange(n), len(self.days)), np.repeat(self.days, n)

    def moments(self) -> Moments:
        """Return new moments at all pairs: what one check changes no other sees."""
        return Moments(self.journal, *self.pairs)

    def cut(self, instant: int) -> Journal:
        """Return the journal of tables from which everything later was removed."""
        now = pd.Timestamp(np.datetime64(int(instant), "us"), tz="UTC")
        return Journal(cut_tables(self.journal.tables, now))

    def shuffled(self) -> Journal:
        """Return the journal of the same rows in another order."""
        rng = np.random.default_rng(0)
        return Journal({k: f.iloc[rng.permutation(len(f))] for k, f in self.tables.items()})

    def of_customer(self, code: int) -> Journal:
        """Return the journal of one customer's rows alone."""
        return Journal(self._only({str(self.journal.customer_ids[code])}))

    def _only(self, customer_ids: set[str]) -> dict[str, pd.DataFrame]:
        out = dict(self.tables.items())
        keys: dict[str, set[str]] = {"customer_id": customer_ids}
        # owners first: debts and touches are named by the rows of other tables
        for name in sorted(out, key=lambda t: (t not in _KEYS, t)):
            frame = out[name]
            by = next((k for k in ("customer_id", "debt_id", "touch_id") if k in frame), None)
            if len(frame) == 0 or by is None or by not in keys:
                continue
            out[name] = frame[frame[by].isin(keys[by])]
            if name in _KEYS:
                keys[_KEYS[name]] = set(out[name][_KEYS[name]])
        return out


def case_of(portfolio: Any = None) -> Case:
    """Return the case of a portfolio (at most 40 of its customers), or of the default one.

    Parameters
    ----------
    portfolio : Portfolio, optional
        By default a simulated one in which a part of the rows arrives days after the event.
    """
    if portfolio is None:
        return _own(_default_tables())
    if portfolio.n_customers > _MAX_CUSTOMERS:
        some = np.linspace(0, portfolio.n_customers - 1, _MAX_CUSTOMERS).astype(int)
        portfolio = portfolio.subset(portfolio.customer_ids[some])
    return _own(portfolio.tables)


def _own(tables: Mapping[str, pd.DataFrame]) -> Case:
    """Return a case of copies: a block that writes into tables spoils nobody else's."""
    return Case({name: frame.copy(deep=True) for name, frame in tables.items()})


@lru_cache(maxsize=1)
def _default_tables() -> dict[str, pd.DataFrame]:
    tables = dict(load_demo(16, random_state=0, n_days=75).tables)
    for name, event in _LATE.items():
        frame = tables[name]
        turn = np.arange(len(frame)) % len(_HOURS)
        late = pd.to_timedelta(np.array(_HOURS)[turn], unit="h")
        tables[name] = frame.assign(recorded_at=(frame[event] + late).dt.as_unit("us"))
    return tables
