"""Payments received."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Payments(pa.DataFrameModel):
    """One row per payment."""

    payment_id: Series[str] = fields.ident("the payment")
    debt_id: Series[str] = fields.ident("which debt")
    paid_at: Series[pd.DatetimeTZDtype] = fields.instant("when it was made")
    amount: Series[float] = fields.amount("how much")
    kind: Series[str] | None = fields.word(
        "whether the customer paid freely; null = voluntary", vocabulary.PAYMENT_KINDS, null=True
    )
    method: Series[str] | None = fields.text("how it was paid", null=True)
    promise_id: Series[str] | None = fields.ident("promise that it fulfils", null=True)
    reversed_at: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "when it bounced or was taken back", null=True
    )
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
