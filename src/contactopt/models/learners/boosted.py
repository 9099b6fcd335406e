"""LightGBM as text: trained deterministically, kept as a string, never pickled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from contactopt.models.learners.calibrator import level_shift, sigmoid_loss
from contactopt.models.learners.splits import Fold

__all__ = ["BoostingPlan", "Trees", "cross_fit_trees", "train_trees"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BoostingPlan:
    """How trees are grown; small leaves and a low rate suit tabular collections data."""

    objective: str = "binary"
    max_rounds: int = 600
    patience: int = 40
    learning_rate: float = 0.04
    num_leaves: int = 15
    min_child_samples: int = 40
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    max_bin: int = 127
    num_threads: int = 1
    seed: int = 0
    #: demanded direction per column (+1, -1, 0 free); empty where none is demanded
    monotone: tuple[int, ...] = ()

    def binning(self) -> dict[str, Any]:
        """How columns are cut into bins; the sample bounds the time of very long tables."""
        return {
            "max_bin": self.max_bin,
            "bin_construct_sample_cnt": 50_000,
            "data_random_seed": self.seed,
            "num_threads": self.num_threads,
            "verbosity": -1,
        }

    def parameters(self) -> dict[str, Any]:
        """LightGBM's parameters: the same trees for any number of threads."""
        found: dict[str, Any] = {
            "objective": self.objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": self.lambda_l2,
            "cat_smooth": 20.0,
            **self.binning(),
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
        }
        if any(self.monotone):
            found["monotone_constraints"] = list(self.monotone)
            found["monotone_constraints_method"] = "intermediate"
        return found


class Trees:
    """A trained booster; its text is the model.

    Parameters
    ----------
    text : str
        LightGBM's model text. It must come from a bundle whose hash was checked: LightGBM crashes
        the process on a truncated text.
    num_threads : int
        Threads for prediction; the numbers do not depend on it.
    """

    def __init__(self, text: str, num_threads: int = 1) -> None:
        self.text = text
        self.num_threads = num_threads
        self._booster: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text, "num_threads": self.num_threads, "_booster": None}

    def raw(self, X: Floats) -> Floats:
        """Return the raw score (logit, or log money), shape (n,); empty input gives empty."""
        if len(X) == 0:
            return np.zeros(0)
        raw = self._model().predict(
            np.ascontiguousarray(X), raw_score=True, num_threads=self.num_threads
        )
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, X: Floats) -> Floats:
        """Return each column's part of the raw score, shape (n, k + 1); the last is the base.

        Shapley values along the trees' own paths (Lundberg, Erion and Lee 2018); a row adds up to
        `raw`.
        """
        if len(X) == 0:
            return np.zeros((0, X.shape[1] + 1))
        parts = self._model().predict(
            np.ascontiguousarray(X), pred_contrib=True, num_threads=self.num_threads
        )
        return np.asarray(parts, dtype=np.float64)

    def _model(self) -> Any:
        if self._booster is None:
            import lightgbm

            self._booster = lightgbm.Booster(model_str=self.text)
        return self._booster


def _text_of(booster: Any, rounds: int) -> str:
    """Model text without the parameter section, which names the thread count."""
    text = booster.model_to_string(num_iteration=rounds)
    head, _, rest = text.partition("\nparameters:\n")
    _, _, tail = rest.partition("end of parameters\n")
    return f"{head}\n{tail}" if tail else text


def train_trees(
    X: Floats,
    y: Floats,
    weight: Floats,
    *,
    plan: BoostingPlan,
    rounds: int,
    categories: list[int],
    names: list[str] | None = None,
) -> Trees:
    """Grow ``rounds`` trees on all rows; no early stopping."""
    import lightgbm

    data = lightgbm.Dataset(
        X,
        y,
        weight=weight,
        categorical_feature=categories,
        feature_name=names if names is not None else "auto",
        params=plan.binning(),
    )
    booster = lightgbm.train(plan.parameters(), data, num_boost_round=rounds)
    return Trees(_text_of(booster, rounds), plan.num_threads)


def cross_fit_trees(
    X: Floats,
    y: Floats,
    weight: Floats,
    *,
    plan: BoostingPlan,
    folds: list[Fold],
    categories: list[int],
    level_free: bool = False,
) -> tuple[Floats, int]:
    """Out-of-fold raw scores (NaN where no fold validates a row) and the rounds to grow.

    Each fold stops early on its validation rows; the rounds are the mean of the folds' best, and
    the scores are those at that number of rounds: a fold's own best would flatter its rows.

    Parameters
    ----------
    X, y, weight : arrays of n rows
    plan : BoostingPlan
    folds : list of (training, validation) positions
    categories : list of int
    level_free : bool
        Of a binary objective: judge each round after its level was set to that of the validation
        rows. Where the level moves in time, the loss itself would stop at the first trees.
    """
    import lightgbm

    parameters = plan.parameters()
    if level_free:
        parameters["metric"] = "None"
    boosters, best = [], []
    for train, valid in folds:
        data = lightgbm.Dataset(
            X[train],
            y[train],
            weight=weight[train],
            categorical_feature=categories,
            params=plan.binning(),
        )
        check = lightgbm.Dataset(X[valid], y[valid], weight=weight[valid], reference=data)
        booster = lightgbm.train(
            parameters,
            data,
            num_boost_round=plan.max_rounds,
            valid_sets=[check],
            feval=_level_free_loss(y[valid], weight[valid]) if level_free else None,
            callbacks=[lightgbm.early_stopping(plan.patience, verbose=False)],
        )
        best.append(max(1, booster.best_iteration))
        boosters.append(booster)
    rounds = int(np.ceil(np.mean(best)))
    out = np.full(len(y), np.nan)
    for booster, (_, valid) in zip(boosters, folds, strict=True):
        held = np.ascontiguousarray(X[valid])
        out[valid] = booster.predict(
            held, raw_score=True, num_iteration=rounds, num_threads=plan.num_threads
        )
    return out, rounds


def _level_free_loss(y: Floats, weight: Floats) -> Callable[[Floats, Any], tuple[str, float, bool]]:
    """Metric by LightGBM's protocol: name, value, whether larger is better."""

    def told(p: Floats, _: Any) -> tuple[str, float, bool]:
        raw = logit(np.clip(p, 1e-12, 1.0 - 1e-12))
        return "level_free", sigmoid_loss(raw + level_shift(raw, y, weight), y, weight), False

    return told
