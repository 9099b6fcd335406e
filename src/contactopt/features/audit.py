"""The leakage audit: features recomputed on tables cut at each instant must be bit-equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from contactopt.journal.cut import cut_tables
from contactopt.journal.journal import Journal
from contactopt.journal.local_time import to_us

__all__ = ["audit_leakage"]


def audit_leakage(
    portfolio: Any,
    pipeline: Any,
    *,
    config: Any = None,
    as_of: Any = None,
    pairs: tuple[Any, Any] | None = None,
) -> pd.DataFrame:
    """Compare batch features with features of tables from which everything later was removed.

    Parameters
    ----------
    portfolio : Portfolio
        Or anything with ``tables``.
    pipeline : FeaturePipeline
        Fitted.
    config : StrategyConfig, optional
        For `data_delay` and the promise grace.
    as_of : instant, optional
        Audit all customers at one instant.
    pairs : (customers, instants), optional
        Audit these pairs of customer codes and int microseconds; tables are cut once per distinct
        instant.

    Returns
    -------
    DataFrame
        One row per column that differs: ``name``, ``n_pairs`` compared, ``n_different``,
        ``largest_difference`` (NaN for categories). Empty when nothing leaks.
    """
    delay = dict(config.data_delay) if config is not None else {}
    grace = config.orchestration.promise_grace_days if config is not None else 0
    journal = Journal(portfolio, data_delay=delay, promise_grace_days=grace)
    if pairs is None:
        who = np.arange(journal.n_customers)
        pairs = who, np.full(len(who), to_us(as_of), dtype=np.int64)
    customers = np.asarray(pairs[0], dtype=np.int64)
    instants = np.asarray(pairs[1], dtype=np.int64)
    batch = pipeline.transform(journal, as_of=instants, customers=customers)
    recomputed = []
    order = []
    for instant in np.unique(instants):
        rows = np.flatnonzero(instants == instant)
        now = pd.Timestamp(np.datetime64(int(instant), "us"), tz="UTC")
        tables = cut_tables(journal.tables, now, data_delay=delay)
        cut = Journal(tables, data_delay=delay, promise_grace_days=grace)
        recomputed.append(pipeline.transform(cut, as_of=int(instant), customers=customers[rows]))
        order.append(rows)
    if not recomputed:
        return _differences(batch, batch)
    again = pd.concat(recomputed, ignore_index=True)
    again.index = pd.Index(np.concatenate(order))
    return _differences(batch, again.sort_index())


def _differences(batch: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    found = []
    for name in batch.columns:
        a, b = batch[name], again[name]
        if isinstance(a.dtype, pd.CategoricalDtype):
            different = (a.astype(object).fillna("") != b.astype(object).fillna("")).to_numpy()
            size = np.nan
        else:
            x, y = a.to_numpy(), b.to_numpy()
            different = ~((x == y) | (np.isnan(x) & np.isnan(y)))
            gaps = np.abs(x - y)[different]
            size = float(np.nanmax(gaps)) if np.isfinite(gaps).any() else np.inf
        if different.any():
            found.append((name, len(batch), int(different.sum()), size))
    columns = ["name", "n_pairs", "n_different", "largest_difference"]
    return pd.DataFrame(found, columns=columns)
