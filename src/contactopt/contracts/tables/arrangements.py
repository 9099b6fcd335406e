"""Arrangements: agreed payment plans."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Arrangements(pa.DataFrameModel):
    """One row per arrangement."""

    arrangement_id: Series[str] = fields.ident("the arrangement")
    debt_id: Series[str] = fields.ident("which debt")
    starts_at: Series[pd.DatetimeTZDtype] = fields.day("first instalment's day")
    frequency: Series[str] = fields.word("how often an instalment is due", vocabulary.FREQUENCIES)
    instalment: Series[float] = fields.amount("each instalment")
    n_instalments: Series[float] = fields.count("number of instalments", least=1)
    ended_at: Series[pd.DatetimeTZDtype] | None = fields.instant("when it ended early", null=True)
    end_reason: Series[str] | None = fields.text("why it ended", null=True)
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
