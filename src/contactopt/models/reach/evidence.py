"""What earlier attempts gave away beside reached or not: blocked lines, dead points, live ones.

A call that is rejected by the phone says more than one that rings out, and a number out of service
says all. Each attempt is described by what was known before it: counts of such signs through
the same kind of contact point, faded by age, and how much the customer was contacted lately.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "FEATURES",
    "GROUPS",
    "PRESSURE_HALF_LIFE_DAYS",
    "Trail",
    "group_of",
    "sign_of",
    "walk",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: kinds of contact point: a dead phone says nothing of the e-mail address
GROUPS = ("voice", "text", "email", "app", "visit", "post")
_GROUP = {
    "call_agent": 0,
    "call_bot": 0,
    "sms": 1,
    "whatsapp": 1,
    "email": 2,
    "push": 3,
    "chat": 3,
    "portal": 3,
    "visit": 4,
    "letter": 5,
}
#: signs by outcome: reached (0; personal effects tell it), the line lives (1), silence (2), shut
#: out (3), dead (4)
_SIGN = {
    **dict.fromkeys(("busy", "third_party", "unreachable"), 1),
    **dict.fromkeys(("no_answer", "voicemail", "delivered"), 2),
    **dict.fromkeys(("blocked", "undelivered"), 3),
    **dict.fromkeys(("invalid", "wrong_number", "bounced"), 4),
}
#: groups that often share a contact point: a phone called and texted
_SIBLING = np.array([1, 0, -1, -1, -1, -1])
FEATURES = (
    "line lives, log count",
    "silence and never shut out, log count",
    "silence, log count",
    "shut out ever",
    "shut out, log count",
    "last sign was a dead point",
    "dead point, log count",
    "no way through by the other use of the phone, log count",
    "pressure on the customer",
    "pressure through the channel group",
)
#: the half-life with which touches wear off
PRESSURE_HALF_LIFE_DAYS = 14.0


def group_of(root: str) -> int:
    """Position in ``GROUPS`` of the contract's channel word."""
    return _GROUP[root]


def sign_of(outcome: npt.NDArray[np.object_] | None, reached: Floats) -> npt.NDArray[np.int8]:
    """Return the sign that each attempt gave, shape (n,): -1 where it gave none.

    Without outcome words a miss says nothing beyond itself, which the personal effects tell.
    """
    import pandas as pd

    if outcome is None:
        sign = np.full(len(reached), -1)
    else:
        words = pd.Categorical(outcome)
        table = np.array([_SIGN.get(str(w), -1) for w in words.categories] + [-1])
        sign = table[words.codes]
    return np.where(reached == 1.0, 0, sign).astype(np.int8)


class Trail:
    """What attempts left behind.

    Attributes
    ----------
    row : float array, shape (n, n_features)
        Before each attempt, through its own group; float32.
    end : float array, shape (n_customers, n_groups, n_features)
        At age 0, whatever the group of the next attempt; float32.
    """

    def __init__(self, row: npt.NDArray[np.float32], end: npt.NDArray[np.float32]) -> None:
        self.row, self.end = row, end


def walk(
    customer: Ints,
    age_days: Floats,
    group: Ints,
    sign: npt.NDArray[np.int8],
    n_customers: int,
    half_life_days: float,
) -> Trail:
    """Follow every customer's attempts through time.

    Parameters
    ----------
    customer : int array, shape (n,)
        Sorted; codes below ``n_customers``.
    age_days : float array, shape (n,)
        Falling within a customer. Attempts of one age do not know of each other.
    group, sign : int arrays, shape (n,)
    n_customers : int
    half_life_days : float
        With which signs fade.
    """
    row = np.zeros((len(customer), len(FEATURES)), dtype=np.float32)
    end = np.zeros((n_customers, len(GROUPS), len(FEATURES)), dtype=np.float32)
    if len(customer):
        fade = (half_life_days, PRESSURE_HALF_LIFE_DAYS)
        _walk(customer, age_days, group, sign, *fade, _SIBLING, row, end)
    return Trail(row, end)


@njit(cache=True)
def _tell(out, count, last, pressure, group, sibling):
    own = count[group]
    shut_out = own[3] > 0
    out[0] = np.log1p(own[1])
    out[1] = 0.0 if shut_out else np.log1p(own[2])
    out[2] = np.log1p(own[2])
    out[3] = 1.0 if shut_out else 0.0
    out[4] = np.log1p(own[3])
    out[5] = 1.0 if last[group] == 4 else 0.0
    out[6] = np.log1p(own[4])
    other = sibling[group]
    if other >= 0:
        # a phone that rejects calls may take texts, one that takes no text is off or dead
        blocked = count[other, 3] if group == 0 else 0.0
        out[7] = np.log1p(count[other, 4] + blocked)
    total = 0.0
    for g in range(len(pressure)):
        total += pressure[g]
    out[8] = total
    out[9] = pressure[group]


@njit(cache=True)
def _walk(customer, age, group, sign, half_life, wears_off, sibling, row, end):
    n, n_groups = len(customer), end.shape[1]
    count = np.zeros((n_groups, 5))
    last = np.full(n_groups, -1)
    pressure = np.zeros(n_groups)
    i = 0
    while i < n:
        who, now = customer[i], age[i]
        j = i
        while j < n and customer[j] == who and age[j] == now:
            j += 1
        for k in range(i, j):
            _tell(row[k], count, last, pressure, group[k], sibling)
        for k in range(i, j):
            g = group[k]
            pressure[g] += 1.0
            if sign[k] >= 0:
                count[g, sign[k]] += 1.0
                last[g] = sign[k]
        ends = j == n or customer[j] != who
        passed = now if ends else now - age[j]
        count *= 2.0 ** (-passed / half_life)
        pressure *= 2.0 ** (-passed / wears_off)
        if ends:
            for g in range(n_groups):
                _tell(end[who, g], count, last, pressure, g, sibling)
            count[:] = 0.0
            last[:] = -1
            pressure[:] = 0.0
        i = j
