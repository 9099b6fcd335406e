"""Which of two outcomes of one touch stands: the one that protects the customer more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.contracts import vocabulary as v

__all__ = ["LOUDNESS", "outcome_rank"]

#: outcomes from the quietest to the loudest. Nothing known gives way to anything; nobody there to
#: signs of reception; those to a conversation; that to a dead address; and all of them to words
#: after which contact has to stop or to change. So a later status of the same message never
#: takes back what an earlier one said to the customer's protection.
LOUDNESS = (
    "unknown",
    "no_answer",
    "busy",
    "unreachable",
    "undelivered",
    "blocked",
    "voicemail",
    "delivered",
    "opened",
    "clicked",
    "visited",
    "replied",
    "paid_online",
    "third_party",
    "hung_up",
    "no_commitment",
    "refused",
    "callback",
    "claims_paid",
    "paid",
    "promise",
    "settlement_agreed",
    "plan_agreed",
    "bounced",
    "invalid",
    "wrong_number",
    "complained",
    "hardship",
    "vulnerable",
    "dispute",
    "opted_out",
    "asked_to_stop",
    "represented",
    "bankrupt",
    "deceased",
)
assert sorted(LOUDNESS) == sorted(v.OUTCOMES)
_RANK = {word: rank for rank, word in enumerate(LOUDNESS)}


def outcome_rank(words: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the loudness of outcomes, shape (n,); words that are none say nothing.

    Examples
    --------
    >>> outcome_rank(["unknown", "delivered", "opted_out"]).tolist()
    [0, 7, 30]
    """
    given = np.asarray(words, object)
    return np.fromiter((_RANK.get(w, 0) for w in given), np.int64, len(given))
