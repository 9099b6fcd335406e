"""The charts of a plan: tidy frames made from it, drawn by the room that knows no plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ConfigError
from contactopt.journal.local_time import local_day, local_hour
from contactopt.plan.summary import blocked_by_rule, usage_frame
from contactopt.plotting import (
    Plot,
    blocked_bars,
    capacity_bars,
    load_bars,
    probability_chart,
    value_bars,
)
from contactopt.policy.kernels import UNIT

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = [
    "PlanPlots",
    "blocked_frame",
    "load_chart",
    "load_frame",
    "probability_bins",
    "probability_steps",
    "refuse_unknown_pool",
    "value_frame",
]

#: bins of the histogram of probabilities
_BINS = 20
_EPOCH = np.datetime64("1970-01-01", "D")


class PlanPlots:
    """Charts of a plan, as ``plan.plot``; each returns a `Plot`: ``ax, data = plan.plot.x()``.

    Nothing is shown and no setting of matplotlib is changed. ``ax=`` draws into axes of yours.

    Parameters
    ----------
    plan : ContactPlan

    Examples
    --------
    >>> scores = pd.DataFrame(
    ...     {
    ...         "customer_id": ["a", "b"],
    ...         "action_id": "letter",
    ...         "channel": "letter",
    ...         "allowed": [True, False],
    ...         "reasons": ["", "us.cease"],
    ...         "value": [2.0, 0.0],
    ...         "cost": 0.95,
    ...     }
    ... )
    >>> from contactopt.contracts import ScoredBatch
    >>> from contactopt.plan import rank
    >>> batch = ScoredBatch.from_frame(scores, as_of="2026-06-02T12:00Z", currency="USD")
    >>> ax, data = rank(batch).plot.blocked_by_rule()
    >>> data.to_dict(orient="records")
    [{'rule': 'us.cease', 'pairs': 1, 'share': 0.5}]
    """

    def __init__(self, plan: ContactPlan) -> None:
        self._plan = plan

    def load_by_hour(
        self, pool: str | None = None, zone: str = "customer", *, ax: Any = None
    ) -> Plot:
        """Draw the planned contacts by hour and channel.

        Parameters
        ----------
        pool : str, optional
            One pool only; all without.
        zone : {"customer", "pool"}
            Whose clock the hours are read from. With one pool and its own clock the bars are in
            the pool's unit, with a line where an hour has a capacity.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        Plot
            Data: see `load_frame`. The contacts add up to the plan's rows.

        Raises
        ------
        ConfigError
            For a pool that the batch does not have, or another zone.
        """
        return load_chart(self._plan, load_frame(self._plan, pool, zone), pool, zone, ax=ax)

    def value_by_channel(self, *, ax: Any = None) -> Plot:
        """Draw the expected value over waiting by channel; data: see `value_frame`."""
        data = value_frame(self._plan)
        shown = data.rename(columns={"planned": "contacts"})
        return Plot(value_bars(shown, currency=self._plan.batch.currency, ax=ax).ax, data)

    def probability(self, *, kind: str = "histogram", ax: Any = None) -> Plot:
        """Draw with which probability the drawn actions were drawn.

        Parameters
        ----------
        kind : {"histogram", "ecdf"}
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        Plot
            Data: `probability_bins` or `probability_steps`; customers add up to the batch.
        """
        frame = (probability_steps if kind == "ecdf" else probability_bins)(self._plan)
        return probability_chart(frame, kind=kind, ax=ax)

    def blocked_by_rule(self, top: int = 15, *, ax: Any = None) -> Plot:
        """Draw the rules that block most; the data hold all of them (see `blocked_frame`)."""
        return blocked_bars(blocked_frame(self._plan), top=top, ax=ax)

    def capacity(self, *, ax: Any = None) -> Plot:
        """Draw the capacity rows with their prices; data as in ``plan.summary()["capacity"]``."""
        return capacity_bars(usage_frame(self._plan), currency=self._plan.batch.currency, ax=ax)


def load_chart(
    plan: ContactPlan, data: pd.DataFrame, pool: str | None, zone: str, *, ax: Any = None
) -> Plot:
    """Draw what `load_frame` found for a pool (None: all) by a clock."""
    whose = "customers' local hour" if zone == "customer" else "hour of the pool's clock"
    amount, unit = "contacts", "contacts"
    if pool is not None and zone == "pool":
        amount, unit = _unit_of(plan, pool)
        whose = f"hour, {plan.pool_zones.get(pool, 'UTC')}"
    title = "Load by hour" + ("" if pool is None else f": {pool}")
    shown = data if zone == "pool" else data.drop(columns="date")
    drawn = load_bars(
        shown,
        ax=ax,
        amount=amount,
        unit=unit,
        hour=whose,
        title=title,
        colours_for=sorted(plan.batch.actions.channels),
    )
    return Plot(drawn.ax, data)


# ---- tidy frames ---------------------------------------------------------------------------------


def load_frame(plan: ContactPlan, pool: str | None = None, zone: str = "customer") -> pd.DataFrame:
    """Count planned contacts by pool, local date, local hour and channel.

    Parameters
    ----------
    plan : ContactPlan
    pool : str, optional
    zone : {"customer", "pool"}

    Returns
    -------
    DataFrame
        pool, date (ISO text of the slot's local day), hour (Int64), series (the channel),
        contacts, units (in the pool's unit), limit (units that the hour's capacity row allows,
        only by the pool's clock; the same on each line of an hour). By the customers' clock an
        action without an hour (a letter) has a null hour; by the pool's clock it stands where it
        draws on the capacity. Empty for an empty plan.
    """
    if zone not in ("customer", "pool"):
        raise ConfigError(f"no zone {zone!r}", hint="zone is 'customer' or 'pool'")
    frame = plan.to_frame()
    row = np.flatnonzero(plan.drawn < len(plan.batch.actions))
    frame["units"] = plan.batch.usage[row, plan.drawn[row]].astype(float)
    if pool is not None:
        refuse_unknown_pool(pool, plan.batch.pools)
        frame = frame[frame["pool"] == pool]
    clocks = frame["time_zone"] if zone == "customer" else frame["pool"].map(dict(plan.pool_zones))
    us = frame["slot_start"].dt.tz_convert(None).to_numpy().astype("M8[us]").view(np.int64)
    day, hour = local_day(us, clocks.to_numpy(object)), local_hour(us, clocks.to_numpy(object))
    if zone == "customer":  # letters have an instant to be posted, and no hour of the customer
        hour = frame["slot_local_hour"].fillna(-1).to_numpy(np.int64)
    has, dated = hour >= 0, us != NO_INSTANT
    dates = (_EPOCH + np.where(dated, day, 0)).astype(str)
    keyed = pd.DataFrame(
        {
            "pool": frame["pool"].to_numpy(object),
            "date": pd.Series(dates, dtype="str").where(dated),
            "hour": pd.array(np.where(has, hour, 0), dtype="Int64"),
            "series": frame["channel"].to_numpy(object),
            "contacts": np.ones(len(frame), dtype=np.int64),
            "units": frame["units"].to_numpy(),
        }
    ).astype({"pool": "str", "date": "str", "series": "str"})
    keyed.loc[~has, "hour"] = pd.NA
    keys = ["pool", "date", "hour", "series"]
    found = keyed.groupby(keys, dropna=False, sort=True, as_index=False).sum()
    found["limit"] = _limits(plan, found) if zone == "pool" else np.nan
    return found


def _limits(plan: ContactPlan, found: pd.DataFrame) -> list[float]:
    """Units of the capacity row of each line's hour; the label of a row names it."""
    units = dict(zip(plan.rows.table.label, plan.rows.table.units.tolist(), strict=True))
    hour = found["hour"].fillna(-1).to_numpy(np.int64)
    keys = zip(found["pool"], found["date"], hour, strict=True)
    return [units.get(f"{pool} {day} {at:02d}h", np.nan) for pool, day, at in keys]


def value_frame(plan: ContactPlan) -> pd.DataFrame:
    """Sum value over waiting by channel.

    Returns
    -------
    DataFrame
        One line per channel of the batch: channel, planned (contacts drawn), expected_contacts
        and expected_value (over all draws that could have been made: what ``plan.summary()``
        calls expected_value), drawn_value (of the draw that was made), currency. Values are
        estimates in the batch's currency.
    """
    batch, m = plan.batch, len(plan.batch.actions)
    contacts, value = np.zeros(m), np.zeros(m)
    step = max(1, 2_000_000 // max(m, 1))
    for a in range(0, len(plan.drawn), step):
        p = plan.allocation.probabilities[a : a + step, :m] / UNIT
        contacts += p.sum(axis=0)
        value += np.where(p > 0, p * batch.value[a : a + step], 0.0).sum(axis=0)
    row = np.flatnonzero(plan.drawn < m)
    arm = plan.drawn[row]
    drawn = np.bincount(arm, weights=batch.value[row, arm], minlength=m)
    planned = np.bincount(arm, minlength=m)
    index, n = batch.actions.channel_index, len(batch.actions.channels)

    def by_channel(of_arms: np.ndarray) -> np.ndarray:
        return np.bincount(index, weights=of_arms, minlength=n)

    return pd.DataFrame(
        {
            "channel": pd.Series(list(batch.actions.channels), dtype="str"),
            "planned": by_channel(planned).astype(np.int64),
            "expected_contacts": by_channel(contacts),
            "expected_value": by_channel(value),
            "drawn_value": by_channel(drawn),
            "currency": pd.Series([batch.currency] * n, dtype="str"),
        }
    )


def _drawn_with(plan: ContactPlan) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """Return each customer's propensity, and who is contacted, waits, or is in control."""
    propensity = plan.allocation.probabilities[np.arange(len(plan.drawn)), plan.drawn] / UNIT
    acts = plan.drawn < len(plan.batch.actions)
    blocked = ~acts & ~plan.control & (plan.n_eligible() == 0)
    waits = ~acts & ~plan.control & ~blocked
    return propensity, [
        ("contact", acts),
        ("waits", waits),
        ("nothing eligible", blocked),
        ("control", plan.control & ~acts),
    ]


def probability_bins(plan: ContactPlan) -> pd.DataFrame:
    """Count customers by the probability of what was drawn for them.

    Returns
    -------
    DataFrame
        series (contact, waits, nothing eligible, control), low, high (20 equal bins, the upper
        edge of the last one inside), customers. Empty for an empty batch.
    """
    propensity, kinds = _drawn_with(plan)
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    parts = [
        pd.DataFrame(
            {
                "series": name,
                "low": edges[:-1],
                "high": edges[1:],
                "customers": np.histogram(propensity[who], bins=edges)[0].astype(np.int64),
            }
        )
        for name, who in kinds
        if who.any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else _no_rows("low", "high")


def probability_steps(plan: ContactPlan) -> pd.DataFrame:
    """Count customers at each distinct probability: series, probability, customers."""
    propensity, kinds = _drawn_with(plan)
    parts = []
    for name, who in kinds:
        if who.any():
            at, count = np.unique(propensity[who], return_counts=True)
            parts.append(pd.DataFrame({"series": name, "probability": at, "customers": count}))
    return pd.concat(parts, ignore_index=True) if parts else _no_rows("probability")


def _no_rows(*numbers: str) -> pd.DataFrame:
    floats = {name: pd.Series(dtype=float) for name in numbers}
    return pd.DataFrame(
        {"series": pd.Series(dtype="str"), **floats, "customers": pd.Series(dtype=np.int64)}
    )


def blocked_frame(plan: ContactPlan, count: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Count blocked pairs by rule, largest first: rule, pairs, share (of all pairs).

    A pair that several rules block counts for each: shares may add up to more than 1. ``count``
    is ``plan.summary()["blocked_by_rule"]``, where it is there already.
    """
    count = blocked_by_rule(plan) if count is None else count
    pairs = np.array(list(count.values()), dtype=np.int64)
    return pd.DataFrame(
        {
            "rule": pd.Series(list(count), dtype="str"),
            "pairs": pairs,
            "share": pairs / max(plan.batch.allowed.size, 1),
        }
    )


def _unit_of(plan: ContactPlan, pool: str) -> tuple[str, str]:
    """Return the column to draw and its name: contacts for a pool that nothing limits."""
    units = dict(zip(plan.rows.table.pool, plan.rows.table.unit, strict=True))
    return ("units", units[pool]) if pool in units else ("contacts", "contacts")


def refuse_unknown_pool(pool: str, known: Any) -> None:
    """Raise `ConfigError` with the pools that there are."""
    if pool not in set(known):
        there = ", ".join(sorted(map(str, known))) or "none"
        raise ConfigError(f"the plan has no pool {pool!r}", hint=f"pools there are: {there}")
