"""Labels made elsewhere are held against the log: they must not depend on later contacts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.native_frames import to_pandas
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import BiasedLabelsError, ConfigError
from contactopt.features.moments import Moments
from contactopt.features.pairs import journal_of, pairs_of
from contactopt.journal.folds import last_times
from contactopt.journal.journal import Journal
from contactopt.journal.labels import payment_labels
from contactopt.journal.local_time import DAY_US

__all__ = ["refuse_biased_labels"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: a row's own action is carried out within a day; what comes after it is a later contact
_OWN_US = DAY_US
#: fewer rows than this prove nothing
_MIN_ROWS = 20
#: share of wrong labels that follow the pattern, and of right ones that do not
_NEARLY_ALL, _NEARLY_NONE = 0.95, 0.02
#: where customers are contacted later in this share of their arrears, rows without it are chosen
_USUAL, _LEFT_OVER = 0.2, 0.05
_N_INSTANTS = 20


def refuse_biased_labels(
    portfolio: Any,
    rows: Any,
    *,
    horizon_days: float,
    as_of: Any,
    label: str = "paid",
) -> None:
    """Raise where labels made elsewhere end at the next contact, or rows with one are left out.

    Rows are compared with the log: a label that lacks money of its window is suspicious where
    this happens (nearly) only, and (nearly) always, when a contact came before that money; so is
    a sample in which nobody is contacted later, of customers who otherwise are. Other differences
    (another horizon, other kinds of payment) are no matter of this check. A control group that is
    never contacted is not refused.

    Parameters
    ----------
    portfolio : Portfolio, Journal, or mapping of str to frame
    rows : frame
        ``customer_id``, ``as_of`` (instants with a zone), the label (0/1, bool, or money), and
        ``window_end`` if known.
    horizon_days : float
        Length of the whole window, the same for all rows: where stages have windows of their own,
        check the rows of each length apart.
    as_of : instant
        Nothing that became known later is used; rows whose window is still open are left out.
    label : str
        Name of the label column.

    Raises
    ------
    BiasedLabelsError
        Says which of the habits the rows show, and in how many rows.
    ConfigError
        If a column is missing.
    ContractError
        If a customer is not in the portfolio.

    Examples
    --------
    >>> from contactopt.datasets import load_demo
    >>> from contactopt.features import training_rows
    >>> portfolio = load_demo(60, n_days=60)
    >>> now = portfolio.latest_instant()
    >>> refuse_biased_labels(
    ...     portfolio, training_rows(portfolio, as_of=now), horizon_days=30, as_of=now
    ... )
    """
    frame = to_pandas(rows, "rows")
    absent = [c for c in ("customer_id", "as_of", label) if c not in frame]
    if absent:
        raise ConfigError(
            f"rows have no column {', '.join(absent)}",
            hint="give customer_id, as_of and the label",
        )
    journal = journal_of(portfolio)
    who, start = pairs_of(journal, frame["customer_id"], frame["as_of"])
    horizon_us = round(horizon_days * DAY_US)
    whole = payment_labels(journal, who, start, horizon_days=horizon_days, as_of=as_of)
    closed = whole["mature"].to_numpy(dtype=bool)
    frame, whole = frame[closed], whole[closed]
    who, start = who[closed], start[closed]
    contacts = _Contacts(journal)
    if "window_end" in frame:
        end = pairs_of(journal, who, frame["window_end"])[1]
        either = [contacts.first(who, after) for after in (start, start + _OWN_US)]
        _refuse_short_windows(start, end, either, horizon_us)
    given = frame[label].to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse_cut_labels(journal, contacts, who, start, horizon_us, given, whole)
    _refuse_chosen_rows(journal, contacts, who, start, horizon_us)


class _Contacts:
    """Outbound contacts in order, for the first one after an instant."""

    def __init__(self, journal: Journal) -> None:
        log = journal.touches
        outbound = np.asarray(log.direction == "outbound")
        owner, time = log.index.owner[outbound], log.time[outbound]
        order = np.lexsort((time, owner))
        self.owner, self.time = owner[order], time[order]
        self.starts = np.searchsorted(self.owner, np.arange(journal.n_customers + 1))

    def first(self, who: Ints, after: Ints) -> Ints:
        """Return the first contact later than an instant, `NO_INSTANT` where there is none."""
        # owners stand in blocks: count the block's contacts up to the instant
        order = np.lexsort((after, who))
        low = self.starts[who]
        merged_owner = np.concatenate([self.owner, who[order]])
        merged_time = np.concatenate([self.time, after[order]])
        asked = np.append(np.zeros(len(self.owner), bool), np.ones(len(who), bool))
        place = np.lexsort((asked, merged_time, merged_owner))
        passed = np.cumsum(~asked[place])[asked[place]]  # contacts up to each question
        position = np.empty(len(who), dtype=np.int64)
        position[order] = passed
        position = np.maximum(position, low)
        inside = position < self.starts[who + 1]
        return np.where(inside, np.append(self.time, NO_INSTANT)[position], NO_INSTANT)


def _refuse_short_windows(start: Ints, end: Ints, contacts: list[Ints], horizon_us: int) -> None:
    short = end < start + horizon_us - DAY_US
    close = [(c != NO_INSTANT) & (np.abs(end - c) <= DAY_US) for c in contacts]
    at_contact = short & np.logical_or.reduce(close)
    if short.sum() >= _MIN_ROWS and at_contact.sum() >= 0.8 * short.sum():
        raise BiasedLabelsError(
            f"{int(at_contact.sum())} of {len(start)} label windows end at the next contact",
            hint="a label is what was paid in the whole window, whoever was contacted in it",
        )


def _refuse_cut_labels(
    journal: Journal,
    contacts: _Contacts,
    who: Ints,
    start: Ints,
    horizon_us: int,
    given: npt.NDArray[np.float64],
    whole: pd.DataFrame,
) -> None:
    money = bool(np.nanmax(given, initial=0.0) > 1.0)
    full = whole["amount" if money else "paid"].to_numpy(dtype=np.float64)
    rewarded = np.where(journal.payments.rewarded, 0, -1)
    last_paid = last_times(journal.payments.index, rewarded, 1, who, start + horizon_us)[:, 0]
    contact = contacts.first(who, start)
    after_contact = (contact != NO_INSTANT) & (contact < last_paid) & (full > 0)
    lacking = (full > 0) & (given < full * (1 - 1e-6))
    untouched = (full > 0) & ~after_contact
    if lacking.sum() < _MIN_ROWS or after_contact.sum() == 0:
        return
    fits = (lacking & after_contact).sum() >= _NEARLY_ALL * lacking.sum()
    spared = (lacking & untouched).sum() <= max(1.0, _NEARLY_NONE * untouched.sum())
    if fits and spared:
        raise BiasedLabelsError(
            f"{int(lacking.sum())} of {int((full > 0).sum())} labels with money in their window "
            "lack it, and nearly all of these were contacted before it came: the labels end at "
            "the next contact, or credit the last touch",
            hint="a label is what was paid in the whole window, whoever was contacted in it",
        )


def _refuse_chosen_rows(
    journal: Journal, contacts: _Contacts, who: Ints, start: Ints, horizon_us: int
) -> None:
    if len(who) < _MIN_ROWS:
        return
    here = _contacted_later(contacts, who, start, horizon_us).mean()
    # the same customers in arrears at some of the same instants, whether they are rows or not
    instants = np.unique(start)
    some = instants[np.linspace(0, len(instants) - 1, min(len(instants), _N_INSTANTS)).astype(int)]
    people = np.unique(who)
    everybody = np.tile(people, len(some))
    when = np.repeat(some, len(people))
    debts = Moments(journal, everybody, when).debts
    in_arrears = debts.total(debts.states.collectable) > 0
    if in_arrears.sum() < _MIN_ROWS:
        return
    there = _contacted_later(contacts, everybody[in_arrears], when[in_arrears], horizon_us).mean()
    if there >= _USUAL and here <= _LEFT_OVER * there:
        raise BiasedLabelsError(
            f"{here:.1%} of the rows are followed by a contact inside their window, but the same "
            f"customers are contacted in {there:.0%} of the windows in which they are in arrears: "
            "rows with a later contact were left out",
            hint="keep every row, whoever was contacted later",
        )


def _contacted_later(contacts: _Contacts, who: Ints, start: Ints, horizon_us: int) -> Bools:
    first = contacts.first(who, start + _OWN_US)
    return (first != NO_INSTANT) & (first <= start + horizon_us)
