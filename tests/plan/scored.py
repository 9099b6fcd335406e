"""Made-up batches for the tests of the plan: several zones, pools of minutes, blocked arms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch

AS_OF = pd.Timestamp("2026-06-02T12:00Z")
ZONES = ("America/New_York", "America/Bogota", "America/Chicago")
HOUR = 3_600_000_000


def make_batch(
    n: int = 200,
    *,
    hours: tuple[int, ...] = (9, 11, 13, 15, 17),
    channels: tuple[str, ...] = ("call_agent", "sms", "email"),
    seed: int = 0,
    allowed_share: float = 0.7,
    minutes: bool = False,
    letter: bool = True,
    shift: float = 0.0,
) -> ScoredBatch:
    """Return a batch of n customers; values are heavy-tailed money net of cost."""
    rng = np.random.default_rng(seed)
    spec: dict[str, tuple[int | None, ...]] = dict.fromkeys(channels, hours)
    if letter:
        spec["letter"] = (None,)
    actions = ActionSpace.from_channels(spec)
    m = len(actions)
    ids = np.array([f"C-{k:07d}" for k in range(n)], dtype=object)
    amount = rng.lognormal(5.0, 1.0, n)
    reach = rng.beta(2, 5, (n, m))
    gain = rng.normal(0.03, 0.02, (n, m))
    cost = np.broadcast_to(rng.uniform(0.01, 1.5, m), (n, m))
    lift = reach * gain * amount[:, None]
    harm = np.full((n, m), 0.01)
    zone_code = rng.integers(0, len(ZONES), n)
    offset = np.array([-4, -5, -5])[zone_code]
    hour = actions.hours
    day = AS_OF.normalize().value // 1000
    start = day + (hour[None, :] - offset[:, None]) * HOUR
    start = np.where(start < AS_OF.value // 1000 + HOUR // 2, start + 24 * HOUR, start)
    start = np.where(hour[None, :] < 0, NO_INSTANT, start)
    before = np.where(start == NO_INSTANT, NO_INSTANT, start + HOUR - 300_000_000)
    allowed = rng.random((n, m)) < allowed_share
    usage = np.ones((n, m))
    pools = actions.channels
    pool = np.broadcast_to(actions.channel_index.astype(np.int16), (n, m))
    if minutes:
        usage = np.where(pool == 0, rng.uniform(3, 12, n)[:, None], 1.0)
    return ScoredBatch(
        as_of=AS_OF,
        currency="USD",
        customer_ids=ids,
        actions=actions,
        allowed=allowed,
        reason=np.where(allowed, 0, 1).astype(np.int32),
        reason_sets=((), ("us.hours",)),
        lawful_from=np.where(allowed | (start == NO_INSTANT), NO_INSTANT, start + HOUR),
        value=lift - cost - harm + shift,
        spread=0.3 * np.abs(lift) + 0.01,
        p_reach=reach,
        p_pay=np.clip(0.2 + reach * gain, 0, 1),
        lift=lift + shift,
        cost=cost,
        harm=harm,
        margin=np.ones((n, m)),
        p_pay_wait=np.full(n, 0.2),
        amount=amount,
        pool=pool,
        pools=pools,
        usage=usage,
        time_zone=np.array(ZONES, dtype=object)[zone_code],
        slot_start=start,
        start_before=before,
        debt=np.broadcast_to(np.arange(n)[:, None], (n, m)),
        debt_ids=np.array([f"D-{k}" for k in range(n)], dtype=object),
        contact_point=np.full((n, m), -1),
        contact_point_ids=np.array([], dtype=object),
        template=np.full((n, m), -1, dtype=np.int16),
        meta={"rules_version": "r1", "policy_version": "p1"},
    )


def capacity(n: int, *, per_hour: bool = True) -> pd.DataFrame:
    """Return agent rows by day and hour, a day row of sms, none of email and letters."""
    rows = []
    for day in ("2026-06-02", "2026-06-03"):
        rows.append(("call_agent", day, None, max(1, n // 10)))
        if per_hour:
            rows += [("call_agent", day, h, max(1, n // 40)) for h in range(24)]
        rows.append(("sms", day, None, max(1, n // 5)))
    frame = pd.DataFrame(rows, columns=["pool", "date", "hour", "units"])
    return frame.astype({"units": float})
