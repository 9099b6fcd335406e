"""Who leads: decided before a batch, on decisions that the models never saw, with hysteresis."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from contactopt.metrics import Estimate
from contactopt.policy.safety.evidence import CANDIDATES, SafetyEvidence
from contactopt.policy.safety.verdict import SHARE_UNIT, Advantage, Inflation, SafetyVerdict

__all__ = ["decide_lead", "proving_share"]

_log = logging.getLogger(__name__)
_RIVALS = CANDIDATES[1:]


def decide_lead(
    evidence: SafetyEvidence | None,
    *,
    previous: SafetyVerdict | None = None,
    rivals: Sequence[str] = _RIVALS,
    level: float = 0.95,
) -> SafetyVerdict:
    """Decide which policy leads the batches to come.

    The learned policy takes the lead once the lower bound of its advantage over every rival is
    above 0. It keeps it as long as no rival's estimate is better, or the log cannot tell: bounds
    that brush against 0 do not make plans change sides from day to day. While it does not lead,
    the safer one does: the incumbent where there is one, or the constant policy once it is shown
    to be better than the incumbent, under the same rule.

    Parameters
    ----------
    evidence : SafetyEvidence or None
        Decisions since the fit, with mature labels; None where there are none.
    previous : SafetyVerdict, optional
        The verdict in force.
    rivals : sequence of str
        Of "constant" and "incumbent", those that are there to lead.
    level : float
        Of the intervals.

    Returns
    -------
    SafetyVerdict
        Without rivals the learned policy leads.

    Raises
    ------
    ContractError
        If a column of the evidence has another length, or holds no probabilities.
    ValueError
        If a rival is neither "constant" nor "incumbent".
    """
    unknown = sorted(set(rivals) - set(_RIVALS))
    if unknown:
        raise ValueError(f"no rival {unknown[0]!r}: 'constant' or 'incumbent'")
    rivals = [name for name in _RIVALS if name in rivals]
    evidence = SafetyEvidence() if evidence is None else evidence
    evidence.check()
    found = [_advantage(evidence, "learned", over, level) for over in rivals]
    between = [_advantage(evidence, "constant", "incumbent", level)] if len(rivals) == 2 else []
    before = None if previous is None else previous.lead
    inflation = _inflation(evidence, level)
    if inflation is not None and inflation.warns:
        _log.warning("%s", inflation)
    everything = (*found, *between)
    if all(a.shown for a in found) or (before == "learned" and not any(map(_worse, found))):
        return SafetyVerdict("learned", "learned leads", everything, inflation)
    return SafetyVerdict(_safer(rivals, between, before), _status(found), everything, inflation)


def _advantage(evidence: SafetyEvidence, of: str, over: str, level: float) -> Advantage:
    if not (evidence.has(of) and evidence.has(over)) or len(evidence) == 0:
        reason = "no decisions with both policies' probabilities"
        return Advantage(of, over, Estimate(math.nan, math.nan, math.nan, 0, reason))
    same = evidence.same(over, of)
    return Advantage(of, over, evidence.advantage(over, of=of, level=level), same)


def _worse(found: Advantage) -> bool:
    return found.known and not found.same and found.estimate.value < 0.0


def _safer(rivals: Sequence[str], between: Sequence[Advantage], before: str | None) -> str:
    if len(rivals) == 1:
        return rivals[0]
    constant = between[0]
    if constant.shown and not constant.same:
        return "constant"
    if before == "constant" and not _worse(constant):
        return "constant"
    return "incumbent"


def _status(found: Sequence[Advantage]) -> str:
    if any(a.known and not a.same and a.estimate.high < 0.0 for a in found):
        return "behind"
    return "cannot tell" if all(a.known for a in found) else "no evidence"


def _inflation(evidence: SafetyEvidence, level: float) -> Inflation | None:
    """Compare what plans promised over waiting with what came of it."""
    if evidence.planned is None or len(evidence) == 0:
        return None
    found = evidence.over_waiting(level)
    return None if found is None else Inflation(float(evidence.planned.mean()), found)


def proving_share(
    verdict: SafetyVerdict,
    *,
    budget: float,
    cost: float,
    n_customers: int,
    most: float = 0.5,
    pilot: float = 0.1,
) -> int:
    """Return which part of the draw the learned policy gets to prove itself.

    Parameters
    ----------
    verdict : SafetyVerdict
    budget : float
        Money of the exploration budget that the leading policy leaves.
    cost : float
        What the batch would lose by the safer scores if the learned policy had all of it.
    n_customers : int
        Customers who may be contacted.
    most, pilot : float
        Largest share with evidence, and without any.

    Returns
    -------
    int
        Share in units of 1 / `SHARE_UNIT`, rounded down; all of it where the learned one leads.
        Of two bounds the tighter one counts: the cost by the safer scores, and by the evidence the
        lower bound of the advantage over who leads, should that be true.
    """
    if verdict.lead == "learned":
        return SHARE_UNIT
    share = pilot if verdict.pilot else most
    worst = 0.0
    found = verdict.over(verdict.lead)
    if found is not None and found.known and not found.same:
        worst = max(-found.estimate.low, 0.0) * n_customers
    for loss in (cost, worst):
        if loss > 0.0:
            share = min(share, max(budget, 0.0) / loss)
    return math.floor(share * SHARE_UNIT)
