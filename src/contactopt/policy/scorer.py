"""One block of customers scored: models, mask and money brought together as a ScoredBatch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance import Verdict
from contactopt.config import StrategyConfig
from contactopt.contracts import ActionSpace, ScoredBatch
from contactopt.journal import JournalView
from contactopt.journal.arrears import horizons_at
from contactopt.models import AmountModel, EffectModel, HarmModel, PaymentModel, ReachModel
from contactopt.models.effect.model import Effect
from contactopt.models.reach.attempt_history import attempt_history, recent_touches
from contactopt.models.treatment import TreatmentModel
from contactopt.policy.pools import assign_pools
from contactopt.policy.residual import ResidualLayer
from contactopt.policy.safety.constant import constant_scores
from contactopt.policy.treatments import valid_treatments
from contactopt.policy.value import action_values, discount_factor, window_discounts
from contactopt.segments import stage_of

__all__ = ["ScoringModels", "score_block"]

Floats = npt.NDArray[np.float64]
#: columns that name the arrears
_WORDS_OF_ARREARS = ("debt.stage", "debt.status")


class ScoringModels(Protocol):
    """The fitted parts that scoring asks, whoever fitted them."""

    payment: PaymentModel
    amount: AmountModel
    reach: ReachModel
    effect: EffectModel
    harm: HarmModel
    treatment: TreatmentModel | None


def score_block(
    view: JournalView,
    features: pd.DataFrame,
    models: ScoringModels,
    verdict: Verdict,
    config: StrategyConfig,
    *,
    segment: npt.NDArray[np.object_] | None = None,
    residual: ResidualLayer | None = None,
) -> ScoredBatch:
    """Score every (customer, action) of a block.

    Parameters
    ----------
    view : JournalView
        What is known at the instant of the decision; n customers.
    features : DataFrame, n rows
        Output of the strategy's feature pipeline at the same instant.
    models : ScoringModels
        Fitted payment, amount, reach, effect and harm models.
    verdict : Verdict
        What law and orchestration allow; m actions.
    config : StrategyConfig
    segment : object array, shape (n,), optional
        Labels that begin with the stage of the arrears.
    residual : ResidualLayer, optional
        What decisions since the models' fit say that the scores miss; with ``segment``.

    Returns
    -------
    ScoredBatch
        n customers by m actions; empty for an empty block.
    """
    actions = config.action_space
    features = _without_words_of_no_arrears(features)
    p_wait = models.effect.predict_wait(models.payment.predict_proba(features)[:, 1])
    amount = _bounded_amount(models.amount.predict(features), view)
    reach = _reach(view, features, models, verdict, actions)
    effect = models.effect.gain(p_wait, actions, features=features, reach=reach.probability)
    gain = _corrected(effect, p_wait, segment, residual, actions)
    pressure = recent_touches(view)
    harm = _harm(models, pressure, actions, config)
    cost = _unit_costs(config, actions)
    shape = reach.probability.shape
    margin = _margin(view, verdict, config)
    objective = config.objective
    horizons = horizons_at(
        view.journal, config, np.arange(len(amount)), np.full(len(amount), view.as_of_us)
    )
    discount = window_discounts(objective.discount_rate_yearly, horizons)
    longest = discount_factor(objective.discount_rate_yearly, objective.horizons.longest / 2)
    values = action_values(
        reach=reach.probability,
        reach_sd=reach.spread,
        p_pay_wait=p_wait,
        gain=gain.gain,
        gain_sd=gain.spread,
        amount=amount,
        margin=margin,
        cost=np.broadcast_to(cost, shape),
        harm=harm,
        discount=discount,
    )
    constant = None
    if config.safety.enabled:
        constant = constant_scores(
            models.effect,
            actions,
            p_pay_wait=p_wait,
            reach=reach.probability,
            reach_sd=reach.spread,
            amount=amount,
            margin=margin,
            cost=np.broadcast_to(cost, shape),
            harm=harm,
            discount=discount,
        )
    customers = view.customers
    language = customers["language"].to_numpy(dtype=object)
    pool, pools, usage = assign_pools(
        config.pools,
        actions,
        language=language,
        jurisdiction=customers["jurisdiction"].to_numpy(dtype=object),
        creditor=_of_named_debt(view, verdict, "creditor"),
        cost=np.broadcast_to(cost, shape),
    )
    choice = valid_treatments(view, verdict, config, actions, models.treatment, longest)
    return ScoredBatch(
        as_of=view.as_of,
        currency=config.objective.currency,
        customer_ids=view.customer_ids,
        actions=actions,
        allowed=verdict.allowed,
        reason=verdict.reason,
        reason_sets=verdict.reason_sets,
        lawful_from=verdict.lawful_from,
        value=values.value,
        spread=values.spread,
        p_reach=reach.probability.astype(np.float32),
        p_pay=values.p_pay.astype(np.float32),
        lift=values.lift,
        cost=np.broadcast_to(cost, shape),
        harm=harm,
        margin=margin,
        p_pay_wait=p_wait,
        amount=amount,
        pool=pool,
        pools=pools,
        usage=usage,
        time_zone=verdict.time_zone,
        slot_start=verdict.slot_start,
        start_before=verdict.start_before,
        debt=verdict.debt.astype(np.int32),
        debt_ids=view.debts["debt_id"].to_numpy(dtype=object),
        other_debts=verdict.other_debts,
        contact_point=verdict.contact_point.astype(np.int32),
        contact_point_ids=view.points["contact_point_id"].to_numpy(dtype=object),
        template=verdict.template,
        template_ids=tuple(t.template_id for t in config.templates),
        offer_ids=tuple(o.offer_id for o in config.offers),
        treatment_group=None if choice is None else choice.group,
        treatments=None if choice is None else choice.table,
        language=language,
        max_attempts=_max_attempts(config, actions),
        segment=segment,
        adjustment=None
        if residual is None
        else reach.probability * (gain.gain - effect.gain) * (amount * discount)[:, None],
        constant_value=None if constant is None else constant.value,
        constant_spread=None if constant is None else constant.spread,
    )


def _without_words_of_no_arrears(features: pd.DataFrame) -> pd.DataFrame:
    """Blank stage and status of customers who owe nothing that is due.

    Models learn from arrears alone and read such words as missing. Nobody there can be planned, so
    a warning about unseen levels each night would be a false alarm.
    """
    here = [name for name in _WORDS_OF_ARREARS if name in features]
    if "debt.stage" not in here:
        return features
    current = (features["debt.stage"] == "current").to_numpy(dtype=bool)
    if not current.any():
        return features
    return features.assign(**{name: features[name].where(~current) for name in here})


def _corrected(
    effect: Effect,
    p_wait: Floats,
    segment: npt.NDArray[np.object_] | None,
    residual: ResidualLayer | None,
    actions: ActionSpace,
) -> Effect:
    """Add to the models' gain what was learned since, inside what a probability can be."""
    if residual is None or segment is None:
        return effect
    found = residual.predict(stage_of(segment), actions.action_ids, effect.gain)
    gain = np.clip(effect.gain + found.gain, -p_wait[:, None], 1.0 - p_wait[:, None])
    return Effect(p_wait[:, None] + gain, gain, effect.spread * found.shrink)


