"""How a fitted payment model did on moments it had not seen: numbers with intervals, slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config.horizons import Horizons
from contactopt.metrics import (
    Estimate,
    auc,
    brier,
    calibration_error_of_perfect_model,
    captured_at_capacity,
    expected_calibration_error,
    gain_curve,
    lift_at_capacity,
    log_loss,
    reliability_table,
    score_quantiles,
    slice_metrics,
)
from contactopt.metrics.interval import (
    cluster_totals,
    influence_error,
    normal_interval,
    unknown,
)
from contactopt.models.markdown import number, table

__all__ = ["ModelReport", "score_report", "total_ratio"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ModelReport:
    """What `ContactStrategy.report` found; every number with its interval and count.

    Parameters
    ----------
    facts : dict
        Where from: as_of of the fit and of the report, moments, customers, rows, horizon.
    numbers : DataFrame
        metric, value, low, high, n, told (why a number is missing), note.
    slices : DataFrame
        As `contactopt.metrics.slice_metrics`.
    reliability, gain : DataFrame
        As `contactopt.metrics.reliability_table` and ``gain_curve`` (of money where it is known).
    quantiles : DataFrame
        As `contactopt.metrics.score_quantiles`, with a column slice.
    drift : DataFrame
        As `contactopt.segments.BehaviourSegments.drift`, between the fit and the report; empty
        where the strategy has no segments by behaviour.
    """

    facts: dict[str, Any]
    numbers: pd.DataFrame
    slices: pd.DataFrame
    reliability: pd.DataFrame
    gain: pd.DataFrame
    quantiles: pd.DataFrame
    drift: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers by name, with ``_low`` and ``_high``; those that are not known are left out."""
        out: dict[str, float] = {}
        for row in self.numbers.to_dict("records"):
            name = str(row["metric"]).replace(" ", "_")
            for key in ("value", "low", "high"):
                if np.isfinite(row[key]):
                    out[name if key == "value" else f"{name}_{key}"] = float(row[key])
        return out

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers."""
        return self.numbers.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, NaN as None."""
        frames = ("numbers", "slices", "reliability", "gain", "quantiles", "drift")
        out: dict[str, Any] = {"facts": {k: _plain(v) for k, v in self.facts.items()}}
        for name in frames:
            records = getattr(self, name).to_dict("records")
            out[name] = [{str(k): _plain(v) for k, v in row.items()} for row in records]
        return out

    def plot_reliability(self, **options: Any) -> Any:
        """Draw `contactopt.plotting.reliability_plot`."""
        from contactopt.plotting import reliability_plot

        return reliability_plot(self.reliability, **options)

    def plot_gain(self, **options: Any) -> Any:
        """Draw `contactopt.plotting.gain_plot`."""
        from contactopt.plotting import gain_plot

        return gain_plot(self.gain, **{"outcome": self.facts["gain_of"], **options})

    def plot_scores(self, by: str, **options: Any) -> Any:
        """Draw `contactopt.plotting.score_slices_plot` of one of the slices."""
        from contactopt.plotting import score_slices_plot

        own = self.quantiles[self.quantiles["slice"] == by].drop(columns="slice")
        return score_slices_plot(own, **{"title": f"Scores by {by}", **options})

    def plot_drift(self, **options: Any) -> Any:
        """Draw `contactopt.plotting.stability_bars`."""
        from contactopt.plotting import stability_bars

        empty = pd.DataFrame(columns=["name", "psi", "low", "high", "limit", "verdict"])
        return stability_bars(self.drift if len(self.drift) else empty, **options)

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        f = self.facts
        windows = Horizons(f["horizon_days"], f.get("horizon_days_by_stage", {}))
        lines = [
            f"Scored {f['rows']:,} moments of {f['customers']:,} customers, "
            f"{f['first_moment']} to {f['last_moment']}: after the fit ({f['fit_as_of']}), with "
            f"windows of {windows} that had closed by {f['as_of']}.",
            "",
            table(
                ["metric", "value", "interval", "n", ""],
                [
                    [r["metric"], number(r["value"]), _ends(r), f"{r['n']:,}",
                     r["told"] or r["note"]]
                    for r in self.numbers.to_dict("records")
                ],
            ),
        ]  # fmt: skip
        for name in self.slices["slice"].drop_duplicates():
            if name != "(all)":
                lines += ["", f"### By {name}", "", _slice_table(self.slices, name)]
        if len(self.drift):
            lines += ["", "### Drift since the fit", "", _drift_table(self.drift)]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        head = (
            f"ModelReport of {self.facts['rows']:,} moments, {self.facts['customers']:,} customers"
        )
        return (
            head
            + "\n"
            + self.numbers[["metric", "value", "low", "high", "n"]].to_string(
                index=False, float_format=number
            )
        )

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def score_report(
    y: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    facts: Mapping[str, Any],
    by: pd.DataFrame,
    groups: npt.ArrayLike | None = None,
    money: npt.ArrayLike | None = None,
    expected: npt.ArrayLike | None = None,
    capacity: float = 0.2,
    min_rows: int = 50,
    level: float = 0.95,
    drift: pd.DataFrame | None = None,
) -> ModelReport:
    """Judge probabilities against what happened.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    facts : mapping
        Where the rows come from; kept as it is.
    by : DataFrame, n rows
        Columns to slice by.
    groups : array-like, shape (n,), optional
        Customers: clusters of every interval.
    money, expected : array-like, shape (n,), optional
        What was paid, and what was expected.
    capacity : float
        Share contacted at which lift is told.
    min_rows : int
        Customers of a slice below which nothing is told of it.
    level : float
    drift : DataFrame, optional

    Returns
    -------
    ModelReport
        No rows: numbers that are not known, with the reason.
    """
    own: dict[str, Any] = {"groups": groups, "level": level}
    paid = np.asarray(y, dtype=np.float64)
    outcome, of = (paid, "payments") if money is None else (np.asarray(money, float), "money")
    outcome = np.maximum(outcome, 0.0)
    score = np.asarray(probability, dtype=np.float64)
    rank = score if expected is None else np.asarray(expected, dtype=np.float64)
    perfect = calibration_error_of_perfect_model(score)
    share = f"{100 * capacity:g} %"
    found: list[tuple[str, Estimate, str]] = [
        ("auc", auc(paid, score, **own), ""),
        ("log_loss", log_loss(paid, score, **own), ""),
        ("brier", brier(paid, score, **own), ""),
        ("calibration error", expected_calibration_error(paid, score, **own),
         f"a perfect model shows {number(perfect)} here; the interval is of the error without "
            "that noise"
            if np.isfinite(perfect)
            else ""),
        (f"captured {of}", captured_at_capacity(outcome, rank, capacity=float(capacity), **own),
         f"by the best {share}"),
        (f"lift in {of}", lift_at_capacity(outcome, rank, capacity=float(capacity), **own),
         f"of the best {share} over a draw by lot"),
        (f"captured {of} of best possible",
         lift_at_capacity(outcome, rank, capacity=float(capacity), against="best", **own),
         f"of {share} in the order of what was paid"),
        ("expected over actual payments", total_ratio(score, paid, **own), "1 is right in total"),
    ]  # fmt: skip
    if money is not None and expected is not None:
        told = "1 is right in total"
        found.append(("expected over actual money", total_ratio(rank, outcome, **own), told))
    rows = [
        (name, e.value, e.low, e.high, e.n, "not enough data" if e.reason else "", note)
        for name, e, note in found
    ]
    columns = ["metric", "value", "low", "high", "n", "told", "note"]
    slices = slice_metrics(paid, score, by, groups=groups, min_rows=min_rows, level=level)
    quantiles = [
        score_quantiles(score, by[c], paid, groups=groups, min_rows=min_rows, level=level).assign(
            slice=str(c)
        )
        for c in by.columns
    ]
    return ModelReport(
        facts={**facts, "gain_of": of, "capacity": capacity, "perfect_calibration_error": perfect},
        numbers=pd.DataFrame(rows, columns=columns),
        slices=slices,
        reliability=reliability_table(paid, score, level=level),
        gain=gain_curve(outcome, rank, **own),
        quantiles=pd.concat(quantiles, ignore_index=True) if quantiles else pd.DataFrame(),
        drift=pd.DataFrame() if drift is None else drift,
    )


