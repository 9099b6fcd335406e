"""docs/requirements.md says of every requirement where it is checked, and what it says is so."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "requirements.md"
ID = re.compile(r"\b00[0-4]-\d\d\b")
#: last number of each group of the list
GROUPS = {"000": range(1, 28), "001": range(1, 17), "002": range(1, 26), "003": range(1, 32),
          "004": range(1, 22)}  # fmt: skip
CHECK = r"(tests/[\w/]+\.py::test_\w+|benchmarks/\w+\.py)"
CHECKS = rf"{CHECK}(?:, {CHECK})*"
OPEN = rf"open(?: \((?:part: {CHECKS}|out of scope: [^()]+)\))?"


def rows() -> list[list[str]]:
    lines = PAGE.read_text("utf-8").splitlines()
    return [[c.strip() for c in li.strip("|").split("|")] for li in lines if ID.match(li[2:8])]


ROWS = {row[0]: row for row in rows()}


NAMED = [(n, check) for n, row in ROWS.items() for check in re.findall(CHECK, row[4])]


@cache
def text(path: Path) -> str:
    return path.read_text("utf-8")


def test_every_id_has_one_complete_row() -> None:
    wanted = [f"{group}-{k:02d}" for group, numbers in GROUPS.items() for k in numbers]
    assert [row[0] for row in rows()] == wanted
    for row in ROWS.values():
        assert len(row) == 5, row[0]
        assert all(row), row[0]
        where = row[4]
        assert re.fullmatch(CHECKS, where) or re.fullmatch(OPEN, where), (row[0], where)


def test_the_counts_at_the_top_are_those_of_the_table() -> None:
    wheres = [row[4] for row in ROWS.values()]
    part = sum(w.startswith("open (part") for w in wheres)
    still_open = sum(w.startswith("open") for w in wheres) - part
    tested = len(wheres) - part - still_open
    line = f"{tested} tested, {part} open in part, {still_open} open; {len(wheres)} in all."
    assert line in text(PAGE).splitlines()


@pytest.mark.parametrize(("number", "check"), NAMED)
def test_what_a_row_names_exists_and_cites_it(number: str, check: str) -> None:
    file, _, name = check.partition("::")
    source = text(ROOT / file)
    if name:
        assert re.search(rf"^(?:async )?def {name}\(", source, re.M), check
    assert number in source, f"{file} does not cite {number}"


def test_every_id_cited_in_tests_and_benchmarks_is_in_the_list() -> None:
    for folder in ("tests", "benchmarks", "src"):
        for file in (ROOT / folder).rglob("*.py"):
            unknown = {n for n in ID.findall(text(file)) if n not in ROWS}
            assert not unknown, (file.relative_to(ROOT), sorted(unknown))
