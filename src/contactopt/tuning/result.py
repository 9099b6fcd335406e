"""What a tuning found: records of its trials, the best settings, the strategy that uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from contactopt.config import StrategyConfig

__all__ = ["PartResult", "TrialRecord", "TuningResult"]

_COLUMNS = ("part", "number", "state", "value", "seconds")


@dataclass(frozen=True)
class TrialRecord:
    """One trial, as callbacks get it when it ends.

    Attributes
    ----------
    study, part : str
        Name of the study, and the model that is tuned.
    number : int
        From 0 on, sittings counted together.
    state : {"complete", "pruned", "failed"}
    value : float or None
        Mean out-of-time loss; of a pruned trial, over the folds it saw.
    parameters : dict
        Empty for the first trial: the settings in place.
    seconds : float
    best_value : float or None
        Least loss of the study so far.
    """

    study: str
    part: str
    number: int
    state: str
    value: float | None
    parameters: dict[str, int | float]
    seconds: float
    best_value: float | None


@dataclass(frozen=True)
class PartResult:
    """What was found for one model.

    Attributes
    ----------
    parameters : dict
        Of the best trial; empty if the settings in place were best.
    best_value, baseline_value : float
        Least loss, and that of the settings in place before.
    trials : tuple of TrialRecord
        All of the study, earlier sittings included, by number.
    """

    part: str
    loss: str
    parameters: dict[str, int | float]
    best_value: float
    baseline_value: float
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True, repr=False)
class TuningResult:
    """What `tune` returns.

    Attributes
    ----------
    study_name : str
    parts : dict of str to PartResult
    as_of : Timestamp
    rows : int
        Rows that the tuning used.
    """

    study_name: str
    parts: dict[str, PartResult]
    as_of: pd.Timestamp
    rows: int

    @property
    def best_parameters(self) -> dict[str, dict[str, int | float]]:
        """Settings per model that differ from those in place; empty where these were best."""
        return {name: dict(part.parameters) for name, part in self.parts.items()}

    @property
    def trials(self) -> pd.DataFrame:
        """A row per trial: part, number, state, value, seconds, and a column per parameter."""
        rows = [
            {**{name: getattr(t, name) for name in _COLUMNS}, **t.parameters}
            for part in self.parts.values()
            for t in part.trials
        ]
        names = sorted({name for row in rows for name in row} - set(_COLUMNS))
        return pd.DataFrame(rows, columns=[*_COLUMNS, *names])

    def to_mapping(self) -> dict[str, Any]:
        """Return what belongs into the strategy file: ``{"models": {"payment": {...}}}``.

        Parts whose settings in place were best are left out.
        """
        found = {name: params for name, params in self.best_parameters.items() if params}
        return {"models": found} if found else {}

    def apply(self, config: StrategyConfig) -> StrategyConfig:
        """Return the strategy's settings with the best ones found; ``config`` is not changed."""
        mapping = config.to_mapping()
        for name, parameters in self.best_parameters.items():
            mapping["models"][name] = {**mapping["models"][name], **parameters}
        return StrategyConfig.from_mapping(mapping)

    def __repr__(self) -> str:
        lines = [f"TuningResult {self.study_name!r}: {self.rows:,} rows, as of {self.as_of}"]
        for part in self.parts.values():
            done = [t for t in part.trials if t.state == "complete"]
            lines.append(
                f"  {part.part}: {part.loss} {part.best_value:.5f}, before "
                f"{part.baseline_value:.5f} ({len(done)} of {len(part.trials)} trials complete)"
            )
            chosen = ", ".join(f"{k} {v:.4g}" for k, v in part.parameters.items())
            lines.append(f"    {chosen or 'the settings in place are the best found'}")
        return "\n".join(lines)
