"""Debts: what is owed, to whom, and on whose behalf we ask."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Debts(pa.DataFrameModel):
    """One row per debt of a customer."""

    debt_id: Series[str] = fields.ident("the debt")
    customer_id: Series[str] = fields.ident("main obligor")
    product: Series[str] = fields.word("what was lent or sold", vocabulary.PRODUCTS)
    creditor: Series[str] = fields.text("whom the debt is owed to")
    ownership: Series[str] = fields.word(
        "whether we collect our own, a client's or a bought debt", vocabulary.OWNERSHIPS
    )
    currency: Series[str] = fields.currency("currency of all money of this debt (ISO 4217)")
    principal: Series[float] = fields.money("amount lent or first owed")
    opened_at: Series[pd.DatetimeTZDtype] = fields.day("when the debt began")
    delinquent_since: Series[pd.DatetimeTZDtype] = fields.day(
        "first unpaid due day; used where no snapshot is known"
    )
    charged_off_at: Series[pd.DatetimeTZDtype] | None = fields.day(
        "when it was written off", null=True
    )
    placed_at: Series[pd.DatetimeTZDtype] | None = fields.day(
        "when it was placed with a collector", null=True
    )
    recalled_at: Series[pd.DatetimeTZDtype] | None = fields.day(
        "when the creditor took it back", null=True
    )
    closed_at: Series[pd.DatetimeTZDtype] | None = fields.instant("when it ended", null=True)
    book: Series[str] | None = fields.text(
        "portfolio, cartera or placement it belongs to", null=True
    )
    margin_share: Series[float] | None = fields.share(
        "share of a payment that we keep; overrides the objective", null=True
    )
    settlement_floor_share: Series[float] | None = fields.share(
        "least share of the balance that may settle it", null=True
    )
    limitation_at: Series[pd.DatetimeTZDtype] | None = fields.day(
        "when it becomes time-barred", null=True
    )
    last_paid_at: Series[pd.DatetimeTZDtype] | None = fields.day(
        "last payment before our records begin", null=True
    )
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
