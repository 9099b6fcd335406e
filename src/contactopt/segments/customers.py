"""Customers' columns that segments and profiles rest on, from what is known at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.journal import JournalView
from contactopt.journal.arrears import lead_rows
from contactopt.journal.debts import ENDED
from contactopt.journal.local_time import DAY_US
from contactopt.journal.outcome_events import REACHED_OUTCOMES
from contactopt.journal.terms import open_journal
from contactopt.segments.behaviour import BehaviourSegments
from contactopt.segments.stages import StageSegments

__all__ = [
    "AGE_BANDS",
    "BUCKETS",
    "behaviour_columns",
    "bucket_of_days",
    "customer_columns",
    "customer_facts",
    "segment_portfolio",
]

#: bands of age in years, by their first year
AGE_BANDS = {"under 30": 0, "30 to 44": 30, "45 to 59": 45, "60 and over": 60}
#: buckets of days past due by their last day, as the field cuts them
BUCKETS = {"0": 0.0, "1 to 30": 30.0, "31 to 60": 60.0, "61 to 90": 90.0, "91 to 180": 180.0,
           "over 180": np.inf}  # fmt: skip
#: window of what customers did, in days
_BEHAVIOUR_DAYS = 90


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
    first = lead_rows(who, rows, days, due)
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


def behaviour_columns(view: JournalView, *, days: int = _BEHAVIOUR_DAYS) -> pd.DataFrame:
    """Return what customers owe and did in the window, for `BehaviourSegments`; no age, no sex.

    Parameters
    ----------
    view : JournalView
    days : int
        Window, back from the instant.

    Returns
    -------
    DataFrame, n rows
        days_past_due, balance (as `customer_columns`), product of the lead debt, payments and
        amount_paid (of rewarded kinds), days_since_payment (null: never on record),
        contacts (outbound), reached_share (of those with a known outcome), inbound,
        promises_due and kept_share (of promises that were kept, partly kept or broken), null
        where there is no denominator.
    """
    columns = customer_columns(view)
    n, since = len(view.customer_ids), view.as_of_us - days * DAY_US
    log = view.journal.payments
    at = log.index.at(view.as_of_us)
    at = at[(log.index.until[at] > view.as_of_us) & log.rewarded[at]]
    last = np.full(n, np.iinfo(np.int64).min)
    np.maximum.at(last, log.index.owner[at], log.time[at])
    at = at[log.time[at] > since]
    payer = log.index.owner[at]
    t, p = view.touches, view.promises
    t = t[(t["started_us"] > since).to_numpy(dtype=bool)]
    out = (t["direction"] == "outbound").to_numpy(dtype=bool)
    told = out & (t["outcome"] != "unknown").to_numpy(dtype=bool)
    reached = told & t["outcome"].isin(REACHED_OUTCOMES).to_numpy(dtype=bool)
    who = t["customer"].to_numpy(dtype=np.int64)
    p = p[(p["due_us"] > since).to_numpy(dtype=bool)]
    over = p["state"].isin(("kept", "partial", "broken")).to_numpy(dtype=bool)
    kept = (p["state"] == "kept").to_numpy(dtype=bool)
    promiser = p["customer"].to_numpy(dtype=np.int64)
    lead = columns["lead_row"].to_numpy(dtype=np.int64)
    ever = last > np.iinfo(np.int64).min
    return pd.DataFrame(
        {
            "days_past_due": columns["days_past_due"],
            "balance": columns["balance"],
            "product": _of_lead(view.debts["product"], lead),
            "payments": np.bincount(payer, minlength=n),
            "amount_paid": np.bincount(payer, weights=log.amount[at], minlength=n),
            "days_since_payment": np.where(ever, (view.as_of_us - last) / DAY_US, np.nan),
            "contacts": np.bincount(who[out], minlength=n),
            "reached_share": _ratio(who[reached], who[told], n),
            "inbound": np.bincount(who[~out], minlength=n),
            "promises_due": np.bincount(promiser[over], minlength=n),
            "kept_share": _ratio(promiser[kept], promiser[over], n),
        }
    )


def _ratio(hits: Any, of: Any, n: int) -> npt.NDArray[np.float64]:
    """Share per customer, NaN without a denominator."""
    count = np.bincount(of, minlength=n)
    return np.where(count > 0, np.bincount(hits, minlength=n) / np.maximum(count, 1), np.nan)


def bucket_of_days(days: pd.Series) -> pd.Categorical:
    """Return the bucket of each number of days past due, null where it is not known."""
    values = days.to_numpy(dtype=np.float64)
    code = np.searchsorted(list(BUCKETS.values()), values, side="left")
    names = pd.CategoricalDtype(pd.Index(list(BUCKETS), dtype="str"), ordered=True)
    return pd.Categorical.from_codes(np.where(np.isnan(values), -1, code), dtype=names)  # pyright: ignore[reportCallIssue, reportArgumentType]


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
    behaviour: BehaviourSegments | None = None,
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
    behaviour : BehaviourSegments, optional
        Fitted on `behaviour_columns`.
    days : int
        Window of payments and contacts, back from the instant.
    block_customers : int
        Customers at a time.

    Returns
    -------
    DataFrame
        One row per customer, by id: customer_id, segment, stage, balance_band, behaviour and
        behaviour_distance (where ``behaviour`` is given), bucket (days past due), and the other
        columns of `customer_facts`; money in the strategy's currency. No customers, no rows.
    """
    facts, told = [], []
    for block in portfolio.blocks(block_customers):
        view = open_journal(block, config).as_of(as_of)
        facts.append(customer_facts(view, days=days))
        if behaviour is not None:
            told.append(behaviour.transform(behaviour_columns(view)))
    frame = pd.concat(facts, ignore_index=True)
    parts = [frame.pop("customer_id"), segments.transform(frame)]
    if behaviour is not None:
        parts.append(pd.concat(told, ignore_index=True))
    parts.append(
        pd.DataFrame({"bucket": bucket_of_days(frame["days_past_due"])}, index=frame.index)
    )
    return pd.concat([*parts, frame], axis=1)
