"""Who leads, why, and what the others get: kept in plan and log."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from contactopt.metrics import Estimate

__all__ = ["SHARE_UNIT", "WARN_ABOVE", "Advantage", "Inflation", "SafetyVerdict"]

#: shares of the draw are whole multiples of 1 / SHARE_UNIT, so that products with them are exact
SHARE_UNIT = 1 << 16
#: planned over cross-fitted value beyond which the plan's promise is not to be believed
WARN_ABOVE = 1.2

_NUMBERS = ("value", "low", "high")


def _plain(found: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON knows numbers: NaN is null."""
    state = asdict(found)
    return state | {k: None if math.isnan(state[k]) else state[k] for k in _NUMBERS}


def _estimate(state: dict[str, Any]) -> Estimate:
    value, low, high = (math.nan if state[k] is None else float(state[k]) for k in _NUMBERS)
    return Estimate(value, low, high, int(state["n"]), str(state["reason"]))


@dataclass(frozen=True)
class Advantage:
    """What one policy earns over another, money per decision.

    Parameters
    ----------
    of, over : str
    estimate : Estimate
        On earlier decisions; NaN with the reason where they cannot tell.
    same : bool
        The two never differed: nothing to choose between.
    """

    of: str
    over: str
    estimate: Estimate
    same: bool = False

    @property
    def shown(self) -> bool:
        """Whether it is above 0 beyond doubt, or there is nothing to show."""
        return self.same or (not self.estimate.reason and self.estimate.low > 0.0)

    @property
    def known(self) -> bool:
        """Whether the log can tell."""
        return self.same or not self.estimate.reason

    def __str__(self) -> str:
        if self.same:
            return f"{self.of} and {self.over} never differed (n={self.estimate.n})"
        if self.estimate.reason:
            return f"{self.of} over {self.over}: {self.estimate}"
        sign = "ahead" if self.shown else "behind" if self.estimate.high < 0 else "cannot tell"
        return f"{self.of} over {self.over}: {self.estimate} per decision, {sign}"

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "of": self.of,
            "over": self.over,
            "estimate": _plain(self.estimate),
            "same": self.same,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Advantage:
        """Rebuild from `to_state`."""
        return cls(state["of"], state["over"], _estimate(state["estimate"]), bool(state["same"]))


@dataclass(frozen=True)
class Inflation:
    """Planned value against what came of it: choosing the best of noisy scores promises too much.

    Smith and Winkler, "The Optimizer's Curse", Management Science 2006.

    Parameters
    ----------
    planned : float
        Mean promise per decision over waiting.
    found : Estimate
        Value over waiting on decisions that the models never saw.
    """

    planned: float
    found: Estimate

    @property
    def ratio(self) -> float:
        """Planned over found; NaN where nothing was found above 0."""
        value = self.found.value
        return self.planned / value if value > 0 else math.nan

    @property
    def warns(self) -> bool:
        """Whether the promise is more than 1.2 times what was found, or nothing was."""
        if self.found.reason:
            return False
        return self.planned > WARN_ABOVE * max(self.found.value, 0.0)

    def __str__(self) -> str:
        if self.found.reason:
            return f"planned over cross-fitted value: {self.found}"
        ratio = "no gain was found" if math.isnan(self.ratio) else f"{self.ratio:.2f}"
        warning = " - WARNING: plans promise more than they keep" if self.warns else ""
        return (
            f"planned over cross-fitted value: {ratio} ({self.planned:.4f} promised per decision, "
            f"{self.found}){warning}"
        )

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"planned": self.planned, "found": _plain(self.found)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Inflation:
        """Rebuild from `to_state`."""
        return cls(float(state["planned"]), _estimate(state["found"]))


@dataclass(frozen=True)
class SafetyVerdict:
    """Which policy leads the next batches, decided before them.

    Parameters
    ----------
    lead : str
        "learned", "constant" or "incumbent".
    status : str
        "learned leads", "cannot tell" (intervals hold 0), "behind" (the learned one is shown to be
        worse than another), "no evidence" (too few decisions, or none where they overlap: the
        learned one runs as a pilot).
    advantages : tuple of Advantage
        Of the learned one over each rival, then of constant over incumbent.
    inflation : Inflation or None
    share : float or None
        Part of the draw that the learned policy got in a batch; None before there is one.

    Examples
    --------
    >>> verdict = SafetyVerdict("constant", "no evidence")
    >>> print(verdict)
    constant leads (no evidence: the learned policy runs as a pilot)
    >>> SafetyVerdict.from_state(verdict.to_state()) == verdict
    True
    """

    lead: str
    status: str
    advantages: tuple[Advantage, ...] = ()
    inflation: Inflation | None = None
    share: float | None = None

    @property
    def pilot(self) -> bool:
        """Whether the learned policy gets its share without any evidence on it."""
        return self.lead != "learned" and self.status == "no evidence"

    def over(self, rival: str) -> Advantage | None:
        """Return the learned policy's advantage over a rival."""
        for found in self.advantages:
            if found.of == "learned" and found.over == rival:
                return found
        return None

    @property
    def lines(self) -> tuple[str, ...]:
        """The verdict in words, one line per finding."""
        why = "the learned policy runs as a pilot" if self.pilot else ""
        told = f" ({self.status}{': ' + why if why else ''})" if self.lead != "learned" else ""
        first = f"{self.lead} leads{told}"
        if self.share is not None and self.lead != "learned":
            first += f"; the learned policy gets {100 * self.share:.3g} % of the draw"
            first += "" if self.share else ": no exploration budget is left for it"
        lines = [first, *map(str, self.advantages)]
        return (*lines, *(() if self.inflation is None else (str(self.inflation),)))

    def __str__(self) -> str:
        return "; ".join(self.lines)

    def to_state(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "lead": self.lead,
            "status": self.status,
            "advantages": [a.to_state() for a in self.advantages],
            "inflation": None if self.inflation is None else self.inflation.to_state(),
            "share": self.share,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SafetyVerdict:
        """Rebuild from `to_state`."""
        inflation = state.get("inflation")
        return cls(
            lead=str(state["lead"]),
            status=str(state["status"]),
            advantages=tuple(Advantage.from_state(a) for a in state.get("advantages", ())),
            inflation=None if inflation is None else Inflation.from_state(inflation),
            share=state.get("share"),
        )
