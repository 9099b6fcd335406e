"""Tracking knows strategies by what they can do; here a small one stands in for the real one."""

from __future__ import annotations

import sys
import types

import pytest
from fake_strategy import FakeStrategy


@pytest.fixture(autouse=True)
def fake_strategy_module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("real_strategy"):
        return
    module = types.ModuleType("contactopt.strategy")
    module.ContactStrategy = FakeStrategy  # type: ignore[attr-defined]  # stands in for the room
    monkeypatch.setitem(sys.modules, "contactopt.strategy", module)
