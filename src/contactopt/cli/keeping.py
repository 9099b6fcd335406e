"""Where `fit` and `update` put a strategy: a folder, the registry, or both."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contactopt.strategy import ContactStrategy

__all__ = ["keep"]


def keep(
    strategy: ContactStrategy,
    *,
    save: Path | None,
    register: str | None,
    tracking_uri: str | None,
    experiment: str | None,
) -> tuple[dict[str, Any], list[tuple[str, object]]]:
    """Save and register a strategy as asked; return what to tell machines, and people."""
    result: dict[str, Any] = {}
    lines: list[tuple[str, object]] = []
    if save is not None:
        result["saved"] = {"folder": save, "content_hash": strategy.save(save)}
        lines.append(("saved", save))
    if register is not None:
        from contactopt.tracking import log_strategy

        logged = log_strategy(
            strategy, registered_name=register, tracking_uri=tracking_uri, experiment=experiment
        )
        result["registered"] = asdict(logged)
        lines.append(("registered", f"{logged.uri} ({logged.alias})"))
    return result, lines
