"""Uplift of the "neighbors" letter on turnout (Gerber, Green and Larimer 2008), randomised.

Qini x 1000 on customers of held-out randomisation blocks, pooled over folds, against no letter. All
models see the same folds; ours chooses by itself whether anybody differs. "best single arm" sends
the letter to everybody: it has no order, and its Qini is 0. Blocks are resampled whole for all
intervals. Nothing here is about payment: it checks ranking by effect on a real experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NAME = "social_pressure"
_FILE = Path("social_pressure_mail") / "social_pressure.csv.gz"
_LETTER, _NOTHING = "Neighbors", "No Postcard"
#: design: 5/9 got nothing, 1/9 each letter; among these two arms
_SHARE = 1.0 / 6.0
_BAR = 6.1
_FOLDS, _QUICK_SHARE = 5, 0.15

Scores = np.ndarray


def run(data: Path, *, seed: int, quick: bool) -> list[dict[str, Any]]:
    """Return one row per model, and per paired difference of ours to each peer."""
    from contactopt.metrics import qini

    X, y, treated, block = _table(data, seed, quick)
    fold = _fold_of(block, seed)
    scores = {name: np.zeros(len(y)) for name in _MODELS}
    chosen: list[str] = []
    for k in range(_FOLDS):
        train, held = fold != k, fold == k
        for name, model in _MODELS.items():
            scores[name][held] = model(X, y, treated, block, train, held, chosen)
    settings = {"groups": block, "n_boot": 50 if quick else 200, "random_state": seed}
    rows = []
    for name, score in scores.items():
        found = qini(y, score, treated, **settings)
        ours = name == "contactopt"
        note = f"chosen per fold: {', '.join(chosen)}" if ours else ""
        rows.append(_row(name, found, _BAR if ours and not quick else None, note))
    for name in scores:
        if name != "contactopt":
            found = qini(y, scores["contactopt"], treated, against=scores[name], **settings)
            rows.append(_row(f"contactopt - {name}", found, None, "paired"))
    return rows


def _row(model: str, found: Any, bar: float | None, note: str) -> dict[str, Any]:
    value = 1000 * found.value
    return {
        "task": NAME,
        "model": model,
        "metric": "qini_x1000",
        "value": value,
        "low": 1000 * found.low,
        "high": 1000 * found.high,
        "n": found.n,
        "bar": bar,
        "met": None if bar is None else bool(value >= bar),
        "note": note,
    }


def _table(data: Path, seed: int, quick: bool):
    frame = pd.read_csv(data / _FILE)
    frame = frame[frame["treatment"].isin([_LETTER, _NOTHING])].reset_index(drop=True)
    if quick:
        blocks = np.unique(frame["cluster"])
        few = np.random.default_rng(seed).permutation(blocks)[: int(_QUICK_SHARE * len(blocks))]
        frame = frame[frame["cluster"].isin(few)].reset_index(drop=True)
    names = ["primary_00", "general_00", "primary_02", "general_02", "primary_04"]
    X = frame[["age", "hh_size", "neighbors", *names]].astype(float)
    X["sex"] = pd.Categorical(frame["sex"])
    treated = (frame["treatment"] == _LETTER).to_numpy(dtype=int)
    return X, frame["primary_06"].to_numpy(dtype=int), treated, frame["cluster"].to_numpy()


def _fold_of(block: np.ndarray, seed: int) -> np.ndarray:
    names, code = np.unique(block, return_inverse=True)
    return (np.random.default_rng([seed, 7]).permutation(len(names)) % _FOLDS)[code]


def _ours(X, y, treated, block, train, held, chosen) -> Scores:
    from contactopt.models import EffectModel

    action = np.where(treated, "letter to all", "wait")
    model = EffectModel().fit(
        X[train],
        y[train],
        action=action[train],
        propensity=np.where(treated, _SHARE, 1 - _SHARE)[train],
        groups=block[train],
    )
    # a constant shift of the odds has an order, one uplift for everybody has none
    chosen.append("constant in odds" if model.choice_.scale == "odds" else model.choice_.name)
    return model.predict(X[held])["letter to all"].to_numpy()


def _lightgbm():
    import lightgbm as lgb

    return lgb.LGBMClassifier(verbose=-1, n_jobs=1)


def _logistic():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))


def _numbers(X: pd.DataFrame) -> pd.DataFrame:
    return X.assign(sex=X["sex"].cat.codes.astype(float))


def _probability(model: Any, X: pd.DataFrame) -> Scores:
    return np.asarray(model.predict_proba(X))[:, 1]


def _t_learner(make: Callable[[], Any]) -> Callable[..., Scores]:
    def score(X, y, treated, block, train, held, chosen) -> Scores:
        N = _numbers(X)
        with_, without = train & (treated == 1), train & (treated == 0)
        one, none = make().fit(N[with_], y[with_]), make().fit(N[without], y[without])
        return _probability(one, N[held]) - _probability(none, N[held])

    return score


def _s_learner(X, y, treated, block, train, held, chosen) -> Scores:
    N = _numbers(X)
    model = _lightgbm().fit(N[train].assign(letter=treated[train]), y[train])
    return _probability(model, N[held].assign(letter=1)) - _probability(
        model, N[held].assign(letter=0)
    )


def _response(X, y, treated, block, train, held, chosen) -> Scores:
    N, mine = _numbers(X), train & (treated == 1)
    return _probability(_lightgbm().fit(N[mine], y[mine]), N[held])


def _single_arm(X, y, treated, block, train, held, chosen) -> Scores:
    return np.zeros(int(held.sum()))


_MODELS: dict[str, Callable[..., Scores]] = {
    "contactopt": _ours,
    "lightgbm S": _s_learner,
    "lightgbm T": _t_learner(_lightgbm),
    "logistic T": _t_learner(_logistic),
    "response score": _response,
    "best single arm": _single_arm,
}
