"""A difference between customers should be found where one is planted, and nowhere else.

    python benchmarks/effect_choice.py [--seeds 100] [--rows 8000] [--out FILE]

For each seed customers with eight features (one a category, one with missing values) are drawn,
contacted or not with known probabilities that favour likely payers, and `EffectModel` learns from
what they did. Judged is the *true* money of contacting the 30 % whom a score puts first, per
customer of a fresh 20,000, where every true effect is known:

ours        EffectModel with its own choice
constant    one effect for everybody: any 30 % are as good
response    LightGBM P(pays | contacted), the score that mistakes those who would pay anyway
oracle      the true effect

Planted: "linear" and "threshold" differences of the effect, unrelated to who pays anyway. None
planted: the same mean effect for everybody, and no effect at all. `two actions` plants the
difference in one of two actions. Asked for: planted, ours beats both rivals in at least 80 % of
the seeds; none planted, the constant is chosen in at least 90 %.
"""

# requirements: 000-16

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

PLANTED = ("linear", "threshold", "two actions")
NONE = ("equal effect", "no effect")
_FRESH, _SHARE = 20_000, 0.3


def customers(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Features of n customers."""
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"x{k}" for k in range(6)])
    X["book"] = pd.Categorical(rng.choice(["cards", "loans", "telecom"], n))
    X["income"] = np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(0, 0.5, n))
    return X


def truth(X: pd.DataFrame, cell: str) -> tuple[np.ndarray, np.ndarray]:
    """P(pays | wait), and what each action adds, shape (n, n_actions)."""
    base = expit(-1.0 + 0.8 * X["x1"] + 0.5 * X["x2"] + 0.4 * (X["book"] == "cards")).to_numpy()
    base = 0.05 + 0.7 * base
    mean, x = 0.06, X["x0"].to_numpy()
    differing = {
        "linear": mean + 0.06 * np.clip(x, -2.5, 2.5),
        "threshold": np.where(x > 0.4, 0.17, 0.0),
        "two actions": mean + 0.07 * np.clip(x, -2.5, 2.5),
        "equal effect": np.full(len(X), mean),
        "no effect": np.zeros(len(X)),
    }[cell]
    arms = [differing, np.full(len(X), 0.04)] if cell == "two actions" else [differing]
    gain = np.clip(base[:, None] + np.column_stack(arms), 0.005, 0.995) - base[:, None]
    return base, gain


def log_of(rng: np.random.Generator, n: int, cell: str):
    """Features, payment, action and propensity of n logged decisions."""
    X = customers(rng, n)
    base, gain = truth(X, cell)
    contact = 0.25 + 0.5 * expit(0.8 * X["x1"].to_numpy())
    m = gain.shape[1]
    arm = np.where(rng.random(n) < contact, rng.integers(m, size=n), -1)
    p = np.where(arm < 0, 1 - contact, contact / m)
    pay = base + np.where(arm < 0, 0.0, gain[np.arange(n), np.maximum(arm, 0)])
    y = (rng.random(n) < pay).astype(int)
    action = np.array(["call", "text", "wait"], dtype=object)[arm]
    return X, y, action, p


def response_score(X: pd.DataFrame, y: np.ndarray, contacted: np.ndarray, fresh: pd.DataFrame):
    """P(pays | contacted) by LightGBM as it comes."""
    import lightgbm as lgb

    model = lgb.LGBMClassifier(n_estimators=100, verbose=-1, n_jobs=1)
    model.fit(X[contacted], y[contacted])
    return np.asarray(model.predict_proba(fresh))[:, 1]


def gained(score: np.ndarray, effect: np.ndarray) -> float:
    """Return true payments per customer if the highest scores are contacted; ties share alike."""
    n = round(_SHARE * len(score))
    cut = np.sort(score)[::-1][n - 1]
    above, tied = score > cut, score == cut
    return float(effect[above].sum() + (n - above.sum()) * effect[tied].mean()) / len(score)


def run(cell: str, n: int, seed: int) -> dict[str, object]:
    """One seed of one cell."""
    from contactopt.models import EffectModel

    number = (*PLANTED, *NONE).index(cell)
    rng = np.random.default_rng([seed, number])
    X, y, action, p = log_of(rng, n, cell)
    fresh = customers(rng, _FRESH)
    _, gain = truth(fresh, cell)
    began = time.process_time()
    model = EffectModel().fit(X, y, action=action, propensity=p)
    seconds = time.process_time() - began
    call = gain[:, 0]
    ours = model.predict(fresh)["call"].to_numpy()
    values = {
        "ours": gained(ours, call),
        "constant": _SHARE * float(call.mean()),
        "response": gained(response_score(X, y, action == "call", fresh), call),
        "oracle": gained(call, call),
    }
    return {
        "seed": seed,
        "chosen": model.choice_.name,
        "bias": float(ours.mean() - call.mean()),
        "covered": float(np.mean(np.abs(ours - call) < 1.96 * model.effect(fresh).spread[:, 0])),
        "seconds": seconds,
        **values,
        "best": values["ours"] > max(values["constant"], values["response"]),
    }


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """One row per cell: how often the right thing was chosen, with its 95 % interval."""
    from contactopt.metrics.share import share_estimate

    rows = []
    for cell, part in results.groupby("cell", sort=False):
        right = part["best"] if cell in PLANTED else part["chosen"] == "constant"
        share = share_estimate(int(right.sum()), len(part))
        bar = 0.8 if cell in PLANTED else 0.9
        rows.append(
            {
                "cell": cell,
                "asked": "beats both" if cell in PLANTED else "constant",
                "share": share.value,
                "low": share.low,
                "high": share.high,
                "bar": bar,
                "met": share.value >= bar,
                **part[["ours", "constant", "response", "oracle", "bias", "seconds"]].mean(),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=8_000, help="logged decisions per seed")
    parser.add_argument("--cells", nargs="*", default=[*PLANTED, *NONE])
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    results = pd.DataFrame(
        [{"cell": c, **run(c, arguments.rows, s)} for c in arguments.cells for s in seeds]
    )
    table = summary(results)
    print(f"{arguments.rows} decisions, {arguments.seeds} seeds, simulated")
    print(table.round(4).to_string(index=False))
    print(results.groupby("cell", sort=False)["chosen"].value_counts().to_string())
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "seeds": arguments.seeds,
            "rows": arguments.rows,
            "table": table.round(4).to_dict("records"),
        }
        text = json.dumps(report, indent=1, default=float) + "\n"
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
