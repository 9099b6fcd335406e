"""A journal, its moments and a fitted pipeline for the tests of features."""

from __future__ import annotations

import numpy as np
from oracles.random_tables import random_tables

from contactopt.features import FeaturePipeline
from contactopt.journal import Journal
from contactopt.journal.local_time import to_us

DELAYS = {"payments": 24.0, "touches": 6.0, "touch_events": 3.0, "promises": 12.0}
DAYS = ("2026-01-20", "2026-02-11", "2026-03-02", "2026-04-15", "2026-06-01")


class Settings:
    """What the audit asks of a strategy's configuration."""

    def __init__(self, data_delay, grace_days):
        self.data_delay = data_delay
        self.orchestration = type("Orchestration", (), {"promise_grace_days": grace_days})


def built(seed: int = 0, n_customers: int = 10, delayed: bool = True):
    """Tables, settings, journal, customers and instants (every customer at every day)."""
    settings = Settings(DELAYS if delayed else {}, 2 if delayed else 0)
    tables = random_tables(n_customers, random_state=seed)
    journal = Journal(
        tables,
        data_delay=settings.data_delay,
        promise_grace_days=settings.orchestration.promise_grace_days,
    )
    instants = np.array([to_us(f"{d}T15:20Z") for d in DAYS])
    customers = np.tile(np.arange(n_customers), len(instants))
    return tables, settings, journal, customers, np.repeat(instants, n_customers)


def fitted(journal, customers, instants, **settings) -> FeaturePipeline:
    return FeaturePipeline(**settings).fit(journal, as_of=instants, customers=customers)
