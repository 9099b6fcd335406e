"""Safe, and able to leave safety: what a strategy carries from batch to batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from contactopt.config import StrategyConfig
    from contactopt.journal import JournalView
    from contactopt.plan import DecisionLog
    from contactopt.policy.safety import Incumbent, SafetyTerms, SafetyVerdict

__all__ = ["LeavesSafety"]


class LeavesSafety:
    """The part of `ContactStrategy` that decides who leads; nothing happens while safety is off.

    Attributes
    ----------
    incumbent_ : Incumbent or None
        The regime in force: the strategy file's, else cloned from touches at the fit.
    verdict_ : SafetyVerdict or None
        Who leads, by the newest `update`; None before one.
    """

    config: StrategyConfig
    as_of_: pd.Timestamp
    incumbent_: Incumbent | None = None
    verdict_: SafetyVerdict | None = None

    def _start_safety(self, view: JournalView, segment: npt.ArrayLike, previous: Any) -> None:
        """Take the incumbent from the strategy file, from the previous strategy, or from touches.

        A strategy that was in force has shaped the touches: it hands its own incumbent on.
        """
        from contactopt.policy.safety import Incumbent, clone_incumbent

        self.incumbent_, self.verdict_ = None, None
        settings = self.config.safety
        if settings.enabled and "incumbent" in settings.rivals:
            found = Incumbent.from_config(self.config) or getattr(previous, "incumbent_", None)
            if found is None:
                found = clone_incumbent(view, self.config.action_space, segment)
            self.incumbent_ = found

    def _safety_terms(self) -> SafetyTerms | None:
        """Return what the next batch is ranked under; None while safety is off."""
        from contactopt.policy.safety import SafetyTerms

        settings = self.config.safety
        if not settings.enabled:
            return None
        return SafetyTerms.of(settings, incumbent=self.incumbent_, verdict=self.verdict_)

    def _judged(self, log: DecisionLog | None, view: JournalView) -> SafetyVerdict | None:
        """Return the verdict on decisions since the fit; None while safety is off.

        Who led before is read from the newest batch of the log, so that many updates and one that
        reads the same log come to the same verdict.
        """
        from contactopt.learning.safety_rows import latest_verdict, safety_evidence
        from contactopt.policy.safety import decide_lead

        terms = self._safety_terms()
        if terms is None:
            return None
        return decide_lead(
            safety_evidence(log, view, self.config, since=self.as_of_),
            previous=latest_verdict(log, view.as_of),
            rivals=terms.rivals,
            level=self.config.safety.level,
        )

    # ---- keeping ---------------------------------------------------------------------------

    def _safety_state(self) -> dict[str, Any]:
        """Return what a bundle keeps; nothing while there is nothing."""
        own = {"incumbent": self.incumbent_, "verdict": self.verdict_}
        state = {k: v.to_state() for k, v in own.items() if v is not None}
        return {"safety": state} if state else {}

    def _safety_from(self, state: dict[str, Any] | None) -> None:
        """Take up what a bundle holds; None: safety was off, or it is older."""
        from contactopt.policy.safety import Incumbent, SafetyVerdict

        state = state or {}
        incumbent, verdict = state.get("incumbent"), state.get("verdict")
        self.incumbent_ = None if incumbent is None else Incumbent.from_state(incumbent)
        self.verdict_ = None if verdict is None else SafetyVerdict.from_state(verdict)
