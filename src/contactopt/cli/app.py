"""The verbs together, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import typer

from contactopt.cli.demo import demo
from contactopt.cli.doctor import doctor
from contactopt.cli.export import export
from contactopt.cli.fit import fit
from contactopt.cli.ingest import ingest
from contactopt.cli.init import init
from contactopt.cli.promote import promote
from contactopt.cli.rank import rank
from contactopt.cli.recheck import recheck
from contactopt.cli.replan import replan
from contactopt.cli.replay import replay
from contactopt.cli.rollback import rollback
from contactopt.cli.rules import rules_app
from contactopt.cli.schema import schema
from contactopt.cli.score import score
from contactopt.cli.simulate import simulate
from contactopt.cli.timeline import timeline
from contactopt.cli.tune import tune
from contactopt.cli.update import update
from contactopt.cli.validate import validate
from contactopt.cli.why import why
from contactopt.errors import ContactoptError

__all__ = ["app", "main"]

#: set to 1 to see the whole trace of an unexpected error, customers' values included
DEBUG_VARIABLE = "CONTACTOPT_DEBUG"

app = typer.Typer(
    name="contactopt",
    help="Whom in arrears to contact, through which channel, at which hour: lawfully, within "
    "capacity, with exactly known probabilities.",
    epilog="Exit codes: 0 ok, 1 data or compliance, 2 usage or settings, 3 bundle or tracking.",
    no_args_is_help=True,
    # plain help: starts faster, and keeps the examples on one line each
    rich_markup_mode=None,
    add_completion=False,
    # its traces print local variables: customers' rows
    pretty_exceptions_enable=False,
)
for verb in (
    init,
    schema,
    doctor,
    demo,
    simulate,
    ingest,
    validate,
    fit,
    tune,
    score,
    rank,
    recheck,
    replan,
    update,
    export,
    timeline,
    why,
    replay,
    promote,
    rollback,
):
    app.command()(verb)
app.add_typer(rules_app)


def main() -> None:
    """Run the command line; the entry point of the ``contactopt`` command."""
    try:
        app()
    except ContactoptError as error:
        _tell(type(error).__name__, error.message, error.hint, error.exit_code)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.strerror is None or os.environ.get(DEBUG_VARIABLE) == "1":
            _unexpected(error)
        # the user's own path and the system's words: no row stands in them
        named = f": {error.filename}" if isinstance(error.filename, str | Path) else ""
        hint = "give a place that exists or can be made, may be written to, and has room"
        _tell(type(error).__name__, f"{error.strerror}{named}", hint, 2)
        sys.exit(2)
    except Exception as error:
        _unexpected(error)


def _unexpected(error: Exception) -> NoReturn:
    """Tell an error that is a fault of ours."""
    if os.environ.get(DEBUG_VARIABLE) == "1":
        raise error
    # messages of other libraries quote rows, so only the kind and the place are told
    where = traceback.extract_tb(error.__traceback__)[-1]
    _tell(
        type(error).__name__,
        f"unexpected {type(error).__name__} in {where.name} ({_short(where.filename)}:"
        f"{where.lineno})",
        f"this is a fault of contactopt: report it; {DEBUG_VARIABLE}=1 shows the whole trace, "
        "which may quote customers' rows",
        1,
    )
    sys.exit(1)


def _tell(kind: str, message: str, hint: str | None, exit_code: int) -> None:
    """Write an error to stderr, as one JSON object if JSON was asked for."""
    if "--json" in sys.argv:
        fault = {"error": kind, "message": message, "hint": hint, "exit_code": exit_code}
        typer.echo(json.dumps(fault, ensure_ascii=False), err=True)
        return
    typer.echo(f"Error: {message}", err=True)
    if hint:
        typer.echo(f"Hint: {hint}", err=True)


def _short(path: str) -> str:
    """Path below the package or site folder, without the user's own folders."""
    parts = path.replace("\\", "/").split("/")
    for root in ("site-packages", "src"):
        if root in parts:
            return "/".join(parts[parts.index(root) + 1 :])
    return parts[-1]
