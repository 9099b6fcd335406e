"""How a fault is mended, in the words of the contract and never in values of the data."""

from __future__ import annotations

from contactopt.contracts.tables import TABLES, ColumnSpec

__all__ = ["advice"]

#: longer vocabularies are not printed: `contactopt schema` shows them
_MOST_WORDS = 45
_INSTANT, _DAY = "write 2026-06-02T12:00Z", "write 2026-06-02"
#: what a mapping file can make of a file with local times, and the checks that ask for one
_MAPPED = ("touches", "payments", "promises")
_CLOCK = ("not an instant or day", "naive instants: no time zone", "naive instant: no time zone")
_BY_CHECK = {
    "not a number": "digits, with a point for decimals: 1234.5",
    "not true or false": "write true or false",
    "naive instants: no time zone": _INSTANT,
    "naive instant: no time zone": _INSTANT,
    "numbers instead of instants": "write 2026-06-02T12:00Z; seconds or milliseconds since 1970 "
    "must be made instants first",
    "time of day without a time zone": f"{_DAY}, or {_INSTANT}",
    "is null": "it must have a value",
}
_MALFORMED = {
    "jurisdiction": "ISO 3166, such as CO or US-TX",
    "currency": "ISO 4217, such as USD",
    "language": "BCP 47, such as es or es-CO",
}


def advice(table: str, column: str, check: str) -> str:
    """Say in a few words what a column wants.

    Parameters
    ----------
    table, column, check : str
        As a `Fault` names them.

    Returns
    -------
    str
        Empty where the check says it all, or for a table that is not of the contract.

    Examples
    --------
    >>> advice("contact_points", "kind", "unknown word")
    'one of mobile, landline, email, postal, app'
    >>> advice("debts", "opened_at", "not an instant or day")
    'write 2026-06-02'
    """
    spec = TABLES[table].columns.get(column) if table in TABLES else None
    if spec is None:
        return ""
    if table in _MAPPED and check in _CLOCK and spec.kind == "instant":
        return f"{_INSTANT}, or let `contactopt ingest` read local times by a mapping"
    if check == "not an instant or day":
        return _DAY if spec.kind in ("day", "due_day") else _INSTANT
    if check == "unknown word":
        return _words(spec)
    if check == "malformed":
        return _MALFORMED.get(column, "")
    return _BY_CHECK.get(check, "")


def _words(spec: ColumnSpec) -> str:
    if spec.name == "time_zone":
        return "an IANA name, such as America/Bogota"
    if not spec.words or len(spec.words) > _MOST_WORDS:
        return ""
    own = ", or a channel of your strategy" if spec.name == "channel" else ""
    return f"one of {', '.join(spec.words)}{own}"
