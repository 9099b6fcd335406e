"""A vendor's mapping: what their columns, codes and times mean in the words of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.codes import Code

__all__ = ["EVENT_COLUMNS", "MAPPED_TABLES", "MATCH_KEYS", "Match", "ReadOptions", "VendorMapping"]

MAPPED_TABLES = ("touches", "payments", "promises")
#: columns of a receipt file, one row per thing that happened to a message
EVENT_COLUMNS = ("occurred_at", "event", "machine")
#: how a row's customer may be told, and the table of the portfolio that leads to it
MATCH_KEYS = {
    "customer_id": "customers",
    "address_key": "contact_points",
    "debt_id": "debts",
    "contact_point_id": "contact_points",
    "decision_id": "decisions",
    "touch_id": "touches",
}
#: what a status row says of its message, so no part of the message's identity
_STATUS_COLUMNS = (*EVENT_COLUMNS, "outcome", "outcome_at", "responded_at", "duration_s", "cost")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a text file is written.

    Parameters
    ----------
    separator : str
    encoding : str or None
        None: UTF-8, or what the file's byte order mark says.
    decimal, thousands : str
        Signs inside numbers; no thousands sign: empty.
    quote : str
        Empty: nothing is quoted.
    header : int
        Line of the file, from 1, that names the columns; 0: none does, and columns are called by
        ``names``, or by their number from 1.
    names : tuple of str
    skip_footer : int
        Rows at the end that are no data (totals).
    nulls : tuple of str
        Values that say nothing, besides the empty one.
    """

    separator: str = ","
    encoding: str | None = None
    decimal: str = "."
    thousands: str = ""
    quote: str = '"'
    header: int = 1
    names: tuple[str, ...] = ()
    skip_footer: int = 0
    nulls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """How a row's customer is told.

    Parameters
    ----------
    by : str
        One of `MATCH_KEYS`.
    columns : tuple of str
        Their columns that hold it, joined by a blank.
    hash : {"", "sha256", "sha1", "md5"}
        Applied to their value before it is compared.
    strip : bool
        Whether their address is also tried in lower case without blanks, dashes, dots, brackets
        and plus signs.
    """

    by: str
    columns: tuple[str, ...]
    hash: str = ""
    strip: bool = True


@dataclass(frozen=True)
class VendorMapping:
    """What a vendor's file means; made by `from_yaml` or `from_mapping`.

    Parameters
    ----------
    table : {"touches", "payments", "promises"}
    match : Match
    columns : dict of str to tuple of str
        Our column to theirs; several are joined by a blank.
    constants : dict of str to value
        Our column to the value that all rows have.
    codes : dict of str to dict of str to Code
        Our column to the meaning of their codes (trimmed, case folded).
    formats : dict of str to tuple of str
        Our column to the formats of its times; "" holds those of all others. Empty: ISO 8601.
    time_zone : str, optional
        IANA zone of times that carry no offset.
    id_from : tuple of str
        Their columns that tell rows apart, hashed into the id; empty if the id is theirs.
    read : ReadOptions
    extra_channels : tuple of str
        Channels that the strategy adds by `like`.

    Examples
    --------
    >>> mapping = VendorMapping.from_mapping(
    ...     {
    ...         "table": "touches",
    ...         "time_zone": "America/Bogota",
    ...         "format": "%d/%m/%Y %H:%M",
    ...         "columns": {
    ...             "customer_id": "CLIENTE",
    ...             "started_at": ["FECHA", "HORA"],
    ...             "outcome": "RESULTADO",
    ...         },
    ...         "constants": {"channel": "call_agent", "vendor": "dialler"},
    ...         "codes": {"NC": "no_answer", "PP": "promise"},
    ...     }
    ... )
    >>> mapping.match.by, mapping.id_from
    ('customer_id', ('CLIENTE', 'FECHA', 'HORA', 'RESULTADO'))
    """

    table: str
    match: Match
    columns: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, Any] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, Code]] = field(default_factory=dict)
    formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    time_zone: str | None = None
    id_from: tuple[str, ...] = ()
    read: ReadOptions = field(default_factory=ReadOptions)
    extra_channels: tuple[str, ...] = ()

    @classmethod
    def from_yaml(cls, path: str | Path, *, extra_channels: Iterable[str] = ()) -> VendorMapping:
        """Read a mapping file.

        Parameters
        ----------
        path : str or Path
            A YAML file, UTF-8. Values are taken as they are written: the code `NO` stays NO and
            `007` keeps its zeros, quoted or not.
        extra_channels : iterable of str
            Channels that the strategy adds by `like`.

        Returns
        -------
        VendorMapping

        Raises
        ------
        ConfigError
            If the file is missing or no YAML, or with every fault of its content at once.
        """
        from contactopt.contracts.vendors.mapping_file import mapping_from_yaml

        return mapping_from_yaml(path, tuple(extra_channels))

    @classmethod
    def from_mapping(
        cls,
        data: Mapping[str, Any],
        *,
        source: str = "mapping",
        extra_channels: Iterable[str] = (),
    ) -> VendorMapping:
        """Build from a mapping of the same keys as the file; raises like `from_yaml`."""
        from contactopt.contracts.vendors.mapping_reader import read_mapping

        return read_mapping(data, source, tuple(extra_channels))

    # ---- what follows from it ----------------------------------------------------------------

    @property
    def key(self) -> str:
        """Column of the table that holds the row's id."""
        return TABLES[self.table].key[0]

    @property
    def receipts(self) -> bool:
        """Whether rows are things that happened to messages, several per message."""
        told = any(c.machine is not None for codes in self.codes.values() for c in codes.values())
        return self.table == "touches" and (
            told or any(c in self.columns or c in self.constants for c in EVENT_COLUMNS)
        )

    @property
    def code_column(self) -> str:
        """Our column whose codes say what came of a touch."""
        return "event" if "event" in self.columns else "outcome"

    @property
    def vendor(self) -> str:
        """The vendor's name, empty if it is not told once for all rows."""
        return str(self.constants.get("vendor", ""))

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Their columns that the file must have, sorted."""
        theirs = {name for names in self.columns.values() for name in names}
        return tuple(sorted(theirs | set(self.match.columns) | set(self.id_from)))


def default_id_columns(
    columns: Mapping[str, tuple[str, ...]], match: Match, receipts: bool
) -> tuple[str, ...]:
    """Return their columns that tell rows apart where `id_from` says nothing.

    All that are mapped; of receipts only those that say which message it is.
    """
    left_out = _STATUS_COLUMNS if receipts else ()
    used = [name for ours, names in columns.items() if ours not in left_out for name in names]
    return tuple(dict.fromkeys((*match.columns, *used)))
