"""Carries out a day's outbound attempts: reach, outcome, promise, harm."""

from __future__ import annotations

import dataclasses

import numpy as np

from contactopt.simulation.clock import days_to_payday
from contactopt.simulation.hazards import MAX_DAYS, money_due
from contactopt.simulation.money import Reversals, draw_amount, pay
from contactopt.simulation.outcomes import (
    NOT_REACHED,
    PAID,
    PLANNED,
    PROMISED,
    TALK,
    attempt_outcome,
    harm_outcome,
)
from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.record import OUTCOME_CODE, Recorder
from contactopt.simulation.response import (
    BOT,
    IS_CALL,
    LETTER,
    VISIT,
    ContactMix,
    contact_mix,
    default_point,
    harm,
    reach,
)
from contactopt.simulation.state import IN_PLAN, NEVER, State, stage_of

__all__ = ["PROMISE_DAYS", "Attempts", "carry_out", "promise_delay_shares"]

#: shares of promises that name the next payday (if within 14 days) and else 3 to 10 days (A)
_PAYDAY_SHARE, _PAYDAY_MAX = 0.6, 14
PROMISE_DAYS = (3, 10)
_GRACE_DAYS = 3
#: instalments of a plan on a charged-off balance
_LONG_PLAN = 12

#: outcomes by which a dead point is found out
_FINDS_DEAD = tuple(OUTCOME_CODE[w] for w in ("invalid", "wrong_number", "bounced"))
#: days a hold of an outcome lasts (None: for good)
_HOLD_DAYS = {"dispute": 30, "hardship": 60, "vulnerable": None}
_MACHINE_OPEN_SHARE = 0.10
_EMAIL = WORLD_CHANNELS.index("email")


@dataclasses.dataclass(slots=True)
class Attempts:
    """Outbound attempts of one day, one row each; codes index the world's tables."""

    customer: np.ndarray
    channel: np.ndarray
    hour: np.ndarray
    point: np.ndarray
    decision: np.ndarray
    template: np.ndarray

    def of(self, pick: np.ndarray) -> Attempts:
        """Return the rows picked."""
        return Attempts(*(getattr(self, f.name)[pick] for f in dataclasses.fields(self)))


