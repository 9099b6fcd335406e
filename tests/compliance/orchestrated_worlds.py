"""Random portfolios and strategies in which the rules of the house have much to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from lawful_worlds import DAY_US, random_world, table

from contactopt.config import StrategyConfig

CHANNELS = ("call_agent", "call_bot", "sms", "email", "letter", "whatsapp")
OUTCOMES = (
    "no_answer", "voicemail", "busy", "bounced", "invalid", "delivered", "delivered", "opened",
    "clicked", "replied", "promise", "plan_agreed", "settlement_agreed", "paid", "claims_paid",
    "callback", "refused", "hung_up", "no_commitment", "third_party", "unknown", "undelivered",
)  # fmt: skip
TEMPLATES = tuple(
    {
        "template_id": f"{channel}-{k}",
        "channel": channel,
        "approved": True,
        "language": ("en", None, "es")[k % 3],
        "stages": ([], ["mid"], [])[k % 3],
        "disclosures": (["opt_out", "mini_miranda", "identity", "agency"], ["opt_out"], [])[k % 3],
    }
    for channel in ("sms", "email", "call_bot")
    for k in range(3)
)


def strategy(seed: int, **more: Any) -> StrategyConfig:
    """A strategy with random settings of orchestration."""
    rng = np.random.default_rng([seed, 1])

    def pick(*words: Any) -> Any:
        return words[int(rng.integers(len(words)))]

    templates = pick([], TEMPLATES)
    treatments = {
        state: {
            "channels": pick([], ["letter"], ["email", "sms"]),
            "templates": pick([], ["sms-0", "email-1"]) if templates else [],
        }
        for state in ("hardship", "vulnerable", "in_plan")
    }
    return StrategyConfig.from_mapping(
        {
            "channels": {
                "call_agent": {},
                "dialler": {"like": "call_agent"},
                "call_bot": {},
                "sms": {},
                "email": {},
                "letter": {},
            },
            "slots": [7, 10, 19],
            "fallback": "cautious",
            "templates": templates,
            "orchestration": {
                "promise_grace_days": pick(0, 3),
                "outcome_silence_days": pick(0, 2, 7),
                "callback_days": pick(0, 1, 4),
                "one_attempt_per_day": pick(True, False),
                "agent_after_failed_bot": pick(True, False),
                "quiet_after_contact": pick(True, False),
                "single_active_channel": pick(True, True, False),
                "patience_days": pick(0, 1, 3),
                "answer_keeps_days": pick(0, 5),
                "vendors": pick({}, {"call_agent": "A", "dialler": "B", "sms": "A"}),
                "bot_before_agent": pick(True, False),
                "fallback_chains": pick({}, {"email": "letter"}, {"sms": "call_agent"}),
                "failure_opens_days": pick(2, 30),
                "futility_attempts": pick(0, 2, 4),
                "futility_days": pick(3, 30),
                "futility_rest_days": pick(0, 3, 14),
                "template_rest_days": pick(0, 1, 4),
                "treatments": treatments,
            },
            **more,
        }
    )


def orchestrated_world(  # noqa: C901  (one reading, in one piece)
    seed: int, as_of: str, n: int = 6
) -> dict[str, pd.DataFrame]:
    """A random world with a busy fortnight: vendors, templates, plans, callbacks, promises."""
    rng = np.random.default_rng([seed, 2])
    now = pd.Timestamp(as_of).value // 1000

    def when(days: float, late: float = 0.0) -> pd.Timestamp:
        us = now - int(rng.uniform(-late, days) * DAY_US)
        return pd.Timestamp(us, unit="us", tz="UTC")

    def some(share: float) -> bool:
        return bool(rng.random() < share)

    def pick(*words: Any) -> Any:
        return words[int(rng.integers(len(words)))]

    tables = random_world(seed, as_of, n, few=True)
    customers = tables["customers"]["customer_id"].tolist()
    tables["customers"] = tables["customers"].assign(
        language=[pick("en", "es-CO", None) for _ in customers]
    )
    points = tables["contact_points"].groupby("customer_id")["contact_point_id"].agg(list)
    debts = tables["debts"].groupby("customer_id")["debt_id"].agg(list)
    touches, plans, decisions = [], [], []
    for c in customers:
        own = points.get(c, [])
        favourite = pick(*CHANNELS)
        for k in range(int(rng.integers(0, 9))):
            started = when(pick(0.6, 3, 16))
            touches.append(
                {
                    "touch_id": f"O{c}{k}",
                    "customer_id": c,
                    "debt_id": None,
                    "direction": pick("outbound", "outbound", "outbound", "inbound"),
                    "channel": favourite if some(0.6) else pick(*CHANNELS),
                    "started_at": started,
                    "outcome": "no_answer" if some(0.4) else pick(*OUTCOMES),
                    "outcome_at": started + pd.Timedelta(hours=pick(0, 1, 30)),
                    "contact_point_id": pick(*own) if own and some(0.6) else None,
                    "collector": None,
                    "vendor": pick(None, "A", "B"),
                    "template_id": pick(None, "sms-0", "email-0", "call_bot-0", "sms-2"),
                }
            )
        for d in debts.get(c, []):
            if some(0.25):
                plans.append(
                    {
                        "arrangement_id": f"A{d}",
                        "debt_id": d,
                        "starts_at": when(20, 3),
                        "frequency": pick("daily", "weekly", "monthly"),
                        "instalment": pick(1.0, 5.0),
                        "n_instalments": pick(2.0, 12.0),
                        "ended_at": when(5) if some(0.3) else None,
                        "end_reason": None,
                    }
                )
        if some(0.2):
            decisions.append(
                {
                    "decision_id": f"OX{c}",
                    "decided_at": when(0.9),
                    "customer_id": c,
                    "channel": pick("call_bot", "email", "sms"),
                    "propensity": 0.5,
                    "slot_start": when(0.2, 1.2),
                    "dispatch_status": None,
                    "template_id": pick(None, "sms-0"),
                }
            )
    for name, rows in (("touches", touches), ("arrangements", plans), ("decisions", decisions)):
        if rows:
            new, old = table(rows), tables.get(name)
            tables[name] = new if old is None else pd.concat([old, new], ignore_index=True)
    if some(0.5):
        snapshots = tables["debt_snapshots"]
        status = ["in_plan" if some(0.3) else s for s in snapshots["status"]]
        tables["debt_snapshots"] = snapshots.assign(status=status)
    return tables
