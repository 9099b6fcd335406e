"""The settings of exploration and control under which a batch is ranked."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sklearn.base import BaseEstimator

from contactopt.errors import ConfigError
from contactopt.policy.exploration import Exploration
from contactopt.policy.log_barrier import LogBarrier
from contactopt.policy.softmax import Softmax

__all__ = ["ContactPolicy"]

_FAMILY = {"log_barrier": LogBarrier, "softmax": Softmax}
_DEFAULT = LogBarrier()


class ContactPolicy(BaseEstimator):
    """How much may be spent on learning, how, and who is left out as control.

    Parameters
    ----------
    exploration : LogBarrier, Softmax or None
        The regulariser that makes every probability. None asks for the plain linear programme:
        certified, but without propensities that a later policy could be judged by.
    exploration_share : float
        Share of the capacity-constrained greedy plan's estimated value that exploration, floor
        and control group may cost together.
    exploration_money : float
        The same in money per batch; the larger of the two is the budget. If both are 0 the plain
        linear programme is solved, as with ``exploration=None``.
    floor : float
        Least probability of every eligible arm and of waiting, in [0, 0.01]. It is lowered where a
        capacity row or the budget is too small to carry it; the plan says so.
    tau_learn : float
        Dimensionless weight above which nothing more is worth learning, in (0, 1].
    holdout_share : float
        Share of customers who are never contacted, chosen by a hash of their id.

    Examples
    --------
    >>> policy = ContactPolicy(exploration_share=0.03)
    >>> policy.get_params()["exploration_share"], policy.explores
    (0.03, True)
    >>> ContactPolicy.from_state(policy.to_state()).version == policy.version
    True
    """

    def __init__(
        self,
        *,
        exploration: Exploration | None = _DEFAULT,
        exploration_share: float = 0.05,
        exploration_money: float = 0.0,
        floor: float = 1e-4,
        tau_learn: float = 0.005,
        holdout_share: float = 0.02,
    ) -> None:
        self.exploration = exploration
        self.exploration_share = exploration_share
        self.exploration_money = exploration_money
        self.floor = floor
        self.tau_learn = tau_learn
        self.holdout_share = holdout_share

    @property
    def explores(self) -> bool:
        """Whether probabilities are interior (False: the plain linear programme)."""
        return self.exploration is not None and (
            self.exploration_share > 0 or self.exploration_money > 0
        )

    @property
    def version(self) -> str:
        """Short content hash of the settings."""
        text = json.dumps(self.to_state(), sort_keys=True)
        return "policy-" + hashlib.sha256(text.encode()).hexdigest()[:12]

    def check(self) -> None:
        """Refuse settings that mean nothing.

        Raises
        ------
        ConfigError
            Naming the first parameter that is out of its range.
        """
        ranges = {
            "exploration_share": (self.exploration_share, 0.0, 1.0),
            "exploration_money": (self.exploration_money, 0.0, float("inf")),
            "floor": (self.floor, 0.0, 0.01),
            "tau_learn": (self.tau_learn, 1e-12, 1.0),
            "holdout_share": (self.holdout_share, 0.0, 1.0),
        }
        for name, (given, low, high) in ranges.items():
            if not low <= given <= high:
                raise ConfigError(
                    f"{name} = {given!r} is outside [{low:g}, {high:g}]",
                    hint=f"set `{name}` of the policy to a number in that range",
                )
        if self.exploration is not None and not isinstance(self.exploration, Exploration):
            raise ConfigError(
                f"exploration must be LogBarrier(), Softmax() or None, not {self.exploration!r}",
                hint="the strategy file's words are log_barrier and softmax",
            )

    def to_state(self) -> dict[str, Any]:
        """Return JSON-ready settings from which `from_state` builds an equal policy."""
        state = {k: v for k, v in self.get_params(deep=False).items() if k != "exploration"}
        state["exploration"] = None if self.exploration is None else self.exploration.name
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ContactPolicy:
        """Build a policy from `to_state`, or from the words of the strategy file.

        Raises
        ------
        ConfigError
            If the name of the exploration is unknown.
        """
        name = state.get("exploration")
        if name is not None and name not in _FAMILY:
            raise ConfigError(
                f"unknown exploration {name!r}", hint="known are: " + ", ".join(sorted(_FAMILY))
            )
        rest = {k: v for k, v in state.items() if k != "exploration"}
        return cls(exploration=None if name is None else _FAMILY[name](), **rest)
