"""Days of a simulated world that a strategy plans: ranked, logged and carried out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import contactopt as co
from contactopt.simulation import World, capacity_table

CONTACT = ["customer_id", "channel", "slot_local_hour", "decision_id", "contact_point_id"]


def of_today(plan: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the contacts of the batch's own day, as the world takes them."""
    start = plan["slot_start"].fillna(as_of)
    return plan[(start < as_of.normalize() + pd.Timedelta(days=1)).to_numpy()][CONTACT]


def live(world: World, strategy: co.ContactStrategy, log: Path, n_days: int) -> None:
    """Let a strategy plan some days of a world, each batch written to a log."""
    customers = world.portfolio().n_customers
    for k in range(n_days):
        as_of = world.as_of
        capacity = capacity_table(customers, as_of.date())
        plan = strategy.rank(world.portfolio(), as_of=as_of, capacity=capacity, random_state=k)
        plan.write(log)
        world.step(world.day, of_today(plan.to_frame(), as_of))
