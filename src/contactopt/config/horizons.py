"""For how many days payments count after a moment: one number, or one by stage of the arrears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from contactopt.contracts.vocabulary import ARREARS_STAGES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["Horizons", "stage_word"]


def stage_word(name: str) -> str:
    """Return a stage as its rule calls it: `charged_off` is a debt's word for `charged off`."""
    return name.replace("_", " ")


class Horizons:
    """The windows of a strategy: `objective.horizons`.

    Parameters
    ----------
    days : float
        Window of every stage that is not named, and where no stage is known.
    by_stage : mapping of str to float
        Stage (`vocabulary.ARREARS_STAGES`) to the window of customers who are in it at the moment
        from which the window runs.

    Attributes
    ----------
    by_stage : dict of str to float
        Only the stages whose window is another than ``days``: naming a stage at ``days`` is the
        same as not naming it.

    Examples
    --------
    >>> horizons = Horizons(30, {"early": 10, "late": 45, "mid": 30})
    >>> horizons.of(["early", "mid", "late", ""]).tolist(), horizons.longest
    ([10.0, 30.0, 45.0, 30.0], 45.0)
    >>> str(horizons)
    '30 days (early 10, late 45)'
    """

    def __init__(self, days: float, by_stage: Mapping[str, float]) -> None:
        self.days = float(days)
        self.by_stage = {
            name: float(by_stage[name])
            for name in ARREARS_STAGES
            if name in by_stage and by_stage[name] != days
        }

    @property
    def differ(self) -> bool:
        """Whether some stage has a window of its own: only then stages need to be known."""
        return bool(self.by_stage)

    @property
    def longest(self) -> float:
        """Days after which every window has closed, those of stages that are never planned too."""
        return max(self.by_stage.get(name, self.days) for name in ARREARS_STAGES)

    def of(self, stages: Any) -> Floats:
        """Return the days of each stage's window, shape (n,); empty input gives an empty array."""
        # a strategy file is read before anything heavy is needed
        import numpy as np
        import pandas as pd

        codes, words = pd.factorize(pd.Series(stages, dtype=object))
        days = [self.by_stage.get(str(word), self.days) for word in words]
        return np.array([*days, self.days], dtype=np.float64)[codes]

    def __str__(self) -> str:
        named = ", ".join(f"{name} {days:g}" for name, days in self.by_stage.items())
        return f"{self.days:g} days" + (f" ({named})" if named else "")
