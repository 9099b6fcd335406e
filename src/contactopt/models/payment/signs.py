"""Directions that the field knows: which way a column may move a probability."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contactopt.errors import ConfigError

__all__ = ["PAYMENT_SIGNS", "ROLL_SIGNS", "signs_of"]

#: of the feature pipeline's own columns. Counts of promises are left out on purpose: they tell of
#: engagement as well as of failure, so neither direction is safe
PAYMENT_SIGNS = {
    "debt.days_past_due": -1,
    "debt.max_days_past_due": -1,
    "promises.kept_share": 1,
}
#: days past due say how near the next bucket is: no direction
ROLL_SIGNS = {"promises.kept_share": -1}


def signs_of(
    monotone: Any, known: Mapping[str, int], names: Iterable[str], categories: Iterable[int]
) -> dict[int, int]:
    """Return column position to +1 or -1.

    Parameters
    ----------
    monotone : "auto", None or mapping of column name to -1, 0 or 1
        "auto" takes ``known``, and only of columns that have exactly that name.
    known : mapping of str to int
    names : iterable of str
        Columns of the frame, in order.
    categories : iterable of int
        Positions of columns without an order.

    Raises
    ------
    ConfigError
        If a mapping names a column that is not there, a category, or another value.
    """
    if monotone is None:
        return {}
    at = {name: k for k, name in enumerate(names)}
    unordered = set(categories)
    if isinstance(monotone, str):
        if monotone != "auto":
            raise ConfigError(
                f"monotone={monotone!r} is not known",
                hint='use "auto", None or {"column": 1 or -1}',
            )
        found = {at[name]: sign for name, sign in known.items() if name in at}
        return {k: sign for k, sign in found.items() if k not in unordered}
    for name, sign in monotone.items():
        if name not in at or at[name] in unordered or sign not in (-1, 0, 1):
            raise ConfigError(
                f"monotone: {name!r} is not a numeric column of the frame with -1, 0 or 1",
                hint="name numeric columns; 1 where more means likelier, -1 where less",
            )
    return {at[name]: int(sign) for name, sign in monotone.items() if sign}
