"""Touch debts: the debts of a touch that was about several."""

from __future__ import annotations

import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts.tables import fields


class TouchDebts(pa.DataFrameModel):
    """One row per touch and debt."""

    touch_id: Series[str] = fields.ident("the touch")
    debt_id: Series[str] = fields.ident("one of the debts it was about")
