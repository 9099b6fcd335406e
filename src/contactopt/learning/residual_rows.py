"""From logged decisions and their labels to the statistics of the residual layer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import Action, ActionSpace
from contactopt.journal.local_time import DAY_US
from contactopt.learning.logged_rows import LoggedRows
from contactopt.models import EffectModel
from contactopt.models.effect.channels import channel_positions
from contactopt.policy.residual import ArmNest, DayStatistics

__all__ = ["MOST_UNITS", "DesignEffect", "residual_statistics"]

Floats = npt.NDArray[np.float64]

#: least variance of a payment within the window, so that sure things do not weigh without end
_LEAST_VARIANCE = 0.02
#: a window's money counts up to so many times what is expected of a payer: single large payments,
#: most of them settlements, would drown what contacts add
MOST_UNITS = 3.0
#: random directions in which sums over customers are compared with sums over rows
_DIRECTIONS = 16


class DesignEffect:
    """How much the labels of one customer hang together, seen from the scores of the rows.

    Parameters
    ----------
    n_customers : int
    size : int
        Coefficients of the layer.
    """

    def __init__(self, n_customers: int, size: int) -> None:
        rng = np.random.default_rng(0)
        self._directions = rng.choice([-1.0, 1.0], size=(size, _DIRECTIONS))
        self._sums = np.zeros((n_customers, _DIRECTIONS))
        self._squares = 0.0

    def add(self, customer: npt.NDArray[np.int64], scores: Floats) -> None:
        """Take rows: weight x residual x design, shape (k, size)."""
        seen = scores @ self._directions
        np.add.at(self._sums, customer, seen)
        self._squares += float((seen**2).sum())

    @property
    def value(self) -> float:
        """Variance of customers' sums over that of independent rows, at least 1."""
        if self._squares <= 0:
            return 1.0
        return max(1.0, float((self._sums**2).sum()) / self._squares)


def residual_statistics(
    block: LoggedRows,
    labels: pd.DataFrame,
    nest: ArmNest,
    effect: EffectModel,
    typical_unit: float,
    channels: npt.NDArray[np.object_],
    together: DesignEffect,
) -> DayStatistics:
    """Add up what a block of decisions says about the corrections.

    Parameters
    ----------
    block : LoggedRows
    labels : DataFrame, k rows
        ``customer``, ``decided_us``, ``expected`` (money of the whole window, discounted) and
        ``seen`` (share of the window's payments that come by this age).
    nest : ArmNest
    effect : EffectModel
        Its uncertainty of a channel's effect is the prior variance of that channel's correction.
    typical_unit : float
        Money expected of a payer of median size; smaller ones count less, because theirs is the
        noisier label per unit and hardly any money.
    channels : object array, shape (m,)
        Channel of each action.
    together : DesignEffect
        Takes up the rows.

    Notes
    -----
    Money is counted in units of what is expected of the payer, so that a correction is one of the
    probability of payment, shared by customers of all sizes. A control customer, and one for whom
    nothing but waiting was possible, has no draw and says nothing. Labels of customers who are not
    in the tables (any more) say nothing either.
    """
    m = len(block.action_ids)
    p = block.probability
    arm, stage = nest.arm_codes(block.action_ids), nest.stage_codes(block.stage)
    open_to_chance = (p.max(axis=1) < 1.0) & ~block.holdout & (block.unit > 0)
    known = labels["customer"].to_numpy() >= 0
    use = np.flatnonzero(open_to_chance & known)
    reach, gain, p = block.reach[use], block.gain[use], p[use]
    rows = np.arange(len(use))
    drawn = block.drawn[use]
    acts = drawn < m
    took = -p[:, :m]
    took[rows[acts], drawn[acts]] += 1.0
    amounts = took * reach
    design = nest.design(amounts, (amounts * gain).sum(axis=1), arm, stage[use])
    inside = stage[use] >= 0
    design[rows[inside], nest.slope + 1 + stage[use][inside]] = 1.0
    predicted = block.p_wait[use].copy()
    predicted[acts] += (reach * gain)[rows[acts], drawn[acts]]
    unit = block.unit[use]
    label = np.minimum(labels["expected"].to_numpy(dtype=np.float64)[use] / unit, MOST_UNITS)
    chance = np.clip(block.p_wait[use], 0.0, 1.0)
    precision = 1.0 / (chance * (1.0 - chance) + _LEAST_VARIANCE)
    small = np.minimum(1.0, unit / typical_unit) ** 2
    seen = labels["seen"].to_numpy(dtype=np.float64)[use]
    weight = precision * small * seen
    prior, prior_weight = _prior(nest, effect, channels, p[:, :m] > 0, chance, weight)
    day = int(labels["decided_us"].iloc[0] // DAY_US) if len(labels) else 0
    residual = label - predicted
    centred = design[:, : nest.slope + 1]
    customer = labels["customer"].to_numpy(dtype=np.int64)[use]
    together.add(customer, (weight * residual)[:, None] * centred)
    return DayStatistics.of(day, design, residual, weight, prior, prior_weight, seen=seen)


def _prior(
    nest: ArmNest,
    effect: EffectModel,
    channels: npt.NDArray[np.object_],
    eligible: npt.NDArray[np.bool_],
    chance: Floats,
    weight: Floats,
) -> tuple[Floats, Floats]:
    """Return weighted sums of the models' variance of the gain by channel, and of the weights."""
    total, over = np.zeros(len(nest.channels)), np.zeros(len(nest.channels))
    scale = weight * (chance * (1.0 - chance)) ** 2
    space = ActionSpace(Action(name, None) for name in nest.channels)
    of_channel = effect.spread_[channel_positions(space, effect.channels_)]
    for k, name in enumerate(nest.channels):
        some = eligible[:, channels == name].any(axis=1)
        total[k] = scale[some].sum() * of_channel[space.channels.index(name)] ** 2
        over[k] = weight[some].sum()
    return total, over
