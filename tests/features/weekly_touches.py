"""A block of a user's own, in a module that can be imported again."""

import numpy as np

from contactopt.features import Column, FeatureBlock, Moments
from contactopt.journal.folds import window_sums
from contactopt.journal.local_time import DAY_US


class WeeklyTouches(FeatureBlock):
    """Contacts of the last weeks, and whether they are more than usual."""

    name = "weekly"
    fitted = ("usual_",)

    def __init__(self, *, weeks: tuple[int, ...] = (1, 4)) -> None:
        self.weeks = weeks

    def columns(self) -> tuple[Column, ...]:
        names = [f"n_{w}w" for w in self.weeks]
        return tuple(Column(n, "count", n[2:], "touches") for n in (*names, "above_usual"))

    def learn(self, moments: Moments) -> None:
        counts = self._counts(moments)
        self.usual_ = float(counts[:, 0].mean()) if len(counts) else 0.0

    def compute(self, moments: Moments) -> dict:
        counts = self._counts(moments)
        out = {f"n_{w}w": counts[:, k] for k, w in enumerate(self.weeks)}
        return {**out, "above_usual": counts[:, 0] - self.usual_}

    def _counts(self, moments: Moments):
        index = moments.journal.touches.index
        windows = [w * 7 * DAY_US for w in self.weeks]
        everything = np.zeros(len(index), dtype=np.int64)
        return window_sums(index, everything, 1, windows, moments.customers, moments.instants)[:, 0]
