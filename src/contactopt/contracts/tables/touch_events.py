"""Touch events: what happened to a digital message, step by step."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class TouchEvents(pa.DataFrameModel):
    """One row per touch, instant and event."""

    touch_id: Series[str] = fields.ident("the message")
    occurred_at: Series[pd.DatetimeTZDtype] = fields.instant("when")
    event: Series[str] = fields.word("what happened", vocabulary.OUTCOMES)
    machine: Series[bool] | None = fields.flag(
        "caused by a machine (a mail scanner), not by the customer"
    )
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
