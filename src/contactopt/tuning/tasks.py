"""What is tuned: the loss of a model's settings on later time and other customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.errors import ContractError
from contactopt.features import FeaturePipeline, training_pairs
from contactopt.journal import Journal, payment_labels
from contactopt.journal.arrears import horizons_at
from contactopt.journal.local_time import DAY_US
from contactopt.metrics import log_loss
from contactopt.models import temporal_split
from contactopt.models.amount.mean_learner import gamma_deviance
from contactopt.models.fitting.parts import amount_model, payment_model

__all__ = ["PARTS", "SPACE", "Rows", "Task", "rows_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: setting -> (kind, lowest, highest, logarithmic); bounds that small and large portfolios share
SPACE: dict[str, tuple[type, float, float, bool]] = {
    "learning_rate": (float, 0.01, 0.3, True),
    "num_leaves": (int, 4, 64, True),
    "min_child_samples": (int, 10, 400, True),
    "feature_fraction": (float, 0.2, 1.0, False),
    "lambda_l2": (float, 0.1, 100.0, True),
}
PARTS = ("payment", "amount")
_LOSSES = {"payment": "log-loss", "amount": "Gamma deviance"}
#: customers are cut into so many folds; rows and payers without which nothing is tuned
_N_FOLDS, _MIN_CLASS, _MIN_TRAIN_PAYERS = 3, 20, 500


@dataclass(frozen=True)
class Rows:
    """Training moments with their features and what was paid."""

    customers: Ints
    instants: Ints
    X: pd.DataFrame
    paid: npt.NDArray[np.bool_]
    money: Floats
    #: (training, validation) positions: earlier rows, later rows of other customers
    folds: list[tuple[Ints, Ints]]


def rows_of(
    journal: Journal, config: StrategyConfig, as_of: pd.Timestamp, *, max_rows: int, seed: int
) -> Rows:
    """Cut the training rows of a strategy and their out-of-time folds.

    Training rows end one horizon before the validation period begins, so that no payment is in
    the label of both: the longest, where stages have horizons of their own.

    Raises
    ------
    ContractError
        If the history is too short to have a later time.
    """
    horizon = config.objective.horizons.longest
    customers, instants = training_pairs(
        journal,
        as_of=as_of,
        step_days=config.models.training_step_days,
        horizon_days=horizon,
        max_rows=max_rows,
        random_state=seed,
    )
    folds = temporal_split(
        instants,
        customers,
        n_folds=_N_FOLDS,
        embargo=int(horizon * DAY_US),
        random_state=seed,
    )
    if not folds:
        raise ContractError(
            f"{len(np.unique(instants))} training instants leave no later time to tune on",
            hint=f"tuning needs more than two horizons of history ({2 * horizon:g} days) before "
            "--as-of; models are fitted with their defaults until then",
        )
    features = FeaturePipeline().fit(journal, customers=customers, as_of=instants)
    own = horizons_at(journal, config, customers, instants)
    labels = payment_labels(journal, customers, instants, horizon_days=own, as_of=as_of)
    return Rows(
        customers,
        instants,
        features.transform(journal, customers=customers, as_of=instants),
        labels["paid"].to_numpy(dtype=bool),
        labels["amount"].to_numpy(dtype=np.float64),
        folds,
    )


class Task:
    """The loss of one model, fold by fold.

    Parameters
    ----------
    part : {"payment", "amount"}
    rows : Rows
    config : StrategyConfig

    Raises
    ------
    ContractError
        If there are too few payers, so that settings would be chosen by noise or change nothing.
    """

    def __init__(self, part: str, rows: Rows, config: StrategyConfig) -> None:
        self.part, self.rows, self.config = part, rows, config
        self.loss_name = _LOSSES[part]
        self.folds = rows.folds
        need = _MIN_CLASS
        if part == "amount":
            payers = np.flatnonzero(rows.paid)
            self.folds = [
                (np.intersect1d(train, payers), np.intersect1d(valid, payers))
                for train, valid in rows.folds
            ]
            need = _MIN_TRAIN_PAYERS
        least = min(
            min(rows.paid[side].sum(), (~rows.paid[side]).sum() if part == "payment" else np.inf)
            for fold in rows.folds
            for side in fold
        )
        trained = min(rows.paid[train].sum() for train, _ in rows.folds)
        if least < _MIN_CLASS or trained < need:
            raise ContractError(
                f"too few payers to tune the {part} model: {int(trained)} in the smallest "
                f"training fold, {int(least)} of the rarer outcome in the smallest part",
                hint=f"it needs {need} and {_MIN_CLASS}; leave the part out, its defaults suit "
                "small portfolios",
            )

    def _model(self, settings: Mapping[str, Any]) -> Any:
        make = payment_model if self.part == "payment" else amount_model
        return make(self.config, **settings)

    def loss(self, fold: int, settings: Mapping[str, Any]) -> float:
        """Mean loss on a fold's later rows of a model fitted on its earlier ones."""
        rows, (train, valid) = self.rows, self.folds[fold]
        X, Xv = rows.X.iloc[train], rows.X.iloc[valid]
        model = self._model(settings)
        if self.part == "payment":
            model.fit(
                X,
                rows.paid[train].astype(int),
                times=rows.instants[train],
                groups=rows.customers[train],
            )
            p = model.predict_proba(Xv)[:, 1]
            return float(log_loss(rows.paid[valid].astype(int), p).value)
        model.fit(X, rows.money[train], groups=rows.customers[train])
        log_mean = np.log(np.maximum(model.predict(Xv), 1e-9 * rows.money[valid]))
        return float(gamma_deviance(rows.money[valid], log_mean).mean())
