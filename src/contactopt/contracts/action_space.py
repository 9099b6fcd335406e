"""What can be chosen for a customer: a channel at a local hour, or a channel without an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ConfigError

__all__ = ["Action", "ActionSpace"]


@dataclass(frozen=True, slots=True)
class Action:
    """One arm: a channel and, where the channel has one, the customer's local clock hour.

    Parameters
    ----------
    channel : str
        A channel word of the contract, or one the strategy adds with ``like``.
    slot_local_hour : int or None
        Clock hour 0 to 23 at the customer; None for channels without an hour (letters).
    name : str or None
        Id of its own, for scores from elsewhere that tell more arms apart than channel and hour.
    """

    channel: str
    slot_local_hour: int | None = None
    name: str | None = None

    @property
    def action_id(self) -> str:
        """Stable id, for example ``call_agent@10`` or ``letter``."""
        if self.name is not None:
            return self.name
        if self.slot_local_hour is None:
            return self.channel
        return f"{self.channel}@{self.slot_local_hour:02d}"


class ActionSpace:
    """The ordered arms of a batch; ``wait`` is always possible and is not listed.

    Parameters
    ----------
    actions : iterable of Action
        Order is kept and decides ties; ids must be unique.

    Raises
    ------
    ConfigError
        If an id appears twice, an hour is not in 0..23, or ``wait`` is listed.

    Examples
    --------
    >>> space = ActionSpace.from_channels({"sms": [9, 18], "letter": [None]})
    >>> space.action_ids
    ('sms@09', 'sms@18', 'letter')
    >>> len(space), space.channels
    (3, ('sms', 'letter'))
    """

    def __init__(self, actions: Iterable[Action]) -> None:
        self.actions = tuple(actions)
        self.action_ids = tuple(a.action_id for a in self.actions)
        self.channels = tuple(dict.fromkeys(a.channel for a in self.actions))
        self._check()
        index = {c: k for k, c in enumerate(self.channels)}
        #: int array, shape (n_actions,): position of each action's channel in ``channels``
        self.channel_index = np.array([index[a.channel] for a in self.actions], dtype=np.int64)
        #: int array, shape (n_actions,): local hour, -1 where the action has none
        self.hours = np.array(
            [-1 if a.slot_local_hour is None else a.slot_local_hour for a in self.actions],
            dtype=np.int64,
        )

    @classmethod
    def from_channels(cls, hours: Mapping[str, Iterable[int | None]]) -> ActionSpace:
        """Build the space from a mapping of channel to its local hours (None: no hour)."""
        return cls(Action(c, h) for c, hs in hours.items() for h in hs)

    def _check(self) -> None:
        if len(set(self.action_ids)) != len(self.action_ids):
            raise ConfigError("an action is listed twice", hint="give each channel and hour once")
        if WAIT in self.channels:
            raise ConfigError("`wait` is not a channel", hint="it is always possible: leave it out")
        for a in self.actions:
            if a.slot_local_hour is not None and not 0 <= a.slot_local_hour <= 23:
                raise ConfigError(
                    f"slot hour {a.slot_local_hour} of {a.channel} is not a clock hour",
                    hint="hours run from 0 to 23, in the customer's local time",
                )

    def __len__(self) -> int:
        return len(self.actions)

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActionSpace) and self.actions == other.actions

    def __hash__(self) -> int:
        return hash(self.actions)

    def __repr__(self) -> str:
        return f"ActionSpace({len(self)} actions over {', '.join(self.channels)}; plus wait)"
