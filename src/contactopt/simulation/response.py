"""The response law: who is reached, and what a contact that reached sets off.

The law works with intensities per day that add up and fade; nothing in it is a logit, a rate
table or a tree, so that no model of the library is handed its own formula.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from contactopt.simulation.population import CHANNEL_GROUP
from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.state import NEVER, State, stage_of

__all__ = ["CALLS", "DIGITAL", "LETTER", "ContactMix", "contact_mix", "default_point", "fatigue", "harm", "presence", "reach"]

_INDEX = {c: k for k, c in enumerate(WORLD_CHANNELS)}
CALLS = (_INDEX["call_agent"], _INDEX["call_bot"], _INDEX["visit"])
DIGITAL = tuple(_INDEX[c] for c in ("sms", "whatsapp", "email", "push", "chat"))
LETTER = _INDEX["letter"]
BOT = _INDEX["call_bot"]
VISIT = _INDEX["visit"]
#: an unknown call that gets through to a phone that blocks (A)
BLOCK_LEAK = 0.04
#: hour of the customer where an action has none but its channel would need one
_NOON = 12


@dataclasses.dataclass(slots=True)
class ContactMix:
    """What follows a right-party contact or a read message, per row.

    Attributes
    ----------
    paid, promise, plan : (r,) float
        Chances to pay at once, to promise, to agree a plan; the rest only talks or reads.
    kept : (r,) float
        Chance that a promise or a first instalment will be kept.
    jump : (r,) float
        Intensity per day that talking or reading adds at first.
    """

    paid: np.ndarray
    promise: np.ndarray
    plan: np.ndarray
    kept: np.ndarray
    jump: np.ndarray


def fatigue(state: State, rows: np.ndarray) -> np.ndarray:
    """Multiplier of every response: ``fatigue_factor`` to the power of touches that weigh."""
    return state.preset.fatigue_factor ** state.load[rows]


def reach(
    state: State, rows: np.ndarray, channel: int, hour: np.ndarray, point: np.ndarray
) -> np.ndarray:
    """Chance that an attempt on the current day reaches the customer, shape of ``rows``.

    Parameters
    ----------
    state : State
    rows : (r,) int array
        Customers.
    channel : int
        Position in ``WORLD_CHANNELS``.
    hour : (r,) int array
        Local clock hour, -1 where the action has none.
    point : (r,) int array
        Contact point used, -1 for none (reach 0).
    """
    preset, latent = state.preset, state.latent
    if not len(rows) or not len(state.points.customer):
        return np.zeros(len(rows))
    alive = (point >= 0) & state.points.alive[np.maximum(point, 0)]
    taste = latent.taste[rows, channel]
    if channel == LETTER:
        p = np.minimum(0.95, preset.read_rate[channel] * taste)
        return alive * (1 - preset.undelivered_share) * p * fatigue(state, rows)
    p_home = presence(state, rows, hour)
    if channel in CALLS:
        p = np.minimum(0.95, p_home * taste) * preset.right_party_share
        if channel != VISIT:
            p = p * np.where(latent.blocks[rows], BLOCK_LEAK, 1.0)
        return alive * p
    p = np.minimum(0.95, preset.read_rate[channel] * taste * (0.7 + 0.9 * p_home))
    return alive * (1 - preset.undelivered_share) * p * fatigue(state, rows)


def presence(state: State, rows: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """Chance to be at hand at a local hour of the current day, shape of ``rows``."""
    weekend = int((state.day + state.start_weekday) % 7 >= 5)
    return state.latent.answer[rows, weekend, np.where(hour < 0, _NOON, hour)]


def default_point(state: State, rows: np.ndarray, channel: int) -> np.ndarray:
    """Return the contact point that a channel uses unless it is told another."""
    return state.best_point[CHANNEL_GROUP[channel], rows]


def contact_mix(state: State, rows: np.ndarray, channel: int) -> ContactMix:
    """Return what a contact through ``channel`` sets off in customers ``rows`` today."""
    preset, latent = state.preset, state.latent
    stage = stage_of(state.lead_dpd(rows))
    worn = fatigue(state, rows)
    # who has just paid, or has promised already, promises nothing more
    free = (state.lead[rows] >= 0) & ~state.inert[rows]
    free &= state.refractory_until[rows] <= state.day
    free &= (state.promise_until[rows] <= state.day) & (state.scheduled_day[rows] == NEVER)
    willing = free * worn * latent.promise[rows]
    promise = np.asarray(preset.promise_share)[stage] * preset.channel_promise[channel]
    paid = np.asarray(preset.paid_now_share)[stage] * preset.channel_promise[channel]
    plan = np.asarray(preset.plan_share)[stage] * preset.channel_plan[channel]
    total = np.maximum(1.0, (promise + paid + plan) * willing / 0.9)
    kept = np.asarray(preset.kept_share)[stage] * latent.kept[rows]
    kept = kept - preset.bot_kept_penalty * (channel == BOT)
    jump = latent.strength[rows, channel] * np.asarray(preset.stage_strength)[stage] * worn
    return ContactMix(
        paid=paid * willing / total,
        promise=promise * willing / total,
        plan=plan * willing / total,
        kept=np.clip(kept, 0.05, 0.95),
        jump=np.where(state.inert[rows], 0.0, jump),
    )


def harm(state: State, rows: np.ndarray, channel: int, point: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the chances of a complaint and of an opt-out after one attempt, each (r,)."""
    preset = state.preset
    if not len(rows) or not len(state.points.customer):
        return np.zeros(len(rows)), np.zeros(len(rows))
    alive = (point >= 0) & state.points.alive[np.maximum(point, 0)]
    growth = alive * np.exp(np.minimum(preset.harm_growth * state.load[rows], 4.0))
    complaint = -np.expm1(-preset.complaint[channel] * growth)
    opt_out = -np.expm1(-preset.opt_out[channel] * growth)
    return complaint, opt_out


