"""The policy that wrote the history: calls most people at ten and likely payers first."""

from __future__ import annotations

from datetime import date

import numpy as np

from contactopt.simulation.contacts import Attempts
from contactopt.simulation.population import LANGUAGES
from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.record import Recorder
from contactopt.simulation.response import IS_CALL, LETTER, default_point
from contactopt.simulation.state import State

__all__ = ["DECIDED_S", "TEMPLATE_CHANNELS", "decide", "template_name"]

#: second of the UTC day at which the incumbent decides, after the nightly snapshot
DECIDED_S = 8 * 3600 + 600
_HOURS = np.arange(8, 20)
_SATURDAY_HOURS = np.arange(9, 14)
_TEN = 10
#: channels that carry a text; two variants per language
TEMPLATE_CHANNELS = ("call_bot", "sms", "whatsapp", "email", "letter")
_CLOSED_DAYS = ((12, 25), (1, 1))
_LISBON = 5
_SCORE_LOW, _SCORE_RANGE = 480.0, 200.0


def template_name(code: int) -> str:
    """Return the id of a template code."""
    channel, rest = divmod(int(code), 2 * len(LANGUAGES))
    language, variant = divmod(rest, 2)
    return f"{TEMPLATE_CHANNELS[channel]}-{LANGUAGES[language]}-{'ab'[variant]}"


def decide(state: State, record: Recorder, score: np.ndarray, u: np.ndarray) -> Attempts:
    """Draw the incumbent's actions of the day and log their probabilities.

    Two fifths of the customers are decided on each day but Sundays. Who can be contacted is
    contacted with a probability that rises with the bureau score, a low age of the debt and past
    payments (this is what misleads naive learners); channel and hour are drawn independently.
    Every lawful channel and hour has a positive probability.

    Parameters
    ----------
    score : (n,) float
        The bureau score of the customers table.
    u : (4, n) float
        Uniforms: contact, channel, hour, template.
    """
    day = state.day
    everyone = np.arange(state.n_customers)
    turns, cycle = state.preset.incumbent_turns
    today = everyone[((everyone + turns * day) % cycle < turns) & (state.lead >= 0)]
    on = state.clock.date_of(day)
    if on.weekday() == 6 or (on.month, on.day) in _CLOSED_DAYS:
        today = today[:0]
    dpd = state.lead_dpd(today)
    rests = (state.promise_until[today] > day) | (state.held_until[today] > day)
    rests |= state.inert[today] | (day - state.last_touch[today] < 2)
    weight = _channel_weights(state, today, ~rests)
    can = weight.sum(axis=1) > 0
    p_contact = np.where(can, _contact_share(state, today, dpd, score[today]), 0.0)
    contacted = u[0, today] < p_contact
    p_channel = weight / np.where(can, weight.sum(axis=1), 1.0)[:, None]
    edges = np.cumsum(p_channel, axis=1)
    channel = (u[1, today][:, None] >= edges).sum(axis=1)
    last = weight.shape[1] - 1 - np.argmax((weight > 0)[:, ::-1], axis=1)
    channel = np.minimum(channel, last)
    hour, p_hour = _hours(state, on, today, channel, u[2])
    at = np.arange(len(today))
    p_action = p_contact * p_channel[at, channel] * p_hour
    template = _template(state, today, channel, u[3])
    number = record.add(
        "decisions",
        len(today),
        customer=today,
        decided_us=state.clock.utc_midnight_us(day) + DECIDED_S * 1_000_000,
        channel=np.where(contacted, channel, -1),
        hour=np.where(contacted, hour, -1),
        propensity=np.where(contacted, p_action, 1.0 - p_contact),
        template=np.where(contacted, template, -1),
        day=day,
    )
    go = contacted
    return Attempts(
        customer=today[go],
        channel=channel[go],
        hour=hour[go],
        point=np.full(int(go.sum()), -1, np.int64),
        decision=number[go],
        template=template[go],
    )


def _channel_weights(state: State, rows: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Unnormalised channel shares, 0 where consent, contact point or rest days forbid; (r, 9)."""
    weight = (state.people.consent[rows] > 0) & ~state.opted_out[rows] & free[:, None]
    weight = weight * np.asarray(state.preset.incumbent_channels)
    talked = state.day - state.last_talk[rows] <= 7
    for channel in np.flatnonzero(state.preset.incumbent_channels):
        weight[:, channel] *= default_point(state, rows, int(channel)) >= 0
        if IS_CALL[channel]:
            weight[:, channel] *= ~talked
    return weight


def _contact_share(
    state: State, rows: np.ndarray, dpd: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Chance to be contacted: likely payers first."""
    low, high = state.preset.incumbent_contact
    standing = np.clip((score - _SCORE_LOW) / _SCORE_RANGE, 0.0, 1.0)
    likely = 0.35 * np.exp(-dpd / 60.0) + 0.2 * (state.n_paid[rows] > 0) + 0.45 * standing
    return low + (high - low) * likely


def _hours(
    state: State, on: date, rows: np.ndarray, channel: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the local hour; letters have none (-1) with probability 1."""
    hours = _SATURDAY_HOURS if on.weekday() == 5 else _HOURS
    early = state.people.zone[rows] == _LISBON
    ten = state.preset.incumbent_ten_share
    p = np.where(hours == _TEN, ten, (1 - ten) / (len(hours) - 1))
    table = np.tile(p, (2, 1))
    table[1, hours < 9] = 0.0  # eight o'clock in Lisbon lies before the decision
    table[1] /= table[1].sum()
    edges = np.cumsum(table, axis=1)[early.astype(int)]
    k = np.minimum((u[rows][:, None] >= edges).sum(axis=1), len(hours) - 1)
    hour, share = hours[k], table[early.astype(int), k]
    return np.where(channel == LETTER, -1, hour), np.where(channel == LETTER, 1.0, share)


def _template(state: State, rows: np.ndarray, channel: np.ndarray, u: np.ndarray) -> np.ndarray:
    codes = np.full(len(WORLD_CHANNELS), -1)
    for k, word in enumerate(TEMPLATE_CHANNELS):
        codes[WORLD_CHANNELS.index(word)] = k
    mine = codes[channel]
    variant = (u[rows] < 0.5).astype(np.int64)
    code = (mine * len(LANGUAGES) + state.people.language[rows]) * 2 + variant
    return np.where(mine >= 0, code, -1)
