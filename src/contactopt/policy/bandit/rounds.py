"""The rounds of one update or proposal, checked as a whole before anything changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from contactopt.errors import ContractError
from contactopt.policy.bandit.round_kernels import sound_rounds

__all__ = [
    "Rounds",
    "actions_seen",
    "checked_mask",
    "checked_rounds",
    "days_of",
    "length_of",
    "lotteries",
    "refuse_lotteries",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST = 1e100


@dataclass(frozen=True)
class Rounds:
    """Checked actions and rewards.

    Parameters
    ----------
    action : int64 array, shape (n,)
        -1 where nothing was eligible and so nothing is learned.
    reward : float array, shape (n,)
    """

    action: Ints
    reward: Floats


def checked_mask(mask: Any, n: int, n_actions: int) -> npt.NDArray[np.bool_]:
    """Return the mask as booleans, shape (n, m), or (0, m) where all actions are eligible.

    Raises
    ------
    ContractError
        If its shape differs or it holds anything but booleans (or 0 and 1).
    """
    if mask is None:
        return np.zeros((0, n_actions), dtype=bool)
    found = np.asarray(mask)
    if found.shape != (n, n_actions):
        raise ContractError(
            f"mask has shape {found.shape}, expected ({n}, {n_actions})",
            hint="one row per row of X, one column per action; True where eligible",
        )
    if found.dtype != bool:
        if found.dtype.kind not in "iuf" or not np.isin(found, (0, 1)).all():
            raise ContractError("mask must hold booleans: True where an action is eligible")
        found = found.astype(bool)
    # no rows would read as "all eligible"; there is nothing to ask then
    return np.ascontiguousarray(found)


def checked_rounds(
    action: Any, reward: Any, propensity: Any, mask: Any, n: int, n_actions: int | None
) -> Rounds:
    """Check everything that does not need the features.

    Raises
    ------
    ContractError
        For lengths that differ, actions that are no whole numbers, out of range or not eligible,
        rewards that are not finite, propensities outside (0, 1].
    """
    actions = _column(action, n, "action")
    if actions.dtype.kind not in "iu":
        whole = actions.astype(np.float64) if actions.dtype.kind == "f" else None
        if whole is None or not (whole == np.floor(whole)).all():
            raise ContractError(
                "action must hold whole numbers from 0 on (-1: nothing was eligible)",
                hint="number the actions 0 to n_actions - 1",
            )
    actions = np.ascontiguousarray(actions, dtype=np.int64)
    rewards = _floats(reward, n, "reward")
    most = n_actions if n_actions is not None else np.iinfo(np.int64).max
    p = np.zeros(0) if propensity is None else _floats(propensity, n, "propensity")
    eligible = np.zeros((0, 0), dtype=bool)
    if mask is not None and n:
        eligible = checked_mask(mask, n, n_actions if n_actions is not None else _width(mask))
    if not sound_rounds(actions, rewards, p, eligible, most):
        _name_faults(actions, rewards, p, eligible, most)
    return Rounds(actions, rewards)


def _name_faults(
    actions: Ints, rewards: Floats, p: Floats, eligible: npt.NDArray[np.bool_], most: int
) -> None:
    """Raise for the first fault of rounds that are not sound."""
    waits = actions == -1
    _refuse((actions < -1) | (actions >= most), f"action outside 0 to {most - 1}")
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(rewards) <= _MOST)
    _refuse(bad & ~waits, "reward is missing, infinite or above 1e100")
    if len(p):
        _refuse(
            ~((p > 0) & (p <= 1)),
            "propensity outside (0, 1]",
            "the probability with which the logged action was drawn",
        )
        _refuse(waits & (p < 1), "action -1 (nothing eligible) with a propensity below 1")
    if len(eligible):
        _refuse(actions >= eligible.shape[1], "action has no column in the mask")
        chosen = eligible[np.arange(len(actions)), np.maximum(actions, 0)]
        _refuse(~chosen & ~waits, "action was not eligible under the mask")
        _refuse(waits & eligible.any(axis=1), "action -1 where some action was eligible")


def days_of(day: Any, learned: npt.NDArray[np.bool_]) -> Any:
    """Return the days of the rows that are learned; one day for all stays as it is."""
    if np.ndim(day) == 0:
        return day
    return _column(day, len(learned), "day")[learned]


def length_of(X: Any) -> int:
    """Return the number of rows of an array or frame."""
    if X is None or not hasattr(X, "__len__"):
        raise ContractError("X must be an array or frame of shape (n, d)")
    return len(X)


def actions_seen(action: Ints, mask: Any) -> int:
    """Return the number of actions: the mask's width, or the largest action + 1."""
    if mask is not None and np.ndim(mask) == 2:
        return np.shape(mask)[1]
    most = int(action.max(initial=-1)) + 1
    if most < 1:
        raise ContractError("no action to learn from", hint="set n_actions")
    return most


def lotteries(probabilities: Any, n: int, m: int) -> Floats:
    """Return given probabilities, shape (n, m); whether rows are lotteries, the draw tells."""
    given = np.ascontiguousarray(probabilities, dtype=np.float64)
    if given.shape != (n, m):
        refuse_lotteries(n, m)
    return given


def refuse_lotteries(n: int, m: int) -> NoReturn:
    """Refuse probabilities to draw from."""
    raise ContractError(
        "probabilities are not those of action_probabilities for these rows",
        hint=f"shape ({n}, {m}), rows that sum to 1 in multiples of 2**-36",
    )


def _width(mask: Any) -> int:
    shape = np.shape(mask)
    return shape[1] if len(shape) == 2 else -1


def _refuse(bad: npt.NDArray[np.bool_], what: str, hint: str = "nothing was learned") -> None:
    if bad.any():
        first = int(np.argmax(bad))
        raise ContractError(f"{what} in {int(bad.sum())} rows, first in row {first}", hint=hint)


def _column(values: Any, n: int, name: str) -> npt.NDArray[Any]:
    found = np.asarray(values)
    if found.shape != (n,):
        raise ContractError(
            f"{name} has shape {found.shape}, X has {n} rows", hint="one value per row of X"
        )
    return found


def _floats(values: Any, n: int, name: str) -> Floats:
    try:
        return np.ascontiguousarray(_column(values, n, name), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{name} must hold numbers") from error
