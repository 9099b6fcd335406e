"""Debt snapshots: how a debt stood at an instant."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class DebtSnapshots(pa.DataFrameModel):
    """One row per debt and observation."""

    debt_id: Series[str] = fields.ident("the debt")
    observed_at: Series[pd.DatetimeTZDtype] = fields.instant("when it stood so")
    balance: Series[float] = fields.money("all that is owed")
    past_due: Series[float] = fields.money("part of the balance that is late")
    days_past_due: Series[float] = fields.count(
        "days since the oldest unpaid due day; 0 = current, not planned"
    )
    status: Series[str] = fields.word("state of the debt", vocabulary.DEBT_STATUSES)
    next_due_at: Series[pd.DatetimeTZDtype] | None = fields.due_day("next due day", null=True)
    instalment: Series[float] | None = fields.money("amount due then", null=True)
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
