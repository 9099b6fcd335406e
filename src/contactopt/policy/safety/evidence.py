"""What earlier decisions tell about three policies: columns of one log, one row per decision."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.errors import ContractError
from contactopt.metrics import Estimate, value_difference

__all__ = ["CANDIDATES", "SafetyEvidence"]

Floats = npt.NDArray[np.float64]
#: who may lead, the most daring first
CANDIDATES = ("learned", "constant", "incumbent")


def _none() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class SafetyEvidence:
    """Decisions made since the strategy's fit whose label is mature, control group left out.

    Parameters
    ----------
    customer, day : array, shape (n,)
        Clusters.
    reward : float array, shape (n,)
        The label: discounted net money of the whole window, in the strategy's currency.
    propensity : float array in (0, 1], shape (n,)
        Probability with which the logged action was drawn.
    learned, constant, incumbent : float array in [0, 1], shape (n,), or None
        Probability of the drawn action under each policy as it was planned on that day. None: that
        policy is not there.
    uncovered : float array in [0, 1], shape (n,), or None
        Largest probability of the three on actions that the log could not draw.
    waited : bool array, shape (n,), or None
        Whether the drawn action was `wait`.
    planned : float array, shape (n,), or None
        What the learned policy promised of each decision over waiting, by the scores of that day.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> call = rng.random(4000) < 0.5
    >>> evidence = SafetyEvidence(
    ...     customer=np.arange(4000),
    ...     day=rng.integers(20, size=4000),
    ...     reward=rng.normal(np.where(call, 3.0, 2.0), 1.0),
    ...     propensity=np.full(4000, 0.5),
    ...     learned=np.where(call, 0.9, 0.1),
    ...     constant=np.full(4000, 0.5),
    ... )
    >>> evidence.advantage("constant").low > 0.3
    True
    """

    customer: npt.NDArray[Any] = field(default_factory=_none)
    day: npt.NDArray[Any] = field(default_factory=_none)
    reward: Floats = field(default_factory=_none)
    propensity: Floats = field(default_factory=_none)
    learned: Floats = field(default_factory=_none)
    constant: Floats | None = None
    incumbent: Floats | None = None
    uncovered: Floats | None = None
    waited: npt.NDArray[np.bool_] | None = None
    planned: Floats | None = None

    def __len__(self) -> int:
        return len(self.reward)

    def check(self) -> None:
        """Refuse columns of different lengths and probabilities that are none.

        Raises
        ------
        ContractError
            Naming the column.
        """
        n = len(self.reward)
        for name in (f.name for f in fields(self)):
            values = getattr(self, name)
            if values is None:
                continue
            if len(values) != n:
                raise ContractError(
                    f"`{name}` of the evidence has {len(values)} rows, `reward` has {n}",
                    hint="one row per decision in every column",
                )
            if name in (*CANDIDATES, "propensity", "uncovered"):
                low = 0.0 if name != "propensity" else np.nextafter(0.0, 1.0)
                if not ((np.asarray(values) >= low) & (np.asarray(values) <= 1.0)).all():
                    raise ContractError(
                        f"`{name}` of the evidence is no probability",
                        hint="propensities lie in (0, 1], the others in [0, 1]",
                    )

    def advantage(self, over: str, *, of: str = "learned", level: float = 0.95) -> Estimate:
        """Return value of ``of`` less value of ``over``, money per decision, paired and clustered.

        Raises
        ------
        KeyError
            If one of the two is not there.
        """
        first, second = self.column(of), self.column(over)
        return value_difference(
            self.reward,
            first,
            second,
            self.propensity,
            estimator="snips",
            customer=self.customer,
            day=self.day,
            uncovered=self.uncovered,
            level=level,
        )

    def over_waiting(self, level: float = 0.95) -> Estimate | None:
        """Return what the learned policy is worth over waiting; None where that is not recorded."""
        if self.waited is None:
            return None
        own = replace(self, constant=self.waited.astype(np.float64))
        return own.advantage("constant", level=level)

    def same(self, over: str, of: str = "learned") -> bool:
        """Whether two policies never differed on a drawn action."""
        return bool(np.array_equal(self.column(of), self.column(over)))

    def has(self, name: str) -> bool:
        """Whether a policy is there."""
        return getattr(self, name, None) is not None

    def column(self, name: str) -> Floats:
        """Return a policy's probabilities of the drawn actions."""
        found = getattr(self, name, None) if name in CANDIDATES else None
        if found is None:
            raise KeyError(name)
        return np.asarray(found, dtype=np.float64)
