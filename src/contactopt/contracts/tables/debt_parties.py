"""Debt parties: obligors beside the main one."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class DebtParties(pa.DataFrameModel):
    """One row per debt and further party."""

    debt_id: Series[str] = fields.ident("the debt")
    customer_id: Series[str] = fields.ident("the further party")
    role: Series[str] = fields.word("in which role", vocabulary.PARTY_ROLES)
    valid_from: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "first instant of the role", null=True
    )
    valid_to: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "end of the role, exclusive", null=True
    )
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
