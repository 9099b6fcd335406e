"""What came of drawn decisions: the money of the whole window, and whether they were carried out.

The drawn action is the treatment of record (intention to treat): a decision that was not executed,
or carried out through another channel, keeps its row and its label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ContractError, sample_ids
from contactopt.journal.arrears import horizons_at
from contactopt.journal.labels import payment_labels
from contactopt.journal.local_time import DAY_US, HOUR_US
from contactopt.journal.view import JournalView

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig

__all__ = ["DECISION_STATES", "decision_horizons", "decision_labels"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: what became of a decision
DECISION_STATES = ("wait", "open", "executed", "off_plan", "not_executed")
_WAITS, _OPEN, _EXECUTED, _OFF_PLAN, _NOT_EXECUTED = range(5)
#: outcomes of touches that are counted per decision
_COUNTED = {"complaints": "complained", "opt_outs": "opted_out", "promises": "promise"}


def decision_labels(
    view: JournalView,
    decisions: pd.DataFrame,
    *,
    horizon_days: Any,
    discount_rate_yearly: float = 0.0,
) -> pd.DataFrame:
    """Return the outcome of each decision as known at the view's instant.

    A label is never cut at, split by or filtered on a later contact: it is the money of the whole
    window, whoever was contacted in it.

    Parameters
    ----------
    view : JournalView
        Everything known at an instant; nothing later is used.
    decisions : DataFrame
        One row each: ``decision_id`` (unique), ``customer_id``, ``decided_at`` (UTC),
        ``channel`` (`wait` included, the contract's word for channels added by a strategy);
        ``start_before`` or ``slot_start`` where known.
    horizon_days : float or float array, shape (n,)
        Length of the window that starts at ``decided_at``; `decision_horizons` gives a strategy's.
    discount_rate_yearly : float

    Returns
    -------
    DataFrame
        In the order of the rows given: ``customer`` (code, -1 where the view does not know the
        id), ``decided_us``, ``state`` (`DECISION_STATES`), ``paid``, ``amount`` and
        ``amount_discounted`` (net of reversals known by now), ``n_payments``,
        ``first_delay_days``, ``age_days`` (as far as payments are known, at most the row's
        horizon), ``mature`` (the window has closed), ``cost`` (of touches that bear the id),
        ``complaints``, ``opt_outs``, ``promises`` (touches with that outcome that bear the id).
        Empty input: no rows.

    Raises
    ------
    ContractError
        If an id stands twice.
    """
    frame = decisions.reset_index(drop=True)
    _refuse_twice(frame["decision_id"])
    customer, decided = _who_and_when(view, frame)
    horizon = np.broadcast_to(np.asarray(horizon_days, dtype=np.float64), customer.shape)
    known = np.flatnonzero(customer >= 0)
    labels = payment_labels(
        view.journal,
        customer[known],
        decided[known],
        horizon_days=horizon[known],
        as_of=view.as_of_us,
        discount_rate_yearly=discount_rate_yearly,
    )
    columns: dict[str, Any] = {"customer": customer, "decided_us": decided}
    for name in labels.columns:
        columns[name] = _spread(labels[name].to_numpy(), known, len(frame))
    # payments of the last hours may not be known yet: windows are watched until they are
    seen_us = view.as_of_us - round(view.journal.delay_hours("payments") * 3.6e9)
    columns["age_days"] = np.clip((seen_us - decided) / DAY_US, 0.0, horizon)
    columns |= _touched(view, frame, decided)
    return pd.DataFrame(columns)


def decision_horizons(view: JournalView, decisions: pd.DataFrame, config: StrategyConfig) -> Floats:
    """Return the days of each decision's window: those of the customer's stage when it was taken.

    Parameters
    ----------
    view : JournalView
        What became known after a decision does not matter to its stage.
    decisions : DataFrame
        ``customer_id`` and ``decided_at`` (UTC).
    config : StrategyConfig

    Returns
    -------
    float array, shape (n,)
        ``horizon_days`` for customers whom the view does not know; empty for no rows.
    """
    return horizons_at(view.journal, config, *_who_and_when(view, decisions))


def _who_and_when(view: JournalView, decisions: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return customer codes, -1 where not known, and instants of decisions."""
    ids = decisions["customer_id"].to_numpy(dtype=object)
    customer = pd.Index(view.customer_ids).get_indexer(ids)
    return customer.astype(np.int64), _instants(decisions, "decided_at")


def _refuse_twice(ids: pd.Series) -> None:
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise ContractError(
            f"{len(twice)} decision id(s) stand more than once: {sample_ids(twice)}",
            hint="read each batch once; decision_id is one per customer and batch",
        )


def _spread(values: npt.NDArray[Any], at: Ints, n: int) -> npt.NDArray[Any]:
    """Put values of known customers into place; of others nothing is known to be paid."""
    out = np.zeros(n, dtype=values.dtype)
    if values.dtype.kind == "f":
        out[:] = np.nan
    out[at] = values
    return out


def _instants(frame: pd.DataFrame, name: str) -> Ints:
    if name not in frame or len(frame) == 0:
        return np.full(len(frame), NO_INSTANT, dtype=np.int64)
    return pd.DatetimeIndex(frame[name]).as_unit("us").asi8.copy()


def _touched(view: JournalView, frame: pd.DataFrame, decided: Ints) -> dict[str, Any]:
    """Tell what the touches that bear each decision's id were, and what that makes of it."""
    n = len(frame)
    ids = pd.Index(frame["decision_id"].to_numpy(dtype=object))
    touches = view.touches[view.touches["decision_id"].notna().to_numpy()]
    place = ids.get_indexer(touches["decision_id"].to_numpy(dtype=object))
    at, touches = place[place >= 0], touches[place >= 0]
    outcome = touches["outcome"].astype(object).to_numpy()
    cost = np.nan_to_num(touches["cost"].to_numpy(dtype=np.float64))
    channel = frame["channel"].to_numpy(dtype=object)
    in_time = touches["started_us"].to_numpy(dtype=np.int64) < _too_late(frame, decided)[at]
    same = (touches["channel"].astype(object).to_numpy() == channel[at]) & in_time
    end = _too_late(frame, decided)
    state = np.where(end <= view.as_of_us, _NOT_EXECUTED, _OPEN)
    state[at] = _OFF_PLAN
    state[at[same]] = _EXECUTED
    # touches that bear the id of a decision to wait are off the plan
    state[(channel == WAIT) & (state != _OFF_PLAN)] = _WAITS
    counts = {
        name: np.bincount(at[outcome == word], minlength=n).astype(np.int64)
        for name, word in _COUNTED.items()
    }
    return {
        "state": pd.Categorical.from_codes(
            state, dtype=pd.CategoricalDtype(pd.Index(DECISION_STATES, dtype="str"))
        ),
        "cost": np.bincount(at, weights=cost, minlength=n).astype(np.float64),
        **counts,
    }


def _too_late(frame: pd.DataFrame, decided: Ints) -> Ints:
    """Return from when a decision counts as not executed: 24 hours past its last start."""
    start, before = _instants(frame, "slot_start"), _instants(frame, "start_before")
    end = np.where(start == NO_INSTANT, decided + DAY_US, start + HOUR_US)
    return np.where(before == NO_INSTANT, end, before) + DAY_US
