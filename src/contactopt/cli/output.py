"""How a verb speaks: its result on stdout, as text or as one JSON object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from contactopt.errors import ConfigError

__all__ = ["check_folder", "say", "shows_progress", "table", "tell"]


def tell(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result: its JSON object, or the text for people."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, default=_plain, allow_nan=False))
    else:
        typer.echo(text)


def say(message: str) -> None:
    """Log one line of progress to stderr."""
    typer.echo(message, err=True)


def check_folder(path: Path) -> None:
    """Refuse a folder that cannot be written to, before the work instead of after it.

    Raises
    ------
    ConfigError
        If a file stands there, or the nearest folder above may not be written to.
    """
    there = next((p for p in (path, *path.absolute().parents) if p.exists()), Path())
    if not there.is_dir():
        raise ConfigError(f"{there} is a file, not a folder", hint="name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{there} may not be written to", hint="name a folder that may")


def shows_progress(*, as_json: bool) -> bool:
    """Bars are for people at a terminal."""
    return sys.stderr.isatty() and not as_json


def table(pairs: Sequence[tuple[str, object]]) -> str:
    """Names and values in two columns."""
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in pairs)


def _plain(value: Any) -> Any:
    """JSON for what the standard library does not know: paths, instants, numpy numbers."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
