"""Touches: every contact and attempt, ours, a vendor's or the customer's."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Touches(pa.DataFrameModel):
    """One row per touch."""

    touch_id: Series[str] = fields.ident("the touch")
    customer_id: Series[str] = fields.ident("with whom")
    debt_id: Series[str] | None = fields.ident("about which debt; null = all open debts", null=True)
    direction: Series[str] = fields.word("from us or to us", vocabulary.DIRECTIONS)
    channel: Series[str] = fields.word("how", vocabulary.CHANNELS)
    started_at: Series[pd.DatetimeTZDtype] = fields.instant("when it began")
    outcome: Series[str] = fields.word("what came of it", vocabulary.OUTCOMES)
    outcome_at: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "when the outcome became known", null=True
    )
    responded_at: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "when the customer responded", null=True
    )
    contact_point_id: Series[str] | None = fields.ident("through which contact point", null=True)
    template_id: Series[str] | None = fields.ident("message that was sent", null=True)
    offer_id: Series[str] | None = fields.ident("offer that it carried", null=True)
    decision_id: Series[str] | None = fields.ident("decision that it executes", null=True)
    handled_by: Series[str] | None = fields.word(
        "who spoke or wrote", vocabulary.HANDLED_BY, null=True
    )
    vendor: Series[str] | None = fields.text("who executed it", null=True)
    collector: Series[str] | None = fields.text("on whose behalf; null = us", null=True)
    duration_s: Series[float] | None = fields.count("length, seconds", null=True)
    cost: Series[float] | None = fields.money(
        "variable cost, in the strategy's currency", null=True
    )
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
