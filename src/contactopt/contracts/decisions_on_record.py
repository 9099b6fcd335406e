"""A portfolio whose decisions are those that stand: what a re-plan may build on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contactopt.contracts.portfolio import Portfolio

__all__ = ["with_decisions"]


def with_decisions(portfolio: Portfolio, standing: pd.DataFrame, withdrawn: set[str]) -> Portfolio:
    """Return the portfolio with decisions added that are not on record, and without others.

    Parameters
    ----------
    portfolio : Portfolio
        Never changed; its content hash is not that of the result.
    standing : DataFrame
        Rows of the decisions table. Those on record already stay as they are there; those of
        customers who are not in the portfolio are left out.
    withdrawn : set of str
        Ids of decisions to leave out.
    """
    old = portfolio.tables["decisions"]
    kept = old[~old["decision_id"].isin(withdrawn).to_numpy(dtype=bool)]
    known = standing["decision_id"].isin(set(kept["decision_id"])).to_numpy(dtype=bool)
    here = standing["customer_id"].isin(set(portfolio.customer_ids)).to_numpy(dtype=bool)
    more = standing[here & ~known].reindex(columns=old.columns)
    if len(more) == 0 and len(kept) == len(old):
        return portfolio
    parts = {name: _joined(kept[name], more[name]) for name in old.columns}
    frame = pd.DataFrame(parts)
    customer = frame["customer_id"].to_numpy(dtype=object)
    owner = np.searchsorted(portfolio.customer_ids, customer)
    order = np.lexsort((frame["decision_id"].to_numpy(dtype=str), owner))
    loaded = portfolio._loaded
    codes = loaded.owner["decisions"].dtype
    return portfolio._part(
        portfolio.customer_ids,
        {**portfolio.tables, "decisions": frame.iloc[order].reset_index(drop=True)},
        {**loaded.owner, "decisions": owner[order].astype(codes)},
    )


def _joined(old: pd.Series, more: pd.Series) -> pd.Series:
    """Put rows under each other in the type of those on record."""
    if len(more) == 0:
        return old.reset_index(drop=True)
    values = [*old.astype(object), *more.astype(object).where(more.notna(), None)]
    if pd.api.types.is_object_dtype(old.dtype):  # an empty table has no types yet
        return pd.Series(values, dtype=more.dtype if len(old) == 0 else object)
    return pd.Series(values, dtype=old.dtype)