def _bounded_amount(predicted: npt.ArrayLike, view: JournalView) -> Floats:
    """Cap expected money at what is owed: more than the balance is never collected."""
    owed = np.zeros(len(view.customer_ids))
    debts = view.debts
    due = np.nan_to_num(debts[["balance", "past_due"]].max(axis=1).to_numpy(dtype=np.float64))
    np.add.at(owed, debts["customer"].to_numpy(dtype=np.int64), due)
    return np.clip(np.nan_to_num(np.asarray(predicted, dtype=np.float64)), 0.0, owed)


def _reach(
    view: JournalView,
    features: pd.DataFrame,
    models: ScoringModels,
    verdict: Verdict,
    actions: ActionSpace,
):
    quality = view.points["quality_share"].to_numpy(dtype=np.float64)
    used = np.append(quality, np.nan)[verdict.contact_point]
    return models.reach.predict(
        np.arange(len(view.customer_ids)),
        actions,
        history=attempt_history(view),
        touches_7d=recent_touches(view),
        point_quality=used,
        has_point=verdict.allowed | (verdict.contact_point >= 0),
    )


def _unit_costs(config: StrategyConfig, actions: ActionSpace) -> Floats:
    costs = {c: float(config.channel(c).unit_cost or 0.0) for c in actions.channels}
    return np.array([costs[a.channel] for a in actions], dtype=np.float64)


def _max_attempts(config: StrategyConfig, actions: ActionSpace) -> npt.NDArray[np.int64]:
    attempts = {c: config.channel(c).max_attempts for c in actions.channels}
    return np.array([attempts[a.channel] for a in actions])


def _margin(view: JournalView, verdict: Verdict, config: StrategyConfig) -> Floats:
    """Margin of the named debt; the strategy's where the debt has none of its own."""
    default = config.objective.margin_share
    own = view.debts["margin_share"].fillna(default).to_numpy(dtype=np.float64)
    by_row = np.append(own, default)
    if (by_row == default).all():
        return np.broadcast_to(by_row[-1:], verdict.debt.shape)
    return by_row[verdict.debt]


def _of_named_debt(view: JournalView, verdict: Verdict, column: str) -> npt.NDArray[np.object_]:
    by_row = np.full(len(view.debts) + 1, None, dtype=object)
    by_row[:-1] = view.debts[column].to_numpy(dtype=object)
    return by_row[verdict.debt]


def _harm(models: ScoringModels, pressure: Floats, actions: ActionSpace, config: StrategyConfig):
    harm = models.harm.predict(pressure, actions)
    objective = config.objective
    return harm.complaint * objective.cost_per_complaint + (
        harm.opt_out * objective.cost_per_opt_out
    )
