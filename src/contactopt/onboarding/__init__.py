"""The first ten minutes: a folder to start from, and whether this machine is ready.

Names load on first use: the doctor must run where a dependency is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contactopt.onboarding.doctor import diagnose
    from contactopt.onboarding.starter import start_folder

__all__ = ["diagnose", "start_folder"]

_WHERE = {"diagnose": "doctor", "start_folder": "starter"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
