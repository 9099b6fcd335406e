"""From plain frames to rows that effects are learned from: checked, counted, in one order."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ContractError
from contactopt.models.effect.logging_policy import estimated_policy
from contactopt.models.effect.scores import EffectRows
from contactopt.models.effect.weighting import MIN_EVENTS, MIN_ROWS, clipped_weights, speaks
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.splits import content_order, group_hash, own_hash

__all__ = ["PlainRows", "plain_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_log = logging.getLogger(__name__)
#: where the propensity is estimated: every arm at least this likely, for this share of the rows
_OVERLAP, _OVERLAP_ROWS = 0.02, 0.5


@dataclass(frozen=True)
class PlainRows:
    """What is left of plain frames, and what was said about them.

    Parameters
    ----------
    rows : EffectRows or None
        With the arms that speak; None where no contrast can be made.
    arms : tuple of str
        All labels but the control's, sorted.
    speaking : int array
        Positions among ``arms`` of those in ``rows``.
    drawn : int array, shape (n_arms,)
        Rows per arm.
    kept : int array
        Positions of the rows in the frames that were given.
    propensity : str
        "logged", "estimated" or "none".
    verdict : str
        Why there are no rows, or empty.
    record : dict
        Counts.
    """

    rows: EffectRows | None
    arms: tuple[Any, ...]
    speaking: Ints
    drawn: Ints
    kept: Ints
    propensity: str
    verdict: str
    record: dict[str, Any]


def _column(values: Any, n: int, what: str) -> npt.NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1 or len(column) != n:
        raise ContractError(
            f"EffectModel: {what} must have one entry per row of X ({n})",
            hint=f"give {what} as an array of shape ({n},)",
        )
    return column


def _outcomes(y: Any, n: int) -> Floats:
    try:
        values = _column(y, n, "y").astype(np.float64)
    except (TypeError, ValueError):
        raise ContractError("EffectModel: y must be 0 or 1", hint="1 where it was paid") from None
    if not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
        raise ContractError(
            "EffectModel: y must be 0 or 1",
            hint="1 where the customer paid within the horizon; money goes to AmountModel",
        )
    return values


def _drawn_propensity(propensity: Any, action: npt.NDArray[Any], n: int) -> Floats:
    """Probability of the drawn action: a column, or a frame with one column per action."""
    if isinstance(propensity, pd.DataFrame):
        at = propensity.columns.get_indexer(pd.Index(action))
        if (at < 0).any() and not pd.isna(action[at < 0]).all():
            raise ContractError(
                "EffectModel: the propensity frame lacks columns of actions that were drawn",
                hint="one column per value of action, the control value included",
            )
        propensity = propensity.to_numpy(dtype=np.float64)[np.arange(len(at)), np.maximum(at, 0)]
    p = _column(propensity, n, "propensity").astype(np.float64)
    bad = int(((p <= 0) | (p > 1)).sum())
    if bad:
        raise ContractError(
            f"EffectModel: {bad} rows have a propensity outside (0, 1]",
            hint="give the probability with which the drawn action was drawn",
        )
    return p


def plain_rows(
    X: Floats,
    y: Any,
    *,
    action: Any,
    propensity: Any,
    groups: Any,
    reach: Any,
    control: Any,
    categories: list[int],
    largest_weight: float,
    plan: BoostingPlan,
) -> PlainRows:
    """Check plain input; parameters as in `EffectModel.fit`, X encoded."""
    told = _told(X, y, action, propensity, groups, reach, control)
    y_, code, kept, arms, ids = told.y, told.code, told.kept, told.arms, told.ids
    record: dict[str, Any] = {
        "rows": len(X),
        "used": len(kept),
        "waited": int((code[kept] == -1).sum()),
    }
    drawn = np.bincount(code[kept] + 1, minlength=len(arms) + 1)[1:]
    speaking, verdict = _verdict(y_[kept], code[kept], arms, control)
    kept = kept[np.isin(code[kept], np.append(speaking, -1))]
    arm = np.append(np.searchsorted(speaking, np.arange(len(arms))), -1)[code[kept]]
    hashes = own_hash(X[kept], y_[kept]) if ids is None else group_hash(ids[kept])
    p, how = told.propensity, told.how
    if how == "none" and not verdict:
        policy = estimated_policy(
            X[kept], arm, hashes, n_arms=len(speaking), categories=categories, plan=plan
        )
        near, verdict = _overlap(policy, y_[kept], arm)
        record["overlap_share"] = float(near.mean())
        kept, arm, hashes, policy = kept[near], arm[near], hashes[near], policy[near]
        p = np.ones(len(X))
        p[kept] = policy[np.arange(len(arm)), arm + 1]
        how = "none" if verdict else "estimated"
    if verdict:
        _log.warning("EffectModel: %s: effects are priors", verdict)
        return PlainRows(None, arms, speaking[:0], drawn, kept, how, verdict, record)
    weight, cut = clipped_weights(1.0 / p[kept], arm, len(speaking), largest_weight)
    rows = EffectRows(
        X=X[kept],
        y=y_[kept],
        arm=arm,
        weight=weight,
        cluster=np.unique(hashes, return_inverse=True)[1].ravel().astype(np.int64),
        hashes=hashes,
        n_arms=len(speaking),
        categories=categories,
        reach=None if told.reach is None else np.nan_to_num(told.reach[kept]),
    )
    record["clipped_share"] = cut
    return PlainRows(rows, arms, speaking, drawn, kept, how, "", record)


@dataclass(frozen=True)
class _Told:
    """Columns checked one by one, and the rows that are told whole, in an order of their own."""

    y: Floats
    code: Ints
    propensity: Floats
    how: str
    reach: Floats | None
    ids: npt.NDArray[Any] | None
    arms: tuple[Any, ...]
    kept: Ints


def _told(
    X: Floats, y: Any, action: Any, propensity: Any, groups: Any, reach: Any, control: Any
) -> _Told:
    n = len(X)
    outcome = _outcomes(y, n)
    labels = _column(pd.Series(action).astype(object).to_numpy(), n, "action")
    p = np.full(n, np.nan) if propensity is None else _drawn_propensity(propensity, labels, n)
    told = ~np.isnan(outcome) & ~pd.isna(labels)
    arms = tuple(sorted({v for v in labels[told] if v != control}, key=lambda v: (str(v), repr(v))))
    code = pd.Index([control, *arms]).get_indexer(pd.Index(labels)) - 1
    how = "none" if np.isnan(p[told]).all() else "logged"
    if how == "logged":
        told &= ~np.isnan(p)
    r = None if reach is None else _column(reach, n, "reach").astype(np.float64)
    if r is not None:
        if ((r < 0) | (r > 1)).any():
            raise ContractError("EffectModel: reach must lie in [0, 1]", hint="missing is NaN")
        told &= ~np.isnan(r) | (code == -1)
    kept = np.flatnonzero(told)
    if len(kept) < n:
        _log.warning("EffectModel: %d of %d rows left out: values missing", n - len(kept), n)
    ids = None if groups is None else _column(groups, n, "groups")
    p = np.where(np.isnan(p), 1.0, p)
    content = np.column_stack([X[kept], code[kept].astype(np.float64)])
    order = content_order(content, outcome[kept], p[kept], None, ids, kept)
    return _Told(outcome, code, p, how, r, ids, arms, kept[order])


def _overlap(policy: Floats, y: Floats, arm: Ints) -> tuple[npt.NDArray[np.bool_], str]:
    """Rows where every arm had a chance, and why they are too few."""
    near = policy.min(axis=1) >= _OVERLAP
    enough = [speaks(y[near & (arm == c)]) for c in range(-1, policy.shape[1] - 1)]
    share = float(near.mean())
    if share < _OVERLAP_ROWS or not all(enough):
        return near, (
            "no propensities were given, and their estimate leaves too little overlap: every arm "
            f"is at least {_OVERLAP:.0%} likely for only {share:.0%} of the rows"
        )
    _log.warning(
        "EffectModel: no propensities were given: they are estimated from X, on the %.0f %% of the "
        "rows with overlap. Whatever else moved the old policy and payment together is still in "
        "the effects",
        100 * share,
    )
    return near, ""


def _verdict(y: Floats, code: Ints, arms: tuple[Any, ...], control: Any) -> tuple[Ints, str]:
    """Positions of the arms that speak, and why none can be held against waiting."""
    speaking = np.array([c for c in range(len(arms)) if speaks(y[code == c])], dtype=np.int64)
    if len(y) == 0:
        return speaking, "there are no rows"
    if not arms:
        return speaking, f"every row has the control value {control!r}: there is no action"
    if not (code == -1).any():
        return speaking, (
            f"no row has the control value {control!r}, so nothing tells what waiting brings "
            "(EffectModel(control=...) names another value)"
        )
    if not speaks(y[code == -1]):
        return speaking, (
            f"fewer than {MIN_ROWS} rows waited, or fewer than {MIN_EVENTS} of them paid or did "
            "not pay"
        )
    if len(speaking) == 0:
        return speaking, (
            f"no action has {MIN_ROWS} rows with {MIN_EVENTS} that paid and {MIN_EVENTS} that "
            "did not"
        )
    return speaking, ""
