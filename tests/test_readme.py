"""What the README tells people to type works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)


def test_python_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one namespace and an empty folder, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    code = blocks("python")
    assert code, "the README shows no Python"
    for number, block in enumerate(code, start=1):
        exec(compile(block, f"README.md python block {number}", "exec"), names)


def test_commands_of_the_readme_exist() -> None:
    from typer.main import get_command

    from contactopt.cli import app

    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]  # it is a group
    named = set(re.findall(r"^(?:\$ )?contactopt (\w+)", README.read_text("utf-8"), re.M))
    assert named <= verbs


def test_evidence_is_what_the_benchmarks_wrote() -> None:
    import subprocess
    import sys

    script = README.parent / "benchmarks" / "evidence.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)
