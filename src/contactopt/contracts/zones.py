"""Time zones of a jurisdiction: the clock of a customer whose own zone is not known.

Countries come from the tz database's `zone.tab` (package tzdata). Subdivisions are listed here
for federations with several clocks; a subdivision that is not listed has its country's zones.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

__all__ = ["zones_of"]

_US = "America/"
#: subdivision -> zones, from the tz database's own notes on where each zone is kept
_SUBDIVISIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ["US-CT", "US-DC", "US-DE", "US-GA", "US-MA", "US-MD", "US-ME", "US-NC", "US-NH", "US-NJ", "US-NY", "US-OH", "US-PA", "US-RI", "US-SC", "US-VA", "US-VT", "US-WV"],
        (_US + "New_York",),
    ),
    **dict.fromkeys(
        ["US-AL", "US-AR", "US-IA", "US-IL", "US-LA", "US-MN", "US-MO", "US-MS", "US-OK", "US-WI"], (_US + "Chicago",)
    ),
    **dict.fromkeys(["US-CO", "US-MT", "US-NM", "US-UT", "US-WY"], (_US + "Denver",)),
    **dict.fromkeys(["US-CA", "US-WA", "US-NV"], (_US + "Los_Angeles",)),
    **dict.fromkeys(["US-FL", "US-TN", "US-KY"], (_US + "New_York", _US + "Chicago")),
    "US-MI": (_US + "Detroit", _US + "Menominee"),
    "US-IN": (_US + "Indiana/Indianapolis", _US + "Chicago"),
    **dict.fromkeys(["US-KS", "US-ND", "US-NE", "US-SD"], (_US + "Chicago", _US + "Denver")),
    "US-TX": (_US + "Chicago", _US + "Denver"),
    "US-AZ": (_US + "Phoenix", _US + "Denver"),
    "US-ID": (_US + "Boise", _US + "Los_Angeles"),
    "US-OR": (_US + "Los_Angeles", _US + "Boise"),
    "US-AK": (_US + "Anchorage", _US + "Adak"),
    "US-HI": ("Pacific/Honolulu",),
    "US-PR": (_US + "Puerto_Rico",),
    "CA-ON": (_US + "Toronto", _US + "Winnipeg"),
    "CA-QC": (_US + "Toronto", _US + "Halifax", _US + "Blanc-Sablon"),
    "CA-BC": (_US + "Vancouver", _US + "Edmonton"),
    "CA-AB": (_US + "Edmonton",),
    "CA-MB": (_US + "Winnipeg",),
    "CA-SK": (_US + "Regina",),
    **dict.fromkeys(["CA-NB", "CA-NS", "CA-PE"], (_US + "Halifax",)),
    "CA-NL": (_US + "St_Johns", _US + "Goose_Bay"),
    **dict.fromkeys(
        ["BR-DF", "BR-ES", "BR-GO", "BR-MG", "BR-PR", "BR-RJ", "BR-RS", "BR-SC", "BR-SP"], (_US + "Sao_Paulo",)
    ),
    "BR-AL": (_US + "Maceio",),
    "BR-AM": (_US + "Manaus", _US + "Rio_Branco"),
    "AU-NSW": ("Australia/Sydney",),
    "AU-VIC": ("Australia/Melbourne",),
    "AU-QLD": ("Australia/Brisbane",),
    "AU-SA": ("Australia/Adelaide",),
    "AU-WA": ("Australia/Perth",),
    "AU-TAS": ("Australia/Hobart",),
    "AU-NT": ("Australia/Darwin",),
    "AU-ACT": ("Australia/Sydney",),
    "ES-CN": ("Atlantic/Canary",),
}


@lru_cache(maxsize=1)
def _countries() -> dict[str, tuple[str, ...]]:
    text = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


@lru_cache(maxsize=1024)
def zones_of(jurisdiction: str) -> tuple[str, ...]:
    """Return the zones of a jurisdiction, where the day begins first standing first.

    Parameters
    ----------
    jurisdiction : str
        ISO 3166-1 or -2.

    Returns
    -------
    tuple of str
        IANA names, from east to west by winter offset; empty if the country is not known.

    Examples
    --------
    >>> zones_of("US-FL"), zones_of("CO"), zones_of("XX")
    (('America/New_York', 'America/Chicago'), ('America/Bogota',), ())
    """
    zones = _SUBDIVISIONS.get(jurisdiction) or _countries().get(jurisdiction[:2], ())
    winter = datetime(2025, 1, 15)

    def west(zone: str) -> tuple[float, str]:
        offset = ZoneInfo(zone).utcoffset(winter)
        assert offset is not None
        return -offset.total_seconds(), zone

    return tuple(sorted(zones, key=west))
