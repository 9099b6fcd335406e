"""Kinds of contract columns: one factory per kind, so that every table says only what is its own.

The kind stands in the field's metadata and decides how raw values are read (`contracts.cast`);
the checks of the field are what pandera then holds the values to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast
from zoneinfo import available_timezones

import pandera.pandas as pa

__all__ = [
    "Kind",
    "amount",
    "count",
    "currency",
    "day",
    "due_day",
    "flag",
    "ident",
    "instant",
    "json_text",
    "jurisdiction",
    "language",
    "money",
    "number",
    "recorded",
    "share",
    "text",
    "word",
    "zone",
]

Kind = Literal["id", "word", "text", "json", "instant", "day", "due_day", "number", "flag"]
#: `localtime` is the machine's zone, `Factory` is none
_ZONES = sorted(available_timezones() - {"Factory", "localtime"})
_UTC = {"unit": "us", "tz": "UTC"}


def _field(kind: Kind, description: str, null: bool, **more: Any) -> Any:
    return pa.Field(
        nullable=null, description=description, metadata={"kind": kind}, **cast(dict, more)
    )


def ident(description: str, *, null: bool = False) -> Any:
    """Id: text, compared exactly; whole numbers are read as their digits."""
    return _field("id", description, null)


def word(description: str, words: Sequence[str], *, null: bool = False) -> Any:
    """Word of a vocabulary."""
    return _field("word", description, null, isin=list(words))


def text(description: str, *, null: bool = False) -> Any:
    """Free text that names something (a creditor, a vendor); grouped by, never parsed."""
    return _field("text", description, null)


def json_text(description: str) -> Any:
    """Text that holds one JSON object, or null."""
    return _field("json", description, True)


def instant(description: str, *, null: bool = False) -> Any:
    """Time-zone-aware instant, kept in UTC with microseconds."""
    return _field("instant", description + " (instant, UTC)", null, dtype_kwargs=_UTC)


def recorded() -> Any:
    """Instant at which our systems learnt of the row."""
    return instant("when the row became known to us, if later than the event", null=True)


def day(description: str, *, null: bool = False) -> Any:
    """Local day of the customer, kept as the instant at which it begins."""
    return _field("day", description + " (local day, from its start)", null, dtype_kwargs=_UTC)


def due_day(description: str, *, null: bool = False) -> Any:
    """Local day of the customer that counts to its end, kept as its last microsecond."""
    return _field("due_day", description + " (local day, to its end)", null, dtype_kwargs=_UTC)


def number(description: str, *, null: bool = False, **checks: Any) -> Any:
    """Finite number."""
    return _field("number", description, null, **checks)


def money(description: str, *, null: bool = False) -> Any:
    """Amount of money, zero or more, in the debt's currency unless said otherwise."""
    return _field("number", description + " (money)", null, ge=0)


def amount(description: str, *, null: bool = False) -> Any:
    """Amount of money above zero, in the debt's currency."""
    return _field("number", description + " (money, > 0)", null, gt=0)


def share(description: str, *, null: bool = False) -> Any:
    """Share in [0, 1]."""
    bounds = {"min_value": 0, "max_value": 1}
    return _field("number", description + " (share, 0 to 1)", null, in_range=bounds)


def count(description: str, *, null: bool = False, least: int = 0) -> Any:
    """Count or duration, never negative."""
    return _field("number", description, null, ge=least)


def flag(description: str) -> Any:
    """Truth value; null means false."""
    return _field("flag", description, True)


def zone(description: str) -> Any:
    """IANA time zone."""
    return _field("word", description + " (IANA)", True, isin=_ZONES)


def jurisdiction(description: str, *, null: bool = False) -> Any:
    """ISO 3166-1 country, or ISO 3166-2 subdivision."""
    return _field("word", description, null, str_matches=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")


def currency(description: str) -> Any:
    """ISO 4217 code."""
    return _field("word", description, False, str_matches=r"^[A-Z]{3}$")


def language(description: str) -> Any:
    """BCP 47 tag."""
    pattern = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
    return _field("word", description, True, str_matches=pattern)
