"""Best channel and best hour per customer as tables, with support and the fallback flag."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.models.reach.priors import BLOCK_OF_HOUR

__all__ = ["best_rows", "support_of"]

Floats = npt.NDArray[np.float64]


def support_of(
    customers: pd.Index, chosen: npt.NDArray[Any], name: str, attempts: pd.DataFrame | None
) -> npt.NDArray[np.int64]:
    """Own attempts with a known result in the chosen channel (or block of hours), shape (n,)."""
    if attempts is None or not len(attempts):
        return np.zeros(len(customers), dtype=np.int64)
    if name == "local_hour":
        hour = attempts["local_hour"].to_numpy(dtype=np.float64, na_value=np.nan)
        timed = ~np.isnan(hour)
        made = pd.Index(BLOCK_OF_HOUR[hour[timed].astype(np.int64)])
        wanted = BLOCK_OF_HOUR[chosen.astype(np.int64)]
        customer = attempts["customer"].to_numpy()[timed]
    else:
        made, wanted = pd.Index(attempts[name]), chosen
        customer = attempts["customer"].to_numpy()
    counts = pd.Series(1, index=[pd.Index(customer), made]).groupby(level=[0, 1]).sum()
    keys = pd.MultiIndex.from_arrays([customers, wanted])
    return np.asarray(counts.reindex(keys, fill_value=0), dtype=np.int64)


def best_rows(
    customers: npt.ArrayLike,
    probability: Floats,
    key: npt.NDArray[Any],
    name: str,
    attempts: pd.DataFrame | None,
    min_support: int,
) -> pd.DataFrame:
    """Take the key with the largest mean probability per customer; the first key wins ties.

    Parameters
    ----------
    customers : array-like, shape (n,)
    probability : float array, shape (n, m)
    key : array, shape (m,)
        Channel or hour of each action.
    name : str
        Name of the key's column.
    attempts : DataFrame, optional
        Own attempts with a known result: customer, channel, local_hour.
    min_support : int

    Returns
    -------
    DataFrame
        customer_id, ``name``, probability, support, fallback; n rows.
    """
    ids = pd.Index(np.asarray(customers))
    keys = pd.unique(pd.Series(key))
    if not len(keys) or not len(ids):
        return pd.DataFrame(
            {"customer_id": ids[:0], name: keys[:0], "probability": [], "support": [],
             "fallback": []}
        ).astype({"support": np.int64, "fallback": bool})  # fmt: skip
    mean = np.column_stack([probability[:, key == k].mean(axis=1) for k in keys])
    best = mean.argmax(axis=1)
    chosen = np.asarray(keys)[best]
    support = support_of(ids, chosen, name, attempts)
    return pd.DataFrame(
        {
            "customer_id": ids,
            name: chosen,
            "probability": mean[np.arange(len(ids)), best],
            "support": support,
            "fallback": support < min_support,
        }
    )
