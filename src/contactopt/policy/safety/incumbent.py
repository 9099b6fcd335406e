"""The regime in force as a policy: how often customers of a stage get each action, per day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.config import StrategyConfig
from contactopt.contracts import ActionSpace
from contactopt.journal import JournalView
from contactopt.segments import stage_of

__all__ = ["Incumbent", "clone_incumbent"]

Floats = npt.NDArray[np.float64]
_DAY_US = 86_400_000_000
#: stage of customers of whom nothing was seen
_ANY = ""


@dataclass(frozen=True)
class Incumbent:
    """Probabilities per stage and action; what is left is waiting.

    Parameters
    ----------
    shares : dict of str to dict of str to float
        Stage to action id to probability per customer and day; stage "" stands for those that are
        not named. A stage's sum is at most 1.
    source : str
        Where it comes from, in words.

    Examples
    --------
    >>> incumbent = Incumbent({"early": {"sms@10": 0.2}, "": {"letter": 0.01}}, "rule file")
    >>> incumbent.probabilities(["early", "late"], ["sms@10", "letter"]).tolist()
    [[0.2, 0.0], [0.0, 0.01]]
    """

    shares: dict[str, dict[str, float]]
    source: str

    def probabilities(self, stages: Any, action_ids: Sequence[str]) -> Floats:
        """Return the probability of every action, shape (n, m); actions it never took have 0.

        Parameters
        ----------
        stages : array-like of str, shape (n,)
        action_ids : sequence of m str
        """
        names = [*self.shares, _ANY] if _ANY not in self.shares else list(self.shares)
        place = {name: k for k, name in enumerate(names)}
        table = np.array(
            [[self.shares.get(s, {}).get(a, 0.0) for a in action_ids] for s in names]
        ).reshape(len(names), len(action_ids))
        code = np.array([place.get(str(s), place[_ANY]) for s in stages], dtype=np.int64)
        return table[code]

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"shares": {k: dict(v) for k, v in self.shares.items()}, "source": self.source}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Incumbent:
        """Rebuild from `to_state`."""
        shares = {
            str(k): {str(a): float(p) for a, p in v.items()} for k, v in state["shares"].items()
        }
        return cls(shares, str(state["source"]))

    @classmethod
    def from_config(cls, config: StrategyConfig) -> Incumbent | None:
        """Read the rules of the strategy file; None where it names none.

        Actions that the strategy does not have are left out: they cannot be planned.
        """
        rows = config.safety.incumbent
        if not rows:
            return None
        known = {(a.channel, a.slot_local_hour): a.action_id for a in config.action_space.actions}
        shares: dict[str, dict[str, float]] = {}
        for row in rows:
            action = known.get((row.channel, row.hour))
            own = shares.setdefault(_ANY if row.stage is None else row.stage, {})
            if action is not None:
                own[action] = own.get(action, 0.0) + row.share
        return cls({stage: _at_most_one(own) for stage, own in shares.items()}, "strategy file")


def _at_most_one(shares: dict[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    return shares if total <= 1.0 else {a: p / total for a, p in shares.items()}


def clone_incumbent(
    view: JournalView,
    actions: ActionSpace,
    segment: npt.ArrayLike,
    *,
    days: int = 28,
) -> Incumbent | None:
    """Learn the regime in force from its touches.

    Parameters
    ----------
    view : JournalView
        What is known at the fit.
    actions : ActionSpace
        Other channels and hours are not cloned: the strategy cannot plan them.
    segment : array-like of str, shape (n_customers,)
        Labels that begin with the stage of the arrears, today's.
    days : int
        Length of the history that counts.

    Returns
    -------
    Incumbent or None
        Outbound touches per customer of the stage and day, whoever planned them. None where there
        was no such touch.
    """
    stages = stage_of(np.asarray(segment, dtype=object))
    touches = view.touches
    owner = touches["customer"].to_numpy(np.int64)
    since = view.as_of_us - days * _DAY_US
    started = touches["started_us"].to_numpy(np.int64)
    outbound = (touches["direction"] == "outbound").to_numpy()
    own = outbound & (started >= since) & (started < view.as_of_us)
    if not own.any():
        return None
    zone = view.journal.zones[owner[own]]
    action = _actions_of(actions, touches["channel"].to_numpy(object)[own], started[own], zone)
    who = owner[own][action >= 0]
    action = action[action >= 0]
    if action.size == 0:
        return None
    names, code = np.unique(stages.astype(str), return_inverse=True)
    count = np.zeros((len(names), len(actions)))
    np.add.at(count, (code.ravel()[who], action), 1.0)
    exposure = np.bincount(code.ravel(), minlength=len(names)) * float(days)
    overall = count.sum(axis=0) / max(exposure.sum(), 1.0)
    shares = {_ANY: _named(actions, overall)}
    for k, name in enumerate(names.tolist()):
        shares[name] = _named(actions, count[k] / max(exposure[k], 1.0))
    return Incumbent(shares, f"touches of the {days} days before {view.as_of:%Y-%m-%d}")


def _actions_of(
    actions: ActionSpace, channel: npt.NDArray[np.object_], started: Any, zone: Any
) -> npt.NDArray[np.int64]:
    """Return the action of every touch, -1 where the strategy has none."""
    from contactopt.journal.local_time import local_hour

    local = local_hour(started, zone)
    place = {(a.channel, a.slot_local_hour): k for k, a in enumerate(actions.actions)}
    keys = zip(channel.tolist(), local.tolist(), strict=True)
    return np.array([place.get((c, h), place.get((c, None), -1)) for c, h in keys], dtype=np.int64)


def _named(actions: ActionSpace, shares: Floats) -> dict[str, float]:
    found = {a: float(p) for a, p in zip(actions.action_ids, shares, strict=True) if p > 0}
    return _at_most_one(found)
