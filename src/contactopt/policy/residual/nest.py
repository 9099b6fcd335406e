"""Which effects an arm shares with others: its channel, the stage within it, its own slot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ArmNest"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ArmNest:
    """Positions of nested effects in one vector of coefficients.

    In order: one effect per channel, per (stage, channel), per arm, the slope on the models' own
    gain, and a level per stage, which is of no arm.

    Parameters
    ----------
    stages : tuple of str
        Sorted. A stage that is not among them has the channels' effects alone.
    arms : tuple of (str, str)
        Action id and channel, sorted.

    Examples
    --------
    >>> nest = ArmNest.of(["early"], [("sms@10", "sms"), ("sms@14", "sms")])
    >>> nest.size, nest.slope
    (6, 4)
    """

    stages: tuple[str, ...]
    arms: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, stages: Iterable[str], arms: Iterable[tuple[str, str]]) -> ArmNest:
        """Make a nest of what was met, in any order and as often as it was."""
        return cls(tuple(sorted(set(stages))), tuple(sorted(set(arms))))

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The channels of the arms, sorted."""
        return tuple(sorted({channel for _, channel in self.arms}))

    @cached_property
    def channel_of(self) -> Ints:
        """Channel of each arm, shape (n_arms,)."""
        at = {name: k for k, name in enumerate(self.channels)}
        return np.array([at[channel] for _, channel in self.arms], dtype=np.int64)

    @property
    def slope(self) -> int:
        """Position of the slope."""
        n_channels = len(self.channels)
        return n_channels + len(self.stages) * n_channels + len(self.arms)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.slope + 1 + len(self.stages)

    def stage_codes(self, stages: Any) -> Ints:
        """Return codes of stages, -1 for those not in the nest."""
        words, codes = np.unique(np.asarray(stages, dtype=object).astype(str), return_inverse=True)
        at = {name: k for k, name in enumerate(self.stages)}
        return np.array([at.get(str(w), -1) for w in words], dtype=np.int64)[codes]

    def arm_codes(self, action_ids: Iterable[str]) -> Ints:
        """Return codes of arms by their id, -1 for those not in the nest."""
        at = {action_id: k for k, (action_id, _) in enumerate(self.arms)}
        return np.array([at.get(a, -1) for a in action_ids], dtype=np.int64)

    def design(self, amounts: Floats, gains: Floats, arm: Ints, stage: Ints) -> Floats:
        """Spread what each row holds of each arm over the effects that the arm shares.

        Parameters
        ----------
        amounts : float array, shape (k, m)
            Of the m actions of a batch (for one drawn arm: its reach there, 0 elsewhere).
        gains : float array, shape (k,)
            Sum over actions of amount x the models' gain.
        arm : int64 array, shape (m,)
            Codes of the batch's actions.
        stage : int64 array, shape (k,)

        Returns
        -------
        float array, shape (k, size)
            The levels of the stages are left at 0.
        """
        k, n_c = len(amounts), len(self.channels)
        out = np.zeros((k, self.size))
        to_arm = np.zeros((len(arm), len(self.arms)))
        to_arm[np.arange(len(arm)), arm] = 1.0
        own = amounts @ to_arm
        to_channel = np.zeros((len(self.arms), n_c))
        to_channel[np.arange(len(self.arms)), self.channel_of] = 1.0
        shared = own @ to_channel
        out[:, :n_c] = shared
        rows = np.flatnonzero(stage >= 0)
        columns = n_c + stage[rows, None] * n_c + np.arange(n_c)
        out[rows[:, None], columns] = shared[rows]
        out[:, self.slope - len(self.arms) : self.slope] = own
        out[:, self.slope] = gains
        return out

    def variances(self, channel: Floats, by_stage: float, by_arm: float, slope: float) -> Floats:
        """Return the prior variance of each coefficient.

        Parameters
        ----------
        channel : float array, shape (n_channels,)
        by_stage, by_arm : float
            As shares of the channel's.
        slope : float
        """
        return np.concatenate(
            [
                channel,
                np.tile(by_stage * channel, len(self.stages)),
                by_arm * channel[self.channel_of],
                [slope],
                np.ones(len(self.stages)),
            ]
        )

    def loads(self) -> Floats:
        """Return what each (stage, arm) holds of each effect but the slope, with no stage last.

        Returns
        -------
        float array, shape (n_stages + 1, n_arms, slope)
        """
        n_s, n_c, n_a = len(self.stages), len(self.channels), len(self.arms)
        out = np.zeros((n_s + 1, n_a, self.slope))
        arms = np.arange(n_a)
        out[:, arms, self.channel_of] = 1.0
        for s in range(n_s):
            out[s, arms, n_c + s * n_c + self.channel_of] = 1.0
        out[:, arms, self.slope - n_a + arms] = 1.0
        return out
