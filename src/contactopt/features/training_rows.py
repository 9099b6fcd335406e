"""Training rows with labels that estimate what an action does; labels that do not are refused.

A label is the money of the whole window after the row's instant, whoever was contacted in it: it
answers "this now, and the usual policy afterwards". Three habits answer nothing: labels that end
at the next contact, payments credited to the last touch before them, and rows left out because a
contact followed. Each makes label or row depend on later decisions, which depend on how the
customer behaved meanwhile.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from contactopt.errors import BiasedLabelsError, ConfigError
from contactopt.features.pairs import journal_of
from contactopt.features.training import training_pairs
from contactopt.journal.labels import payment_labels

__all__ = ["training_rows"]

#: what is refused by name, and why
_REFUSED_LABELS = {
    "until_next_contact": (
        "a window that ends at the next contact is shorter for those who are contacted again, "
        "and what the first contact brings later is lost"
    ),
    "last_touch": (
        "crediting a payment to the last touch before it gives the touch what would have been "
        "paid anyway, and waiting nothing"
    ),
}
_REFUSED_SAMPLES = {
    "not_contacted_later": (
        "who pays is not contacted again, so rows without a later contact are those who paid"
    ),
}


def training_rows(
    portfolio: Any,
    *,
    as_of: Any,
    horizon_days: float = 30,
    step_days: float = 10,
    label: str = "window",
    sample: str = "all",
    max_rows: int = 1_000_000,
    discount_rate_yearly: float = 0.0,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return customers in arrears at evenly spaced instants with what they paid in the window.

    Parameters
    ----------
    portfolio : Portfolio, Journal, or mapping of str to frame
        A Journal opened by `contactopt.journal.terms.open_journal` has money in the strategy's
        currency and the strategy's delays.
    as_of : Timestamp, str with a zone, or int microseconds
        Every window has closed by then; nothing known later is used.
    horizon_days : float
        Length of the label window (t, t + horizon], the same for all rows. A fit with
        `horizon_days_by_stage` gives each row the window of its stage instead.
    step_days : float
        Days between instants.
    label : str
        ``window``: all of the window, whoever was contacted in it. ``until_next_contact`` and
        ``last_touch`` are refused.
    sample : str
        ``all``: every customer in arrears. ``not_contacted_later`` is refused.
    max_rows : int
        Above it, a sample by a hash of customer, instant and ``random_state``.
    discount_rate_yearly : float
        For ``amount_discounted``.
    random_state : int

    Returns
    -------
    DataFrame
        One row per (customer, instant), by instant and customer: ``customer_id``, ``as_of``,
        ``paid`` (bool), ``amount``, ``amount_discounted``, ``n_payments``, ``first_delay_days``
        (NaN where nothing was paid). Too short a history gives no rows. Windows overlap, so
        labels must never be added up: each payment stands in several of them.

    Raises
    ------
    BiasedLabelsError
        If labels or a sample are asked for that depend on later contacts.
    ConfigError
        If there is no such label or sample, or a length is not above zero.

    Examples
    --------
    >>> from contactopt.datasets import load_demo
    >>> portfolio = load_demo(40, n_days=60)
    >>> rows = training_rows(portfolio, as_of=portfolio.latest_instant())
    >>> rows.columns.tolist()[:4], len(rows) > 40
    (['customer_id', 'as_of', 'paid', 'amount'], True)
    """
    _refuse(label, "window", _REFUSED_LABELS, "label")
    _refuse(sample, "all", _REFUSED_SAMPLES, "sample")
    for name, value in (("horizon_days", horizon_days), ("step_days", step_days)):
        if not value > 0:
            raise ConfigError(f"{name} is {value}, not above zero")
    journal = journal_of(portfolio)
    customers, instants = training_pairs(
        journal, as_of, step_days=step_days, horizon_days=horizon_days, max_rows=max_rows,
        random_state=random_state,
    )  # fmt: skip
    labels = payment_labels(
        journal, customers, instants, horizon_days=horizon_days, as_of=as_of,
        discount_rate_yearly=discount_rate_yearly,
    )  # fmt: skip
    # only closed windows teach: an open one is no zero
    closed = labels["mature"].to_numpy()
    ids = journal.customer_ids[customers[closed]].astype(str)
    out = labels[closed].drop(columns="mature").reset_index(drop=True)
    out.insert(0, "customer_id", pd.Series(ids, dtype="str"))
    stamps = pd.DatetimeIndex(instants[closed].view("datetime64[us]"), tz="UTC")
    out.insert(1, "as_of", pd.Series(stamps))
    return out


def _refuse(word: str, right: str, refused: dict[str, str], what: str) -> None:
    if word == right:
        return
    if word in refused:
        raise BiasedLabelsError(
            f"{what} {word!r} depends on later contacts: {refused[word]}",
            hint=f"use {what}={right!r}; how far off the others are is simulated in the tests",
        )
    raise ConfigError(f"there is no {what} {word!r}", hint=f"use {what}={right!r}")
