"""Slow readable oracle of the truth: live through many copies of a few customers' states."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np

from contactopt.config import ObjectiveConfig
from contactopt.simulation.contacts import Attempts, carry_out
from contactopt.simulation.money import Reversals, draw_payments, overnight
from contactopt.simulation.population import Debts, Points
from contactopt.simulation.record import Recorder
from contactopt.simulation.state import NEVER, State

PER_CUSTOMER_LAST = ("effect", "opted_out")


def copies_of(state: State, rows: np.ndarray, n_copies: int) -> State:
    """Return a state in which each of ``rows`` lives ``n_copies`` times."""
    who = np.repeat(rows, n_copies)
    count = np.diff(state.debts.starts)[who]
    starts = np.concatenate([[0], np.cumsum(count)])
    old = np.repeat(state.debts.starts[who], count) + (
        np.arange(starts[-1]) - np.repeat(starts[:-1], count)
    )
    debts = Debts(
        **{
            f.name: getattr(state.debts, f.name)[old]
            for f in dataclasses.fields(Debts)
            if f.name not in ("customer", "starts")
        },
        customer=np.repeat(np.arange(len(who)), count),
        starts=starts,
    )
    offset = starts[:-1] - state.debts.starts[who]
    matrix = state.points.of_customer[who]
    has = matrix >= 0
    renumbered = np.where(has, np.cumsum(has.ravel()).reshape(has.shape) - 1, -1)
    source = matrix[has]
    points = Points(
        **{
            f.name: getattr(state.points, f.name)[source]
            for f in dataclasses.fields(Points)
            if f.name != "of_customer"
        },
        of_customer=renumbered,
    )
    points.customer = np.nonzero(has)[0]
    new = copy.copy(state)
    for field in dataclasses.fields(State):
        value = getattr(state, field.name)
        if isinstance(value, np.ndarray) and field.name not in ("known_dead", "post", "best_point"):
            setattr(new, field.name, value[who].copy())
    new.post = state.post[:, who].copy()
    new.known_dead = state.known_dead[source]
    new.debts, new.points = debts, points
    new.lead = np.where(new.lead >= 0, new.lead + offset, -1)
    new.people = _take(state.people, who)
    new.latent = _take(state.latent, who)
    new.best_point = np.full((len(state.best_point), len(who)), -1, np.int64)
    new.find_points(np.arange(len(who)))
    assert (new.scheduled_day == NEVER).all()
    return new


def _take(record, who):
    return type(record)(
        **{f.name: getattr(record, f.name)[who] for f in dataclasses.fields(record)}
    )


def lived_value(
    state: State, channel: int | None, hour: int, objective: ObjectiveConfig, seed: int
) -> np.ndarray:
    """Net money of each customer of a state after one attempt (None: waiting), (n,)."""
    state = copy.deepcopy(state)
    n = state.n_customers
    record, reversals = Recorder(), Reversals.none()
    first_day = state.day
    empty = np.zeros(0, np.int64)
    for t in range(objective.horizon_days):
        u = np.random.default_rng([seed, t]).random((32, n))
        some = Attempts(empty, empty, empty, empty, empty, empty)
        if t == 0 and channel is not None:
            none = np.full(n, -1)
            some = Attempts(np.arange(n), np.full(n, channel), np.full(n, hour), none, none, none)
        paid, touched = carry_out(state, record, reversals, some, u[:16])
        later = draw_payments(state, record, reversals, u[16:22], touched)
        overnight(state, record, reversals, np.concatenate([paid, later]), u[25])
    net = np.zeros(n)
    money = record.columns("payments")
    if money is not None:
        age = (money["paid_us"] - state.clock.utc_midnight_us(first_day)) / 86_400e6
        local = np.floor(age - _offset_days(state, money["customer"]))
        worth = (1 + objective.discount_rate_yearly) ** (-local / 365)
        kept = money["reversed_us"] < 0
        np.add.at(net, money["customer"], money["amount"] * worth * kept)
    net *= objective.margin_share
    if channel is not None:
        net -= state.preset.unit_cost[channel]
        for table, cost in (
            ("holds", objective.cost_per_complaint),
            ("consents", objective.cost_per_opt_out),
        ):
            harm = record.columns(table)
            if harm is not None:
                is_harm = np.isin(harm["kind"], (0, 9)) if table == "holds" else True
                np.add.at(
                    net, harm["customer"], -cost * np.broadcast_to(is_harm, len(harm["customer"]))
                )
    return net


def _offset_days(state: State, customer: np.ndarray) -> np.ndarray:
    """Roughly how far behind UTC each customer lives, in days."""
    return np.array([5, 6, 7, 8, 5, 0])[state.people.zone[customer]] / 24.0
