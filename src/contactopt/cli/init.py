"""``contactopt init``: a folder to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import say, table, tell

__all__ = ["init"]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    as_json: Json = False,
) -> None:
    """Make a folder to start from.

    Header-only CSV files for every table in DIR/portfolio, annotated strategy.yaml and
    mapping.yaml, an MLflow store and a README.txt with the next commands. A folder that is not
    empty is refused: nothing is ever replaced.

    \b
    For example:
        contactopt init my-shop
        contactopt init my-shop --json
    """
    from contactopt.onboarding.starter import COMMANDS, start_folder

    say("making the folder and its MLflow store: some seconds, once")
    made = start_folder(folder)
    files = sorted(p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file())
    lines = [
        ("tables", f"{folder / 'portfolio'} ({sum('portfolio/' in f for f in files)} CSV files)"),
        ("settings", f"{folder / 'strategy.yaml'}, {folder / 'mapping.yaml'}"),
        ("MLflow store", str(folder / "mlflow.db")),
        ("next", f"cd {folder}"),
        *(("", command) for command in COMMANDS),
    ]
    result = {"folder": folder, "files": files, "next": list(COMMANDS)}
    tell(result, table(lines), as_json=as_json)
