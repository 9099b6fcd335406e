"""What a channel is unless the strategy says otherwise.

Unit costs are variable cost per attempt in the strategy's currency, at the low end of the ranges
assumed for collections; a call includes the agent's time. Where agents are rostered and priced by
the minutes of their pool, set the cost of the line only. All are assumptions, to be replaced by
the user's own figures.
"""

from __future__ import annotations

from contactopt.config.sections import ChannelConfig
from contactopt.contracts.vocabulary import CHANNELS

__all__ = ["channel_root", "resolved_channel"]

_UNIT_COST = {
    "call_agent": 1.50,
    "call_bot": 0.10,
    "sms": 0.05,
    "whatsapp": 0.06,
    "email": 0.003,
    "push": 0.001,
    "chat": 0.05,
    "letter": 0.95,
    "visit": 15.0,
}
_POINT_KINDS = {
    "call_agent": ("mobile", "landline"),
    "call_bot": ("mobile", "landline"),
    "sms": ("mobile",),
    "whatsapp": ("mobile",),
    "email": ("email",),
    "push": ("app",),
    "chat": ("app",),
    "letter": ("postal",),
    "visit": ("postal",),
}
#: channels that have no hour at the customer
_HOURLESS = ("letter",)


def channel_root(name: str, channel: ChannelConfig) -> str:
    """Return the contract's word that a channel follows: itself, or what it is `like`."""
    return name if name in CHANNELS and channel.like is None else str(channel.like)


def resolved_channel(name: str, channel: ChannelConfig) -> ChannelConfig:
    """Fill in cost, point kinds and slots of the channel's root word."""
    root = channel_root(name, channel)
    filled = {}
    if channel.unit_cost is None:
        filled["unit_cost"] = _UNIT_COST[root]
    if channel.contact_point_kinds is None:
        filled["contact_point_kinds"] = _POINT_KINDS[root]
    if channel.slots is None and root in _HOURLESS:
        filled["slots"] = ()
    return channel.model_copy(update=filled)
