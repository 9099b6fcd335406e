"""A fitted strategy against what happened after its fit: moments, scores, slices, drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import Portfolio
from contactopt.errors import ConfigError, LeakageError
from contactopt.features import training_pairs
from contactopt.features.training import training_instants
from contactopt.journal import Journal, JournalView, payment_labels
from contactopt.journal.arrears import horizons_at
from contactopt.journal.local_time import DAY_US, to_us
from contactopt.journal.terms import open_journal
from contactopt.metrics import FittedBins
from contactopt.models.report import ModelReport, score_report
from contactopt.segments import behaviour_columns, customer_facts
from contactopt.segments.customers import bucket_of_days

__all__ = ["report_on"]

Ints = npt.NDArray[np.int64]

_CONTACT_DAYS = 30
#: bands that a column of numbers is sliced into
_BANDS = 4


def report_on(
    strategy: Any,
    portfolio: Portfolio,
    instant: pd.Timestamp,
    *,
    by: Sequence[str],
    capacity: float,
    max_rows: int,
    level: float,
) -> ModelReport:
    """Return the report of `ContactStrategy.report`."""
    config, fitted_us = strategy.config, to_us(strategy.as_of_)
    horizons = config.objective.horizons
    journal = open_journal(portfolio, config)
    customers, instants = _moments(journal, config, instant, fitted_us, max_rows)
    if len(customers) == 0:
        first = strategy.as_of_ + pd.Timedelta(days=horizons.longest)
        raise LeakageError(
            "no moment lies after the fit with a window that has closed",
            hint=f"a report needs as_of later than {first.isoformat()} (fit plus horizon, plus the "
            "delay of payments), or a strategy fitted earlier",
        )
    own = horizons_at(journal, config, customers, instants)
    labels = payment_labels(journal, customers, instants, horizon_days=own, as_of=instant)
    X = strategy.models_.features.transform(journal, customers=customers, as_of=instants)
    p = strategy.models_.payment.predict_proba(X)[:, 1]
    slices = _slices(strategy, journal, customers, instants, X, by)
    at = pd.DatetimeIndex(instants.view("datetime64[us]"))
    return score_report(
        labels["paid"].astype(float),
        p,
        facts={
            "fit_as_of": strategy.as_of_.isoformat(),
            "as_of": instant.isoformat(),
            "policy_version": strategy.version,
            "portfolio_hash": portfolio.content_hash,
            "rows": len(customers),
            "customers": len(np.unique(customers)),
            "moments": int(at.nunique()),
            "first_moment": f"{at.min():%Y-%m-%d}",
            "last_moment": f"{at.max():%Y-%m-%d}",
            "horizon_days": horizons.days,
            **({"horizon_days_by_stage": horizons.by_stage} if horizons.differ else {}),
        },
        by=slices,
        groups=journal.customer_ids[customers].astype(str),
        money=labels["amount"],
        expected=_expected_money(strategy.models_.amount, p, X),
        capacity=capacity,
        level=level,
        drift=None
        if strategy.behaviours_ is None
        else strategy.behaviours_.drift(behaviour_columns(journal.as_of(instant)), level=level),
    )


def _expected_money(amount: Any, p: Any, X: pd.DataFrame) -> Any:
    """Return what `ContactStrategy.score_customers` expects, matched to the fit's money."""
    if amount.spread_ is None:  # fitted before money was matched
        return p * amount.predict(X)
    return amount.expected_recovery(p, X).mean


def _moments(
    journal: Journal, config: Any, instant: pd.Timestamp, fitted_us: int, max_rows: int
) -> tuple[Ints, Ints]:
    """Pairs after the fit: their windows share no day with those that were trained on.

    They end where the longest window has closed, so that every stage is judged at every moment.
    """
    asked: dict[str, Any] = {
        "step_days": config.models.training_step_days,
        "horizon_days": config.objective.horizons.longest,
    }
    every = training_instants(journal, instant, **asked)
    later = every[every >= fitted_us]
    if len(later) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    # pairs are sampled over all of history: so many more that the later ones are enough
    total = -(-max_rows * len(every) // len(later))
    customers, instants = training_pairs(
        journal, as_of=instant, max_rows=total, random_state=config.random_state, **asked
    )
    held = instants >= fitted_us
    return customers[held], instants[held]


def _slices(
    strategy: Any,
    journal: Journal,
    customers: Ints,
    instants: Ints,
    X: pd.DataFrame,
    by: Sequence[str],
) -> pd.DataFrame:
    """Columns to slice by, as they stood at each moment."""
    parts = []
    for at in np.unique(instants):
        here = np.flatnonzero(instants == at)
        view = journal.as_of(pd.Timestamp(np.datetime64(int(at), "us"), tz="UTC"))
        facts = customer_facts(view)
        known = pd.concat([strategy.segments_.transform(facts), facts], axis=1)
        known["bucket"] = bucket_of_days(facts["days_past_due"])
        known["channel"] = _last_channel(view)
        if strategy.behaviours_ is not None:
            told = strategy.behaviours_.transform(behaviour_columns(view))
            known["behaviour"] = told["behaviour"]
        parts.append(known.iloc[customers[here]].set_index(here))
    known = pd.concat(parts).sort_index()
    static = journal.customer_frame
    out: dict[str, Any] = {}
    for name in by:
        if name in known:
            out[name] = known[name]
        elif name in X:
            out[name] = _banded(X[name])
        elif name in static:
            out[name] = _banded(static[name].iloc[customers])
        else:
            raise ConfigError(
                f"there is no column {name!r} to slice by",
                hint=f"there are {', '.join(map(str, known.columns))}, the features, and the "
                "columns of customers",
            )
    columns = {name: pd.Series(c).reset_index(drop=True) for name, c in out.items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(customers)))


def _last_channel(view: JournalView) -> pd.Series:
    """Root channel of the last outbound contact of the 30 days before, by customer."""
    t = view.touches
    since = view.as_of_us - _CONTACT_DAYS * DAY_US
    own = (t["started_us"] > since) & (t["direction"] == "outbound")
    t = t[own.to_numpy(dtype=bool)].sort_values("started_us", kind="stable")
    last = t.groupby("customer")["channel"].last().astype(object)
    out = pd.Series("no contact in 30 days", index=range(len(view.customer_ids)), dtype=object)
    out.loc[last.index.astype(int)] = last.to_numpy()
    return out.reset_index(drop=True)


def _banded(column: pd.Series) -> Any:
    """Return numbers in bands of equal mass, anything else as it is."""
    column = column.reset_index(drop=True)
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.nunique() <= _BANDS:
        return column
    bins = FittedBins.of(column, n_bins=_BANDS)
    names = pd.CategoricalDtype(pd.Index(list(bins.names), dtype="str"), ordered=True)
    return pd.Categorical.from_codes(bins.codes(column), dtype=names)  # pyright: ignore[reportCallIssue, reportArgumentType]
