"""The constant policy's scores: one effect per channel, times reach, times amount."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.contracts import ActionSpace
from contactopt.models import EffectModel
from contactopt.policy.value import ActionValues, action_values

__all__ = ["constant_scores"]

Floats = npt.NDArray[np.float64]


def constant_scores(
    effect: EffectModel,
    actions: ActionSpace,
    *,
    p_pay_wait: Floats,
    reach: Floats,
    reach_sd: Floats,
    amount: Floats,
    margin: Floats,
    cost: Floats,
    harm: Floats,
    discount: float | Floats,
) -> ActionValues:
    """Return values without differences of effect between customers and without corrections.

    The effect of a channel is one shift of the odds, as the effect model learned it at the fit for
    everybody; reach, amount, cost and harm are those of the learned scores. On experiments such a
    policy is often not beaten by a personal one.

    Returns
    -------
    ActionValues
        Arrays of shape (n, m); empty input gives empty arrays.
    """
    level = effect.gain(p_pay_wait, actions)
    return action_values(
        reach=reach,
        reach_sd=reach_sd,
        p_pay_wait=p_pay_wait,
        gain=level.gain,
        gain_sd=level.spread,
        amount=amount,
        margin=margin,
        cost=cost,
        harm=harm,
        discount=discount,
    )
