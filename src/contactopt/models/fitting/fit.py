"""All parts of a strategy fitted on what is known at an instant, in one order, with a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts import Action, ActionSpace
from contactopt.contracts.vocabulary import WAIT
from contactopt.features import FeaturePipeline, training_pairs
from contactopt.journal import Journal, payment_labels, roll_labels
from contactopt.journal.arrears import horizons_at
from contactopt.journal.local_time import DAY_US
from contactopt.models.amount import AmountModel
from contactopt.models.effect.g_estimation import FOLLOWED_DAYS
from contactopt.models.effect.model import EffectModel
from contactopt.models.effect.support import support_report
from contactopt.models.fitting.parts import (
    DAYS_PAST_DUE,
    amount_model,
    payment_model,
    payment_signs,
    prior_horizons,
    roll_model,
)
from contactopt.models.fitting.touch_models import fit_harm, fit_reach, followed_words
from contactopt.models.harm import HarmModel
from contactopt.models.learners.splits import group_hash
from contactopt.models.payment.model import PaymentModel
from contactopt.models.payment.roll import RollModel
from contactopt.models.reach.attempt_history import attempt_history
from contactopt.models.reach.model import ReachModel
from contactopt.models.treatment import TreatmentModel

__all__ = ["FITTED_PARTS", "FittedModels", "fit_models"]

Ints = npt.NDArray[np.int64]

FITTED_PARTS = ("features", "payment", "amount", "reach", "effect", "harm", "roll")
#: parts that bundles of the first format do not have
_LATER_PARTS = ("roll",)
#: not fitted with the others, but from the log of decisions
_LEARNED_LATER = "treatment"
#: folds over customers in which P(pays) is predicted for the decisions the effect learns from
_EFFECT_FOLDS = 2
_CONTROL_VARIATE_ROWS = 20_000
#: decisions behind the support report of the record; `strategy.support` takes more
_SUPPORT_ROWS = 3_000


@dataclass
class FittedModels:
    """The fitted parts of a strategy."""

    features: FeaturePipeline
    payment: PaymentModel
    amount: AmountModel
    reach: ReachModel
    effect: EffectModel
    harm: HarmModel
    #: None in strategies fitted before there was one
    roll: RollModel | None = None
    #: None until decisions between messages or offers were learned from
    treatment: TreatmentModel | None = None


def fit_models(
    journal: Journal,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    *,
    on_part: Callable[[str], None] = lambda _: None,
) -> tuple[FittedModels, dict[str, dict[str, Any]]]:
    """Fit every part on rows whose label window had closed at ``as_of``.

    A row's window is that of the customer's stage at its moment. Moments end where the longest
    window has closed: later ones would hold the stages of short windows alone, and the level of the
    newest rows and the drift would take that mix for a change in time.

    Parameters
    ----------
    journal : Journal
        In the strategy's terms (`journal.terms.open_journal`).
    config : StrategyConfig
    as_of : Timestamp
        Nothing that became known later is used.
    on_part : callable
        Told each part's name when it is done (progress).

    Returns
    -------
    FittedModels
        An empty or short history gives parts that rest on priors.
    record : dict of str to dict
        Per part: ``rows``, ``seconds``, ``params``, ``metrics``.
    """
    return _Fit(journal, config, as_of, on_part).run()


class _Fit:
    """One fit: what the parts share, and the record of each."""

    def __init__(
        self,
        journal: Journal,
        config: StrategyConfig,
        as_of: pd.Timestamp,
        on_part: Callable[[str], None],
    ) -> None:
        self.journal, self.config, self.as_of = journal, config, as_of
        self.view = journal.as_of(as_of)
        self.on_part = on_part
        self.record: dict[str, dict[str, Any]] = {}
        self.common: dict[str, Any] = {
            "num_threads": config.models.num_threads,
            "random_state": config.random_state,
        }

    def run(self) -> tuple[FittedModels, dict[str, dict[str, Any]]]:
        customers, instants = self._pairs()
        features = self._part("features", lambda: self._features(customers, instants))
        X = features.transform(self.journal, customers=customers, as_of=instants)
        labels = self._labels(customers, instants)
        payment = self._part("payment", lambda: self._payment(X, labels, customers, instants))
        amount = self._part("amount", lambda: self._amount(X, labels, customers, instants, payment))
        attempts = attempt_history(self.view)
        reach = self._part("reach", lambda: fit_reach(attempts, self.config))
        harm = self._part("harm", lambda: fit_harm(attempts, self.config))
        effect = self._part("effect", lambda: self._effect(features, X, labels, customers, reach))
        self.record["effect"]["choice"] = effect.choice_.verdict
        self.record["effect"]["support"] = support_report(
            self.journal, self.config, self.as_of, max_rows=_SUPPORT_ROWS
        ).to_mapping()
        roll = self._part("roll", lambda: self._roll(X, customers, instants))
        return FittedModels(features, payment, amount, reach, effect, harm, roll), self.record

    def _part(self, name: str, fit: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        part = fit()
        record = dict(getattr(part, "fit_record_", {}))
        numbers = {k: v for k, v in record.items() if isinstance(v, int | float | np.number)}
        self.record[name] = {
            "rows": record.get("rows", record.get("used", record.get("contacts"))),
            "seconds": time.perf_counter() - began,
            "params": {k: v for k, v in part.get_params(deep=False).items() if v is not None},
            "metrics": {k: float(v) for k, v in numbers.items()},
        }
        self.on_part(name)
        return part

    def _pairs(self) -> tuple[Ints, Ints]:
        models, objective = self.config.models, self.config.objective
        return training_pairs(
            self.journal,
            as_of=self.as_of,
            step_days=models.training_step_days,
            horizon_days=objective.horizons.longest,
            max_rows=models.max_training_rows,
            random_state=self.config.random_state,
        )

    def _features(self, customers: Ints, instants: Ints) -> FeaturePipeline:
        return FeaturePipeline().fit(self.journal, customers=customers, as_of=instants)

    def _labels(self, customers: Ints, instants: Ints) -> pd.DataFrame:
        return payment_labels(
            self.journal,
            customers,
            instants,
            horizon_days=self._horizons(customers, instants),
            as_of=self.as_of,
        )

    def _horizons(self, customers: Ints, instants: Ints) -> npt.NDArray[np.float64]:
        return horizons_at(self.journal, self.config, customers, instants)

    def _payment(
        self, X: pd.DataFrame, labels: pd.DataFrame, customers: Ints, instants: Ints
    ) -> PaymentModel:
        model = payment_model(self.config)
        return model.fit(X, labels["paid"].astype(int), times=instants, groups=customers)

    def _roll(self, X: pd.DataFrame, customers: Ints, instants: Ints) -> RollModel:
        """Learn who rolls on, from windows that were watched to their end."""
        labels = roll_labels(
            self.journal,
            customers,
            instants,
            horizon_days=self._horizons(customers, instants),
            as_of=self.as_of,
        )
        told = (labels["mature"] & labels["at_risk"]).to_numpy(dtype=bool)
        rolled = labels["rolled"].to_numpy(dtype=int)[told]
        model = roll_model(self.config)
        return model.fit(X[told], rolled, times=instants[told], groups=customers[told])

    def _amount(
        self,
        X: pd.DataFrame,
        labels: pd.DataFrame,
        customers: Ints,
        instants: Ints,
        payment: PaymentModel,
    ) -> AmountModel:
        """Learn what payers pay, then match chance times amount to the money of all windows.

        The level of money moves from window to window: those are counted in the longest, inside
        which no two windows of a customer are told apart.
        """
        paid = labels["paid"].to_numpy(dtype=bool)
        money = labels["amount"].to_numpy(dtype=np.float64)
        model = amount_model(self.config)
        model.fit(X[paid], money[paid], groups=customers[paid])
        if len(instants) == 0:
            return model
        return model.match_recovery(
            payment.predict_proba(X)[:, 1],
            X,
            money,
            groups=customers,
            times=instants,
            horizon_days=self.config.objective.horizons.longest,
        )

    def _effect(
        self,
        features: FeaturePipeline,
        X: pd.DataFrame,
        labels: pd.DataFrame,
        customers: Ints,
        reach: ReachModel,
    ) -> EffectModel:
        """Learn from decisions with propensities, and from what followed them."""
        decisions = self._known_decisions()
        model = EffectModel(like=followed_words(self.config), **self.common)
        if decisions.empty or len(X) == 0:
            return model.fit(None)
        who = decisions["customer"].to_numpy(dtype=np.int64)
        when = decisions["decided_us"].to_numpy(dtype=np.int64)
        told = self._labels(who, when)
        # as moments do, decisions end where the longest window has closed
        mature = told["mature"].to_numpy(dtype=bool) & (when <= self._last_closed())
        at = features.transform(self.journal, customers=who, as_of=when)
        rows = pd.DataFrame(
            {
                "channel": decisions["channel"].astype(object),
                "propensity": decisions["propensity"],
                "paid": np.where(mature, told["paid"].astype(float), np.nan),
                "p_wait": self._out_of_fold(X, labels, customers, at, who),
                "reach": _population_reach(reach, decisions),
                "customer": who,
                "holdout": decisions["holdout"],
                "hour": decisions["slot_local_hour"],
                **self._followed(who, when),
            }
        )
        return model.fit(rows, features=at)

    def _last_closed(self) -> int:
        """Return the newest moment whose window has closed whatever the stage, microseconds UTC."""
        longest = round(self.config.objective.horizons.longest * DAY_US)
        return self.view.as_of_us - longest - round(self.journal.delay_hours("payments") * 3.6e9)

    def _followed(self, who: Ints, when: Ints) -> dict[str, npt.NDArray[np.float64]]:
        """Return how long each decision was watched and when the customer paid meanwhile."""
        delay_us = round(self.journal.delay_hours("payments") * 3.6e9)
        age = (self.view.as_of_us - delay_us - when) / DAY_US
        horizon = self._horizons(who, when)
        watched = np.clip(age, 0.0, np.minimum(FOLLOWED_DAYS, horizon))
        paid = payment_labels(self.journal, who, when, horizon_days=watched, as_of=self.as_of)[
            "first_delay_days"
        ].to_numpy(dtype=np.float64)
        return {
            "decided_day": when / DAY_US,
            "watched_days": watched,
            "paid_after_days": paid,
            "horizon_days": horizon,
        }

    def _known_decisions(self) -> pd.DataFrame:
        """Decisions with a propensity, at most ``max_training_rows`` of them."""
        decisions = self.view.decisions
        decisions = decisions[decisions["propensity"].notna().to_numpy()]
        limit = self.config.models.max_training_rows
        if len(decisions) > limit:
            # whole customers by a hash of their id, so that the sample is the same in any order
            code = decisions["customer"].to_numpy(dtype=np.int64)
            rank = group_hash(
                self.journal.customer_ids[code], random_state=self.config.random_state
            )
            decisions = decisions[rank <= np.quantile(rank, limit / len(decisions))]
        return decisions.reset_index(drop=True)

    def _out_of_fold(
        self, X: pd.DataFrame, labels: pd.DataFrame, customers: Ints, at: pd.DataFrame, who: Ints
    ) -> npt.NDArray[np.float64]:
        """P(pays) of decisions from models that never saw the decision's customer."""
        fold_of = group_hash(self.journal.customer_ids, random_state=1) % _EFFECT_FOLDS
        paid = labels["paid"].astype(int).to_numpy()
        predicted = np.full(len(who), np.nan)
        for fold in range(_EFFECT_FOLDS):
            train = np.flatnonzero(fold_of[customers] != fold)[:: self._stride(len(customers))]
            here = np.flatnonzero(fold_of[who] == fold)
            model = PaymentModel(
                learner="lightgbm",
                horizon_days=prior_horizons(self.config),
                days_past_due=DAYS_PAST_DUE,
                monotone=payment_signs(self.config),
                n_folds=2,
                max_rounds=60,
                learning_rate=0.15,
                **self.common,
            ).fit(X.iloc[train], paid[train], groups=customers[train])
            predicted[here] = model.predict_proba(at.iloc[here])[:, 1]
        return predicted

    @staticmethod
    def _stride(n: int) -> int:
        """Every how many rows train a control variate: it needs fewer than the payment model."""
        return max(1, n // (_EFFECT_FOLDS * _CONTROL_VARIATE_ROWS))


def _population_reach(reach: ReachModel, decisions: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Reach that each drawn action induces in the population, NaN for waiting."""
    channel = decisions["channel"].astype(object).to_numpy()
    hour = decisions["slot_local_hour"].to_numpy(dtype=np.float64)
    arms = pd.DataFrame({"channel": channel, "hour": hour})
    drawn = arms[channel != WAIT].drop_duplicates().sort_values(["channel", "hour"])
    space = ActionSpace(
        Action(str(c), None if np.isnan(h) else int(h))
        for c, h in zip(drawn["channel"], drawn["hour"], strict=True)
    )
    if len(space) == 0:
        return np.full(len(decisions), np.nan)
    p = reach.predict(["population"], space).probability[0]
    by_arm = drawn.assign(reach=p).set_index(["channel", "hour"])["reach"]
    return by_arm.reindex(pd.MultiIndex.from_frame(arms)).to_numpy(dtype=np.float64)


_CLASSES = {
    "features": FeaturePipeline,
    "payment": PaymentModel,
    "amount": AmountModel,
    "reach": ReachModel,
    "effect": EffectModel,
    "harm": HarmModel,
    "roll": RollModel,
    "treatment": TreatmentModel,
}


def models_to_state(models: FittedModels) -> dict[str, Any]:
    """Return the state of every part, ready for a bundle."""
    parts = {name: getattr(models, name) for name in (*FITTED_PARTS, _LEARNED_LATER)}
    return {name: part.to_state() for name, part in parts.items() if part is not None}


def models_from_state(state: dict[str, Any]) -> FittedModels:
    """Rebuild the parts from `models_to_state`; predictions are equal bit for bit.

    Parts that came later than the state's format are None.
    """
    present = [name for name in FITTED_PARTS if name in state or name not in _LATER_PARTS]
    present += [_LEARNED_LATER] if _LEARNED_LATER in state else []
    return FittedModels(**{name: _CLASSES[name].from_state(state[name]) for name in present})
