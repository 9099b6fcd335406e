"""Earlier decisions as evidence on who should lead: three policies' probabilities and the money."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import WAIT
from contactopt.journal import JournalView
from contactopt.journal.decision_labels import decision_horizons, decision_labels
from contactopt.plan.log.reader import DecisionLog
from contactopt.plan.log.safe_record import column_of
from contactopt.policy.safety import SafetyEvidence, SafetyVerdict
from contactopt.policy.safety.evidence import CANDIDATES

__all__ = ["latest_verdict", "safety_evidence"]

Floats = npt.NDArray[np.float64]
_LABELS = ["decision_id", "customer_id", "decided_at", "channel", "slot_start"]


def safety_evidence(
    log: DecisionLog | None,
    view: JournalView,
    config: StrategyConfig,
    *,
    since: pd.Timestamp,
) -> SafetyEvidence:
    """Gather the decisions after the models' fit whose window has closed.

    A batch counts as a whole, once its longest window has closed and its payments are known: until
    then the stages of short windows alone would say who is better.

    Parameters
    ----------
    log : DecisionLog or None
    view : JournalView
        What is known now, in the strategy's terms.
    config : StrategyConfig
    since : Timestamp
        The models' fit: they know the decisions before it.

    Returns
    -------
    SafetyEvidence
        One row per decision of batches ranked with safety on; the control group and customers who
        are not known are left out. The money is margin x discounted payments of the whole window,
        less the costs of touches that bear the decision and of complaints and opt-outs. A policy
        that was missing in one of the batches is missing.
    """
    found: list[dict[str, Any]] = []
    delay = pd.Timedelta(hours=view.journal.delay_hours("payments"))
    horizon = pd.Timedelta(days=config.objective.horizons.longest) + delay
    for batch_id in () if log is None else log.batch_ids:
        assert log is not None
        facts = log.facts(batch_id)
        if facts.safe is not None and facts.as_of >= since and facts.as_of + horizon <= view.as_of:
            found.append(_of_batch(log, batch_id, view, config))
    if not found:
        return SafetyEvidence()
    names = [n for n in found[0] if all(n in part for part in found)]
    joined: dict[str, Any] = {n: np.concatenate([part[n] for part in found]) for n in names}
    return SafetyEvidence(**joined)


def latest_verdict(log: DecisionLog | None, until: pd.Timestamp) -> SafetyVerdict | None:
    """Return the verdict of the newest batch ranked with safety on; None where there is none."""
    for batch_id in () if log is None else reversed(log.batch_ids):
        assert log is not None
        facts = log.facts(batch_id)
        if facts.safe is not None and facts.as_of <= until:
            return SafetyVerdict.from_state(facts.safe["verdict"])
    return None


def _of_batch(
    log: DecisionLog, batch_id: str, view: JournalView, config: StrategyConfig
) -> dict[str, Any]:
    decisions = log.decisions(batch_id)
    roots = {c: config.channel_root(c) for c in config.channels}
    labels = decision_labels(
        view,
        decisions[_LABELS].assign(channel=decisions["channel"].astype(object).replace(roots)),
        horizon_days=decision_horizons(view, decisions, config),
        discount_rate_yearly=config.objective.discount_rate_yearly,
    )
    columns = _drawn(log, batch_id, decisions)
    harm = labels["complaints"] * config.objective.cost_per_complaint
    harm += labels["opt_outs"] * config.objective.cost_per_opt_out
    spent = (np.nan_to_num(labels["cost"].to_numpy(np.float64)) + harm.to_numpy(np.float64)).astype(
        np.float64
    )
    margin = columns.pop("margin")
    margin = np.where(margin > 0, margin, config.objective.margin_share)
    columns["reward"] = margin * labels["amount_discounted"].to_numpy(np.float64) - spent
    columns["customer"] = decisions["customer_id"].to_numpy(dtype=object)
    day = f"{log.facts(batch_id).as_of:%Y-%m-%d}"
    columns["day"] = np.full(len(decisions), day, dtype=object)
    kept = ~decisions["holdout"].to_numpy(dtype=bool)
    kept &= (labels["customer"] >= 0).to_numpy() & labels["mature"].to_numpy(dtype=bool)
    return {name: values[kept] for name, values in columns.items()}


def _drawn(log: DecisionLog, batch_id: str, decisions: pd.DataFrame) -> dict[str, Any]:
    """Read what the log says of each drawn action, and sums over all actions, block by block."""
    parts, n = log.parts(batch_id), len(decisions)
    told = log.facts(batch_id).safe
    assert told is not None
    there = ["learned", *(name for name in CANDIDATES[1:] if name in told)]
    wanted = ["action_id", "probability", "value", "margin", *map(column_of, there)]
    out: dict[str, Any] = {name: np.zeros(n) for name in there}
    for name in ("propensity", "uncovered", "planned", "margin"):
        out[name] = np.zeros(n)
    drawn_id = decisions["action_id"].astype(str).to_numpy(dtype=object)
    out["waited"] = drawn_id == WAIT
    for first, last in parts.blocks():
        table = parts.read(first, last, wanted)
        shape = (last - first, parts.width)
        ids = table.column("action_id").slice(0, parts.width).to_pylist()
        place = {name: k for k, name in enumerate(ids)}
        at = (np.arange(shape[0]), np.array([place[a] for a in drawn_id[first:last]], dtype=int))
        s = slice(first, last)

        def grid(name: str, table: Any = table, shape: tuple[int, int] = shape) -> Floats:
            return table.column(name).to_pandas().to_numpy(np.float64).reshape(shape)

        p = grid("probability")
        out["propensity"][s] = p[at]
        out["margin"][s] = np.nan_to_num(grid("margin")).max(axis=1)
        for name in there:
            own = grid(column_of(name))
            out[name][s] = own[at]
            off = np.where(p == 0, own, 0.0).sum(axis=1)
            out["uncovered"][s] = np.maximum(out["uncovered"][s], off)
            if name == "learned":
                value = np.where(own > 0, grid("value"), 0.0)
                out["planned"][s] = (own * value).sum(axis=1)
    out["uncovered"] = np.minimum(out["uncovered"], 1.0)
    return out
