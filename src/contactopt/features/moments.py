"""Moments: the (customer, instant) pairs at which features are asked for, and shared answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.features.arithmetic import value_at
from contactopt.journal.debts import DebtStates
from contactopt.journal.journal import Journal
from contactopt.journal.local_time import local_day

__all__ = ["DebtRows", "Moments"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DebtRows:
    """All debts known at each moment, one row per (moment, debt), and the lead debt of each.

    The lead debt is the collectable one with the largest past_due x margin, ties by id; where
    none is collectable, the one still running with the largest balance.

    Parameters
    ----------
    moment, debt : int64 arrays, shape (n_rows,)
    states : DebtStates
        One entry per row.
    lead : int64 array, shape (n_moments,)
        Row of the lead debt, -1 where no debt is known.
    """

    moment: Ints
    debt: Ints
    states: DebtStates
    lead: Ints

    def of_lead(self, values: Any, missing: Any = np.nan) -> Any:
        """Return values of rows at the lead debts, shape (n_moments,)."""
        if len(values) == 0:
            return np.full(len(self.lead), missing)
        return np.where(self.lead >= 0, values[self.lead], missing)

    def total(self, values: Any) -> Floats:
        """Return sums of row values per moment; NaN counts nothing."""
        weights = np.nan_to_num(np.asarray(values, dtype=np.float64))
        sums = np.bincount(self.moment, weights=weights, minlength=len(self.lead))
        return sums.astype(np.float64, copy=False)


class Moments:
    """Pairs of customer and instant; features of one instant and of many are the same thing.

    Parameters
    ----------
    journal : Journal
    customers : int array, shape (n,)
        Customer codes.
    instants : int64 array, shape (n,)
        Microseconds UTC.
    """

    def __init__(self, journal: Journal, customers: Any, instants: Any) -> None:
        self.journal = journal
        self.customers: Ints = np.ascontiguousarray(customers, dtype=np.int64)
        self.instants: Ints = np.ascontiguousarray(instants, dtype=np.int64)
        self._kept: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.customers)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what ``make`` makes, made once per key: `learn` and `compute` share it."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @cached_property
    def zone(self) -> pd.Categorical:
        """Time zone of each moment's customer."""
        return self.journal.zones[self.customers]

    @cached_property
    def local_day(self) -> Ints:
        """Local civil day, days since 1970-01-01."""
        return local_day(self.instants, self.zone)

    @cached_property
    def touch_channel(self) -> Ints:
        """Position in the contract's channels of each touch in the log, -1 for other channels."""
        words = self.journal.touches.channel.categories
        code = {c: k for k, c in enumerate(v.CHANNELS)}
        by_word = [code.get(str(w), -1) for w in words]
        return np.array([*by_word, -1], dtype=np.int64)[self.journal.touches.channel.codes]

    @cached_property
    def touch_outbound(self) -> npt.NDArray[np.bool_]:
        """Whether each touch in the log is outbound."""
        return np.asarray(self.journal.touches.direction == "outbound")

    @cached_property
    def payment_values(self) -> Floats:
        """Rewarded payments of the log, others NaN."""
        log = self.journal.payments
        if len(log) == 0:
            return np.empty(0)
        return np.where(log.rewarded, log.amount, np.nan)

    @cached_property
    def debts(self) -> DebtRows:
        """Debts known at the moments."""
        log = self.journal.debts
        where, moment = log.by_customer.pairs(self.customers, self.instants)
        debt = log.by_customer.rows[where]
        states = log.states(debt, self.instants[moment])
        balance = np.nan_to_num(value_at(log.balance, states.snapshot))
        margin = np.nan_to_num(log.margin_share[debt], nan=1.0) if len(log) else np.empty(0)
        weight = np.nan_to_num(states.past_due_now) * margin
        collectable = states.collectable
        order = np.lexsort(
            (-debt, balance, np.where(collectable, weight, 0.0), ~states.ended, collectable, moment)
        )
        lead = np.full(len(self), -1, dtype=np.int64)
        lead[moment[order]] = order  # the last of each moment stays
        return DebtRows(moment, debt, states, lead)

    @cached_property
    def lead_debt(self) -> Ints:
        """Debt code of the lead debt, -1 where none is known."""
        return self.debts.of_lead(self.debts.debt, -1).astype(np.int64)
