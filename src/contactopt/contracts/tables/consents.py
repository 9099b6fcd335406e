"""Consents: what a customer allowed or revoked, by channel."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Consents(pa.DataFrameModel):
    """One row per customer, channel, change and, if narrower, contact point."""

    customer_id: Series[str] = fields.ident("who said so")
    channel: Series[str] = fields.word("for which channel", vocabulary.CHANNELS)
    changed_at: Series[pd.DatetimeTZDtype] = fields.instant("when")
    contact_point_id: Series[str] | None = fields.ident(
        "for this contact point only; null = the whole channel", null=True
    )
    status: Series[str] = fields.word("granted or revoked", vocabulary.CONSENT_STATUSES)
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
