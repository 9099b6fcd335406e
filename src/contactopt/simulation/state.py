"""What changes from day to day in a world: arrays by customer, debt and contact point."""

from __future__ import annotations

import dataclasses

import numpy as np

from contactopt.simulation.clock import WorldClock
from contactopt.simulation.latent import Latent
from contactopt.simulation.population import POINT_GROUPS, Debts, People, Points
from contactopt.simulation.presets import WORLD_CHANNELS, Preset

__all__ = ["CLOSED", "CURED", "IN_PLAN", "NEVER", "NOT_YET", "OPEN", "SETTLED", "State", "stage_of"]

#: codes of ``Debts.status``; NOT_YET is open and current
NOT_YET, OPEN, IN_PLAN, CURED, SETTLED, CLOSED = range(6)
#: a day number that never comes
NEVER = 1 << 40


def stage_of(days_past_due: np.ndarray) -> np.ndarray:
    """Return 0 early (to 30), 1 mid (to 90), 2 late (below 180), 3 charged off."""
    dpd = np.asarray(days_past_due)
    return (dpd > 30).astype(np.int64) + (dpd > 90) + (dpd >= 180)


@dataclasses.dataclass(slots=True)
class State:
    """The morning of day ``day``: everything the world will draw from depends on this.

    Attributes
    ----------
    lead : (n,) int
        The debt that is paid next, -1 if nothing is past due; kept until it is paid or leaves.
    refractory_until, promise_until, held_until : (n,) int
        First day of a further payment, of a further promise, of a further contact by law.
    scheduled_day, scheduled_amount, scheduled_promise : (n,)
        A promise that will be kept: its day (NEVER if none), money and promise number.
    effect : (n, 9) float
        Intensity per day left over from contacts by channel.
    post : (lag + 1, n) float
        Intensity of letters that arrive in so many days.
    load : (n,) float
        Touches that still weigh on the customer.
    """

    preset: Preset
    people: People
    debts: Debts
    points: Points
    latent: Latent
    clock: WorldClock
    day: int
    lead: np.ndarray
    refractory_until: np.ndarray
    promise_until: np.ndarray
    held_until: np.ndarray
    inert: np.ndarray
    scheduled_day: np.ndarray
    scheduled_amount: np.ndarray
    scheduled_debt: np.ndarray
    scheduled_promise: np.ndarray
    plan_left: np.ndarray
    effect: np.ndarray
    post: np.ndarray
    load: np.ndarray
    opted_out: np.ndarray
    known_dead: np.ndarray
    best_point: np.ndarray
    last_touch: np.ndarray
    last_talk: np.ndarray
    n_paid: np.ndarray

    @classmethod
    def fresh(
        cls,
        preset: Preset,
        people: People,
        debts: Debts,
        points: Points,
        latent: Latent,
        clock: WorldClock,
    ) -> State:
        """Return the state on the morning of day 0."""
        n, k = len(people.zone), len(WORLD_CHANNELS)
        state = cls(
            preset=preset,
            people=people,
            debts=debts,
            points=points,
            latent=latent,
            clock=clock,
            day=0,
            lead=np.full(n, -1, np.int64),
            refractory_until=np.zeros(n, np.int64),
            promise_until=np.zeros(n, np.int64),
            held_until=np.zeros(n, np.int64),
            inert=np.zeros(n, bool),
            scheduled_day=np.full(n, NEVER, np.int64),
            scheduled_amount=np.zeros(n),
            scheduled_debt=np.full(n, -1, np.int64),
            scheduled_promise=np.full(n, -1, np.int64),
            plan_left=np.zeros(n, np.int64),
            effect=np.zeros((n, k), np.float32),
            post=np.zeros((preset.letter_lag_days + 1, n), np.float32),
            load=np.zeros(n),
            opted_out=people.consent < 0,
            known_dead=np.zeros(len(points.customer), bool),
            best_point=np.full((len(POINT_GROUPS), n), -1, np.int64),
            last_touch=np.full(n, -1000, np.int64),
            last_talk=np.full(n, -1000, np.int64),
            n_paid=np.zeros(n, np.int64),
        )
        state.choose_lead(np.arange(n))
        state.find_points(np.arange(n))
        return state

    @property
    def start_weekday(self) -> int:
        """Weekday of day 0, Monday 0."""
        return self.clock.start.weekday()

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return len(self.lead)

    def days_past_due(self, debt: np.ndarray) -> np.ndarray:
        """Days past due of debts on the current day; 0 where nothing is due."""
        open_ = (self.debts.status[debt] == OPEN) | (self.debts.status[debt] == IN_PLAN)
        return np.where(open_, self.day - self.debts.since[debt], 0)

    def lead_dpd(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Days past due of the customers' lead debts, 0 where there is none; shape of ``rows``."""
        lead = self.lead if rows is None else self.lead[rows]
        if len(self.debts.customer) == 0:
            return np.zeros(len(lead), np.int64)
        return np.where(lead >= 0, self.day - self.debts.since[np.maximum(lead, 0)], 0)

    def choose_lead(self, customers: np.ndarray) -> None:
        """Give each customer whose lead left the debt with the largest past due amount."""
        debts = self.debts
        for position in range(3):
            at = debts.starts[customers] + position
            there = at < debts.starts[customers + 1]
            debt = np.where(there, at, 0)
            if not len(debts.customer):
                return
            is_open = there & np.isin(debts.status[debt], (OPEN, IN_PLAN))
            is_open &= debts.past_due[debt] > 0
            if position == 0:
                best = np.where(is_open, debt, -1)
                most = np.where(is_open, debts.past_due[debt], 0.0)
            else:
                better = is_open & (debts.past_due[debt] > most)
                best = np.where(better, debt, best)
                most = np.where(better, debts.past_due[debt], most)
        self.lead[customers] = best

    def find_points(self, customers: np.ndarray) -> None:
        """Choose anew the contact point that each group of channels uses.

        The best is the one with the highest quality that is not known to be dead, -1 for none.
        """
        if not len(self.points.customer):
            return
        rows = np.arange(len(customers))
        for group, columns in enumerate(POINT_GROUPS):
            points = self.points.of_customer[customers][:, columns]
            usable = (points >= 0) & ~self.known_dead[np.maximum(points, 0)]
            quality = np.where(usable, self.points.quality[np.maximum(points, 0)], -1.0)
            best = np.argmax(quality, axis=1)
            self.best_point[group, customers] = np.where(usable[rows, best], points[rows, best], -1)
