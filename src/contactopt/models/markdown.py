"""Tables and numbers of a model card as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["cell", "number", "table"]


def number(x: Any) -> str:
    """Write a number with four digits, whole ones as they are, nothing where it is not known.

    Examples
    --------
    >>> number(0.123456), number(1500.0), number(float("nan"))
    ('0.1235', '1,500', '')
    """
    value = float(x)
    if not np.isfinite(value):
        return ""
    return f"{value:,.0f}" if value == round(value) and abs(value) >= 1 else f"{value:.4g}"


def cell(value: Any) -> str:
    """Return text as one cell: one line, no bars."""
    return " ".join(str(value).split()).replace("|", "\\|")


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    r"""Return a Markdown table.

    Examples
    --------
    >>> print(table(["a", "b"], [[1, "x|y"]]))
    | a | b |
    | --- | --- |
    | 1 | x\|y |
    """
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell(c) for c in line) + " |" for line in lines)
