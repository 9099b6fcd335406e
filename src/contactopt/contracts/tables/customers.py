"""Customers: the unit of decision."""

from __future__ import annotations

import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Customers(pa.DataFrameModel):
    """One row per customer; does not change over time."""

    customer_id: Series[str] = fields.ident("the customer")
    jurisdiction: Series[str] = fields.jurisdiction("where the customer lives: ISO 3166-1 or -2")
    locality: Series[str] | None = fields.text(
        "place with rules of its own, by the name a rule pack uses", null=True
    )
    time_zone: Series[str] | None = fields.zone("zone of the customer's clock")
    language: Series[str] | None = fields.language("language to write and speak in (BCP 47)")
    birth_year: Series[float] | None = fields.number("year of birth", ge=1880, le=2200, null=True)
    preferred_channel: Series[str] | None = fields.word(
        "channel the customer asked for", vocabulary.CHANNELS, null=True
    )
    kind: Series[str] | None = fields.word(
        "private person or business", vocabulary.CUSTOMER_KINDS, null=True
    )
