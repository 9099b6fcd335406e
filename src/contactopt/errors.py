"""One root error and its kinds: each says what is wrong, where, and the way on.

Messages never carry a customer's values; at most five ids are named.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "BiasedLabelsError",
    "BundleError",
    "CapacityError",
    "ConfigError",
    "ContactoptError",
    "ContractError",
    "LeakageError",
    "RulePackError",
    "StalenessError",
    "TrackingError",
    "sample_ids",
]


class ContactoptError(Exception):
    """Root of all errors raised on purpose by contactopt.

    Parameters
    ----------
    message : str
        What is wrong, where, and how many rows are concerned.
    hint : str, optional
        The way on: what the user can do next.
    """

    #: exit code of the command line for this kind of error
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}\nHint: {hint}")


class ContractError(ContactoptError):
    """Tables do not meet the data contract; carries every fault that was found.

    Parameters
    ----------
    message : str
        Summary of the faults by table and check.
    faults : sequence of Fault, optional
        All faults, structural ones first (see ``contactopt.contracts``).
    hint : str, optional
        The way on.
    refusal : Refusal, optional
        Where a portfolio was refused: its quarantine frame and what was sound
        (``contactopt.contracts.refusal``; `ValidationReport.of_refusal` reports it).
    """

    def __init__(
        self,
        message: str,
        *,
        faults: Iterable[object] = (),
        hint: str | None = None,
        refusal: Any = None,
    ) -> None:
        self.faults = tuple(faults)
        self.refusal = refusal
        super().__init__(message, hint=hint)

    @property
    def quarantine(self) -> Any:
        """Return the quarantine frame of a refused portfolio, None for other errors."""
        return None if self.refusal is None else self.refusal.quarantine


class StalenessError(ContractError):
    """A table is older than the strategy's ``max_staleness_hours`` allows."""


class ConfigError(ContactoptError):
    """The strategy, capacity table or an argument asks for something that cannot be."""

    exit_code = 2


class RulePackError(ConfigError):
    """A rule pack is missing, malformed or not covered for a jurisdiction."""


class CapacityError(ConfigError):
    """Minimum units, floor and control group cannot be met inside the capacities."""


class LeakageError(ContactoptError):
    """Data known only after ``as_of`` would influence a fit, a score or an evaluation."""


class BiasedLabelsError(LeakageError):
    """Labels or rows depend on contacts made later: what they teach is not what a contact does."""


class BundleError(ContactoptError):
    """A saved bundle is truncated, altered, or of a newer format; nothing of it was parsed."""

    exit_code = 3


class TrackingError(ContactoptError):
    """The MLflow store cannot be reached, or holds no such model, version or alias."""

    exit_code = 3


def sample_ids(ids: Iterable[object], limit: int = 5) -> str:
    """Name at most ``limit`` ids, sorted, and say how many more there are.

    Examples
    --------
    >>> sample_ids(["b", "a", "c"], limit=2)
    'a, b and 1 more'
    """
    names = sorted({str(i) for i in ids})
    shown = ", ".join(names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
