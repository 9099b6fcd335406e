"""Customers' columns that segments and profiles rest on, from what is known at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.journal import JournalView
from contactopt.journal.debts import ENDED
from contactopt.journal.local_time import DAY_US
from contactopt.journal.outcome_events import REACHED_OUTCOMES
from contactopt.journal.terms import open_journal
from contactopt.segments.stages import StageSegments

__all__ = ["AGE_BANDS", "customer_columns", "customer_facts", "segment_portfolio"]

#: bands of age in years, by their first year
AGE_BANDS = {"under 30": 0, "30 to 44": 30, "45 to 59": 45, "60 and over": 60}


def customer_columns(view: JournalView) -> pd.DataFrame:
    """Return what stage segments ask of each customer.

    Parameters
    ----------
    view : JournalView
        n customers.

    Returns
    -------
    DataFrame, n rows in the order of ``view.customer_ids``
        days_past_due and charged_off of the debt with the largest arrears (ties: the one longest
        past due, then the first id); balance and past_due of all debts in arrears together.
        Customers without a debt in arrears: 0, and balance null. A debt counts as in
        arrears while it runs and days past due are positive, or not known with money past due.
    """
    d = view.debts
    n = len(view.customer_ids)
    columns = ("days_past_due", "past_due_now", "balance")
    days, due, balance = (d[c].to_numpy(dtype=np.float64) for c in columns)
    over = d["status"].isin(ENDED) | d["closed_at"].notna() | d["recalled_at"].notna()
    late = (days > 0) | (np.isnan(days) & (due > 0))
    rows = np.flatnonzero(late & ~over.to_numpy(dtype=bool) & ~(due <= 0))
    who = d["customer"].to_numpy(dtype=np.int64)[rows]
    days, due, balance = days[rows], due[rows], balance[rows]
    order = np.lexsort((np.arange(len(rows)), -np.nan_to_num(days), -np.nan_to_num(due), who))
    first = order[np.append(True, np.diff(who[order]) != 0)[: len(order)]]
    out_days, lead = np.zeros(n), np.full(n, -1, dtype=np.int64)
    out_days[who[first]], lead[who[first]] = days[first], rows[first]
    charged_off = np.append(d["charged_off_at"].notna().to_numpy(dtype=bool), False)[lead]
    return pd.DataFrame(
        {
            "days_past_due": out_days,
            "charged_off": charged_off,
            "balance": _sums(who, balance, n),
            "past_due": _sums(who, due, n),
            "lead_row": lead,
        }
    )


def _sums(who: Any, values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Add values up per customer; NaN where none is known."""
    known = ~np.isnan(values)
    total = np.bincount(who[known], weights=values[known], minlength=n).astype(np.float64)
    return np.where(np.bincount(who[known], minlength=n) > 0, total, np.nan)


def customer_facts(view: JournalView, *, days: int = 30) -> pd.DataFrame:
    """Return `customer_columns` and what profiles tell beside them.

    Parameters
    ----------
    view : JournalView
    days : int
        Window of payments and contacts, back from the instant.

    Returns
    -------
    DataFrame, n rows
        customer_id, the columns of `customer_columns`, product (of the debt with the largest
        arrears), age_band, and three-valued facts of the window, null where the customer does not
        belong to the denominator: paid (of those with a debt on record before the window),
        reached (of those with an outbound contact in it whose outcome is known).
    """
    columns = customer_columns(view)
    lead = columns.pop("lead_row").to_numpy(dtype=np.int64)
    product = _of_lead(view.debts["product"], lead)
    since = view.as_of_us - days * DAY_US
    facts = columns.assign(product=product, age_band=_age_bands(view))
    facts.insert(0, "customer_id", view.customer_ids.astype(str))
    return facts.assign(paid=_paid(view, since), reached=_reached(view, since))


def _of_lead(column: pd.Series, lead: Any) -> npt.NDArray[np.object_]:
    """Return a column of debts at the row of each customer, None for row -1."""
    values = np.full(len(column) + 1, None, dtype=object)
    values[:-1] = column.astype(object).to_numpy()
    return values[lead]


def _age_bands(view: JournalView) -> pd.Categorical:
    born = view.customers.get("birth_year", pd.Series(np.nan, index=view.customers.index))
    age = view.as_of.year - born.to_numpy(dtype=np.float64)
    code = np.searchsorted(list(AGE_BANDS.values()), age, side="right") - 1
    names = pd.CategoricalDtype(pd.Index(list(AGE_BANDS), dtype="str"), ordered=True)
    return pd.Categorical.from_codes(np.where(np.isnan(age), -1, code), dtype=names)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _paid(view: JournalView, since: int) -> pd.Series:
    log, debts = view.journal.payments, view.journal.debts
    at = log.index.at(view.as_of_us)
    at = at[(log.index.until[at] > view.as_of_us) & log.rewarded[at] & (log.time[at] > since)]
    n = len(view.customer_ids)
    had = np.bincount(debts.customer[debts.since <= since], minlength=n) > 0
    return _three_valued(np.bincount(log.index.owner[at], minlength=n) > 0, had)


def _reached(view: JournalView, since: int) -> pd.Series:
    t = view.touches
    told = (t["started_us"] > since) & (t["direction"] == "outbound") & (t["outcome"] != "unknown")
    t = t[told.to_numpy(dtype=bool)]
    who = t["customer"].to_numpy(dtype=np.int64)
    n = len(view.customer_ids)
    got = who[t["outcome"].isin(REACHED_OUTCOMES).to_numpy(dtype=bool)]
    return _three_valued(np.bincount(got, minlength=n) > 0, np.bincount(who, minlength=n) > 0)


def _three_valued(hit: Any, counts: Any) -> pd.Series:
    return pd.Series(hit, dtype="boolean").mask(~np.asarray(counts, dtype=bool))


def segment_portfolio(
    portfolio: Portfolio,
    segments: StageSegments,
    *,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    days: int = 30,
    block_customers: int = 50_000,
) -> pd.DataFrame:
    """Label every customer of a portfolio, in blocks.

    Parameters
    ----------
    portfolio : Portfolio
    segments : StageSegments
        Fitted.
    config : StrategyConfig
        For currency, delays and grace.
    as_of : Timestamp
        Nothing known later is used.
    days : int
        Window of payments and contacts, back from the instant.
    block_customers : int
        Customers at a time.

    Returns
    -------
    DataFrame
        One row per customer, by id: customer_id, segment, stage, balance_band, and the other
        columns of `customer_facts`; money in the strategy's currency. No customers, no rows.
    """
    facts = [
        customer_facts(open_journal(block, config).as_of(as_of), days=days)
        for block in portfolio.blocks(block_customers)
    ]
    frame = pd.concat(facts, ignore_index=True)
    ids = frame.pop("customer_id")
    return pd.concat([ids, segments.transform(frame), frame], axis=1)
