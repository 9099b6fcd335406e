"""The log since the models' fit, replayed: labels by now, delays, and the residual layer.

Every update starts from nothing and reads the decisions since the fit again, with what is known of
their windows now. Nothing is counted twice, a late payment or reversal finds its decision however
late it comes, and many small updates equal one big one bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import WAIT
from contactopt.journal import JournalView
from contactopt.journal.decision_labels import (
    DECISION_STATES,
    decision_horizons,
    decision_labels,
)
from contactopt.journal.local_time import DAY_US
from contactopt.learning.admission import never_planned_before, superseded
from contactopt.learning.control_evidence import ControlGroup
from contactopt.learning.logged_rows import LoggedRows, logged_rows
from contactopt.learning.residual_rows import MOST_UNITS, DesignEffect, residual_statistics
from contactopt.learning.treatments import learn_treatments
from contactopt.models.delay import DelayModel
from contactopt.models.fitting import FittedModels
from contactopt.models.treatment import TreatmentModel
from contactopt.plan.log.block import logged_blocks
from contactopt.plan.log.reader import DecisionLog
from contactopt.policy.residual import ArmNest, ControlContrast, DayStatistics, ResidualLayer
from contactopt.policy.value import discount_factor, window_discounts
from contactopt.segments import stage_of

__all__ = ["Learned", "learn_from_log"]

Floats = npt.NDArray[np.float64]

#: largest inverse propensity over a channel's mean in the delay curves
_LARGEST_WEIGHT = 10.0
_LABEL_COLUMNS = [
    "decision_id",
    "customer_id",
    "decided_at",
    "channel",
    "slot_start",
    "propensity",
    "holdout",
]

#: what the control group's evidence needs of every decision
_OF_CUSTOMERS = ["customer", "decided_us", "holdout", "stage", "unit", "p_wait"]


@dataclass(frozen=True, eq=False)
class Learned:
    """What the decisions since the fit taught.

    Parameters
    ----------
    residual : ResidualLayer
    delay : DelayModel
    record : dict
        Counts: batches, decisions, what became of them, those of customers who are not known, and
        touches that bear the id of a decision in no log.
    treatment : TreatmentModel or None
        What messages and offers add; None where no batch had a choice.
    """

    residual: ResidualLayer
    delay: DelayModel
    record: dict[str, Any] = field(default_factory=dict)
    treatment: TreatmentModel | None = None


def learn_from_log(
    log: DecisionLog | None,
    view: JournalView,
    *,
    models: FittedModels,
    config: StrategyConfig,
    since: pd.Timestamp,
    on_batch: Callable[[str], None] = lambda _: None,
) -> Learned:
    """Replay the batches drawn after an instant with the labels that are known now.

    Parameters
    ----------
    log : DecisionLog or None
        None: there is none yet, and nothing is corrected.
    view : JournalView
        What is known now, in the strategy's terms. Batches drawn later than that are left out.
    models : FittedModels
        Fitted at ``since``; their own uncertainty is the prior of the corrections.
    config : StrategyConfig
    since : Timestamp
        The models' fit: only later decisions count, because the models know the others.
    on_batch : callable
        Told each batch's id.

    Raises
    ------
    ContractError
        If the log is damaged, or a decision id stands in two batches.
    """
    batches, left_out = _batches(log, since, view.as_of)
    labels = _labels(log, batches, view, config)
    rows = labels.assign(**_scored(log, batches))
    rows["unit"] *= rows["discount"]
    delay = DelayModel(horizon_days=round(config.objective.horizons.longest))
    delay.fit(_delay_rows(rows, view, config))
    done = delay.complete(rows.assign(amount=rows["amount_discounted"]))
    rows = rows.assign(expected=done["expected"], seen=done["seen"])
    layer = ResidualLayer(forgetting=config.models.forgetting_per_day)
    nest, days, together, control = _statistics(log, batches, rows, models, view, config, on_batch)
    layer.fit(nest, days, today=view.as_of_us // DAY_US, design_effect=together, control=control)
    treatment = learn_treatments(
        log,
        view,
        config,
        expected=_by_batch(log, batches, rows),
        discount=_longest_discount(config),
    )
    record = _record(rows, batches, left_out, view, delay, layer)
    if treatment is not None:
        record["treatments"] = {"rows": treatment.rows_, "prior_sd": treatment.prior_sd_}
    return Learned(layer, delay, record, treatment)


def _by_batch(log: DecisionLog | None, batches: list[str], rows: pd.DataFrame) -> dict[str, Floats]:
    """Return the expected money of the batches' decisions, NaN where the customer is not known."""
    if log is None:
        return {}
    ends = np.cumsum([0, *(log.facts(b).n_customers for b in batches)])
    label = np.where(rows["customer"] >= 0, rows["expected"], np.nan).astype(np.float64)
    return {b: label[i:j] for b, i, j in zip(batches, ends[:-1], ends[1:], strict=True)}


