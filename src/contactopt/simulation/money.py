"""Payments, and what happens overnight: instalments, entries, cures that do not last."""

from __future__ import annotations

import dataclasses

import numpy as np

from contactopt.simulation.clock import HOUR_US
from contactopt.simulation.hazards import (
    base_intensity,
    decay,
    effect_intensity,
    money_due,
    pay_shares,
)
from contactopt.simulation.record import Recorder
from contactopt.simulation.response import LETTER
from contactopt.simulation.state import (
    CLOSED,
    CURED,
    IN_PLAN,
    NEVER,
    NOT_YET,
    OPEN,
    SETTLED,
    State,
)

__all__ = ["Reversals", "draw_amount", "draw_payments", "overnight", "pay", "snapshot"]

#: clock time at which the nightly snapshot is taken, UTC: local midnight has passed everywhere
SNAPSHOT_US = 8 * HOUR_US + 5 * 60_000_000
_EARLIEST_S, _LATEST_S = 8 * 3600, 22 * 3600 - 60
#: chance that a further instalment of an arrangement is paid (A)
_INSTALMENT_KEPT = 0.85


@dataclasses.dataclass(slots=True)
class Reversals:
    """Payments that will be taken back: day, customer, debt and amount."""

    day: np.ndarray
    customer: np.ndarray
    debt: np.ndarray
    amount: np.ndarray

    @classmethod
    def none(cls) -> Reversals:
        """Return an empty list."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, empty, np.zeros(0))


def draw_amount(state: State, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Draw the money of a payment or promise made today; ``u`` has shape (2, n)."""
    full, partial = pay_shares(state, rows, 0)
    share = np.where(u[0, rows] < full, 1.0, partial * (0.5 + u[1, rows]))
    return money_due(state, rows, 0) * share


def pay(
    state: State,
    record: Recorder,
    reversals: Reversals,
    rows: np.ndarray,
    debt: np.ndarray,
    amount: np.ndarray,
    second: np.ndarray,
    u: np.ndarray,
    *,
    promise: np.ndarray | int = -1,
    in_plan: bool = False,
) -> None:
    """Book one payment of each customer in ``rows`` and draw whether it is taken back."""
    if not len(rows):
        return
    debts = state.debts
    amount = np.maximum(np.round(np.minimum(amount, debts.balance[debt]), 2), 0.01)
    debts.balance[debt] = np.maximum(np.round(debts.balance[debt] - amount, 2), 0.0)
    left = np.maximum(np.round(debts.past_due[debt] - amount, 2), 0.0)
    cured = (left <= 0.01 * debts.past_due[debt] + 0.01) | (debts.balance[debt] <= 0.01)
    was_charged_off = state.day - debts.since[debt] >= 180
    debts.past_due[debt] = np.where(cured, 0.0, left)
    ended = np.where(was_charged_off | (debts.balance[debt] <= 0.01), SETTLED, CURED)
    debts.status[debt] = np.where(cured, ended, debts.status[debt])
    debts.ended[debt] = np.where(debts.status[debt] == SETTLED, state.day, debts.ended[debt])
    state.n_paid[rows] += 1
    state.choose_lead(rows[cured])
    paid_us = state.clock.instant_us(state.day, state.people.zone[rows], second)
    taken_back = u[rows] < state.preset.reversal_share
    lag = state.preset.reversal_days
    # a payment taken back keeps its month: the next one comes no earlier than after it
    pause = state.preset.refractory_days + np.where(taken_back, lag, 0)
    state.refractory_until[rows] = state.day + pause
    record.add(
        "payments",
        len(rows),
        customer=rows,
        debt=debt,
        paid_us=paid_us,
        amount=amount,
        kind=np.where(in_plan | (u[rows] > 0.93), 1, 0),
        method=(u[rows] * 1000).astype(np.int64) % 5,
        promise=promise,
        reversed_us=np.where(taken_back, paid_us + lag * 24 * HOUR_US, -1),
        late=(u[rows] > 0.5) & (u[rows] < 0.506),
    )
    reversals.day = np.append(reversals.day, np.full(taken_back.sum(), state.day + lag))
    reversals.customer = np.append(reversals.customer, rows[taken_back])
    reversals.debt = np.append(reversals.debt, debt[taken_back])
    reversals.amount = np.append(reversals.amount, amount[taken_back])


