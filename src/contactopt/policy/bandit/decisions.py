"""Which decisions were learned already: 16 bytes each, so that nothing is counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ContractError, sample_ids

__all__ = ["LearnedDecisions", "decision_keys"]

Keys = npt.NDArray[np.uint64]


def decision_keys(
    decision_id: Any, action: npt.NDArray[np.int64], reward: Any
) -> tuple[Keys, Keys]:
    """Return a 64-bit hash of every id, and one of its action and reward."""
    names = np.array([str(v) for v in np.asarray(decision_id).tolist()], dtype=object)
    said = pd.util.hash_array(np.asarray(reward, dtype=np.float64) + 0.0)
    said = said * np.uint64(31) + pd.util.hash_array(action)
    return pd.util.hash_array(names, categorize=False), said


class LearnedDecisions:
    """Sorted hashes of learned decisions and of what they said."""

    def __init__(self) -> None:
        self.keys: Keys = np.zeros(0, np.uint64)
        self.said: Keys = np.zeros(0, np.uint64)

    def told(
        self, ids: Any, action: npt.NDArray[np.int64], reward: Any
    ) -> tuple[tuple[Keys, Keys], npt.NDArray[np.bool_]]:
        """Return the keys of decisions not learned yet, and which rows they are; see `fresh`."""
        if np.shape(ids) != action.shape:
            raise ContractError(f"decision_id must name each of {len(action)} rows")
        keys, said = decision_keys(ids, action, reward)
        fresh = self.fresh(keys, said, ids)
        return (keys[fresh], said[fresh]), fresh

    def fresh(self, keys: Keys, said: Keys, ids: Any) -> npt.NDArray[np.bool_]:
        """Return which rows were not learned yet, shape (n,); nothing is changed.

        Raises
        ------
        ContractError
            If an id comes twice, or was learned before with another action or reward.
        """
        order = np.argsort(keys, kind="stable")
        twice = order[1:][keys[order][1:] == keys[order][:-1]]
        names = np.asarray(ids)
        if twice.size:
            raise ContractError(
                f"decision_id: {twice.size} rows repeat a decision: {sample_ids(names[twice])}",
                hint="one row per decision; add rewards of one decision up before the update",
            )
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[at] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        differs = np.flatnonzero(known)
        differs = differs[self.said[at[differs]] != said[differs]]
        if differs.size:
            raise ContractError(
                f"decision_id: {differs.size} decisions were learned with another action or "
                f"reward: {sample_ids(names[differs])}",
                hint="learn a decision once, when its reward is final, or fit anew from the log",
            )
        return ~known

    def add(self, keys: Keys, said: Keys) -> None:
        """Remember decisions."""
        joined = np.concatenate([self.keys, keys])
        order = np.argsort(joined, kind="stable")
        self.keys = joined[order]
        self.said = np.concatenate([self.said, said])[order]

    def overlap(self, other: LearnedDecisions) -> int:
        """Return how many decisions both have learned."""
        return int(np.isin(self.keys, other.keys, assume_unique=True).sum())

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"keys": self.keys.copy(), "said": self.said.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LearnedDecisions:
        """Rebuild from `to_state`."""
        self = cls()
        self.keys = np.asarray(state["keys"], dtype=np.uint64)
        self.said = np.asarray(state["said"], dtype=np.uint64)
        return self