def _batches(
    log: DecisionLog | None, since: pd.Timestamp, until: pd.Timestamp
) -> tuple[list[str], int]:
    """Return the ids of batches scored by the same models, oldest first, and how many others."""
    if log is None:
        return [], 0
    as_of = pd.DatetimeIndex(log.batches["as_of"]).tz_convert("UTC")
    inside = np.asarray((as_of >= since) & (as_of <= until))
    found = log.batches[inside]
    own = np.array([_fitted_at(row) in (None, since) for row in found["meta"]], dtype=bool)
    return list(found["batch_id"].astype(str)[own]), int((~own).sum())


def _fitted_at(meta: Any) -> pd.Timestamp | None:
    """Return when the models of a batch were fitted; None where the log does not say."""
    import json

    told = json.loads(meta).get("fitted_as_of") if isinstance(meta, str) else None
    return None if told is None else pd.Timestamp(told)


def _labels(
    log: DecisionLog | None, batches: list[str], view: JournalView, config: StrategyConfig
) -> pd.DataFrame:
    """Return the outcome of every decision of the batches, in their order, in its own window."""
    parts = [log.decisions(b)[_LABEL_COLUMNS] for b in batches] if log is not None else []
    frame = pd.concat(parts, ignore_index=True) if parts else _nothing()
    roots = {c: config.channel_root(c) for c in config.channels}
    horizon, rate = decision_horizons(view, frame, config), config.objective.discount_rate_yearly
    found = decision_labels(
        view,
        frame.assign(channel=frame["channel"].astype(object).replace(roots)),
        horizon_days=horizon,
        discount_rate_yearly=rate,
    )
    found = found.assign(horizon_days=horizon, discount=window_discounts(rate, horizon))
    kept = frame[["decision_id", "channel", "propensity", "holdout"]]
    kept = kept.astype({"channel": object, "holdout": bool})
    return pd.concat([kept, found], axis=1)


def _nothing() -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in _LABEL_COLUMNS})
    return frame.assign(
        decided_at=pd.Series(dtype="datetime64[us, UTC]"),
        slot_start=pd.Series(dtype="datetime64[us, UTC]"),
        propensity=pd.Series(dtype=np.float64),
    )


def _scored(log: DecisionLog | None, batches: list[str]) -> dict[str, npt.NDArray[Any]]:
    """Return what was logged of each customer: unit (money of a payer), P(pays | wait), stage."""
    numbers = {"amount": [np.empty(0)], "p_pay_wait": [np.empty(0)]}
    stages = [np.empty(0, dtype=object)]
    for batch_id in batches:
        assert log is not None
        parts = log.parts(batch_id)
        known = "segment" in parts.columns
        for first, last in parts.blocks():
            table = parts.read(first, last, [*numbers, *(["segment"] if known else [])])
            table = table.take(np.arange(0, table.num_rows, parts.width))
            for name, found in numbers.items():
                found.append(table.column(name).to_pandas().to_numpy(np.float64))
            words = table.column("segment").to_pandas().astype(object) if known else None
            stages.append(np.full(last - first, "", object) if words is None else stage_of(words))
    unit, p_wait = (np.nan_to_num(np.concatenate(found)) for found in numbers.values())
    return {"unit": unit, "p_wait": p_wait, "stage": np.concatenate(stages)}


def _longest_discount(config: StrategyConfig) -> float:
    objective = config.objective
    return discount_factor(objective.discount_rate_yearly, objective.horizons.longest / 2)


