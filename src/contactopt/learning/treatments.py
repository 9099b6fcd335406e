"""What messages and offers add: the draw inside the arm is a trial of its own, in every batch.

Within a customer and arm the treatment was drawn at random, so that no score needs to be right for
the contrast between treatments, and batches of earlier models count as well as those of today's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.journal import JournalView
from contactopt.journal.decision_labels import decision_horizons, decision_labels
from contactopt.models.treatment import TreatmentCatalogue, TreatmentModel
from contactopt.plan.log.block import LoggedBlock, logged_blocks
from contactopt.plan.log.reader import DecisionLog

__all__ = ["learn_treatments"]

Floats = npt.NDArray[np.float64]
_COLUMNS = ["decision_id", "customer_id", "decided_at", "channel", "slot_start"]


def learn_treatments(
    log: DecisionLog | None,
    view: JournalView,
    config: StrategyConfig,
    *,
    expected: Mapping[str, Floats],
    discount: float,
) -> TreatmentModel | None:
    """Fit the treatment model on every batch of the log that had a choice.

    Parameters
    ----------
    log : DecisionLog or None
    view : JournalView
        What is known now; later batches are left out.
    config : StrategyConfig
    expected : mapping of str to float array
        By batch: discounted money of every decision's window, what is still to come expected; NaN
        where nothing can be said. Of other batches only closed windows count.
    discount : float
        Of money paid within the (longest) horizon, as `valid_treatments` counts with.

    Returns
    -------
    TreatmentModel or None
        None where no batch had a choice.
    """
    if log is None:
        return None
    model: TreatmentModel | None = None
    as_of = pd.DatetimeIndex(log.batches["as_of"]).tz_convert("UTC")
    for batch_id in log.batches["batch_id"].astype(str)[np.asarray(as_of <= view.as_of)]:
        if log.facts(batch_id).treatments is None:
            continue
        model = model or TreatmentModel(catalogue=TreatmentCatalogue.of(config))
        decisions, choices = log.decisions(batch_id), log.treatments(batch_id)
        label = expected.get(batch_id)
        if label is None:
            label = _closed(decisions, view, config)
        parts = [
            _rows(block, decisions.iloc[block.first : block.last], label[block.first : block.last],
                  discount)
            for block in logged_blocks(log, batch_id)
        ]  # fmt: skip
        if parts:
            rows = pd.concat(parts, ignore_index=True)
            model.update(rows, choices[choices["group"].isin(rows["group"])])
    return model


def _closed(decisions: pd.DataFrame, view: JournalView, config: StrategyConfig) -> Floats:
    """Discounted money of closed windows, NaN for the others."""
    roots = {c: config.channel_root(c) for c in config.channels}
    frame = decisions[_COLUMNS]
    found = decision_labels(
        view,
        frame.assign(channel=frame["channel"].astype(object).replace(roots)),
        horizon_days=decision_horizons(view, decisions, config),
        discount_rate_yearly=config.objective.discount_rate_yearly,
    )
    known = found["mature"].to_numpy(dtype=bool) & (found["customer"] >= 0).to_numpy()
    return np.where(known, found["amount_discounted"].to_numpy(np.float64), np.nan)


def _rows(
    block: LoggedBlock, decisions: pd.DataFrame, label: Floats, discount: float
) -> pd.DataFrame:
    """Return the decisions that had a choice, as the model takes them."""
    position = {name: k for k, name in enumerate(block.action_ids)}
    drawn = np.array([position[str(a)] for a in decisions["action_id"]], dtype=np.int64)
    at = (np.arange(len(drawn)), drawn)

    def of(name: str) -> Floats:
        return np.nan_to_num(block.numbers(name)[at])

    group, unit = of("treatment_group").astype(np.int64), of("amount") * discount
    score = of("p_pay_wait") * unit + of("lift")
    frame = pd.DataFrame(
        {
            "group": group,
            "template_id": decisions["template_id"].to_numpy(dtype=object),
            "offer_id": decisions["offer_id"].to_numpy(dtype=object),
            "residual": label - score,
            "scale": of("p_reach") * unit,
            "noise": unit,
        }
    )
    usable = (group >= 0) & (unit > 0) & np.isfinite(label)
    return frame[usable]
