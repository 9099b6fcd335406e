"""Random batches under capacity: heavy-tailed values, pools of contacts, minutes and money.

Shared by the benchmarks of the allocation and of the draw. Six channels at four or ten hours each
(24 or 60 actions), 60 % of the pairs eligible, each channel limited to 2-15 % of the customers.
Rows of every kind: contacts by day, by channel and hour, agent minutes with a handling time of each
customer's own, and money for messages whose price depends on the customer's country.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from contactopt.config import PoolConfig
from contactopt.contracts import ActionSpace, ScoredBatch
from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["CapacityCase", "make_case"]

CHANNELS = ("call_agent", "sms", "call_bot", "whatsapp", "email", "push")
AS_OF = pd.Timestamp("2026-06-02T00:00Z")
#: pools whose hours are limited too, in the order in which rows are added
_BY_HOUR = ("call_agent", "sms", "call_bot", "whatsapp", "email", "push")
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class CapacityCase:
    """A batch, its capacity table and its pools."""

    batch: ScoredBatch
    capacity: pd.DataFrame
    pools: dict[str, PoolConfig]


def make_case(n: int, *, n_actions: int = 60, n_rows: int = 30, seed: int = 0) -> CapacityCase:
    """Make one case.

    Parameters
    ----------
    n : int
        Customers.
    n_actions : int
        A multiple of 6; each channel has as many hours.
    n_rows : int
        Capacity rows: first the six days, then hours, channel after channel.
    seed : int

    Returns
    -------
    CapacityCase
    """
    rng = np.random.default_rng(seed)
    hours = tuple(range(8, 8 + n_actions // len(CHANNELS)))
    actions = ActionSpace.from_channels(dict.fromkeys(CHANNELS, hours))
    m = len(actions)
    channel = actions.channel_index
    value, allowed = _values(rng, n, m)
    minutes = rng.gamma(4.0, 1.5, n).clip(1.0, 20.0).astype(np.float32)
    message_price = rng.choice(np.array([0.02, 0.05, 0.11], dtype=np.float32), n)
    usage = np.ones((n, m), dtype=np.float32)
    pools = actions.channels
    usage[:, channel == pools.index("call_agent")] = minutes[:, None]
    usage[:, channel == pools.index("whatsapp")] = message_price[:, None]
    start = AS_OF.value // 1000 + actions.hours.astype(np.int64) * _HOUR_US
    batch = _batch(n, m, actions, value, allowed, usage, channel, start)
    mean = {"call_agent": float(minutes.mean()), "whatsapp": float(message_price.mean())}
    units: dict[str, Literal["contacts", "minutes", "money"]] = {
        "call_agent": "minutes",
        "whatsapp": "money",
    }
    return CapacityCase(
        batch=batch,
        capacity=_capacity(rng, n, hours, n_rows, mean),
        pools={c: PoolConfig(unit=units.get(c, "contacts")) for c in CHANNELS},
    )


def _values(rng: np.random.Generator, n: int, m: int):
    """Return values (debt x effect, log-normal tails, some below zero) and what is eligible."""
    value = np.empty((n, m), dtype=np.float32)
    allowed = np.empty((n, m), dtype=bool)
    debt = rng.lognormal(0.0, 1.2, n).astype(np.float32)
    arm = rng.gamma(2.0, 0.5, m).astype(np.float32)
    for a in range(0, n, 50_000):
        part = value[a : a + 50_000]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= 0.4
        part += arm - 0.25
        part *= debt[a : a + 50_000, None]
        allowed[a : a + 50_000] = rng.random(part.shape, dtype=np.float32) < 0.6
    return value, allowed


def _batch(n, m, actions, value, allowed, usage, channel, start) -> ScoredBatch:
    def same(number: float, kind: Any) -> Any:
        return np.broadcast_to(np.array(number, dtype=kind), (n, m))

    none = np.zeros(0, dtype=object)
    return ScoredBatch(
        as_of=AS_OF, currency="USD",
        customer_ids=np.array([f"C-{k:08d}" for k in range(n)], dtype=object), actions=actions,
        allowed=allowed, reason=same(0, np.int32), reason_sets=((),),
        lawful_from=same(NO_INSTANT, np.int64), value=value, spread=same(0.3, np.float32),
        p_reach=same(0.3, np.float32), p_pay=same(0.2, np.float32), lift=value,
        cost=same(0, np.float32), harm=same(0, np.float32), margin=same(1, np.float32),
        p_pay_wait=np.full(n, 0.2), amount=np.ones(n),
        pool=np.broadcast_to(channel.astype(np.int16), (n, m)), pools=actions.channels, usage=usage,
        time_zone=np.full(n, "UTC", dtype=object), slot_start=np.broadcast_to(start, (n, m)),
        start_before=np.broadcast_to(start + _HOUR_US, (n, m)), debt=same(-1, np.int64),
        debt_ids=none, contact_point=same(-1, np.int64), contact_point_ids=none,
        template=same(-1, np.int16),
    )  # fmt: skip


def _capacity(rng, n: int, hours: tuple[int, ...], n_rows: int, mean: dict[str, float]):
    day = AS_OF.date().isoformat()
    share = dict(zip(CHANNELS, rng.uniform(0.02, 0.15, len(CHANNELS)), strict=True))
    rows = [(c, day, None, share[c] * n * mean.get(c, 1.0)) for c in CHANNELS]
    for c in _BY_HOUR:
        tight = rng.uniform(0.6, 1.6, len(hours)) / len(hours)
        rows += [
            (c, day, h, t * share[c] * n * mean.get(c, 1.0))
            for h, t in zip(hours, tight, strict=True)
        ]
    # hours of a pool all or none: an hour without a row is held by the day alone, which is allowed
    frame = pd.DataFrame(rows[:n_rows], columns=["pool", "date", "hour", "units"])
    return frame.astype({"units": float})
