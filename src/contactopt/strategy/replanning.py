"""The re-plan of a day with a fitted strategy: judge what stands, score the rest, draw it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.decisions_on_record import with_decisions
from contactopt.contracts.vocabulary import CHANNELS
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    from contactopt.plan import ContactPlan, DecisionLog

__all__ = ["replan"]


def replan(
    strategy: Any,
    portfolio: Portfolio,
    instant: pd.Timestamp,
    earlier: ContactPlan | DecisionLog | str | Path,
    *,
    capacity: pd.DataFrame | str | Path | None,
    random_state: int,
    batch_id: str | None,
    progress: bool,
) -> ContactPlan:
    """Plan a day anew; see `ContactStrategy.replan`."""
    from contactopt.plan import recheck
    from contactopt.plan.replanning import (
        Replanned,
        decisions_of,
        earlier_of,
        remaining_capacity,
        within_window,
    )

    day, config = earlier_of(earlier), strategy.config
    until = day.as_of + pd.Timedelta(minutes=config.lead_minutes, hours=24)
    if not day.newest <= instant < until:
        raise ConfigError(
            f"{instant:%Y-%m-%dT%H:%MZ} does not lie between the earlier plan "
            f"({day.newest:%Y-%m-%dT%H:%MZ}) and the end of its window ({until:%Y-%m-%dT%H:%MZ})",
            hint="re-plan within the day; the next day has a plan of its own (`rank`)",
        )
    withdrawn = recheck(
        day.contacts, portfolio, instant, config=config, rules=strategy._rules(instant)
    )
    standing = day.stand(withdrawn, *_on_record(portfolio, instant))
    gone = set(standing.withdrawn["decision_id"].astype(str))
    anew, blocked = day.to_draw(standing, portfolio.customer_ids)
    scored = strategy._scored(
        with_decisions(portfolio, decisions_of(standing.contacts), gone),
        instant,
        random_state,
        progress,
        customers=np.append(anew, blocked),
    )
    # of what the portfolio holds and of what stands: another earlier plan is another batch
    content = f"{portfolio.content_hash}|{day.batch_id}"
    scored = replace(scored, meta={**scored.meta, "portfolio_hash": content})
    given = portfolio.capacity if capacity is None else capacity
    left = remaining_capacity(
        day.capacity if given is None else given,
        standing.contacts,
        as_of=day.as_of,
        until=until,
        zones={name: pool.time_zone for name, pool in config.pools.items()},
        known={*config.pools, *config.action_space.channels, *CHANNELS},
    )
    scored = _kept(within_window(scored, until), anew)
    plan = strategy._ranked(scored, left, random_state, batch_id)
    return replace(plan, replanned=Replanned(day, standing))


def _kept(scored: ScoredBatch, anew: npt.NDArray[np.object_]) -> ScoredBatch:
    """Leave out those who were blocked in the morning and are still."""
    has = scored.allowed.any(axis=1) | np.isin(scored.customer_ids, anew)
    return scored if has.all() else scored.subset(scored.customer_ids[has])


def _on_record(portfolio: Portfolio, now: pd.Timestamp) -> tuple[pd.DataFrame, set[str]]:
    """Return decisions whose dispatch state is known, and ids that touches carry out."""
    table = portfolio.tables["decisions"]
    known = np.ones(len(table), dtype=bool)
    for name in ("dispatched_at", "recorded_at"):
        if name in table:
            told = pd.to_datetime(table[name], utc=True)
            known &= (told.isna() | (told <= now)).to_numpy(dtype=bool)
    touches = portfolio.tables["touches"]
    told = pd.to_datetime(touches["recorded_at"], utc=True)
    began = pd.to_datetime(touches["started_at"], utc=True) <= now
    begun = (began & (told.isna() | (told <= now))).to_numpy(dtype=bool)
    return table[known], set(touches["decision_id"][begun].dropna().astype(str))
