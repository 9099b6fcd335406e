"""One block of logged decisions as the arrays that learning needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.plan.log.block import LoggedBlock
from contactopt.policy.kernels import UNIT
from contactopt.segments import stage_of

__all__ = ["LoggedRows", "logged_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LoggedRows:
    """k decisions by m actions, as they were when they were drawn.

    Parameters
    ----------
    action_ids : tuple of str
        The m actions, without `wait`.
    probability : float array, shape (k, m + 1)
        Exact multiples of 2**-36; `wait` last.
    reach, gain : float array, shape (k, m)
        Probability that the action reaches; what the models (without any correction) said that
        reaching adds to the probability of payment.
    drawn : int64 array, shape (k,)
        Position of the drawn action; m for `wait`.
    unit : float array, shape (k,)
        Discounted money expected of a payer.
    p_wait : float array, shape (k,)
    stage : object array, shape (k,)
    holdout : bool array, shape (k,)
    """

    action_ids: tuple[str, ...]
    probability: Floats
    reach: Floats
    gain: Floats
    drawn: Ints
    unit: Floats
    p_wait: Floats
    stage: npt.NDArray[np.object_]
    holdout: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.drawn)


def logged_rows(
    block: LoggedBlock, decisions: pd.DataFrame, discount: float | Floats
) -> LoggedRows:
    """Read a block of the log.

    Parameters
    ----------
    block : LoggedBlock
    decisions : DataFrame, k rows
        The block's rows of the decisions table.
    discount : float or float array, shape (k,)
        Of money paid within the horizon, as when it was scored.
    """
    m = len(block.action_ids) - 1
    unit = block.numbers("amount")[:, -1] * discount
    reach = np.nan_to_num(block.numbers("p_reach")[:, :m])
    lift = np.nan_to_num(block.numbers("lift")[:, :m])
    if "adjustment" in block.table.column_names:
        lift = lift - np.nan_to_num(block.numbers("adjustment")[:, :m])
    scale = reach * unit[:, None]
    position = {name: k for k, name in enumerate(block.action_ids)}
    return LoggedRows(
        action_ids=block.action_ids[:m],
        probability=block.probabilities / UNIT,
        reach=reach,
        gain=np.divide(lift, scale, out=np.zeros_like(lift), where=scale > 0),
        drawn=np.array([position[str(a)] for a in decisions["action_id"]], dtype=np.int64),
        unit=np.nan_to_num(unit),
        p_wait=np.nan_to_num(block.numbers("p_pay_wait")[:, -1]),
        stage=_stage(block),
        holdout=decisions["holdout"].to_numpy(dtype=bool),
    )


def _stage(block: LoggedBlock) -> npt.NDArray[np.object_]:
    if "segment" not in block.table.column_names:
        return np.full(len(block.decision_ids), "", dtype=object)
    return stage_of(block.words("segment")[:, -1])
