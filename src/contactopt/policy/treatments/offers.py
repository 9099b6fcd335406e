"""One offer at a time: what was put to a customer stands until it lapses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import NO_CONTACT_OUTCOMES, WRONG_PARTY_OUTCOMES
from contactopt.journal import JournalView
from contactopt.journal.local_time import local_day, local_day_end

__all__ = ["FREE", "NOTHING_MORE", "offers_in_flight"]

Ints = npt.NDArray[np.int64]

#: no offer is in flight
FREE = -1
#: several are, or one that the strategy does not know: any offer could contradict one of them
NOTHING_MORE = -2
#: where a day is over last: the zone of customers whose own is not known
_LAST_ZONE = "Etc/GMT+12"
#: an offer that never came before the customer's eyes, or that was turned down
_NOT_MADE = (*NO_CONTACT_OUTCOMES, *WRONG_PARTY_OUTCOMES, "refused")


def offers_in_flight(view: JournalView, config: StrategyConfig) -> Ints:
    """Return which offer each customer still holds.

    An offer is made by an outbound touch that carries it, or whose decision does, unless the touch
    is known not to have reached the customer or to have been refused; and by a decision on record
    that may still be carried out. It stands until the customer's local day ``valid_days`` after
    the contact is over. Offers that the strategy does not know are taken to stand for the longest
    ``valid_days`` there is.

    Parameters
    ----------
    view : JournalView
        What is known at the instant of the decision.
    config : StrategyConfig

    Returns
    -------
    int64 array, shape (n,)
        Index into the strategy's offers, `FREE` or `NOTHING_MORE`.
    """
    state = np.full(len(view.customer_ids), FREE, dtype=np.int64)
    made = _made(view)
    if len(made) == 0 or not config.offers:
        return state
    place = {o.offer_id: k for k, o in enumerate(config.offers)}
    days = np.array([o.valid_days for o in config.offers], dtype=np.int64)
    code: Ints = made["offer_id"].map(place).fillna(-1).to_numpy(dtype=np.int64).astype(np.int64)
    who = made["customer"].to_numpy(dtype=np.int64)
    stands = _last_instant(view, who, made["at_us"].to_numpy(dtype=np.int64), code, days)
    live = stands >= view.as_of_us
    who, code = who[live], code[live].astype(np.int64)
    low = np.full(len(state), len(place), dtype=np.int64)
    high = np.full(len(state), -2, dtype=np.int64)
    np.minimum.at(low, who, code)
    np.maximum.at(high, who, code)
    some = high > -2
    state[some] = np.where((low == high) & (low >= 0), low, NOTHING_MORE)[some]
    return state


def _made(view: JournalView) -> pd.DataFrame:
    """Return customer, offer_id and instant of offers made, or about to be."""
    touches, decisions = view.touches, view.decisions
    carried = decisions[decisions["offer_id"].notna().to_numpy(dtype=bool)]
    offer = touches["offer_id"].astype(object)
    if len(carried):
        of_decision = pd.Series(
            carried["offer_id"].to_numpy(dtype=object), index=carried["decision_id"].astype(object)
        )
        planned = touches["decision_id"].astype(object).map(of_decision)
        offer = offer.where(offer.notna(), planned)
    out = (touches["direction"] == "outbound") & ~touches["outcome"].isin(_NOT_MADE)
    seen = (offer.notna() & out).to_numpy(dtype=bool)
    pending = carried[carried["open"].to_numpy(dtype=bool)]
    start = pending["slot_end_us"].to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "customer": np.concatenate([touches["customer"].to_numpy()[seen], pending["customer"]]),
            "offer_id": np.concatenate(
                [offer.to_numpy(dtype=object)[seen], pending["offer_id"].to_numpy(dtype=object)]
            ),
            "at_us": np.concatenate([touches["started_us"].to_numpy()[seen], start]),
        }
    )


def _last_instant(view: JournalView, who: Ints, at_us: Ints, code: Ints, days: Ints) -> Ints:
    """Return the end of the customer's local day ``valid_days`` after the offer was made."""
    valid = np.where(code >= 0, days[np.maximum(code, 0)], days.max())
    told = view.customers["time_zone"]
    zone = told.astype(object).where(told.notna(), _LAST_ZONE).to_numpy(dtype=object)[who]
    return local_day_end(local_day(at_us, zone) + valid, zone)
