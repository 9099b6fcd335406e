"""Payment intensities of a customer over the days ahead, and the money at stake on each."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from contactopt.simulation.clock import payday_table
from contactopt.simulation.presets import Preset
from contactopt.simulation.response import LETTER
from contactopt.simulation.state import NEVER, State, stage_of

__all__ = [
    "MAX_DAYS",
    "base_intensity",
    "decay",
    "effect_intensity",
    "expected_money",
    "money_due",
    "pay_shares",
]

#: the longest history of a world, in days
MAX_DAYS = 1500
_MAX_DPD = 6000


@lru_cache(maxsize=32)
def _base_by_dpd(knots: tuple[tuple[int, float], ...]) -> np.ndarray:
    """Daily intensity by days past due, log-linear between the preset's buckets."""
    dpd = np.array([d for d, _ in knots], dtype=np.float64)
    daily = -np.log1p(-np.array([p for _, p in knots])) / 30.0
    days = np.arange(1, _MAX_DPD + 1)
    table = np.exp(np.interp(np.log(days), np.log(dpd), np.log(daily)))
    return np.concatenate([[0.0], table])


def base_intensity(state: State, rows: np.ndarray, ahead: int) -> np.ndarray:
    """Intensity of paying without further contact, ``ahead`` days from now; shape of ``rows``.

    Zero where nothing is past due, where a payment was just made, where a promise that will be
    kept stands, and after a recall.
    """
    preset, latent = state.preset, state.latent
    dpd_now = state.lead_dpd(rows)
    dpd = np.minimum(dpd_now + ahead, _MAX_DPD)
    exposed = (dpd_now > 0) & ~state.inert[rows]
    exposed &= state.refractory_until[rows] <= state.day + ahead
    exposed &= state.scheduled_day[rows] == NEVER
    if preset.recall_dpd is not None:
        exposed &= dpd <= preset.recall_dpd
    pay_days = payday_table(
        state.clock.start, MAX_DAYS + 100, preset.payday_factor, preset.payday_days
    )
    rhythm = pay_days[latent.cycle[rows], state.day + ahead]
    rate = _base_by_dpd(preset.self_cure)[dpd] * latent.pay[rows] * _balance_factor(state, rows)
    return np.where(exposed, rate * rhythm, 0.0)


def _balance_factor(state: State, rows: np.ndarray) -> np.ndarray:
    if not len(state.debts.customer):
        return np.ones(len(rows))
    balance = state.debts.balance[np.maximum(state.lead[rows], 0)]
    efolds = np.log(np.maximum(balance, 1.0) / state.preset.reference_balance)
    return np.clip(state.preset.balance_efold**efolds, 0.35, 2.5)


def decay(preset: Preset) -> np.ndarray:
    """Share of a contact's intensity left after one day, by channel; shape (9,)."""
    return 0.5 ** (1.0 / np.asarray(preset.half_life_days))


def effect_intensity(state: State, rows: np.ndarray, ahead: int) -> np.ndarray:
    """Intensity that past contacts still add ``ahead`` days from now; shape of ``rows``."""
    left = (decay(state.preset) ** ahead).astype(np.float32)
    total = state.effect[rows] @ left
    for arrives in range(1, min(ahead, len(state.post) - 1) + 1):
        total = total + state.post[arrives, rows] * decay(state.preset)[LETTER] ** (ahead - arrives)
    return total


def pay_shares(state: State, rows: np.ndarray, ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the chance of paying all that is due and the mean share paid otherwise."""
    stage = stage_of(state.lead_dpd(rows) + ahead)
    full = np.asarray(state.preset.full_share)[stage]
    return full, np.asarray(state.preset.partial_share)[stage]


def money_due(state: State, rows: np.ndarray, ahead: int) -> np.ndarray:
    """Arrears of the lead debt ``ahead`` days from now if nothing is paid; shape of ``rows``.

    An instalment falls due every 30 days; from 180 days past due the whole balance is due.
    """
    if not len(state.debts.customer):
        return np.zeros(len(rows))
    debt = np.maximum(state.lead[rows], 0)
    debts = state.debts
    dpd = state.lead_dpd(rows)
    missed = (dpd + ahead) // 30 - dpd // 30
    due = np.minimum(debts.balance[debt], debts.past_due[debt] + missed * debts.instalment[debt])
    due = np.where((dpd + ahead >= 180) & (dpd < 180), debts.balance[debt], due)
    return np.where(state.lead[rows] >= 0, due, 0.0)


def expected_money(state: State, rows: np.ndarray, ahead: int) -> np.ndarray:
    """Mean of a payment made ``ahead`` days from now; shape of ``rows``."""
    full, partial = pay_shares(state, rows, ahead)
    return money_due(state, rows, ahead) * (full + (1 - full) * partial)
