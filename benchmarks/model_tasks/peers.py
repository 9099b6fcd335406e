"""What a data scientist would try first: logistic regression and LightGBM as they come."""

from __future__ import annotations

import numpy as np
import pandas as pd


def logistic(X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame, seed: int) -> np.ndarray:
    """Median for missing with a flag, scaled numbers, one column per level; scikit-learn's C."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = _words(X)
    numbers = [c for c in X if c not in words and X[c].notna().any()]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=10), words),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=3000, random_state=seed))
    X, Xt = (frame.assign(**{c: frame[c].astype(object) for c in words}) for frame in (X, Xt))
    return model.fit(X, y).predict_proba(Xt)[:, 1]


def lightgbm(X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame, seed: int) -> np.ndarray:
    """LightGBM's defaults on the frame as it is, text as categories."""
    from lightgbm import LGBMClassifier

    X, Xt = X.copy(), Xt.copy()
    for c in _words(X):
        levels = sorted(X[c].dropna().astype(str).unique())
        X[c] = pd.Categorical(X[c].astype(str).where(X[c].notna()), levels)
        Xt[c] = pd.Categorical(Xt[c].astype(str).where(Xt[c].notna()), levels)
    model = LGBMClassifier(verbose=-1, n_jobs=1, random_state=seed, deterministic=True)
    return np.asarray(model.fit(X, y).predict_proba(Xt))[:, 1]


def _words(X: pd.DataFrame) -> list[str]:
    return [str(c) for c in X if not pd.api.types.is_numeric_dtype(X[c].dtype)]
