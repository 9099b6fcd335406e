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

__all__ = [
    "BOT",
    "IS_CALL",
    "LETTER",
    "VISIT",
    "ContactMix",
    "contact_mix",
    "default_point",
    "fatigue",
    "harm",
    "presence",
    "reach",
]

#: channels as positions in ``WORLD_CHANNELS``: one for all rows, or one per row
Codes = int | np.ndarray
_INDEX = {c: k for k, c in enumerate(WORLD_CHANNELS)}
LETTER, BOT, VISIT = _INDEX["letter"], _INDEX["call_bot"], _INDEX["visit"]
#: by channel: spoken with a person on the line or at the door, as against read
IS_CALL = np.isin(WORLD_CHANNELS, ("call_agent", "call_bot", "visit"))
_GROUP = np.array(CHANNEL_GROUP)
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
    state: State, rows: np.ndarray, channel: Codes, hour: np.ndarray, point: np.ndarray
) -> np.ndarray:
    """Chance that an attempt on the current day reaches the customer, shape of ``rows``.

    Parameters
    ----------
    state : State
    rows : (r,) int array
        Customers.
    channel : int or (r,) int array
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
    at_hand = presence(state, rows, hour)
    rejected = latent.blocks[rows] & (np.asarray(channel) != VISIT)
    answers = np.minimum(0.95, at_hand * taste) * preset.right_party_share
    answers = answers * np.where(rejected, BLOCK_LEAK, 1.0)
    seen = np.where(np.asarray(channel) == LETTER, 1.0, 0.7 + 0.9 * at_hand)
    reads = np.minimum(0.95, np.asarray(preset.read_rate)[channel] * taste * seen)
    reads = (1 - preset.undelivered_share) * reads * fatigue(state, rows)
    return alive * np.where(IS_CALL[channel], answers, reads)


def presence(state: State, rows: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """Chance to be at hand at a local hour of the current day, shape of ``rows``."""
    weekend = int((state.day + state.start_weekday) % 7 >= 5)
    return state.latent.answer[rows, weekend, np.where(hour < 0, _NOON, hour)]


def default_point(state: State, rows: np.ndarray, channel: Codes) -> np.ndarray:
    """Return the contact point that a channel uses unless it is told another."""
    return state.best_point[_GROUP[channel], rows]


def contact_mix(state: State, rows: np.ndarray, channel: Codes) -> ContactMix:
    """Return what a contact through ``channel`` sets off in customers ``rows`` today."""
    preset, latent = state.preset, state.latent
    stage = stage_of(state.lead_dpd(rows))
    worn = fatigue(state, rows)
    # who has just paid, or has promised already, promises nothing more
    free = (state.lead[rows] >= 0) & ~state.inert[rows]
    free &= state.refractory_until[rows] <= state.day
    free &= (state.promise_until[rows] <= state.day) & (state.scheduled_day[rows] == NEVER)
    willing = free * worn * latent.promise[rows]
    promise = np.asarray(preset.promise_share)[stage] * np.asarray(preset.channel_promise)[channel]
    paid = np.asarray(preset.paid_now_share)[stage] * np.asarray(preset.channel_promise)[channel]
    plan = np.asarray(preset.plan_share)[stage] * np.asarray(preset.channel_plan)[channel]
    total = np.maximum(1.0, (promise + paid + plan) * willing / 0.9)
    kept = np.asarray(preset.kept_share)[stage] * latent.kept[rows]
    kept = kept - preset.bot_kept_penalty * (np.asarray(channel) == BOT)
    jump = latent.strength[rows, channel] * np.asarray(preset.stage_strength)[stage] * worn
    return ContactMix(
        paid=paid * willing / total,
        promise=promise * willing / total,
        plan=plan * willing / total,
        kept=np.clip(kept, 0.05, 0.95),
        jump=np.where(state.inert[rows], 0.0, jump),
    )


def harm(
    state: State, rows: np.ndarray, channel: Codes, point: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances of a complaint and of an opt-out after one attempt, each (r,)."""
    preset = state.preset
    if not len(rows) or not len(state.points.customer):
        return np.zeros(len(rows)), np.zeros(len(rows))
    alive = (point >= 0) & state.points.alive[np.maximum(point, 0)]
    growth = alive * np.exp(np.minimum(preset.harm_growth * state.load[rows], 4.0))
    complaint = -np.expm1(-np.asarray(preset.complaint)[channel] * growth)
    opt_out = -np.expm1(-np.asarray(preset.opt_out)[channel] * growth)
    return complaint, opt_out
