"""Are money and probabilities right where the truth is known? One command, some minutes.

    python benchmarks/models_in_simulation.py [--customers 12000] [--seeds 1] [--presets mixed ...]
        [--windows 12] [--out benchmarks/results/models_in_simulation.json]

For each preset of the simulated world a history of 120 days under the incumbent is written, the
models of a strategy are fitted as of its last morning, and every customer in arrears is predicted
there. Then the world goes on for 30 days from that same morning several times, each with fresh
chance, under the same incumbent: the mean of those windows is the truth that was to be predicted,
each single window is what one will really see.

Bars: total predicted over true within 10 %; calibration error of the payment probabilities at most
0.015. How near a total can come is limited by chance, which is told beside it: that of the
training windows (standard error of their money, by customer: the error of the mere money per
customer, were nothing to change) and that of the truth (error of the mean of the windows). The
90 % interval of the total is meant for the money of one window; the last table counts, over the
seeds, how many windows it held, and how many truths.
"""

# requirements: 000-15

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.features import training_pairs
from contactopt.journal import Journal, payment_labels
from contactopt.journal.local_time import to_us
from contactopt.journal.terms import open_journal
from contactopt.metrics import calibration_error_of_perfect_model, expected_calibration_error
from contactopt.models.fitting import FittedModels, fit_models
from contactopt.simulation import PRESETS, World, strategy_mapping

HISTORY_DAYS, HORIZON_DAYS, COVERAGE = 120, 30, 0.9
BAR_TOTAL, BAR_ECE = 0.10, 0.015
Ints = npt.NDArray[np.int64]


@dataclass
class MatureWindow:
    """A history, those in arrears at its end, and several windows that follow it."""

    config: StrategyConfig
    journal: Journal
    as_of: pd.Timestamp
    #: codes of the customers in arrears at ``as_of``
    customers: Ints
    #: labels of those customers in each window
    labels: list[pd.DataFrame]


def mature_window(preset: str, *, customers: int, seed: int, windows: int = 12) -> MatureWindow:
    """Simulate a history and the windows after it."""
    config = StrategyConfig.from_mapping(strategy_mapping(preset))
    world = World(
        preset,
        n_customers=customers,
        random_state=seed,
        n_days=HISTORY_DAYS + HORIZON_DAYS + 2,
    ).run(HISTORY_DAYS)
    as_of = world.as_of
    journal = open_journal(world.portfolio(), config)
    # everyone whose debts are collectable at the instant, whatever will happen
    who, _ = training_pairs(
        journal,
        as_of=as_of + pd.Timedelta(hours=24 * HORIZON_DAYS + journal.delay_hours("payments")),
        step_days=10_000,
        horizon_days=HORIZON_DAYS,
        max_rows=10**9,
    )
    when = np.full(len(who), to_us(as_of), dtype=np.int64)
    labels = []
    for k in range(windows):
        later = copy.deepcopy(world)
        later.random_state = 7_000_001 + 1_009 * seed + k
        tables = later.run(HORIZON_DAYS + 2).tables()
        # labels ask for no more than who owes and who paid
        needed = {name: tables[name] for name in ("customers", "debts")}
        empty = {name: table.iloc[:0] for name, table in tables.items()}
        paid = {"payments": tables["payments"].assign(promise_id=None)}
        seen = Journal(Portfolio.from_frames({**empty, **needed, **paid}))
        assert np.array_equal(seen.customer_ids, journal.customer_ids)
        labels.append(payment_labels(seen, who, when, horizon_days=HORIZON_DAYS, as_of=later.as_of))
        assert labels[-1]["mature"].all()
    return MatureWindow(config, journal, as_of, who, labels)


def checks(window: MatureWindow, models: FittedModels) -> Iterator[dict[str, Any]]:
    """Compare the models' predictions with the windows that followed."""
    instants = np.full(len(window.customers), to_us(window.as_of), dtype=np.int64)
    X = models.features.transform(window.journal, customers=window.customers, as_of=instants)
    p = models.payment.predict_proba(X)[:, 1]
    yield payment_check(window, p)
    recovery = models.amount.expected_recovery(p, X, coverage=COVERAGE)
    yield recovery_check(window, recovery)
    yield payers_check(window, p)
    yield amount_check(window, models.amount, X)


def training_noise(window: MatureWindow) -> float:
    """Relative standard error of the training windows' money, clustered by customer."""
    models, horizon = window.config.models, window.config.objective.horizon_days
    who, when = training_pairs(
        window.journal,
        as_of=window.as_of,
        step_days=models.training_step_days,
        horizon_days=horizon,
        max_rows=models.max_training_rows,
        random_state=window.config.random_state,
    )
    told = payment_labels(window.journal, who, when, horizon_days=horizon, as_of=window.as_of)
    money = np.bincount(who, weights=told["amount"].to_numpy(dtype=float))
    return float(np.sqrt((money**2).sum()) / max(money.sum(), 1e-9))


