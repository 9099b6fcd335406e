"""Holidays as local day numbers; a calendar or year nobody knows is said to be unknown."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["calendar_parts", "holiday_days"]

Ints = npt.NDArray[np.int64]
_EPOCH = np.datetime64("1970-01-01", "D")


def calendar_parts(
    calendar: str, places: tuple[str, ...], custom: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, tuple[str, ...] | None]]:
    """Return the calendars that a rule's word names together, with a pack's own dates.

    Parameters
    ----------
    calendar : str
        Names joined by ``+``; ``{jurisdiction}`` stands for each of ``places``.
    places : tuple of str
    custom : mapping
        Calendars of the packs.

    Examples
    --------
    >>> calendar_parts("MX:public+MX:CNBV", (), {"MX:CNBV": ("2026-04-02",)})
    [('MX:public', None), ('MX:CNBV', ('2026-04-02',))]
    """
    names = []
    for part in calendar.split("+"):
        many = "{jurisdiction}" in part
        names += [part.replace("{jurisdiction}", p) for p in places] if many else [part]
    return [(name, custom.get(name)) for name in names]


@lru_cache(maxsize=512)
def holiday_days(
    calendar: str, first_year: int, last_year: int, custom: tuple[str, ...] | None = None
) -> Ints | None:
    """Return the holidays of a calendar as sorted days since 1970-01-01.

    Parameters
    ----------
    calendar : str
        ``CC:category`` or ``CC-SUB:category`` of the package `holidays`, or a pack's own name.
    first_year, last_year : int
    custom : tuple of str, optional
        Dates of a pack's own calendar.

    Returns
    -------
    int64 array, or None
        None where the country, the category or one of the years is unknown: whoever asks must
        then treat every day as closed.

    Examples
    --------
    >>> days = holiday_days("CO:public", 2026, 2026)
    >>> int(np.datetime64("2026-11-16", "D").astype(int)) in days  # moved to a Monday
    True
    >>> holiday_days("XX:public", 2026, 2026) is None
    True
    """
    if custom is not None:
        days = np.array(sorted(custom), dtype="datetime64[D]")
        years = set((days.astype("datetime64[Y]").astype(np.int64) + 1970).tolist())
        if not set(range(first_year, last_year + 1)) <= years:
            return None
        return (days - _EPOCH).astype(np.int64)
    place, _, category = calendar.partition(":")
    country, _, region = place.partition("-")
    found = _from_package(country, region or None, category or "public", first_year, last_year)
    if found is None and region:
        found = _from_package(country, None, category or "public", first_year, last_year)
    return found


def _from_package(
    country: str, region: str | None, category: str, first_year: int, last_year: int
) -> Ints | None:
    import holidays

    years = range(first_year, last_year + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # renamed subdivisions warn; the dates are the same
            book = holidays.country_holidays(
                country, subdiv=region, years=years, categories=(category,)
            )
    except (NotImplementedError, ValueError, KeyError, AttributeError):
        return None  # the package does not know the country or region: callers close every day
    if first_year < book.start_year or last_year > book.end_year:
        return None
    days = np.array(sorted(book), dtype="datetime64[D]")
    return (days - _EPOCH).astype(np.int64)
