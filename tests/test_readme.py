"""What the READMEs tell people to type works, and both say the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.es.md")
DOCS = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))
#: stands on the line before a shell block that is run here
RUN = "<!-- run -->"


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(language: str, name: str, before: str = "") -> list[str]:
    return re.findall(rf"^{before}```{language}\n(.*?)^```", text(name), re.M | re.S)


# 003-27, 004-19
@pytest.mark.parametrize("name", [n for n in ("README.md", *DOCS) if blocks("python", n)])
def test_python_blocks_run_one_after_the_other(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one namespace and an empty folder; the Spanish blocks are the same code, see below."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    for number, block in enumerate(blocks("python", name), start=1):
        exec(compile(block, f"{name} python block {number}", "exec"), names)


def test_marked_commands_run_in_an_empty_folder(tmp_path: Path) -> None:
    """From five CSV files to a plan; the Spanish commands are the same, see below."""
    commands = blocks("sh", "README.md", before=f"{RUN}\n")
    assert len(commands) >= 3
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.parametrize("name", [*READMES, "docs/audit.md", "docs/vendor-files.md"])
def test_commands_that_are_named_exist(name: str) -> None:
    from typer.main import get_command

    from contactopt.cli import app

    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]  # it is a group
    shown = "\n".join(blocks("sh", name)) + "\n".join(re.findall(r"`([^`\n]+)`", text(name)))
    named = set(re.findall(r"\bcontactopt ([a-z]+)\b", shown))
    assert named
    assert named <= verbs


@pytest.mark.parametrize("name", [*READMES, *DOCS, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    here = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(name)):
        assert (here / target).exists(), target


def test_evidence_is_what_the_benchmarks_wrote() -> None:  # 002-24
    script = ROOT / "benchmarks" / "evidence.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


# ---- the two languages -------------------------------------------------------------------------


def outline(name: str) -> list[int]:
    """Levels of the headings in order."""
    prose = re.sub(r"^```.*?^```", "", text(name), flags=re.M | re.S)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.M)]


def code(name: str) -> list[str]:
    """Code blocks with their language, without the comments, which are translated."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text(name), re.M | re.S)
    return [f"{kind}\n" + re.sub(r"\s*# .*", "", body) for kind, body in found]


def figures(name: str) -> list[str]:
    """Numbers of the prose in order of size; thousands may be set apart by comma or blank."""
    prose = re.sub(r"^```.*?^```|`[^`]*`", "", text(name), flags=re.M | re.S)
    prose = re.sub(r"(?<=\d)[,\u00a0](?=\d{3}\b)", "", prose)
    return sorted(re.findall(r"\d+(?:\.\d+)*", prose))


def test_both_languages_have_the_same_outline_code_and_figures() -> None:
    english, spanish = READMES
    assert outline(english) == outline(spanish)
    assert code(english) == code(spanish)
    assert figures(english) == figures(spanish)
    assert text(english).count(RUN) == text(spanish).count(RUN)
