"""The least a strategy must do to be logged, loaded and served: no model, no mathematics."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from contactopt.bundle import load_bundle, save_bundle
from contactopt.config import StrategyConfig


class FakeStrategy:
    """One number as its state; plans the first customer by a text message."""

    def __init__(self, level: float = 0.5) -> None:
        self.level = level
        self.config = StrategyConfig.from_mapping({"slots": [9, 18]})
        self.asked: dict[str, Any] = {}
        self.fit_record_: dict[str, Any] = {
            "as_of": "2026-05-01T00:00:00+00:00",
            "rows": 120,
            "seconds": 1.5,
            "rules_version": "r1",
            "portfolio_hash": "p1",
            "parts": {
                "payment": {"params": {"leaves": 7}, "metrics": {"auc": 0.75}, "rows": 100},
                "reach": {"params": {}, "metrics": {"log_loss": float("nan")}, "seconds": 0.5},
            },
        }

    def save(self, folder: str | Path) -> str:
        return save_bundle({"model": {"level": self.level}}, folder)

    @classmethod
    def load(cls, folder: str | Path) -> FakeStrategy:
        return cls(load_bundle(folder)["model"]["level"])

    def rank(self, portfolio: Any, **asked: Any) -> SimpleNamespace:
        self.asked = asked
        ids = list(portfolio.customer_ids[:1])
        plan = pd.DataFrame(
            {
                "customer_id": ids,
                "decided_at": pd.DatetimeIndex([asked["as_of"]] * len(ids)),
                "expected_value": [self.level] * len(ids),
            }
        )
        return SimpleNamespace(to_frame=lambda: plan)