def payment_check(window: MatureWindow, p: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Calibration of the payment probabilities over all windows."""
    paid = np.concatenate([label["paid"].to_numpy(dtype=float) for label in window.labels])
    told = np.tile(p, len(window.labels))
    groups = np.tile(np.arange(len(p)), len(window.labels))
    found = expected_calibration_error(paid, told, groups=groups, n_boot=200)
    perfect = calibration_error_of_perfect_model(told)
    return {
        "check": "payment: calibration error",
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "bar": BAR_ECE,
        "met": bool(found.value <= BAR_ECE),
        "note": f"mean predicted {p.mean():.4f}, paid {paid.mean():.4f}; "
        f"a perfect model would show {getattr(perfect, 'value', perfect):.4f}",
    }


def recovery_check(window: MatureWindow, recovery: Any) -> dict[str, Any]:
    """Total expected money over the mean of the windows' totals."""
    totals = np.array([label["amount"].sum() for label in window.labels])
    truth, spread = float(totals.mean()), float(totals.std(ddof=1))
    whole = recovery.total()
    inside = int(sum(whole.low <= t <= whole.high for t in totals))
    single = np.mean(
        [
            ((label["amount"] >= recovery.low) & (label["amount"] <= recovery.high)).mean()
            for label in window.labels
        ]
    )
    noise, truth_error = training_noise(window), spread / truth / np.sqrt(len(totals))
    return {
        "check": "recovery: total predicted / true",
        "value": whole.mean / truth,
        "low": whole.low / truth,
        "high": whole.high / truth,
        "bar": BAR_TOTAL,
        "met": bool(abs(whole.mean / truth - 1.0) <= BAR_TOTAL),
        "windows": len(totals),
        "windows_inside": inside,
        "truth_inside": bool(whole.low <= truth <= whole.high),
        "training_noise": noise,
        "truth_error": truth_error,
        "note": f"true {truth:,.0f} +-{truth_error:.1%} (sd of one window {spread / truth:.1%}), "
        f"noise of the training money {noise:.1%}; inside the {COVERAGE:.0%} interval "
        f"{inside}/{len(totals)} windows, {single:.1%} of the customers",
    }


def payers_check(window: MatureWindow, p: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Compare the expected number of payers with the mean of the windows'."""
    seen = np.array([label["paid"].sum() for label in window.labels], dtype=float)
    return {
        "check": "payers: predicted / true",
        "value": p.sum() / seen.mean(),
        "low": None,
        "high": None,
        "bar": BAR_TOTAL,
        "met": bool(abs(p.sum() / seen.mean() - 1.0) <= BAR_TOTAL),
        "note": f"{seen.mean():,.0f} payers, before the match to money",
    }


def amount_check(window: MatureWindow, model: Any, X: pd.DataFrame) -> dict[str, Any]:
    """Money of those who paid over what was expected of them, and the interval's coverage."""
    predicted = model.predict(X)
    low, high = model.predict_interval(X, COVERAGE)
    money = np.stack([label["amount"].to_numpy() for label in window.labels])
    paid = money > 0
    expected, inside = (paid * predicted).sum(), ((money >= low) & (money <= high))[paid].mean()
    return {
        "check": "amount of payers: predicted / true",
        "value": expected / money.sum(),
        "low": None,
        "high": None,
        "bar": BAR_TOTAL,
        "met": bool(abs(expected / money.sum() - 1.0) <= BAR_TOTAL),
        "note": f"{int(paid.sum())} payments, {inside:.1%} inside the {COVERAGE:.0%} interval; "
        f"{model.fit_record_['payers']} payers at fit, {model.fit_record_['learner']}",
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    options.add_argument("--customers", type=int, default=12_000)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--windows", type=int, default=12)
    options.add_argument("--presets", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    rows = []
    for preset in asked.presets:
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            began = time.perf_counter()
            window = mature_window(
                preset, customers=asked.customers, seed=seed, windows=asked.windows
            )
            models, _ = fit_models(window.journal, window.config, window.as_of)
            for found in checks(window, models):
                row = {"preset": preset, "seed": seed, "customers": len(window.customers), **found}
                rows.append(row)
                print(_line(row), flush=True)
            print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr)
    coverage = coverage_table(rows)
    print(coverage.to_string(index=False, float_format="{:.3f}".format))
    if asked.out:
        settings = {k: str(v) for k, v in vars(asked).items() if k != "out"}
        report = {
            "settings": settings,
            "rows": rows,
            "coverage": json.loads(coverage.to_json(orient="records")),
        }
        asked.out.write_text(json.dumps(report, indent=1) + "\n")


def coverage_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """How often the interval held one window's money, and the truth; one row per preset, and all.

    ``error`` is the root mean square of log(predicted / true), ``chance`` what the noise of the
    training money and of the truth would give by themselves.
    """
    found = pd.DataFrame([row for row in rows if "windows_inside" in row])
    out = []
    for name, part in [*found.groupby("preset", sort=False), ("all", found)]:
        log = np.log(part["value"].to_numpy(dtype=float))
        chance = part[["training_noise", "truth_error"]].to_numpy(dtype=float)
        out.append(
            {
                "preset": name,
                "seeds": len(part),
                "windows": int(part["windows"].sum()),
                "windows_inside": part["windows_inside"].sum() / part["windows"].sum(),
                "truths_inside": part["truth_inside"].mean(),
                "predicted_over_true": float(np.exp(log.mean())),
                "within_bar": part["met"].mean(),
                "error": float(np.sqrt((log**2).mean())),
                "chance": float(np.sqrt((chance**2).sum(axis=1).mean())),
            }
        )
    return pd.DataFrame(out)


def _line(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f" [{row['low']:.4f}, {row['high']:.4f}]"
    verdict = "met" if row["met"] else "MISSED"
    return (
        f"{row['preset']:<12}{row['seed']:>3} {row['check']:<36} {row['value']:.4f}{interval} "
        f"{verdict} ({row['note']})"
    )


if __name__ == "__main__":
    main()
