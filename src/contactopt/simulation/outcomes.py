"""The words of outcomes: what an attempt is recorded as, given what happened."""

from __future__ import annotations

import numpy as np

from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.record import OUTCOME_CODE
from contactopt.simulation.response import IS_CALL, LETTER, VISIT
from contactopt.simulation.state import State

__all__ = ["NOT_REACHED", "PAID", "PLANNED", "PROMISED", "TALK", "attempt_outcome", "harm_outcome"]

#: what an attempt comes to; `NOT_REACHED` sorts after all contacts
PAID, PROMISED, PLANNED, TALK, NOT_REACHED = 0, 1, 2, 3, 9

_TALK_CALL = (
    ("no_commitment", 0.38),
    ("callback", 0.19),
    ("refused", 0.14),
    ("hung_up", 0.17),
    ("claims_paid", 0.06),
    ("hardship", 0.03),
    ("dispute", 0.025),
    ("vulnerable", 0.005),
)
_TALK_DIGITAL = {
    "sms": (("clicked", 0.6), ("replied", 0.4)),
    "whatsapp": (("opened", 0.6), ("clicked", 0.2), ("replied", 0.2)),
    "email": (("opened", 0.89), ("clicked", 0.10), ("replied", 0.01)),
    "push": (("opened", 0.7), ("clicked", 0.3)),
    "chat": (("opened", 0.5), ("replied", 0.5)),
    "letter": (("delivered", 1.0),),
}
_NOT_THROUGH = (("no_answer", 0.42), ("voicemail", 0.43), ("busy", 0.10), ("unreachable", 0.05))
_BLOCKED = (("blocked", 0.40), ("voicemail", 0.35), ("no_answer", 0.25))
_DEAD_CALL = (("invalid", 0.25), ("wrong_number", 0.15), ("no_answer", 0.60))
_DEAD_DIGITAL = {
    "email": (("bounced", 0.8), ("delivered", 0.2)),
    "letter": (("undelivered", 0.6), ("delivered", 0.4)),
}
_DEAD_MESSAGE = (("undelivered", 0.5), ("invalid", 0.3), ("delivered", 0.2))


def _pick(words: tuple[tuple[str, float], ...], u: np.ndarray) -> np.ndarray:
    """Draw outcome codes from (word, share) pairs."""
    edges = np.cumsum([share for _, share in words])[:-1]
    codes = np.array([OUTCOME_CODE[word] for word, _ in words])
    return codes[np.searchsorted(edges, u, side="right")]


def attempt_outcome(
    state: State,
    rows: np.ndarray,
    channel: np.ndarray,
    point: np.ndarray,
    p: np.ndarray,
    kind: np.ndarray,
    u: np.ndarray,
) -> np.ndarray:
    """Return the outcome code of each attempt before harm is considered.

    Parameters
    ----------
    p : (r,) float
        Chance of reach.
    kind : (r,) int
        What the attempt came to: `PAID` to `NOT_REACHED`.
    u : (9, n) float or more
        The customers' uniforms of the day.
    """
    v = u[8, rows]
    none = point < 0
    alive = ~none & (state.points.alive[np.maximum(point, 0)] if len(state.points.alive) else none)
    outcome = np.zeros(len(rows), np.int64)
    for code in np.unique(channel):
        at = np.flatnonzero(channel == code)
        outcome[at] = _outcome_alive(state, rows[at], int(code), p[at], kind[at], v[at], u[0])
        gone = at[~alive[at]]
        word = WORLD_CHANNELS[code]
        table = _DEAD_CALL if IS_CALL[code] else _DEAD_DIGITAL.get(word, _DEAD_MESSAGE)
        outcome[gone] = _pick(table, v[gone])
    return np.where(none, OUTCOME_CODE["unreachable"], outcome)


def _outcome_alive(
    state: State,
    rows: np.ndarray,
    channel: int,
    p: np.ndarray,
    kind: np.ndarray,
    v: np.ndarray,
    u_reach: np.ndarray,
) -> np.ndarray:
    """Return outcome codes of attempts through one channel on points that live."""
    if IS_CALL[channel]:
        got = _pick(_TALK_CALL, v)
        final = ("paid", "promise", "plan_agreed")
        missed = np.where(state.latent.blocks[rows], _pick(_BLOCKED, v), _pick(_NOT_THROUGH, v))
        if channel == VISIT:
            missed = np.full(len(rows), OUTCOME_CODE["no_answer"])
        # somebody else picks up where the line was answered but not by the customer
        answered = u_reach[rows] < p / state.preset.right_party_share
        missed = np.where(answered, OUTCOME_CODE["third_party"], missed)
    else:
        got = _pick(_TALK_DIGITAL[WORLD_CHANNELS[channel]], v)
        final = ("paid_online", "replied", "replied")
        lost = u_reach[rows] > 1 - state.preset.undelivered_share
        missed = np.where(lost, OUTCOME_CODE["undelivered"], OUTCOME_CODE["delivered"])
    codes = np.array([OUTCOME_CODE[name] for name in final])
    agreed = codes[np.minimum(kind, len(codes) - 1)]
    return np.where(kind == TALK, got, np.where(kind < TALK, agreed, missed))


def harm_outcome(
    outcome: np.ndarray,
    channel: np.ndarray,
    complains: np.ndarray,
    opts_out: np.ndarray,
    kind: np.ndarray,
) -> np.ndarray:
    """Show harm as the outcome where nothing better was agreed."""
    spoken = IS_CALL[channel]
    message = ~spoken & (channel != LETTER) & (kind >= TALK)
    stop = spoken & (kind == TALK) & (complains | opts_out)
    shown = np.where(stop, OUTCOME_CODE["asked_to_stop"], outcome)
    shown = np.where(message & opts_out, OUTCOME_CODE["opted_out"], shown)
    return np.where(message & complains, OUTCOME_CODE["complained"], shown)
