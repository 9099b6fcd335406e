"""One pandera model per contract table, and the registry that says how tables hang together."""

from contactopt.contracts.tables.registry import TABLES, ColumnSpec, Link, TableSpec

__all__ = ["TABLES", "ColumnSpec", "Link", "TableSpec"]
