"""Holds: reasons not to make contact, or only in a certain way."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Holds(pa.DataFrameModel):
    """One row per hold."""

    hold_id: Series[str] = fields.ident("the hold")
    customer_id: Series[str] = fields.ident("whom it protects")
    kind: Series[str] = fields.word("why", vocabulary.HOLD_KINDS)
    debt_id: Series[str] | None = fields.ident("for this debt only; null = all debts", null=True)
    channel: Series[str] | None = fields.word(
        "for this channel only", vocabulary.CHANNELS, null=True
    )
    contact_point_id: Series[str] | None = fields.ident("for this contact point only", null=True)
    starts_at: Series[pd.DatetimeTZDtype] = fields.instant("from when")
    ends_at: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "until when, exclusive; null = open", null=True
    )
    detail: Series[str] | None = fields.json_text("facts of the hold as one JSON object")
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
