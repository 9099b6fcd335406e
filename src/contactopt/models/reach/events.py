"""What counts as having reached the customer, per channel: the one place that says so.

- Calls and visits: a conversation with the right party, also one that ends in a complaint, an
  opt-out, or news that changes the state of the debt. Wrong party and no answer are not reached.
- Messages that can show it (e-mail, WhatsApp, push, chat): opened by a person, or anything after
  that. Delivered and not opened is not reached. An open by a machine hides whether a person looked:
  unobservable.
- SMS shows no opening: delivered, or anything after it, counts. What such an event adds is
  therefore smaller, and the effect's prior for SMS is.
- Letters: unobservable, whatever is noted.
- Inbound contacts are no attempts; unknown outcomes are not known yet: both are left out, never 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vocabulary import (
    ENGAGED_OUTCOMES,
    NO_CONTACT_OUTCOMES,
    OUTCOMES,
    RIGHT_PARTY_OUTCOMES,
    WRONG_PARTY_OUTCOMES,
)

__all__ = ["DELIVERY_ONLY", "SPOKEN", "UNOBSERVABLE", "is_reached", "reading_shows"]

#: channels in which reaching means talking
SPOKEN = ("call_agent", "call_bot", "visit")
#: channels whose arrival nobody sees
UNOBSERVABLE = ("letter",)
#: channels whose only sign of reading is the delivery itself
DELIVERY_ONLY = ("sms",)

_PERSON = (*ENGAGED_OUTCOMES, *RIGHT_PARTY_OUTCOMES, "opted_out", "complained")
_STATE_TOLD = ("represented", "bankrupt")
_NOT = (*NO_CONTACT_OUTCOMES, *WRONG_PARTY_OUTCOMES, "deceased")


def _table(channel: str) -> dict[str, float]:
    value: dict[str, float] = dict.fromkeys(OUTCOMES, np.nan)
    value.update(dict.fromkeys(_NOT, 0.0))
    value.update(dict.fromkeys((*_PERSON, *_STATE_TOLD), 1.0))
    value["delivered"] = 1.0 if channel in DELIVERY_ONLY else 0.0
    return value


def is_reached(
    channel: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    machine_only: npt.ArrayLike | None = None,
    direction: npt.ArrayLike | None = None,
    like: dict[str, str] | None = None,
) -> npt.NDArray[np.float64]:
    """Return 1 reached, 0 not reached, NaN where it cannot be told, shape (n,).

    Parameters
    ----------
    channel, outcome : array-like of str, shape (n,)
        Words of the contract; the outcome as known at the instant of the fit.
    machine_only : array-like of bool, shape (n,), optional
        All digital events so far came from machines.
    direction : array-like of str, shape (n,), optional
        ``inbound`` rows are left out (NaN).
    like : dict, optional
        The contract's word that a channel added by the strategy follows.

    Examples
    --------
    >>> is_reached(["call_agent", "email", "sms"], ["no_answer", "opened", "delivered"])
    array([0., 1., 1.])
    """
    words = np.asarray(channel, dtype=object)
    if like:
        words = pd.Series(words, dtype=object).replace(like).to_numpy(dtype=object)
    events = np.asarray(outcome, dtype=object)
    names, channel_code = np.unique(words.astype(str), return_inverse=True)
    known = {word: k for k, word in enumerate(OUTCOMES)}
    outcome_code = pd.Series(events, dtype=object).map(known).fillna(known["unknown"])
    table = np.array([[_table(c)[o] for o in OUTCOMES] for c in names]).reshape(-1, len(OUTCOMES))
    out = table[channel_code.ravel(), outcome_code.to_numpy(dtype=np.int64)]
    out[np.isin(words.astype(str), UNOBSERVABLE)] = np.nan
    if machine_only is not None:
        spoken = np.isin(words.astype(str), SPOKEN)
        out[np.asarray(machine_only, dtype=bool) & ~spoken] = np.nan
    if direction is not None:
        out[np.asarray(direction, dtype=object) == "inbound"] = np.nan
    return out


#: share and number of messages that must show an engagement before silence counts as unread
_SHOWN_SHARE, _SHOWN_COUNT = 0.02, 20


def reading_shows(root: npt.ArrayLike, outcome: npt.ArrayLike) -> bool:
    """Tell whether messages that show only their delivery are followed by clicks and replies.

    Where a book's SMS carry links or are answered, what is merely delivered was mostly not read;
    where none ever shows anything, delivery is all there is to know.

    Parameters
    ----------
    root, outcome : array-like of str, shape (n,)
        The contract's words.

    Examples
    --------
    >>> reading_shows(["sms"] * 100, ["delivered"] * 75 + ["clicked"] * 25)
    True
    >>> reading_shows(["sms"] * 100, ["delivered"] * 100)
    False
    """
    events = np.asarray(outcome, dtype=object)[np.isin(np.asarray(root), DELIVERY_ONLY)]
    engaged = int(np.isin(events, _PERSON).sum())
    seen = engaged + int((events == "delivered").sum())
    return engaged >= _SHOWN_COUNT and engaged >= _SHOWN_SHARE * seen
