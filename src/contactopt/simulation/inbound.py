"""Contacts that customers begin: signs of life without an effect of their own.

Payments are drawn from intensities alone, so an inbound call or a visit to the portal tells
something about the customer but changes nothing: the closed form of the truth stays exact.
"""

from __future__ import annotations

import numpy as np

from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.record import OUTCOME_CODE, Recorder
from contactopt.simulation.state import State

__all__ = ["draw_inbound"]

_PORTAL = len(WORLD_CHANNELS)
_CALL, _SMS, _EMAIL = (WORLD_CHANNELS.index(c) for c in ("call_agent", "sms", "email"))
#: (channel, outcome, share) of contacts a customer begins (A)
_KINDS = (
    (_CALL, "no_commitment", 0.30),
    (_CALL, "callback", 0.12),
    (_CALL, "claims_paid", 0.08),
    (_PORTAL, "visited", 0.35),
    (_SMS, "replied", 0.10),
    (_EMAIL, "replied", 0.05),
)
#: share of payments that are made in the portal during a visit that is logged (A)
_PORTAL_SHARE = 0.12


def draw_inbound(state: State, record: Recorder, payers: np.ndarray, u: np.ndarray) -> None:
    """Draw the day's inbound contacts.

    Parameters
    ----------
    payers : int array
        Customers who paid today.
    u : (3, n) float
        Uniforms: whether, which kind, second of the day.
    """
    everyone = np.arange(state.n_customers)
    stirred = 1.0 + 3.0 * np.minimum(state.effect.sum(axis=1) * 20.0, 1.0)
    asks = (state.lead >= 0) & ~state.inert & (u[0] < state.latent.inbound * stirred)
    rows = everyone[asks]
    edges = np.cumsum([k[2] for k in _KINDS])[:-1]
    kind = np.searchsorted(edges, u[1, rows], side="right")
    channel = np.array([k[0] for k in _KINDS])[kind]
    outcome = np.array([OUTCOME_CODE[k[1]] for k in _KINDS])[kind]
    second = (7 * 3600 + u[2, rows] * 14.5 * 3600).astype(np.int64)
    _write(state, record, rows, channel, outcome, second)
    in_portal = np.unique(payers[u[0, payers] > 1 - _PORTAL_SHARE])
    second = np.full(len(in_portal), 7 * 3600 + 1800) + (u[2, in_portal] * 1200).astype(np.int64)
    paid = np.full(len(in_portal), OUTCOME_CODE["paid_online"])
    _write(state, record, in_portal, np.full(len(in_portal), _PORTAL), paid, second)


def _write(
    state: State,
    record: Recorder,
    rows: np.ndarray,
    channel: np.ndarray,
    outcome: np.ndarray,
    second: np.ndarray,
) -> None:
    started = state.clock.instant_us(state.day, state.people.zone[rows], second)
    duration = np.where(channel == _CALL, 180, 0)
    record.add(
        "touches",
        len(rows),
        customer=rows,
        debt=state.lead[rows],
        channel=channel,
        inbound=True,
        started_us=started,
        outcome=outcome,
        outcome_us=started + duration * 1_000_000,
        responded=False,
        point=-1,
        template=-1,
        decision=-1,
        duration_s=duration,
        late=False,
    )
