"""Promises to pay; kept, partial or broken is derived from payments, never typed in."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts.tables import fields


class Promises(pa.DataFrameModel):
    """One row per promise."""

    promise_id: Series[str] = fields.ident("the promise")
    debt_id: Series[str] = fields.ident("which debt")
    made_at: Series[pd.DatetimeTZDtype] = fields.instant("when it was made")
    due_at: Series[pd.DatetimeTZDtype] = fields.due_day("day by which the money is promised")
    amount: Series[float] = fields.amount("what was promised")
    touch_id: Series[str] | None = fields.ident("touch in which it was made", null=True)
    cancelled_at: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "when it was taken back", null=True
    )
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
