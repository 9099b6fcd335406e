"""The whole line on priors alone, and its decisions as one table of actions."""

from __future__ import annotations

import pandas as pd
from outside.one_case_each import (
    AS_OF,
)

from contactopt import ContactStrategy, Portfolio
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES
from contactopt.plan import ContactPlan


def cold(config: StrategyConfig, as_of: pd.Timestamp = AS_OF) -> ContactStrategy:
    empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    return ContactStrategy(config=config).fit(Portfolio.from_frames(empty), as_of=as_of)


def load(tables: dict[str, pd.DataFrame], share: float = 0.0) -> Portfolio:
    return Portfolio.from_frames(tables, extra_channels=("rcs",), max_quarantined_share=share)


def table_of(plan: ContactPlan) -> pd.DataFrame:
    """Every considered action with its customer, channel, hour, start and probability."""
    batch = plan.batch
    hours = {a.action_id: (a.channel, a.slot_local_hour) for a in batch.actions}
    frames = []
    for row, customer in enumerate(map(str, batch.customer_ids)):
        frame = plan.why(customer).to_frame().assign(customer_id=customer)
        starts = dict(zip(batch.actions.action_ids, batch.slot_start[row], strict=True))
        frame = frame[frame["action_id"] != "wait"]
        frame["start"] = [
            pd.NaT if starts[a] < 0 else pd.Timestamp(starts[a], unit="us", tz="UTC")
            for a in frame["action_id"]
        ]
        frame["channel"] = [hours[a][0] for a in frame["action_id"]]
        frame["hour"] = [-1 if hours[a][1] is None else hours[a][1] for a in frame["action_id"]]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
