"""Single values of a mapping, whether YAML gave them as text or as what they are."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["FALSE_WORDS", "TRUE_WORDS", "as_flag", "as_number", "as_whole"]

TRUE_WORDS = ("true", "t", "1", "1.0", "yes", "y", "si", "sí", "s", "x", "verdadero", "sim", "oui")
FALSE_WORDS = ("false", "f", "0", "0.0", "no", "n", "", "falso", "não", "nao", "non")


def as_flag(value: Any) -> bool | None:
    """Return a truth value, None if it is none."""
    word = str(value).strip().lower()
    if value is None or not word:
        return None
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def as_number(value: Any) -> float | None:
    """Return a finite number, None if it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def as_whole(value: Any, least: int) -> int | None:
    """Return a whole number of at least ``least``, None if it is none."""
    number = as_number(value)
    return int(number) if number is not None and number >= least and number % 1 == 0 else None
