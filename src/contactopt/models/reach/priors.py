"""What is assumed about reach before any history: channels, hours, fatigue.

Calls reach fewer than a fifth of customers and e-mails of collectors are opened by 15-20 %
(published figures of vendors); at work 10-11 h and 14-16 h, at home 19-21 h (an old manual's
heuristic, so the bumps are small); odds fall by 0.85 per touch in seven days (assumption). All
other figures are assumptions, to be overruled by a few hundred attempts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.contracts.vocabulary import CHANNELS
from contactopt.models.reach.events import SPOKEN

__all__ = [
    "BLOCK_OF_HOUR",
    "CHANNEL_SD",
    "FATIGUE",
    "MEDIA",
    "N_BLOCKS",
    "N_MEDIA",
    "QUALITY",
    "READ_SMS",
    "channel_prior",
    "hour_prior",
    "medium_of",
]

_REACH = {
    "call_agent": 0.18,
    "call_bot": 0.15,
    "sms": 0.90,
    "whatsapp": 0.45,
    "email": 0.18,
    "push": 0.10,
    "chat": 0.25,
    "letter": 0.60,
    "visit": 0.35,
    "portal": 0.50,
}
#: messages whose reading shows: texts are answered by 20-30 % (vendors)
READ_SMS = 0.25
#: sd of a channel's level on the logit scale, around its prior
CHANNEL_SD = 1.0
#: mean and sd of the slope per touch in the trailing seven days
FATIGUE = (float(np.log(0.85)), 0.10)
#: mean and sd of the slope per unit of a contact point's quality share, around 0.5
QUALITY = (1.0, 0.75)

#: spoken, written: hours mean different things in the two
N_MEDIA = 2
MEDIA = ("spoken", "written")
N_BLOCKS = 6
_BLOCK_STARTS = (0, 9, 12, 14, 17, 19)
BLOCK_OF_HOUR: npt.NDArray[np.int64] = np.searchsorted(_BLOCK_STARTS, np.arange(24), "right") - 1


def medium_of(root: str) -> int:
    """0 for channels in which one talks, 1 for written ones."""
    return 0 if root in SPOKEN else 1


def channel_prior(root: str) -> float:
    """Prior level of a channel, on the logit scale."""
    p = _REACH[root]
    return float(np.log(p / (1 - p)))


def hour_prior() -> npt.NDArray[np.float64]:
    """Prior bump per medium and local hour on the logit scale, shape (2, 24), mean 0 over 8-20."""
    bump = np.zeros((N_MEDIA, 24))
    bump[0, 10:12] = 0.15
    bump[0, 13] = -0.10
    bump[0, 14:17] = 0.10
    bump[0, 19:22] = 0.25
    bump[1, 9:11] = 0.05
    bump[1, 18:21] = 0.10
    return bump - bump[:, 8:21].mean(axis=1, keepdims=True)


assert set(_REACH) == set(CHANNELS)  # every channel of the contract has a prior