def _delay_rows(rows: pd.DataFrame, view: JournalView, config: StrategyConfig) -> pd.DataFrame:
    """Add the decisions that the tables hold of earlier policies: they shape the curves.

    Weighted by inverse propensities, so that a channel's curve is that of all customers and not
    of those to whom it was given.
    """
    table = view.decisions
    table = table[~table["decision_id"].isin(rows["decision_id"]).to_numpy()]
    table = table.drop_duplicates("decision_id", ignore_index=True)
    earlier = pd.DataFrame(
        {
            "decision_id": table["decision_id"].astype(object),
            "customer_id": view.customer_ids[table["customer"].to_numpy(dtype=np.int64)],
            "decided_at": pd.DatetimeIndex(
                table["decided_us"].to_numpy(dtype=np.int64).view("M8[us]"), tz="UTC"
            ),
            "channel": table["channel"].astype(object).to_numpy(),
        }
    )
    horizon = decision_horizons(view, earlier, config)
    labels = decision_labels(view, earlier, horizon_days=horizon).assign(horizon_days=horizon)
    earlier = pd.concat([earlier["channel"], table["propensity"], labels], axis=1)
    both = pd.concat(
        [earlier.assign(unit=np.nan, stage="", p_wait=np.nan, holdout=False), rows],
        ignore_index=True,
    )
    known = (both["customer"] >= 0).to_numpy() & (both["propensity"] > 0).to_numpy()
    both = both[known].reset_index(drop=True)
    inverse = 1.0 / both["propensity"]
    mean = inverse.groupby(both["channel"]).transform("mean")
    return both.assign(weight=np.minimum(inverse / mean, _LARGEST_WEIGHT))


def _statistics(
    log: DecisionLog | None,
    batches: list[str],
    rows: pd.DataFrame,
    models: FittedModels,
    view: JournalView,
    config: StrategyConfig,
    on_batch: Callable[[str], None],
) -> tuple[ArmNest, list[DayStatistics], float, ControlContrast | None]:
    """Reduce batches to days' statistics; how labels hang together; what the control group says."""
    if log is None or not batches:
        return ArmNest.of([], []), [], 1.0, None
    arms = {
        (action_id, channel)
        for b in batches
        for action_id, (channel, _) in log.facts(b).channels.items()
        if action_id != WAIT
    }
    nest = ArmNest.of(rows["stage"].astype(str), arms)
    typical = float(np.median(rows["unit"][rows["unit"] > 0])) if (rows["unit"] > 0).any() else 1.0
    n_known = int(rows["customer"].max()) + 1 if len(rows) else 0
    together = DesignEffect(n_known, nest.slope + 1)
    customer = rows["customer"].to_numpy(dtype=np.int64)
    admitted = np.append(never_planned_before(log, batches, view), False)[customer]
    group = ControlGroup(
        rows[_OF_CUSTOMERS].assign(admitted=admitted, stands=~superseded(log, batches, customer)),
        nest,
        as_of_us=view.as_of_us,
        horizon_days=rows["horizon_days"].to_numpy(dtype=np.float64),
        most_units=MOST_UNITS,
        typical_unit=typical,
    )
    discount = rows["discount"].to_numpy(dtype=np.float64)
    days, begin = list[DayStatistics](), 0
    for batch_id in batches:
        for block, own in _blocks(log, batch_id, discount[begin:]):
            here = rows.iloc[begin : begin + len(block)]
            group.add(block, begin)
            begin += len(block)
            days.append(
                residual_statistics(block, here, nest, models.effect, typical, own, together)
            )
        on_batch(batch_id)
    rate = config.objective.discount_rate_yearly
    return nest, days, together.value, group.contrast(view, discount_rate_yearly=rate)


def _blocks(
    log: DecisionLog, batch_id: str, discount: Floats
) -> Iterator[tuple[LoggedRows, npt.NDArray[np.object_]]]:
    """Yield the blocks of a batch with the channel of each of their actions.

    ``discount`` begins with that of the batch's first decision.
    """
    decisions, channels = log.decisions(batch_id), log.facts(batch_id).channels
    for block in logged_blocks(log, batch_id):
        here = slice(block.first, block.last)
        read = logged_rows(block, decisions.iloc[here], discount[here])
        yield read, np.array([channels[a][0] for a in read.action_ids], dtype=object)


def _record(
    rows: pd.DataFrame,
    batches: list[str],
    left_out: int,
    view: JournalView,
    delay: DelayModel,
    layer: ResidualLayer,
) -> dict[str, Any]:
    states = rows["state"].value_counts()
    borne = view.touches["decision_id"].dropna()
    known = set(rows["decision_id"]) | set(view.decisions["decision_id"].dropna())
    return {
        "batches": len(batches),
        "batches_of_other_models": left_out,
        "decisions": len(rows),
        **{state: int(states.get(state, 0)) for state in DECISION_STATES},
        "mature": int(rows["mature"].sum()),
        "customers_unknown": int((rows["customer"] < 0).sum()),
        "touches_of_unknown_decisions": int((~borne.isin(known)).sum()),
        "money_seen": float(rows["amount"].sum()),
        "delay": dict(delay.fit_record_),
        "residual": dict(layer.fit_record_),
    }
