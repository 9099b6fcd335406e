"""Are money and probabilities right where the truth is known? One command, some minutes.

    python benchmarks/models_in_simulation.py [--customers 12000] [--seeds 1] [--presets mixed ...]
        [--out benchmarks/results/models_in_simulation.json]

For each preset of the simulated world a history of 120 days under the incumbent is written, the
models of a strategy are fitted as of its last morning, and every customer in arrears is predicted
there. Then the world goes on for 30 days from that same morning several times, each with fresh
chance, under the same incumbent: the mean of those windows is the truth that was to be predicted,
each single window is what one will really see.

Bars: total predicted over true within 10 %; calibration error of the payment probabilities at most
0.015. Coverage tells in how many windows the 90 % interval of the total, and of the single
customers, held what came in.
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

HISTORY_DAYS, HORIZON_DAYS, N_WINDOWS, COVERAGE = 120, 30, 12, 0.9
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


def mature_window(preset: str, *, customers: int, seed: int) -> MatureWindow:
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
    for k in range(N_WINDOWS):
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
    recovery = models.amount.expected_recovery(
        p, X, coverage=COVERAGE, p_level_sd=level_error(models)
    )
    yield recovery_check(window, recovery)
    yield amount_check(window, models.amount, X)


def level_error(models: FittedModels) -> float:
    """Relative standard error of the payments' level by the count of paying rows alone."""
    record = models.payment.fit_record_
    paying = max(float(record["paying_rows"]), 1.0)
    return float(np.sqrt((1.0 - paying / max(record["rows"], 1)) / paying))


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
    truth = totals.mean()
    whole = recovery.total()
    inside = [whole.low <= t <= whole.high for t in totals]
    single = np.mean(
        [
            ((label["amount"] >= recovery.low) & (label["amount"] <= recovery.high)).mean()
            for label in window.labels
        ]
    )
    return {
        "check": "recovery: total predicted / true",
        "value": whole.mean / truth,
        "low": whole.low / truth,
        "high": whole.high / truth,
        "bar": BAR_TOTAL,
        "met": bool(abs(whole.mean / truth - 1.0) <= BAR_TOTAL),
        "note": f"true {truth:,.0f} (sd of one window {totals.std(ddof=1):,.0f}), inside the "
        f"{COVERAGE:.0%} interval {sum(inside)}/{len(inside)} windows, "
        f"{single:.1%} of the customers",
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
    options.add_argument("--presets", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    rows = []
    for preset in asked.presets:
        for seed in range(asked.seeds):
            began = time.perf_counter()
            window = mature_window(preset, customers=asked.customers, seed=seed)
            models, _ = fit_models(window.journal, window.config, window.as_of)
            for found in checks(window, models):
                row = {"preset": preset, "seed": seed, "customers": len(window.customers), **found}
                rows.append(row)
                print(_line(row), flush=True)
            print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr)
    if asked.out:
        settings = {k: str(v) for k, v in vars(asked).items() if k != "out"}
        asked.out.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n")


def _line(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f" [{row['low']:.4f}, {row['high']:.4f}]"
    verdict = "met" if row["met"] else "MISSED"
    return (
        f"{row['preset']:<12}{row['seed']:>3} {row['check']:<36} {row['value']:.4f}{interval} "
        f"{verdict} ({row['note']})"
    )


if __name__ == "__main__":
    main()