def promise_delay_shares(state: State, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return days to payday (r,) and the chance that a promise names it (r,)."""
    table = days_to_payday(state.clock.start, MAX_DAYS + 100)
    days = table[state.latent.cycle[rows], state.day]
    return days, np.where(days <= _PAYDAY_MAX, _PAYDAY_SHARE, 0.0)


def carry_out(
    state: State, record: Recorder, reversals: Reversals, attempts: Attempts, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry out attempts on the current day.

    Parameters
    ----------
    u : (16, n) float
        Uniforms of each customer for the day; further attempts on the same customer use them
        shifted by the golden ratio, so that one policy's draws do not disturb another's.

    Returns
    -------
    customers whose debts changed, and the second of the day of each customer's last touch (n,)
    """
    touched_s = np.zeros(state.n_customers, np.int64)
    paid: list[np.ndarray] = []
    turn = _turn(attempts.customer)
    for k in range(int(turn.max(initial=-1)) + 1):
        shifted = (u + 0.6180339887498949 * k) % 1.0 if k else u
        some = attempts.of(turn == k)
        some = some.of(np.argsort(some.channel, kind="stable"))
        paid.append(_one_each(state, record, reversals, some, shifted, touched_s))
    rows = attempts.customer
    np.add.at(state.load, rows, 1.0)
    state.last_touch[rows] = state.day
    return np.concatenate([np.zeros(0, np.int64), *paid]), touched_s


def _turn(customer: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... for the attempts of each customer in the order given."""
    order = np.argsort(customer, kind="stable")
    ranked = customer[order]
    first = np.searchsorted(ranked, ranked, side="left")
    turn = np.empty(len(customer), np.int64)
    turn[order] = np.arange(len(customer)) - first
    return turn


def _one_each(
    state: State,
    record: Recorder,
    reversals: Reversals,
    some: Attempts,
    u: np.ndarray,
    touched_s: np.ndarray,
) -> np.ndarray:
    """Carry out attempts on different customers; return who paid at once."""
    rows, channel = some.customer, some.channel
    point = np.where(some.point >= 0, some.point, default_point(state, rows, channel))
    p = reach(state, rows, channel, some.hour, point)
    mix = contact_mix(state, rows, channel)
    reached = u[0, rows] < p
    step = np.cumsum([mix.paid, mix.promise, mix.plan], axis=0)
    kind = np.where(reached, (u[1, rows] >= step).sum(axis=0), NOT_REACHED)
    outcome = attempt_outcome(state, rows, channel, point, p, kind, u)
    complains, opts_out = _harmed(state, rows, channel, point, u)
    outcome = harm_outcome(outcome, channel, complains, opts_out, kind)
    start_s = _start_second(some.hour, u[2, rows])
    wait_s, duration_s = _timing(channel, reached, u[3, rows], start_s)
    started = state.clock.instant_us(state.day, state.people.zone[rows], start_s)
    known = started + (wait_s + duration_s) * 1_000_000
    touch = record.add(
        "touches",
        len(rows),
        customer=rows,
        debt=state.lead[rows],
        channel=channel,
        inbound=False,
        started_us=started,
        outcome=outcome,
        outcome_us=known,
        responded=reached & ~IS_CALL[channel],
        point=point,
        template=some.template,
        decision=some.decision,
        duration_s=duration_s,
        late=(u[3, rows] > 0.5) & (u[3, rows] < 0.504),
    )
    after_s = start_s + wait_s + duration_s
    touched_s[rows] = np.maximum(touched_s[rows], after_s)
    _consequences(state, record, rows, channel, outcome, complains, opts_out, known)
    talks = kind == TALK
    _talk(state, rows[talks], channel[talks], mix.jump[talks])
    _promises(state, record, rows, kind, mix, touch, known, u)
    _events(record, channel, touch, outcome, started, known, reached, u[4, rows])
    pays = rows[kind == PAID]
    amount = draw_amount(state, pays, u[5:7])
    pay(state, record, reversals, pays, state.lead[pays], amount, after_s[kind == PAID] + 60, u[7])
    state.last_talk[rows[reached & IS_CALL[channel]]] = state.day
    dead = np.isin(outcome, _FINDS_DEAD) & (point >= 0)
    if dead.any():
        state.known_dead[point[dead]] = True
        state.find_points(rows[dead])
    return pays


def _harmed(
    state: State, rows: np.ndarray, channel: np.ndarray, point: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    complaint, opt_out = harm(state, rows, channel, point)
    return u[9, rows] < complaint, u[10, rows] < opt_out


def _start_second(hour: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Second of the local day: somewhere in the slot's hour, letters leave at five."""
    at = np.where(hour < 0, 17, hour)
    return at * 3600 + (u * 3300).astype(np.int64)


def _timing(
    channel: np.ndarray, reached: np.ndarray, u: np.ndarray, start_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds until the outcome shows beyond the duration, and the duration itself."""
    talk = 90 + (420 * u).astype(np.int64)
    talk = np.where(channel == BOT, talk // 2, np.where(channel == VISIT, talk * 4, talk))
    duration = np.where(reached, talk, 15 + (25 * u).astype(np.int64))
    later = (-3600.0 * 1.5 * np.log1p(-0.999 * u)).astype(np.int64)
    later = np.maximum(np.minimum(later, 22 * 3600 - start_s), 20)
    wait = np.where(reached & (channel != LETTER), later, 8)
    spoken = IS_CALL[channel]
    return np.where(spoken, 0, wait), np.where(spoken, duration, 0)


def _talk(state: State, rows: np.ndarray, channel: np.ndarray, jump: np.ndarray) -> None:
    """Add the intensity of contacts that talked or were read; letters arrive later."""
    by_post = channel == LETTER
    state.post[-1, rows[by_post]] += jump[by_post]
    state.effect[rows[~by_post], channel[~by_post]] += jump[~by_post]


def _consequences(
    state: State,
    record: Recorder,
    rows: np.ndarray,
    channel: np.ndarray,
    outcome: np.ndarray,
    complains: np.ndarray,
    opts_out: np.ndarray,
    known: np.ndarray,
) -> None:
    """Write the holds and revocations that attempts bring about."""
    stop = rows[complains]
    state.held_until[stop] = NEVER
    code = np.where(IS_CALL[channel[complains]], 0, 9)
    record.add("holds", len(stop), customer=stop, kind=code, starts_us=known[complains], ends_us=-1)
    for code, (word, days) in enumerate(_HOLD_DAYS.items(), start=1):
        hit = outcome == OUTCOME_CODE[word]
        whom = rows[hit]
        until = NEVER if days is None else state.day + days
        state.held_until[whom] = np.maximum(state.held_until[whom], until)
        ends = -1 if days is None else known[hit] + days * 86_400_000_000
        record.add("holds", len(whom), customer=whom, kind=code, starts_us=known[hit], ends_us=ends)
    out, through = rows[opts_out], channel[opts_out]
    state.opted_out[out, through] = True
    record.add(
        "consents", len(out), customer=out, channel=through, status=-1, changed_us=known[opts_out]
    )


def _promises(
    state: State,
    record: Recorder,
    rows: np.ndarray,
    kind: np.ndarray,
    mix: ContactMix,
    touch: np.ndarray,
    known: np.ndarray,
    u: np.ndarray,
) -> None:
    """Write promises and plans and draw which will be kept, and on which day."""
    pick = (kind == PROMISED) | (kind == PLANNED)
    whom, is_plan = rows[pick], kind[pick] == PLANNED
    if not len(whom):
        return
    payday, named = promise_delay_shares(state, whom)
    low, high = PROMISE_DAYS
    other = low + np.floor(u[12, whom] * (high - low + 1)).astype(np.int64)
    delay = np.where(u[11, whom] < named, payday, other)
    n_parts = np.where(
        stage_of(state.lead_dpd(whom)) == 3, _LONG_PLAN, state.preset.plan_instalments
    )
    money = draw_amount(state, whom, u[5:7])
    money = np.where(is_plan, money_due(state, whom, 0) / n_parts, money)
    money = np.maximum(np.round(money, 2), 0.01)
    debt = state.lead[whom]
    number = record.add(
        "promises",
        len(whom),
        customer=whom,
        debt=debt,
        made_us=known[pick],
        due=state.day + delay,
        amount=money,
        touch=touch[pick],
    )
    state.promise_until[whom] = state.day + delay + _GRACE_DAYS + 1
    kept = u[13, whom] < mix.kept[pick]
    shift = np.searchsorted([0.25, 0.75], u[14, whom], side="right") - 1
    held = whom[kept]
    state.scheduled_day[held] = (state.day + delay + shift)[kept]
    state.scheduled_amount[held] = money[kept]
    state.scheduled_debt[held] = debt[kept]
    state.scheduled_promise[held] = number[kept]
    state.plan_left[held] = np.where(is_plan, n_parts, 0)[kept]
    state.debts.status[debt[is_plan & kept]] = IN_PLAN
    record.add(
        "arrangements",
        int(is_plan.sum()),
        debt=debt[is_plan],
        starts=(state.day + delay)[is_plan],
        instalment=money[is_plan],
        n_instalments=n_parts[is_plan],
        ended=np.where(kept, -1, state.day + delay + _GRACE_DAYS)[is_plan],
    )


def _events(
    record: Recorder,
    channel: np.ndarray,
    touch: np.ndarray,
    outcome: np.ndarray,
    started: np.ndarray,
    known: np.ndarray,
    reached: np.ndarray,
    u: np.ndarray,
) -> None:
    """Digital events: delivery of what was answered, the answer, and openings by machines."""
    message = ~IS_CALL[channel] & (channel != LETTER)
    shown = reached | np.isin(outcome, (OUTCOME_CODE["opted_out"], OUTCOME_CODE["complained"]))
    by_machine = (channel == _EMAIL) & (outcome == OUTCOME_CODE["delivered"])
    by_machine &= u < _MACHINE_OPEN_SHARE
    answered = np.flatnonzero(message & shown)
    opened = np.flatnonzero(by_machine)
    which = np.concatenate([answered, answered, opened])
    n, m = len(answered), len(opened)
    delivered = np.full(n, OUTCOME_CODE["delivered"])
    record.add(
        "touch_events",
        len(which),
        touch=touch[which],
        us=np.concatenate(
            [started[answered] + 4_000_000, known[answered], started[opened] + 6_000_000]
        ),
        event=np.concatenate([delivered, outcome[answered], np.full(m, OUTCOME_CODE["opened"])]),
        machine=np.arange(len(which)) >= 2 * n,
    )
