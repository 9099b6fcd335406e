"""The true value of every action in the current state, in closed form from the intensities.

A customer in the state of this morning pays on the coming day t, given no payment before, with
chance ``1 - exp(-rate_t)``. Sums of those chances over the horizon give the money of waiting and
of a contact; the chances of reach, promise and harm weigh them. After a payment none follows
within the horizon, so that one payment per customer is all there is to sum.
"""

from __future__ import annotations

import numpy as np

from contactopt.config import ObjectiveConfig
from contactopt.contracts.action_space import ActionSpace
from contactopt.errors import ConfigError
from contactopt.simulation.contacts import PROMISE_DAYS, promise_delay_shares
from contactopt.simulation.hazards import (
    base_intensity,
    decay,
    effect_intensity,
    expected_money,
    money_due,
)
from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.response import LETTER, contact_mix, default_point, harm, reach
from contactopt.simulation.state import State, stage_of

__all__ = ["true_pay_wait", "true_reach", "true_values"]

_BLOCK = 20_000
_LONG_PLAN = 12


def channel_codes(actions: ActionSpace) -> np.ndarray:
    """Return the position of each action's channel in ``WORLD_CHANNELS``, (m,)."""
    known = {c: k for k, c in enumerate(WORLD_CHANNELS)}
    unknown = [c for c in actions.channels if c not in known]
    if unknown:
        raise ConfigError(
            f"the simulated world has no channel {', '.join(unknown)}",
            hint=f"its channels are {', '.join(WORLD_CHANNELS)}",
        )
    return np.array([known[a.channel] for a in actions], dtype=np.int64)


def true_reach(state: State, actions: ActionSpace) -> np.ndarray:
    """Return the chance that each action reaches each customer today, (n, m) float64."""
    codes = channel_codes(actions)
    out = np.zeros((state.n_customers, len(actions)))
    everyone = np.arange(state.n_customers)
    for channel in np.unique(codes):
        point = default_point(state, everyone, int(channel))
        for k in np.flatnonzero(codes == channel):
            hour = np.full(state.n_customers, actions.hours[k])
            out[:, k] = reach(state, everyone, int(channel), hour, point)
    return out


def true_pay_wait(state: State, horizon_days: int) -> np.ndarray:
    """Return the chance that each customer pays within the horizon without contact, (n,)."""
    _check_horizon(state, horizon_days)
    out = np.zeros(state.n_customers)
    for rows in _blocks(state.n_customers):
        still = np.ones(len(rows))
        for t in range(horizon_days):
            still *= np.exp(-_rate(state, rows, t))
        out[rows] = 1 - still
    soon = state.scheduled_day < state.day + horizon_days
    return np.where(soon, 1.0, out)


def true_values(
    state: State, actions: ActionSpace, objective: ObjectiveConfig | None = None
) -> np.ndarray:
    """Return the expected net value of each action over waiting, nothing done afterwards, (n, m).

    Margin times discounted money over waiting within the horizon, less the variable cost and the
    expected cost of complaints and opt-outs. Customers with nothing past due get minus cost and
    harm. What the state hides (types, dead points, promises that will be kept) is known here.

    Raises
    ------
    ConfigError
        If the horizon is longer than the pause after a payment (30 days in every preset), beyond
        which the sum over first payments would not be exact, or a channel is unknown.
    """
    objective = objective or ObjectiveConfig.model_validate({})
    _check_horizon(state, objective.horizon_days)
    codes = channel_codes(actions)
    reaches = true_reach(state, actions)
    values = np.zeros_like(reaches)
    cost = np.asarray(state.preset.unit_cost)[codes]
    earned = objective.margin_share * (1 - state.preset.reversal_share)
    for rows in _blocks(state.n_customers):
        lifts = _contact_lifts(state, rows, np.unique(codes), objective)
        for channel, lift in lifts.items():
            arms = codes == channel
            complaint, opt_out = harm(state, rows, channel, default_point(state, rows, channel))
            lost = complaint * objective.cost_per_complaint
            lost = lost + opt_out * objective.cost_per_opt_out
            gain = earned * reaches[np.ix_(rows, arms)] * lift[:, None]
            values[np.ix_(rows, arms)] = gain - cost[arms] - lost[:, None]
    return values


def _contact_lifts(
    state: State, rows: np.ndarray, channels: np.ndarray, objective: ObjectiveConfig
) -> dict[int, np.ndarray]:
    """Return the money that a contact that reached adds over waiting, by channel, each (r,)."""
    horizon = objective.horizon_days
    daily = (1 + objective.discount_rate_yearly) ** (-1 / 365)
    fade = decay(state.preset)
    mixes = {int(c): contact_mix(state, rows, int(c)) for c in channels}
    money_wait = np.zeros(len(rows))
    talk = {c: np.zeros(len(rows)) for c in mixes}
    still_wait = np.ones(len(rows))
    still = {c: np.ones(len(rows)) for c in mixes}
    for t in range(horizon):
        base = base_intensity(state, rows, t)
        at_risk = base > 0
        rate = base + np.where(at_risk, effect_intensity(state, rows, t), 0.0)
        money = expected_money(state, rows, t) * daily**t
        money_wait += still_wait * -np.expm1(-rate) * money
        still_wait *= np.exp(-rate)
        for c, mix in mixes.items():
            lag = state.preset.letter_lag_days if c == LETTER else 0
            added = mix.jump * (fade[c] ** (t - lag)) if t >= lag else 0.0
            rate_c = np.where(at_risk, rate + added, 0.0)
            talk[c] += still[c] * -np.expm1(-rate_c) * money
            still[c] *= np.exp(-rate_c)
    now = expected_money(state, rows, 0)
    first_part = _first_instalment(state, rows)
    later = _promise_discount(state, rows, daily)
    lifts = {}
    for c, mix in mixes.items():
        broken = (1 - mix.kept) * money_wait
        promised = mix.kept * now * later + broken
        planned = mix.kept * first_part * later + broken
        rest = 1 - mix.paid - mix.promise - mix.plan
        total = mix.paid * now + mix.promise * promised + mix.plan * planned + rest * talk[c]
        lifts[c] = total - money_wait
    return lifts


def _promise_discount(state: State, rows: np.ndarray, daily: float) -> np.ndarray:
    """Return the mean discount factor of the day on which a kept promise pays, (r,)."""
    payday, named = promise_delay_shares(state, rows)
    low, high = PROMISE_DAYS
    other = np.mean(daily ** np.arange(low, high + 1.0))
    shift = 0.25 * daily**-1.0 + 0.5 + 0.25 * daily
    return shift * (named * daily ** payday.astype(float) + (1 - named) * other)


def _first_instalment(state: State, rows: np.ndarray) -> np.ndarray:
    charged_off = stage_of(state.lead_dpd(rows)) == 3
    parts = np.where(charged_off, _LONG_PLAN, state.preset.plan_instalments)
    return money_due(state, rows, 0) / parts


def _rate(state: State, rows: np.ndarray, ahead: int) -> np.ndarray:
    base = base_intensity(state, rows, ahead)
    return base + np.where(base > 0, effect_intensity(state, rows, ahead), 0.0)


def _check_horizon(state: State, horizon_days: int) -> None:
    longest = min(state.preset.refractory_days, 30)
    if horizon_days > longest:
        raise ConfigError(
            f"true values reach {longest} days ahead, not {horizon_days}",
            hint=f"set objective.horizon_days to {longest} or less in the simulated world",
        )


def _blocks(n: int) -> list[np.ndarray]:
    return [np.arange(a, min(a + _BLOCK, n)) for a in range(0, n, _BLOCK)]
