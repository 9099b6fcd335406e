"""Whether this machine is ready: versions, calendars, threads, caches, disk, memory, the store."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import contactopt
from contactopt.errors import ContactoptError

__all__ = ["Finding", "diagnose"]

_GB = 1024**3
#: disk and memory below which a run of 100,000 customers may not fit (warn), or nothing does
_DISK_GB, _LEAST_DISK_GB = 5.0, 0.5
_MEMORY_GB, _LEAST_MEMORY_GB = 4.0, 1.0
#: countries whose public holidays are asked for, and how many each has at least
_CALENDARS, _FEWEST = ("US", "CO", "MX", "BR", "ES"), 6
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Finding(NamedTuple):
    """One line of the doctor: what was looked at, `ok`, `warn` or `fail`, and the way on."""

    check: str
    state: str
    detail: str
    way_on: str = ""


def diagnose(
    *, year: int | None = None, tracking_uri: str | None = None, folder: str | Path = "."
) -> list[Finding]:
    """Look at what a run rests on; reads no customer's data and asks no network.

    Parameters
    ----------
    year : int, optional
        Year of the decisions, for the calendars; default: that of the tz database.
    tracking_uri : str, optional
        MLflow store; default as everywhere: the environment, then `sqlite:///mlflow.db`. A server
        is asked only if one is named there.
    folder : str or Path
        Where plans would be written.

    Returns
    -------
    list of Finding
        Never empty; a run can work if none is `fail`.
    """
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        lambda: _calendars(year),
        _threads,
        _compiled,
        lambda: _disk(Path(folder)),
        _memory,
        lambda: _store(tracking_uri),
    )
    return [finding for check in checks for finding in check()]


def _python() -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    here = platform.python_version()
    try:
        asked = metadata.metadata("contactopt")["Requires-Python"] or ""
    except metadata.PackageNotFoundError:
        asked = ""
    fits = SpecifierSet(asked).contains(here, prereleases=True)
    way_on = "" if fits else f"install Python {asked}"
    yield Finding("python", "ok" if fits else "fail", f"{here} (needs {asked or 'any'})", way_on)


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    yield Finding("contactopt", "ok", contactopt.__version__)
    try:
        asked = metadata.requires("contactopt") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "dependencies", "warn", "contactopt is not installed", "pip install contactopt"
        )
        return
    for line in asked:
        need = Requirement(line)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        range_ = str(need.specifier) or "any"
        way_on = f'pip install "{need.name}{need.specifier}"'
        try:
            here = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield Finding(need.name, "fail", f"missing (needs {range_})", way_on)
            continue
        fits = need.specifier.contains(here, prereleases=True)
        yield Finding(
            need.name, "ok" if fits else "fail", f"{here} (needs {range_})", "" if fits else way_on
        )


def _calendars(year: int | None) -> Iterator[Finding]:
    try:
        zones = metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        zones = ""
    released = int(zones[:4]) if zones[:4].isdigit() else 0
    asked = year or released
    fresh = released >= asked > 0
    yield Finding(
        "time zones",
        "ok" if fresh else "warn",
        f"tzdata {zones or 'missing'}, for decisions of {asked or 'an unknown year'}",
        "" if fresh else "pip install --upgrade tzdata: clocks may have changed since",
    )
    try:
        import holidays

        found = {c: len(holidays.country_holidays(c, years=asked)) for c in _CALENDARS}
    except (ImportError, NotImplementedError, ValueError):
        found = dict.fromkeys(_CALENDARS, 0)  # no holidays at all is told as a warning below
    few = [c for c, n in found.items() if n < _FEWEST]
    told = ", ".join(f"{c} {n}" for c, n in found.items())
    way_on = f"pip install --upgrade holidays: {', '.join(few)} of {asked} look incomplete"
    yield Finding("holidays", "warn" if few else "ok", f"{asked}: {told}", way_on if few else "")


def _threads() -> Iterator[Finding]:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    told = {name: os.environ[name] for name in _THREADS if os.environ.get(name)}
    wrong = [n for n, v in told.items() if not v.isdigit() or int(v) < 1]
    many = [n for n, v in told.items() if n not in wrong and int(v) > cores]
    detail = f"{cores} core(s)" + "".join(f", {n}={v}" for n, v in told.items())
    way_on = ""
    if wrong:
        way_on = f"set {', '.join(wrong)} to a number of threads, or unset it"
    elif many:
        way_on = f"set {', '.join(many)} to {cores} at most: threads wait for each other"
    yield Finding("threads", "warn" if way_on else "ok", detail, way_on)


def _compiled() -> Iterator[Finding]:
    """Numba keeps compiled code beside the source, or in the user's cache."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    package = Path(contactopt.__file__).parent
    places = [Path(own)] if own else [package / "policy", Path.home() / ".cache"]
    writable = any(_writable(place) for place in places)
    yield Finding(
        "compiled code",
        "ok" if writable else "warn",
        "is kept between runs" if writable else "cannot be kept: every run compiles again",
        "" if writable else "set NUMBA_CACHE_DIR to a folder that this user may write",
    )


def _writable(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK)


def _disk(folder: Path) -> Iterator[Finding]:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / _GB
    writable = os.access(place, os.W_OK)
    state = "fail" if free < _LEAST_DISK_GB or not writable else "warn" if free < _DISK_GB else "ok"
    way_on = "" if state == "ok" else "free some space, or write plans to another disk"
    if not writable:
        way_on = "this user may not write here: choose another folder"
    yield Finding("disk", state, f"{free:.1f} GB free", way_on)


def _memory() -> Iterator[Finding]:
    size = _memory_bytes()
    if size is None:
        yield Finding("memory", "warn", "cannot be told on this system", "4 GB carry 100,000")
        return
    gb = size / _GB
    state = "fail" if gb < _LEAST_MEMORY_GB else "warn" if gb < _MEMORY_GB else "ok"
    way_on = "" if state == "ok" else "100,000 customers take about 3 GB: rank fewer at a time"
    yield Finding("memory", state, f"{gb:.1f} GB", way_on)


def _memory_bytes() -> int | None:
    """Return the memory of the machine, or the container's share of it."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if sys.platform == "linux" and limit.is_file() else ""
    return min(size, int(text)) if text.isdigit() else size


def _store(tracking_uri: str | None) -> Iterator[Finding]:
    from contactopt.tracking.health import store_health

    try:
        yield Finding("MLflow store", *store_health(tracking_uri))
    except ContactoptError as error:
        yield Finding("MLflow store", "fail", error.message, error.hint or "")