def total_ratio(
    expected: npt.ArrayLike,
    actual: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return total expected over total actual, with a linearised, clustered interval.

    Examples
    --------
    >>> total_ratio([1.0, 1.0, 2.0], [2.0, 0.0, 2.0]).value
    1.0
    """
    e, a = (np.asarray(x, dtype=np.float64).ravel() for x in (expected, actual))
    total = float(a.sum())
    if len(a) == 0 or total <= 0:
        return unknown("no rows" if len(a) == 0 else "nothing was paid", len(a))
    ratio = float(e.sum()) / total
    influence = cluster_totals((e - ratio * a) / total, groups)
    return normal_interval(ratio, influence_error(influence), len(influence), level)


def _ends(row: Mapping[Any, Any]) -> str:
    return f"{number(row['low'])} to {number(row['high'])}" if np.isfinite(row["low"]) else ""


def _slice_table(slices: pd.DataFrame, name: str) -> str:
    own = slices[slices["slice"] == name]
    rows = []
    for group in own["group"].drop_duplicates():
        part = own[own["group"] == group].set_index("metric")
        cells = [group, f"{int(part['n'].iloc[0]):,}"]
        for metric in ("observed", "observed minus predicted", "auc", "log_loss", "ece"):
            at = part.loc[metric]
            cells.append(
                "not enough data" if at["told"] else f"{number(at['value'])} ({_ends(at)})"
            )
        rows.append(cells)
    heads = [
        "",
        "n",
        "observed",
        "observed minus predicted",
        "AUC",
        "log-loss",
        "calibration error",
    ]
    return table(heads, rows)


def _drift_table(drift: pd.DataFrame, top: int = 10) -> str:
    rows = [
        [r["name"], number(r["psi"]), _ends(r), number(r["limit"]), r["verdict"]]
        for r in drift.head(top).to_dict("records")
    ]
    return table(["what", "stability index", "interval", "chance gives up to", "verdict"], rows)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
