"""Contact points: phones, addresses and apps through which a customer may be met."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class ContactPoints(pa.DataFrameModel):
    """One row per contact point."""

    contact_point_id: Series[str] = fields.ident("the contact point")
    customer_id: Series[str] = fields.ident("whose it is said to be")
    kind: Series[str] = fields.word("what it is", vocabulary.POINT_KINDS)
    place: Series[str] = fields.word("where it rings or is read", vocabulary.PLACES)
    quality_share: Series[float] | None = fields.share(
        "how sure we are that it is the customer's", null=True
    )
    time_zone: Series[str] | None = fields.zone("zone of the place it belongs to")
    jurisdiction: Series[str] | None = fields.jurisdiction(
        "jurisdiction of the place it belongs to", null=True
    )
    holder: Series[str] | None = fields.word("who holds it", vocabulary.HOLDERS, null=True)
    address_key: Series[str] | None = fields.ident(
        "same for the same phone or address, hashed", null=True
    )
    valid_from: Series[pd.DatetimeTZDtype] = fields.instant("first instant of use")
    valid_to: Series[pd.DatetimeTZDtype] | None = fields.instant("end of use, exclusive", null=True)
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
