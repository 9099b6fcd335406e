"""Importing the library is light, and every public name is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import contactopt

HEAVY = ("mlflow", "lightgbm", "optuna", "matplotlib", "numba")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_import_is_fast_and_loads_nothing_heavy() -> None:  # 004-08
    """The best of three, so that a busy machine does not decide."""
    code = (
        "import sys, time; begin = time.perf_counter(); import contactopt\n"
        "seconds = time.perf_counter() - begin\n"
        f"print(seconds, [m for m in {HEAVY!r} if m in sys.modules])"
    )
    answers = [run(code).split(" ", 1) for _ in range(3)]
    assert {loaded for _, loaded in answers} == {"[]"}
    assert min(float(seconds) for seconds, _ in answers) < 1.0


@pytest.mark.parametrize("room", ["contracts", "config", "bundle", "errors", "tracking", "cli"])
def test_light_rooms_stay_light(room: str) -> None:
    code = f"import sys, contactopt.{room}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"


@pytest.mark.parametrize("name", contactopt.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(contactopt, name) is getattr(contactopt, name)
    assert name in dir(contactopt)


def test_rules_is_the_compliance_room() -> None:
    assert contactopt.rules.__name__ == "contactopt.compliance"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Portfolo'"):
        _ = contactopt.Portfolo  # type: ignore[attr-defined]  # that is the test