def draw_payments(
    state: State, record: Recorder, reversals: Reversals, u: np.ndarray, touched_s: np.ndarray
) -> np.ndarray:
    """Draw today's payments from the intensities and the promises due; return the payers.

    Parameters
    ----------
    u : (6, n) float
        Uniforms: pays, amount (2), second of day, reversal, next instalment.
    touched_s : (n,) int
        Second of day of today's last touch: money that a touch brings comes after it.
    """
    everyone = np.arange(state.n_customers)
    rate = base_intensity(state, everyone, 0)
    at_risk = rate > 0
    rate = rate + np.where(at_risk, effect_intensity(state, everyone, 0), 0.0)
    spontaneous = everyone[u[0] < -np.expm1(-rate)]
    second = (_EARLIEST_S + u[3] * (_LATEST_S - _EARLIEST_S)).astype(np.int64)
    second = np.minimum(np.maximum(second, touched_s + 600), _LATEST_S + 50)
    due = everyone[state.scheduled_day == state.day]
    amount = draw_amount(state, spontaneous, u[1:3])
    lead = state.lead[spontaneous]
    pay(state, record, reversals, spontaneous, lead, amount, second[spontaneous], u[4])
    _pay_scheduled(state, record, reversals, due, second[due], u[4], u[5])
    return np.concatenate([spontaneous, due])


def _pay_scheduled(
    state: State,
    record: Recorder,
    reversals: Reversals,
    due: np.ndarray,
    second: np.ndarray,
    u_reversal: np.ndarray,
    u_next: np.ndarray,
) -> None:
    debt = state.scheduled_debt[due]
    owed = state.debts.balance[debt] > 0.01 if len(due) else np.zeros(0, bool)
    for in_plan in (False, True):
        pick = owed & ((state.plan_left[due] > 0) == in_plan)
        rows = due[pick]
        pay(
            state,
            record,
            reversals,
            rows,
            debt[pick],
            state.scheduled_amount[rows],
            second[pick],
            u_reversal,
            promise=state.scheduled_promise[rows],
            in_plan=in_plan,
        )
    goes_on = due[owed & (state.plan_left[due] > 0)]
    goes_on = goes_on[u_next[goes_on] < _INSTALMENT_KEPT]
    state.scheduled_day[due] = NEVER
    state.scheduled_promise[due] = -1
    state.plan_left[due] -= state.plan_left[due] > 0
    goes_on = goes_on[state.plan_left[goes_on] > 0]
    state.scheduled_day[goes_on] = state.day + 30
    state.promise_until[goes_on] = state.day + 30


