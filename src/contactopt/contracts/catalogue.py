"""The contract as a catalogue: every table and column, what may stand in it, and who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import pandas as pd

from contactopt.contracts.batch_columns import BATCH_COLUMNS
from contactopt.contracts.capacity import CAPACITY_COLUMNS
from contactopt.contracts.tables import TABLES, ColumnSpec, TableSpec
from contactopt.contracts.usage import CAPACITY_READERS, READERS
from contactopt.errors import ConfigError

__all__ = ["CATALOGUE_TABLES", "column_catalogue", "json_schema", "table_catalogue"]

_BESIDE = {
    "capacity": ("pool, date, hour", "Units of a pool by day and hour; without a row: unlimited."),
    "scored_batch": ("customer_id, action_id", "Scores by anybody, for `ScoredBatch.from_frame`."),
}
#: every table that can be asked for: those of a portfolio, and what stands beside them
CATALOGUE_TABLES = (*TABLES, *_BESIDE)

_FORMATS = {
    "id": "text, compared exactly",
    "word": "one of the words",
    "text": "text",
    "json": "one JSON object",
    "instant": "ISO 8601 with offset; kept in UTC",
    "day": "YYYY-MM-DD, the customer's local day, from its start",
    "due_day": "YYYY-MM-DD, the customer's local day, to its end",
    "number": "number, point for decimals",
    "flag": "true or false; null is false",
}
_JSON_TYPES = {"number": "number", "flag": "boolean"}
_JSON_FORMATS = {"instant": "date-time", "day": "date", "due_day": "date"}
#: longer lists of words are told by their standard
_MOST_WORDS = 100

#: an example of one coherent customer; what is not here follows from kind and words
_EXAMPLES: dict[str, str] = {
    "customer_id": "C-17",
    "debt_id": "D-17",
    "contact_point_id": "P-17",
    "hold_id": "H-17",
    "touch_id": "T-17",
    "promise_id": "R-17",
    "payment_id": "Y-17",
    "notice_id": "N-17",
    "arrangement_id": "A-17",
    "decision_id": "X-17",
    "action_id": "sms@10",
    "template_id": "sms-reminder-es",
    "offer_id": "plan-3",
    "batch_id": "B-17",
    "address_key": "9f2c61",
    "jurisdiction": "CO",
    "time_zone": "America/Bogota",
    "language": "es-CO",
    "currency": "COP",
    "birth_year": "1984",
    "locality": "Medellin",
    "creditor": "Banco Uno",
    "book": "cartera-3",
    "vendor": "dialler-a",
    "collector": "us",
    "method": "transfer",
    "end_reason": "paid off",
    "policy_version": "4f1d09",
    "rules_version": "77aa20",
    "detail": '{"days": ["MON", "TUE"], "start": "08:00", "end": "10:00"}',
    "hour": "9",
    "slot_local_hour": "10",
    "n_instalments": "6",
    "days_past_due": "42",
    "duration_s": "95",
    "propensity": "0.25",
    "cost": "0.05",
    "principal": "2000000",
    "balance": "1500000",
    "past_due": "300000",
    "units": "480",
    "pool": "agents",
    "reasons": "co.hours",
    "channel": "sms",
    "opened_at": "2024-01-10",
    "delinquent_since": "2026-04-20",
    "starts_at": "2026-05-01T00:00:00Z",
    "ends_at": "2026-06-30T00:00:00Z",
    "valid_from": "2024-01-10T00:00:00Z",
    "valid_to": "2027-01-01T00:00:00Z",
    "closed_at": "2026-06-20T15:00:00Z",
    "due_at": "2026-06-05",
    "made_at": "2026-05-29T14:30:00Z",
    "until_date": "2026-06-30",
    "date": "2026-06-02",
    "next_due_at": "2026-06-15",
    "recorded_at": "2026-05-30T02:00:00Z",
}
_BY_KIND = {
    "instant": "2026-05-29T14:30:00Z",
    "day": "2026-05-29",
    "due_day": "2026-06-15",
    "flag": "false",
    "number": "250",
    "text": "text",
    "id": "id-17",
}


def table_catalogue() -> pd.DataFrame:
    """Return one row per table: table, needed, key, description.

    ``needed`` is `yes` for tables that must be there to rank (they may be empty), `no` for others.
    """
    rows = [
        (n, "yes" if s.needed else "no", ", ".join(s.key), s.description) for n, s in TABLES.items()
    ]
    rows += [(name, "no", key, text) for name, (key, text) in _BESIDE.items()]
    return pd.DataFrame(rows, columns=["table", "needed", "key", "description"])


def column_catalogue(table: str) -> pd.DataFrame:
    """Return one row per column of a table, required ones first.

    Parameters
    ----------
    table : str
        A table of the contract, `capacity` or `scored_batch`.

    Returns
    -------
    pandas.DataFrame
        Columns column, kind, format, required, null, words (list), description, example, reader
        (None: nobody reads it yet).

    Raises
    ------
    ConfigError
        If there is no such table.

    Examples
    --------
    >>> column_catalogue("payments")["column"].tolist()[:4]
    ['payment_id', 'debt_id', 'paid_at', 'amount']
    """
    if table in TABLES:
        rows = list(_contract_rows(TABLES[table]))
    elif table == "capacity":
        rows = [
            _row(name, kind, needed, not needed, (), text, CAPACITY_READERS[name])
            for name, (kind, needed, text) in CAPACITY_COLUMNS.items()
        ]
        for row in rows:
            if row["kind"] == "word":
                row["format"] = "text"
    elif table == "scored_batch":
        rows = [
            _row(name, c.kind, c.needed, not c.needed, (), _range(c), "policy: value and draw")
            for name, c in BATCH_COLUMNS.items()
        ]
    else:
        near = get_close_matches(table, CATALOGUE_TABLES, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"no table {table!r}", hint=f"{meant}tables: {', '.join(CATALOGUE_TABLES)}"
        )
    frame = pd.DataFrame(rows)
    # None, not NaN, where nobody reads a column
    frame["reader"] = pd.Series([row["reader"] for row in rows], dtype=object)
    # a key stands first even where a part of it may be null
    return frame.sort_values("required", ascending=False, kind="stable", ignore_index=True)


def json_schema(table: str) -> dict[str, Any]:
    """Return a table's rows as JSON Schema (draft 2020-12), with ``x-reader`` beside it.

    Raises
    ------
    ConfigError
        If there is no such table.
    """
    columns = column_catalogue(table)
    told = table_catalogue().set_index("table").loc[table]
    properties = {}
    for c in columns.to_dict("records"):
        kind = _JSON_TYPES.get(c["kind"], "string")
        one: dict[str, Any] = {"type": [kind, "null"] if c["null"] else kind}
        if c["kind"] in _JSON_FORMATS:
            one["format"] = _JSON_FORMATS[c["kind"]]
        if c["words"]:
            one["enum"] = [*c["words"], None] if c["null"] else list(c["words"])
        one |= {"description": c["description"], "examples": [c["example"]]}
        properties[c["column"]] = {**one, "x-format": c["format"], "x-reader": c["reader"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table,
        "description": told["description"],
        "type": "object",
        "x-key": told["key"].split(", "),
        "x-needed": told["needed"] == "yes",
        "properties": properties,
        "required": columns.loc[columns["required"], "column"].tolist(),
    }


def _contract_rows(spec: TableSpec) -> Iterator[dict[str, Any]]:
    for column in spec.columns.values():
        null = bool(spec.schema.columns[column.name].nullable)
        words = column.words if len(column.words) < _MOST_WORDS else ()
        reader = READERS[spec.name][column.name]
        row = _row(
            column.name, column.kind, column.required, null, words, column.description, reader
        )
        yield row | {"format": _format(column), "example": _example(spec, column)}


def _row(
    name: str, kind: str, required: bool, null: bool, words: Any, text: str, reader: str | None
) -> dict[str, Any]:
    example = _EXAMPLES.get(name, _BY_KIND.get(kind, ""))
    if name in ("p_reach", "p_pay", "p_pay_wait"):
        example = "0.2"
    return {
        **{"column": name, "kind": kind, "format": _FORMATS[kind], "required": required},
        **{"null": null, "words": list(words), "description": text, "example": example},
        "reader": reader,
    }


def _format(column: ColumnSpec) -> str:
    if column.kind != "word":
        return _FORMATS[column.kind]
    if len(column.words) >= _MOST_WORDS:
        return "IANA time zone, as America/Bogota"
    if column.words:
        return _FORMATS["word"]
    standards = {
        "jurisdiction": "ISO 3166-1 or -2, as CO or US-TX",
        "currency": "ISO 4217, as COP",
        "language": "BCP 47, as es-CO",
    }
    return standards.get(column.name, "text")


def _example(spec: TableSpec, column: ColumnSpec) -> str:
    name = column.name
    if column.kind in ("day", "due_day") and name in ("starts_at", "sent_at"):
        return "2026-05-01"
    if name in _EXAMPLES and (not column.words or _EXAMPLES[name] in column.words):
        return _EXAMPLES[name]
    if name.endswith("_share"):
        return "0.9"
    return column.words[0] if column.words else _BY_KIND[column.kind]


def _range(column: Any) -> str:
    if column.least is None:
        return "" if column.kind != "number" else "any number"
    return f"{column.least:g} to {column.most:g}" if column.most is not None else "0 or more"
