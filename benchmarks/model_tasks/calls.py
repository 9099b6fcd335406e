"""Calls answered, from the past only: the reach model beside LightGBM and logistic regression.

Phone calls of the Copenhagen Networks Study (`cns_phone`): who was called when, and whether the
call was answered. The first weeks train, the later ones test. Everything a model sees of a call
was known when it was made: what the two people did before (`as_of_features`). The reach model gets
the caller's and the pair's rate so far, and the earlier calls to the same person as its history;
the peers get all columns, "logistic, rates" those of the reach model and the person's own rate. The
two columns were chosen inside the first two weeks. Intervals resample the persons called.
"""

# requirements: 000-07

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

NAME = "calls answered, past only (cns_phone)"
#: log-loss of logistic regression in the list of bars
BAR = 0.268
_DAY_S = 86_400
#: share of the days that train: whole weeks where there are several
_TRAIN_SHARE = 0.6
#: calls' worth of everybody's rate in each smoothed rate
_STRENGTH = 4.0
_LONGEST_H = 24 * 60.0

Floats = npt.NDArray[np.float64]


def run(data: Path, *, seed: int, quick: bool) -> list[dict]:
    """Score all models on the later weeks.

    Parameters
    ----------
    data : Path
        Folder that holds ``cns_phone``.
    seed : int
        Of the peers and the resampling.
    quick : bool
        Fewer resamples.

    Returns
    -------
    list of dict
        task, model, metric, value, low, high, n, bar, met, note. Empty without the files.
    """
    folder = Path(data) / "cns_phone"
    if not (folder / "calls.csv.gz").exists():
        return []
    calls = read_calls(folder / "calls.csv.gz")
    texts = pd.read_csv(folder / "sms.csv.gz")
    X = as_of_features(calls, texts)
    train = calls["day"].to_numpy() < split_day(calls)
    y = calls["answered"].to_numpy()
    scores = {
        "contactopt": reach_scores(calls, X, train),
        "lightgbm": lightgbm_scores(X, y, train, seed),
        "logistic": logistic_scores(X, y, train),
        "logistic, rates": logistic_scores(_logits(X, ["own", "caller", "pair"]), y, train),
        "own rate": X["own_rate"].to_numpy()[~train],
        "hour": hour_scores(calls, train),
    }
    who = calls["callee"].to_numpy()[~train]
    return _rows(scores, y[~train], who, seed, 200 if quick else 2000)


def read_calls(path: Path) -> pd.DataFrame:
    """Read calls in the order of time: timestamp (s), caller, callee, answered, day, hour."""
    calls = pd.read_csv(path).sort_values(["timestamp", "caller", "callee"], ignore_index=True)
    return calls.assign(
        answered=(calls["duration"] >= 0).astype(float),
        day=calls["timestamp"] // _DAY_S,
        hour=calls["timestamp"] % _DAY_S // 3600,
    )


def split_day(calls: pd.DataFrame) -> int:
    """First test day: whole weeks train, about 60 % of the days."""
    days = int(calls["day"].max()) + 1
    return max(7 * round(_TRAIN_SHARE * days / 7), 1)


