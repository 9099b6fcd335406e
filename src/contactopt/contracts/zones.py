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

#: zones by the subdivisions that keep them, from the tz database's notes on its zones
_KEPT_IN = {
    "America/New_York": "US-CT US-DC US-DE US-FL US-GA US-KY US-MA US-MD US-ME US-NC US-NH US-NJ "
    "US-NY US-OH US-PA US-RI US-SC US-TN US-VA US-VT US-WV",
    "America/Chicago": "US-AL US-AR US-FL US-IA US-IL US-IN US-KS US-KY US-LA US-MN US-MO US-MS "
    "US-ND US-NE US-OK US-SD US-TN US-TX US-WI",
    "America/Denver": "US-AZ US-CO US-KS US-MT US-ND US-NE US-NM US-SD US-TX US-UT US-WY",
    "America/Los_Angeles": "US-CA US-ID US-NV US-OR US-WA",
    "America/Detroit": "US-MI",
    "America/Menominee": "US-MI",
    "America/Indiana/Indianapolis": "US-IN",
    "America/Phoenix": "US-AZ",
    "America/Boise": "US-ID US-NV US-OR",
    "America/Anchorage": "US-AK",
    "America/Adak": "US-AK",
    "Pacific/Honolulu": "US-HI",
    "America/Puerto_Rico": "US-PR",
    "America/Toronto": "CA-ON CA-QC",
    "America/Winnipeg": "CA-MB CA-ON",
    "America/Halifax": "CA-NB CA-NS CA-PE CA-QC",
    "America/Edmonton": "CA-AB CA-BC",
    "America/Vancouver": "CA-BC",
    "America/Regina": "CA-SK",
    "America/St_Johns": "CA-NL",
    "America/Goose_Bay": "CA-NL",
    "America/Sao_Paulo": "BR-DF BR-ES BR-GO BR-MG BR-PR BR-RJ BR-RS BR-SC BR-SP",
    "America/Maceio": "BR-AL",
    "America/Manaus": "BR-AM",
    "America/Rio_Branco": "BR-AM",
    "Australia/Sydney": "AU-ACT AU-NSW",
    "Australia/Melbourne": "AU-VIC",
    "Australia/Brisbane": "AU-QLD",
    "Australia/Adelaide": "AU-SA",
    "Australia/Perth": "AU-WA",
    "Australia/Hobart": "AU-TAS",
    "Australia/Darwin": "AU-NT",
    "Atlantic/Canary": "ES-CN",
}


@lru_cache(maxsize=1)
def _subdivisions() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for zone, subdivisions in _KEPT_IN.items():
        for subdivision in subdivisions.split():
            found[subdivision] = (*found.get(subdivision, ()), zone)
    return found


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
    zones = _subdivisions().get(jurisdiction) or _countries().get(jurisdiction[:2], ())
    winter = datetime(2025, 1, 15)

    def west(zone: str) -> tuple[float, str]:
        offset = ZoneInfo(zone).utcoffset(winter)
        assert offset is not None
        return -offset.total_seconds(), zone

    return tuple(sorted(zones, key=west))
