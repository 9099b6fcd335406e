"""``contactopt schema``: the tables and columns of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import tell
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["schema"]


def schema(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table; default: all of them.")
    ] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print the table's header line for a CSV file.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the tables of the contract, or the columns of one.

    Without a table: name, whether it must be there to rank, key. With one: every column with its
    kind, format, allowed words, meaning, an example and who reads it. As JSON: JSON Schema.

    \b
    For example:
        contactopt schema
        contactopt schema holds
        contactopt schema payments --csv > payments.csv
        contactopt schema touches --json
    """
    from contactopt.contracts.catalogue import (
        CATALOGUE_TABLES,
        column_catalogue,
        json_schema,
        table_catalogue,
    )

    if as_csv and as_json:
        raise ConfigError("--csv and --json at once", hint="give one of them")
    if table is None:
        if as_csv:
            raise ConfigError("--csv needs a table", hint="contactopt schema payments --csv")
        told = table_catalogue()
        result = {name: json_schema(name) for name in CATALOGUE_TABLES} if as_json else {}
        tell(result, _tables_text(told), as_json=as_json)
        return
    columns = column_catalogue(table)
    if as_csv:
        typer.echo(",".join(columns["column"]))
        return
    tell(json_schema(table) if as_json else {}, _text(table, columns), as_json=as_json)


def _tables_text(told: pd.DataFrame) -> str:
    wide = max(map(len, told["table"]))
    keys = max(map(len, told["key"]))
    lines = [
        f"{t.table:<{wide}}  {'needed' if t.needed == 'yes' else 'optional':<8}  "
        f"{t.key:<{keys}}  {t.description}"
        for t in told.itertuples()
    ]
    lines.append("needed: must be there to rank, if only with its header. ")
    return "\n".join([*lines[:-1], "", lines[-1].strip(), "One table: contactopt schema TABLE"])


def _text(table: str, columns: pd.DataFrame) -> str:
    from contactopt.contracts.catalogue import table_catalogue

    told = table_catalogue().set_index("table").loc[table]
    needed = "needed" if str(told["needed"]) == "yes" else "optional"
    lines = [f"{table} ({needed}; key: {told['key']}). {told['description']}", ""]
    for c in columns.to_dict("records"):
        must = "required" if c["required"] else "may be absent"
        null = "may be null" if c["null"] else "never null"
        lines.append(f"{c['column']}  [{c['kind']}; {must}, {null}]")
        if c["description"]:
            lines.append(f"    {c['description']}")
        lines.append(f"    format: {c['format']}; example: {c['example']}")
        if c["words"]:
            lines.append(f"    words: {', '.join(c['words'])}")
        read = isinstance(c["reader"], str) and c["reader"]
        lines.append(f"    read by: {read or 'nobody yet'}")
    return "\n".join(lines)