def as_of_features(calls: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """Return what was known when each call was made, from calls and texts before it; n rows."""
    out = pd.DataFrame(index=calls.index)
    everybody = _rate_before(calls, [], 0.9, 20.0)[1]
    for name, keys in {
        "own": ["callee"],
        "caller": ["caller"],
        "pair": ["caller", "callee"],
    }.items():
        count, rate = _rate_before(calls, keys, everybody, _STRENGTH)
        out[f"{name}_rate"], out[f"{name}_count"] = rate, np.log1p(count)
        group = calls.groupby(keys)
        last = group["answered"].shift()
        out[f"{name}_last"] = last.where(last.notna(), everybody)
        out[f"{name}_silence"] = _waiting(calls["timestamp"] - group["timestamp"].shift())
    made = calls[["timestamp", "caller", "callee", "answered"]]
    back = made.rename(
        columns={"caller": "callee", "callee": "caller", "answered": "back_answered"}
    )
    out["back_silence"] = _since(calls, back, ["caller", "callee"])
    acted = made[["timestamp", "caller"]].rename(columns={"caller": "callee"})
    out["callee_called_silence"] = _since(calls, acted, ["callee"])
    wrote = texts.rename(columns={"sender": "callee", "recipient": "caller"})
    out["text_back_silence"] = _since(calls, wrote, ["caller", "callee"])
    out["callee_text_silence"] = _since(calls, wrote, ["callee"])
    out["weekend"] = (calls["day"] % 7 >= 5).astype(float)
    angle = 2 * np.pi * calls["hour"] / 24
    return out.assign(hour_sin=np.sin(angle), hour_cos=np.cos(angle), hour=calls["hour"])


def _rate_before(
    calls: pd.DataFrame, keys: list[str], prior: npt.ArrayLike, strength: float
) -> tuple[Floats, Floats]:
    """Count of earlier calls with the same keys, and their smoothed rate of answers."""
    y = calls["answered"]
    if keys:
        group = calls.groupby(keys)["answered"]
        count, hits = group.cumcount().to_numpy(), (group.cumsum() - y).to_numpy()
    else:
        count, hits = np.arange(len(calls)), (y.cumsum() - y).to_numpy()
    return count.astype(float), (hits + strength * np.asarray(prior)) / (count + strength)


def _waiting(seconds: pd.Series) -> Floats:
    """Log of the hours waited, at most two months; never counts as two months."""
    hours = seconds.to_numpy(dtype=np.float64) / 3600
    return np.log1p(np.minimum(np.nan_to_num(hours, nan=_LONGEST_H), _LONGEST_H))


def _since(calls: pd.DataFrame, events: pd.DataFrame, keys: list[str]) -> Floats:
    """Time since the last event with the same keys, strictly before the call."""
    events = events[["timestamp", *keys]].sort_values("timestamp")
    events = events.assign(at=events["timestamp"])
    last = pd.merge_asof(
        calls[["timestamp", *keys]], events, on="timestamp", by=keys, allow_exact_matches=False
    )
    return _waiting(calls["timestamp"] - last["at"])


def reach_scores(calls: pd.DataFrame, X: pd.DataFrame, train: npt.NDArray[np.bool_]) -> Floats:
    """P(answered) of the reach model: fitted once, each test call with its own past as history."""
    from contactopt.contracts import ActionSpace
    from contactopt.models import ReachModel

    # the person's own record is the model's to weigh; these are who calls, and the two together
    columns = _logits(X, ["caller", "pair"])
    end = calls["timestamp"][train].max()
    frame = columns.assign(
        customer=calls["callee"],
        age_days=(end - calls["timestamp"]) / _DAY_S,
        weekday=calls["day"] % 7,
    )
    model = ReachModel(covariates=tuple(map(str, columns))).fit(
        frame[train], calls["answered"][train], channel="call_agent", hour=calls["hour"][train]
    )
    asked = np.flatnonzero(~train)
    past = pd.DataFrame({"row": asked, "callee": calls["callee"].to_numpy()[asked]}).merge(
        calls.assign(place=np.arange(len(calls)))[["callee", "place"]], on="callee"
    )
    past = past[past["place"] < past["row"]]
    at, made = past["row"].to_numpy(), past["place"].to_numpy()
    second = calls["timestamp"].to_numpy()
    history = columns.iloc[made].assign(
        customer=at,
        channel="call_agent",
        local_hour=calls["hour"].to_numpy()[made],
        reached=calls["answered"].to_numpy()[made],
        age_days=(second[at] - second[made]) / _DAY_S,
    )
    space = ActionSpace.from_channels({"call_agent": range(24)})
    p = model.predict(
        asked, space, history=history, covariates=columns.iloc[asked].reset_index(drop=True)
    ).probability
    return p[np.arange(len(asked)), calls["hour"].to_numpy()[asked]]


def _logits(X: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Smoothed rates on the logit scale."""
    rates = X[[f"{name}_rate" for name in names]]
    return rates.transform(lambda p: np.log(p / (1 - p)))


def lightgbm_scores(X: pd.DataFrame, y: Floats, train: npt.NDArray[np.bool_], seed: int) -> Floats:
    """Plain LightGBM with its defaults."""
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(random_state=seed, num_threads=1, verbose=-1, deterministic=True)
    model.fit(X[train], y[train])
    return np.asarray(model.predict_proba(X[~train]))[:, 1]


def logistic_scores(X: pd.DataFrame, y: Floats, train: npt.NDArray[np.bool_]) -> Floats:
    """Logistic regression on standardised columns."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(X[train].to_numpy(), y[train])
    return np.asarray(model.predict_proba(X[~train].to_numpy()))[:, 1]


def hour_scores(calls: pd.DataFrame, train: npt.NDArray[np.bool_]) -> Floats:
    """Rate of answers by hour in the training weeks, smoothed."""
    hour, y = calls["hour"].to_numpy(), calls["answered"].to_numpy()
    hits = np.bincount(hour[train], weights=y[train], minlength=24)
    count = np.bincount(hour[train], minlength=24)
    return ((hits + 20 * y[train].mean()) / (count + 20))[hour[~train]]


def log_loss(y: Floats, p: Floats) -> Floats:
    """Log-loss of each row."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def auc(y: Floats, p: Floats, weight: Floats) -> float:
    """Area under the ROC curve with whole-number weights."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, p, sample_weight=weight))


def _rows(
    scores: dict[str, Floats], y: Floats, who: npt.NDArray[np.int64], seed: int, n_boot: int
) -> list[dict]:
    """Log-loss, AUC and paired differences with intervals over resampled persons."""
    _, code = np.unique(who, return_inverse=True)
    n_persons = int(code.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_persons, np.full(n_persons, 1 / n_persons), size=n_boot)
    loss = {name: log_loss(y, p) for name, p in scores.items()}
    size = np.bincount(code, minlength=n_persons)
    weights = drawn @ size

    def boot(values: Floats) -> Floats:
        return drawn @ np.bincount(code, weights=values, minlength=n_persons) / weights

    rows = []
    for name in scores:
        note = f"persons resampled; past-only features; {int((y == 0).sum())} not answered"
        rows.append(_row(name, "log-loss", loss[name].mean(), boot(loss[name]), len(y), note))
        few = [auc(y, scores[name], w[code].astype(float)) for w in drawn[:200]]
        whole = auc(y, scores[name], np.ones(len(y)))
        rows.append(_row(name, "AUC", whole, np.array(few), len(y), note))
    for peer in ("lightgbm", "logistic", "logistic, rates"):
        gap = loss["contactopt"] - loss[peer]
        name = f"contactopt - {peer}"
        rows.append(
            _row(name, "log-loss", gap.mean(), boot(gap), len(y), "paired; below 0: better")
        )
    rows[0]["bar"], rows[0]["met"] = BAR, bool(rows[0]["value"] <= BAR)
    return rows


def _row(model: str, metric: str, value: float, drawn: Floats, n: int, note: str) -> dict:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {
        "task": NAME,
        "model": model,
        "metric": metric,
        "value": float(value),
        "low": float(low),
        "high": float(high),
        "n": n,
        "bar": None,
        "met": None,
        "note": note,
    }
