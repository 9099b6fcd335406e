"""Files that are broken as files: lost lines, open quotes, shifted fields, misspelt headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from outside.malformed_rows import PROTECTIONS, bystanders, case, write_csv
from outside.one_case_each import merged

from contactopt import Portfolio
from contactopt.errors import ContractError

#: whom to look for: one customer per protecting table
_NAMES = ("cease", "revoked", "somebody else's number")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chosen = [p for p in PROTECTIONS if p.name in _NAMES]
    parts = [case(p, "", "", lambda *_: None, f"c{i}").rows for i, p in enumerate(chosen)]
    for k, rows in enumerate(parts):  # one hold each, so that a swallowed line is a lost hold
        rows["holds"] = [{**parts[0]["holds"][0], "hold_id": f"h{k}", "customer_id": f"c{k}"}]
    return write_csv(merged([*bystanders(), *parts]), tmp_path / "p")


def edit(path: Path, change: Callable[[str], str], encoding: str = "utf-8") -> None:
    path.write_bytes(change(path.read_text("utf-8")).encode(encoding))


def read(folder: Path) -> Portfolio:
    return Portfolio.from_folder(folder, max_quarantined_share=1.0, extra_channels=("rcs",))


def checks(folder: Path) -> set[tuple[str, str]]:
    with pytest.raises(ContractError) as caught:
        read(folder)
    return {(f.table, f.check) for f in caught.value.faults if f.structural}


TABLES = ("holds", "consents", "contact_points")


def test_the_files_are_sound_to_begin_with(folder: Path) -> None:
    assert read(folder).n_customers == 5


@pytest.mark.parametrize("table", TABLES)
def test_a_byte_order_mark_is_no_column(folder: Path, table: str) -> None:
    edit(folder / f"{table}.csv", lambda t: t, "utf-8-sig")
    assert read(folder).n_customers == 5


@pytest.mark.parametrize("table", TABLES)
def test_lines_longer_or_shorter_than_the_header(folder: Path, table: str) -> None:
    path = folder / f"{table}.csv"
    text = path.read_text("utf-8")
    lines = text.rstrip("\n").split("\n")
    for broken in (
        [*lines[:-1], lines[-1].rsplit(",", 1)[0]],
        [*lines[:-1], lines[-1] + ",more"],
        [lines[0], *(line + "," for line in lines[1:])],  # pandas would take the ids for an index
        [*lines[:-1], lines[-1].split(",")[0][:1]],
    ):
        path.write_text("\n".join(broken), "utf-8")
        assert (table, "more or fewer fields than the header") in checks(folder) or (
            table,
            "unreadable file",
        ) in checks(folder)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("stop", [1, 2])
def test_a_quote_that_swallows_lines(folder: Path, table: str, stop: int) -> None:
    def open_quote(text: str) -> str:
        lines = text.rstrip("\n").split("\n")
        first, rest = lines[1].split(",", 1)
        lines[1] = f'"{first},{rest}'
        lines[1 + stop] = lines[1 + stop].replace(",", '",', 1)
        return "\n".join(lines) + "\n"

    edit(folder / f"{table}.csv", open_quote)
    told = checks(folder)
    assert {check for t, check in told if t == table} & {
        "a cell holds whole lines",
        "more or fewer fields than the header",
        "unreadable file",
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_quote_that_is_never_closed(folder: Path, table: str) -> None:
    edit(folder / f"{table}.csv", lambda t: t.rstrip("\n").replace("\n", '\n"', 1) + "\n")
    assert {t for t, _ in checks(folder)} == {table}


def test_a_note_with_line_breaks_is_only_a_note(folder: Path) -> None:
    edit(
        folder / "holds.csv",
        lambda t: "\n".join(
            [t.split("\n")[0] + ",note", *(f'{x},"a\nb, c"' for x in t.split("\n")[1:] if x)]
        ),
    )
    portfolio = read(folder)
    assert portfolio.n_customers == 5
    assert portfolio.dropped_columns["holds"] == ["note"]


@pytest.mark.parametrize(
    ("table", "column"),
    [("contact_points", "holder"), ("holds", "kind"), ("consents", "status")],
)
@pytest.mark.parametrize("change", [str.upper, str.title, " {} ".format, "{}_".format])
def test_a_header_that_is_nearly_right(
    folder: Path, table: str, column: str, change: Callable[[str], str]
) -> None:
    edit(folder / f"{table}.csv", lambda t: t.replace(column, change(column), 1))
    assert (table, "misspelt column") in checks(folder)


def test_a_column_that_stands_twice(folder: Path) -> None:
    def again(text: str) -> str:
        lines = text.rstrip("\n").split("\n")
        return "\n".join([lines[0] + ",kind", *(line + ",preference" for line in lines[1:])])

    edit(folder / "holds.csv", again)
    assert ("holds", "column stands twice") in checks(folder)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding(folder: Path, table: str, encoding: str) -> None:
    edit(folder / f"{table}.csv", lambda t: t.replace("c1", "\u00f1"), encoding)
    assert (table, "unreadable file") in checks(folder)


@pytest.mark.parametrize("table", TABLES)
def test_semicolons(folder: Path, table: str) -> None:
    edit(folder / f"{table}.csv", lambda t: t.replace(",", ";"))
    assert checks(folder) & {(table, "missing column"), (table, "unreadable file")}


@pytest.mark.parametrize("table", TABLES)
def test_no_header_or_nothing_at_all(folder: Path, table: str) -> None:
    path = folder / f"{table}.csv"
    text = path.read_text("utf-8")
    for left in (text.partition("\n")[2], "", "\n\n"):
        path.write_text(left, "utf-8")
        assert {t for t, _ in checks(folder)} == {table}
