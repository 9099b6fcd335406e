"""Where the benchmarks' figures lie, for the evidence table."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load(name: str) -> dict:
    """Read one benchmark's figures."""
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text("utf-8"))
