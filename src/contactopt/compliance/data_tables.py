"""The tables beside the packs: words, flags, kinds and zones, read once from their files."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["shipped_packs", "table", "table_text"]

_ROOM = "contactopt.compliance"


def table_text(name: str) -> str:
    """Return the text of a table file (``words``, ``flags``, ``kinds`` or ``zones``)."""
    return files(_ROOM).joinpath("tables").joinpath(f"{name}.json").read_text("utf-8")


@cache
def table(name: str) -> dict[str, Any]:
    """Return a table as plain values; callers must not change it."""
    return json.loads(table_text(name))


@cache
def shipped_packs() -> dict[str, str]:
    """Return name -> text of every pack that comes with the library."""
    folder = files(_ROOM).joinpath("packs")
    found = {
        p.name.removesuffix(".json"): p.read_text("utf-8")
        for p in folder.iterdir()
        if p.name.endswith(".json")
    }
    return dict(sorted(found.items()))
