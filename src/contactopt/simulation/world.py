"""A simulated portfolio with known truth, stepped day by day with a frame of actions."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from contactopt.config import ObjectiveConfig
from contactopt.contracts import Portfolio
from contactopt.contracts.action_space import ActionSpace
from contactopt.errors import ConfigError
from contactopt.simulation import static_tables, truth
from contactopt.simulation.clock import WorldClock
from contactopt.simulation.columns import ids
from contactopt.simulation.contacts import Attempts, carry_out
from contactopt.simulation.event_tables import EVENT_TABLES, earlier_snapshots, event_table
from contactopt.simulation.hazards import MAX_DAYS
from contactopt.simulation.inbound import draw_inbound
from contactopt.simulation.incumbent import decide
from contactopt.simulation.latent import draw_latent, perturbed
from contactopt.simulation.money import SNAPSHOT_US, Reversals, draw_payments, overnight, snapshot
from contactopt.simulation.population import ZONES, draw_debts, draw_people, draw_points
from contactopt.simulation.presets import WORLD_CHANNELS, Preset, preset_by_name
from contactopt.simulation.record import Recorder
from contactopt.simulation.state import State

__all__ = ["World"]

_N_UNIFORMS = 32


class World:
    """Customers in arrears whose response to every action is known in closed form.

    Parameters
    ----------
    preset : str or Preset
        ``mixed`` (the checked one), ``early``, ``mid``, ``late`` or ``charged_off``.
    n_customers : int
        0 gives a world of empty tables.
    random_state : int
        Same seed and same actions, same tables, whatever the number of threads.
    start : str or date
        Civil date of day 0.
    n_days : int
        Length of the history in mind: new arrears enter evenly over these days.

    Examples
    --------
    >>> world = World(n_customers=50, random_state=1, n_days=10)
    >>> world.run(10).day
    10
    >>> world.true_values(ActionSpace.from_channels({"sms": [10], "letter": [None]})).shape
    (50, 2)
    """

    def __init__(
        self,
        preset: str | Preset = "mixed",
        *,
        n_customers: int = 20_000,
        random_state: int = 0,
        start: str | date = "2025-12-01",
        n_days: int = 100,
    ) -> None:
        if n_customers < 0 or not isinstance(n_customers, numbers.Integral):
            raise ConfigError("n_customers must be a whole number, 0 or more")
        self.preset = preset_by_name(preset)
        self.random_state = int(random_state)
        self.n_days = n_days
        first = date.fromisoformat(start) if isinstance(start, str) else start
        rng = [np.random.default_rng([self.random_state, k]) for k in range(5)]
        people = draw_people(self.preset, n_customers, rng[0])
        latent = draw_latent(self.preset, n_customers, people.owner, rng[1])
        points = draw_points(self.preset, latent.weights, people.owner, rng[2])
        debts = draw_debts(self.preset, people.owner, latent.hardship, n_days, rng[3])
        clock = WorldClock(first, ZONES)
        self.state = State.fresh(self.preset, people, debts, points, latent, clock)
        self._facts = static_tables.draw_facts(self.state, rng[4])
        self._record = Recorder()
        self._reversals = Reversals.none()
        self._foreign: list[str] = []
        self._write_day_zero()

    # ---- time ------------------------------------------------------------------------------

    @property
    def day(self) -> int:
        """Number of days that have passed; the state is the morning of this day."""
        return self.state.day

    @property
    def as_of(self) -> pd.Timestamp:
        """The instant of the last nightly extract (08:05 UTC): decide for today as of then."""
        return pd.Timestamp(
            int(self.state.clock.utc_midnight_us(self.day)) + SNAPSHOT_US, unit="us", tz="UTC"
        )

    @property
    def customer_ids(self) -> np.ndarray:
        """Sorted ids, the order of every array of truth; object (n,)."""
        names = ids("C", np.arange(self.state.n_customers), 7).to_numpy(zero_copy_only=False)
        return np.asarray(names, dtype=object)

    # ---- stepping ----------------------------------------------------------------------------

    def step(self, day: int, actions: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Carry out actions on the current day and move to the next morning.

        Parameters
        ----------
        day : int
            Must be the current `day`: a world is not stepped twice.
        actions : DataFrame
            One row per attempt: customer_id, channel, slot_local_hour (null: none), and if wished
            decision_id, contact_point_id, template_id. Empty: everybody waits.

        Returns
        -------
        dict of DataFrame
            The new rows of each contract table, with the contract's columns.

        Raises
        ------
        ConfigError
            If the day is not the current one, or a customer, channel or contact point is unknown.
        """
        if day != self.day:
            raise ConfigError(
                f"the world stands at day {self.day}, not {day}",
                hint="step each day once, in order; a new World starts over",
            )
        attempts = self._attempts(actions)
        since = self._record.mark()
        self._advance(attempts, self._uniforms())
        return self._new_rows(since)

    def run(
        self, n_days: int | None = None, *, progress: Callable[[int], object] | None = None
    ) -> World:
        """Let the incumbent policy act for some days (default: to the end of ``n_days``).

        Parameters
        ----------
        n_days : int, optional
        progress : callable, optional
            Called with 1 after each day, for example the ``update`` of a tqdm bar.
        """
        days = max(0, self.n_days - self.day) if n_days is None else n_days
        for _ in range(days):
            u = self._uniforms()
            self._advance(decide(self.state, self._record, self._facts.bureau_score, u[28:32]), u)
            if progress is not None:
                progress(1)
        return self

    def _uniforms(self) -> np.ndarray:
        """Return the day's uniforms, (32, n): the same for every policy that is tried."""
        rng = np.random.default_rng([self.random_state, 10, self.day])
        return rng.random((_N_UNIFORMS, self.state.n_customers), dtype=np.float32)

    def _advance(self, attempts: Attempts, u: np.ndarray) -> None:
        if self.day + 1 >= MAX_DAYS:
            raise ConfigError(f"a world ends after {MAX_DAYS} days", hint="start a new one")
        paid, touched_s = carry_out(self.state, self._record, self._reversals, attempts, u[:16])
        later = draw_payments(self.state, self._record, self._reversals, u[16:22], touched_s)
        payers = np.concatenate([paid, later])
        draw_inbound(self.state, self._record, payers, u[22:25])
        overnight(self.state, self._record, self._reversals, payers, u[25])

    def _attempts(self, actions: pd.DataFrame) -> Attempts:
        a = len(actions)
        if a == 0:
            return _no_attempts()
        customer = _codes("C", actions["customer_id"], self.state.n_customers, "customer")
        names = {c: k for k, c in enumerate(WORLD_CHANNELS)}
        channel = actions["channel"].map(names)
        if channel.isna().any():
            raise ConfigError(
                "actions name a channel that the simulated world has not",
                hint=f"its channels are {', '.join(WORLD_CHANNELS)}",
            )
        hour = _optional(actions, "slot_local_hour", float).fillna(-1).to_numpy(np.int64)
        point = np.full(a, -1, np.int64)
        given = _optional(actions, "contact_point_id", object)
        has = given.notna().to_numpy()
        total = len(self.state.points.customer)
        point[has] = _codes("P", given[has], total, "contact point")
        decision = np.full(a, -1, np.int64)
        named = _optional(actions, "decision_id", object)
        has = named.notna().to_numpy()
        decision[has] = -2 - len(self._foreign) - np.arange(has.sum())
        self._foreign.extend(named[has].astype(str))
        template = np.full(a, -1, np.int64)
        order = np.lexsort((np.maximum(hour, 0), customer))
        attempts = Attempts(customer, channel.to_numpy(np.int64), hour, point, decision, template)
        return attempts.of(order)

    # ---- tables ------------------------------------------------------------------------------

    def _write_day_zero(self) -> None:
        state, facts = self.state, self._facts
        used = np.asarray(state.preset.incumbent_channels) > 0
        customer, channel = np.nonzero(state.people.consent * used)
        midnight = state.clock.utc_midnight_us
        self._record.add(
            "consents",
            len(customer),
            customer=customer,
            channel=channel,
            status=state.people.consent[customer, channel].astype(np.int64),
            changed_us=midnight(state.people.consent_day[customer]) + 15 * 3_600_000_000,
        )
        held = len(facts.hold_customer)
        self._record.add(
            "holds",
            held,
            customer=facts.hold_customer,
            kind=facts.hold_kind + 100,
            starts_us=midnight(facts.hold_day) + 16 * 3_600_000_000,
            ends_us=-1,
        )
        snapshot(state, self._record, np.arange(len(state.debts.customer)))

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return every table of the contract as a frame: all of the history until now."""
        out = {
            "customers": static_tables.customers(self.state, self._facts),
            "debts": static_tables.debts(self.state, self._facts),
            "contact_points": static_tables.contact_points(self.state, self._facts),
            "notices": static_tables.notices(self.state, self._facts),
        }
        for name in EVENT_TABLES:
            out[name] = event_table(name, self.state, self._record, self._foreign)
        return out

    def _new_rows(self, since: dict[str, int]) -> dict[str, pd.DataFrame]:
        day = self.day
        out = {
            "debts": static_tables.debts(self.state, self._facts, entered_after=day - 1),
            "notices": static_tables.notices(self.state, self._facts, sent_after=day - 1),
        }
        for name in EVENT_TABLES:
            source = "touches" if name == "touch_debts" else name
            start = since.get(source, 0)
            out[name] = event_table(name, self.state, self._record, self._foreign, start)
        # with a debt that is new to us comes the statement of day 0, when nothing was due
        first = earlier_snapshots(self.state, self._record, entered_on=day)
        if len(first):
            out["debt_snapshots"] = pd.concat([first, out["debt_snapshots"]], ignore_index=True)
        return out

    def portfolio(self) -> Portfolio:
        """Return the history until now as a validated Portfolio, complete to `as_of`."""
        tables = self.tables()
        complete = {name: self.as_of.isoformat() for name in tables}
        return Portfolio.from_frames(tables, complete_to=complete)

    # ---- truth -------------------------------------------------------------------------------

    def true_values(
        self,
        actions: ActionSpace,
        as_of: object = None,
        *,
        objective: ObjectiveConfig | None = None,
    ) -> np.ndarray:
        """Return the expected net value of each action now over waiting, nothing done afterwards.

        Parameters
        ----------
        actions : ActionSpace
        as_of : Timestamp or str, optional
            Must lie in the current day; given to make a mistake loud.
        objective : ObjectiveConfig, optional
            Margin, horizon (at most 30 days), discount and costs of harm. The truth has the one
            ``horizon_days`` for every stage.

        Returns
        -------
        (n, m) float64, rows in the order of `customer_ids`, USD
        """
        self._check_as_of(as_of)
        return truth.true_values(self.state, actions, objective)

    def true_reach(self, actions: ActionSpace) -> np.ndarray:
        """Return the chance that each action reaches each customer today, (n, m) float64."""
        return truth.true_reach(self.state, actions)

    def true_pay_wait(self, horizon_days: int = 30) -> np.ndarray:
        """Return the chance of a payment within the horizon without contact, (n,) float64."""
        return truth.true_pay_wait(self.state, horizon_days)

    def _check_as_of(self, as_of: object) -> None:
        if as_of is None:
            return
        moment = pd.Timestamp(as_of)  # type: ignore[arg-type]
        if not timedelta(0) <= moment - self.as_of < timedelta(days=1):
            raise ConfigError(
                f"the world stands at {self.as_of.isoformat()}: truth is known for that day only",
                hint="step the world to the day you ask for",
            )

    def redraw_latent(self, seed: int) -> World:
        """Return a new world of the same size with every latent parameter redrawn.

        For robustness: rankings that hold only under the preset's own figures mean little.
        """
        return World(
            perturbed(self.preset, seed),
            n_customers=self.state.n_customers,
            random_state=self.random_state + 1_000_003 * (seed + 1),
            start=self.state.clock.start,
            n_days=self.n_days,
        )

    def __repr__(self) -> str:
        return f"World({self.preset.name!r}, {self.state.n_customers} customers, day {self.day})"


def _no_attempts() -> Attempts:
    empty = np.zeros(0, np.int64)
    return Attempts(empty, empty, empty, empty, empty, empty)


def _optional(actions: pd.DataFrame, name: str, kind: type) -> pd.Series:
    if name in actions:
        return actions[name]
    return pd.Series([np.nan] * len(actions), index=actions.index, dtype=kind)


def _codes(prefix: str, names: pd.Series, total: int, what: str) -> np.ndarray:
    """Row numbers of ids such as ``C-0000012``."""
    text = names.astype(str)
    digits = text.str.extract(rf"^{prefix}-(\d+)$", expand=False)
    codes = pd.to_numeric(digits, errors="coerce").fillna(-1).to_numpy(np.int64)
    unknown = (codes < 0) | (codes >= total)
    if unknown.any():
        raise ConfigError(
            f"{int(unknown.sum())} action(s) name an unknown {what}",
            hint="actions must use the ids of this world's tables",
        )
    return codes
