"""Notices: legal notices by anybody, on which preconditions and waiting days hang."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Notices(pa.DataFrameModel):
    """One row per notice."""

    notice_id: Series[str] = fields.ident("the notice")
    customer_id: Series[str] = fields.ident("to whom")
    debt_id: Series[str] | None = fields.ident("about which debt; null = all debts", null=True)
    kind: Series[str] = fields.word("what was notified", vocabulary.NOTICE_KINDS)
    sent_at: Series[pd.DatetimeTZDtype] = fields.day("when it was sent")
    channel: Series[str] | None = fields.word("by which channel", vocabulary.CHANNELS, null=True)
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