def overnight(
    state: State, record: Recorder, reversals: Reversals, changed: np.ndarray, u: np.ndarray
) -> None:
    """Move the state to the next morning and write the snapshots of that night.

    Parameters
    ----------
    changed : int array
        Customers whose debts changed during the day.
    u : (n,) float
        Uniforms that decide which cured debts miss their next due day.
    """
    preset, debts = state.preset, state.debts
    state.effect *= decay(preset).astype(np.float32)
    state.load *= 0.5 ** (1.0 / preset.fatigue_half_life_days)
    state.post = np.roll(state.post, -1, axis=0)
    state.post[-1] = 0.0
    state.effect[:, LETTER] += state.post[0]
    state.post[0] = 0.0
    state.day += 1
    moved = np.zeros(len(debts.customer), bool)
    moved |= _take_back(state, reversals)
    age = state.day - debts.since
    is_open = (debts.status == OPEN) | (debts.status == IN_PLAN)
    missed = is_open & (age % 30 == 0) & (age < 180) & (age > 0)
    debts.past_due[missed] = np.round(
        np.minimum(debts.balance, debts.past_due + debts.instalment)[missed], 2
    )
    charged = is_open & (age == 180)
    debts.past_due[charged] = debts.balance[charged]
    moved |= missed | charged | _enter(state) | _miss_again(state, u)
    if preset.recall_dpd is not None:
        recalled = is_open & (age > preset.recall_dpd)
        debts.status[recalled] = CLOSED
        debts.ended[recalled] = state.day
        moved |= recalled
    whom = np.unique(debts.customer[moved])
    left = ~np.isin(debts.status[np.maximum(state.lead[whom], 0)], (OPEN, IN_PLAN))
    state.choose_lead(whom[left | (state.lead[whom] < 0)])
    touched = np.zeros(state.n_customers, bool)
    touched[changed] = True
    # a statement a week, a month for charged-off balances, which seldom move
    every = np.where(age > 180, 28, 7)
    weekly = ((np.arange(len(age)) + state.day) % every == 0) & is_open
    snapshot(state, record, np.flatnonzero(moved | weekly | touched[debts.customer]))


def _take_back(state: State, reversals: Reversals) -> np.ndarray:
    """Undo the payments reversed today; return a mask of the debts concerned."""
    moved = np.zeros(len(state.debts.customer), bool)
    now = reversals.day == state.day
    debt = reversals.debt[now]
    keep = ~now
    amount = reversals.amount[now]
    reversals.day, reversals.debt = reversals.day[keep], reversals.debt[keep]
    reversals.customer, reversals.amount = reversals.customer[keep], reversals.amount[keep]
    debts = state.debts
    debts.balance[debt] = np.round(debts.balance[debt] + amount, 2)
    debts.past_due[debt] = np.round(debts.past_due[debt] + amount, 2)
    reopened = debt[debts.status[debt] != CLOSED]
    debts.status[reopened] = OPEN
    debts.ended[reopened] = NEVER
    moved[debt] = True
    return moved


def _enter(state: State) -> np.ndarray:
    """Debts that fall behind, or are placed with us, today."""
    debts, preset = state.debts, state.preset
    enters = (debts.status == NOT_YET) & (debts.entry == state.day)
    n_missed = 1 + preset.entry_dpd // 30
    due = np.minimum(debts.balance, debts.instalment * n_missed)
    due = due if preset.entry_dpd < 180 else debts.balance
    debts.past_due[enters] = np.round(due[enters], 2)
    debts.status[enters] = OPEN
    return enters


def _miss_again(state: State, u: np.ndarray) -> np.ndarray:
    """Cured instalment debts that miss a later due day."""
    debts = state.debts
    due_day = (state.day - debts.since) % 30 == 1
    settled_down = state.refractory_until[debts.customer] <= state.day
    tries = (debts.status == CURED) & due_day & settled_down
    again = tries & (u[debts.customer] < state.preset.redefault_share)
    if state.preset.entry_dpd > 1:
        again &= False  # books that start later never see a young arrear
    debts.since[again] = state.day - 1
    debts.past_due[again] = np.minimum(debts.balance, debts.instalment)[again]
    debts.status[again] = OPEN
    return again


def snapshot(state: State, record: Recorder, debt: np.ndarray) -> None:
    """Write the state of debts as the nightly extract shows it this morning."""
    debts = state.debts
    dpd = state.days_past_due(debt)
    since = debts.since[debt]
    next_due = since + 30 * (1 + (state.day - since) // 30)
    record.add(
        "debt_snapshots",
        len(debt),
        debt=debt,
        observed_us=state.clock.utc_midnight_us(state.day) + SNAPSHOT_US,
        balance=debts.balance[debt],
        past_due=debts.past_due[debt],
        days_past_due=dpd,
        status=debts.status[debt],
        next_due=np.where((dpd < 180) & (debts.status[debt] < SETTLED), next_due, NEVER),
        instalment=debts.instalment[debt],
    )
