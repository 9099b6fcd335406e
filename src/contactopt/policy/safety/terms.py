"""What a batch is ranked under while safety is on: the verdict in force and who stands by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from contactopt.config.sections import SafetyConfig
from contactopt.policy.safety.incumbent import Incumbent
from contactopt.policy.safety.lead import decide_lead
from contactopt.policy.safety.verdict import SafetyVerdict

__all__ = ["SafetyTerms"]


@dataclass(frozen=True)
class SafetyTerms:
    """Safety as `rank` takes it.

    Parameters
    ----------
    verdict : SafetyVerdict
        Decided before the batch.
    incumbent : Incumbent or None
        The regime in force; None where it is not known.
    rivals : tuple of str
        Of "constant" and "incumbent": planned and logged beside the learned policy.
    most_share, pilot_share : float
        Largest share of the draw for the learned policy while another leads, with evidence and
        without any.
    """

    verdict: SafetyVerdict
    incumbent: Incumbent | None = None
    rivals: tuple[str, ...] = ("constant", "incumbent")
    most_share: float = 0.5
    pilot_share: float = 0.1

    @classmethod
    def of(
        cls,
        settings: SafetyConfig,
        *,
        incumbent: Incumbent | None,
        verdict: SafetyVerdict | None = None,
    ) -> SafetyTerms:
        """Bring a strategy's settings and its latest verdict together; without one, a first one."""
        there = tuple(r for r in settings.rivals if r != "incumbent" or incumbent is not None)
        if verdict is None:
            verdict = decide_lead(None, rivals=there, level=settings.level)
        return cls(verdict, incumbent, there, settings.most_share, settings.pilot_share)

    @property
    def key(self) -> str:
        """Content hash: batches under other terms are other batches."""
        state = {
            "verdict": self.verdict.to_state(),
            "incumbent": None if self.incumbent is None else self.incumbent.to_state(),
            "rivals": self.rivals,
            "shares": [self.most_share, self.pilot_share],
        }
        text = json.dumps(state, sort_keys=True)
        return "safety-" + hashlib.sha256(text.encode()).hexdigest()[:12]
