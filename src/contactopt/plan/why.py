"""Why a customer got this decision: every action with its probability, value, price and reasons.

A plan in memory and a log read back years later are explained by the same class, from the same
three things: the decision's row, its considered actions, and what was in force for the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts.batch_columns import NOT_SCORED, REASON_SEPARATOR
from contactopt.contracts.vocabulary import WAIT
from contactopt.plan.contact_plan import CAPACITY_CLOSED, CONTROL_GROUP, NOT_ALLOWED
from contactopt.plan.log.batch_record import BatchFacts

__all__ = ["Why", "value_parts"]

#: reasons that no rule pack explains: what each says, and what must change
_OURS = {
    CAPACITY_CLOSED: (
        "No unit of the action's pool is open at that hour.",
        "no rule denies it: until its pool has units at that hour",
    ),
    CONTROL_GROUP: (
        "The customer belongs to the control group, which is never contacted.",
        "no rule denies it: the control group waits for whole periods, so that the lift can be "
        "measured",
    ),
    NOT_ALLOWED: (
        "The scores that were handed in block the action and name no reason.",
        "until the scores that are handed in allow it",
    ),
    NOT_SCORED: (
        "The scores that were handed in do not list the action.",
        "until the scores that are handed in list it",
    ),
}
#: columns that are shown as they were logged
_PARTS = ("p_reach", "p_pay", "p_pay_wait", "amount", "lift")
#: how far logged parts may be from the value they make up
_ADDS_UP = 1e-9


class Why:
    """The explanation of one decision; made by `ContactPlan.why` and `DecisionLog.why`.

    Parameters
    ----------
    decision : mapping
        The decision's row of the decisions table.
    actions : DataFrame
        Its considered actions, `wait` last.
    facts : BatchFacts
        What was in force for the batch.
    treatments : DataFrame, optional
        The batch's choices between messages and offers.
    """

    def __init__(
        self,
        decision: Mapping[str, Any],
        actions: pd.DataFrame,
        facts: BatchFacts,
        treatments: pd.DataFrame | None = None,
    ) -> None:
        self.decision, self.facts = dict(decision), facts
        self.customer_id = str(decision["customer_id"])
        self.decision_id = str(decision["decision_id"])
        self.batch_id = str(decision["batch_id"])
        self.decided_at = pd.Timestamp(decision["decided_at"])
        self.action_id = str(decision["action_id"])
        self.channel = str(decision["channel"])
        self.propensity = float(decision["propensity"])
        self.n_eligible = int(decision["n_eligible"])
        self.control = bool(decision["holdout"])
        self.currency = facts.currency
        self._actions = actions
        self._treatments = treatments

    @cached_property
    def _table(self) -> pd.DataFrame:
        raw, facts = self._actions, self.facts
        parts = value_parts(raw, facts)
        probability = raw["probability"].to_numpy(np.float64)
        order = np.lexsort((-parts["priced_value"], -probability))

        def numbers(name: str) -> np.ndarray:
            return raw[name].to_numpy(np.float64)[order]

        action = raw["action_id"].to_numpy(dtype=object)[order]
        reasons = raw["reasons"].to_numpy(dtype=object)[order]
        lawful = raw["lawful_from"].array.take(order)
        channel = [WAIT if a == WAIT else facts.channels.get(a, (None, None))[0] for a in action]
        pairs = list(zip(reasons, ~lawful.isna(), strict=True))
        words = {pair: _until(*pair, facts) for pair in set(pairs)}
        until = [words[pair] for pair in pairs]
        return pd.DataFrame(
            {
                "action_id": pd.array(action, dtype="str"),
                "channel": pd.array(channel, dtype="str"),
                "drawn": action == self.action_id,
                "probability": probability[order],
                **{name: numbers(name) for name in _PARTS},
                **{name: values[order] for name, values in parts.items()},
                "spread": numbers("spread"),
                "reasons": pd.array(reasons, dtype="str"),
                "lawful_from": lawful,
                "until": pd.array(until, dtype="str"),
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one line per action, most probable first, blocked ones last.

        ``value = margin_x_lift - cost - harm`` and ``priced_value = value - price``, the price
        being what the action's capacity is worth to others; money in ``currency``. A blocked
        action has ``reasons`` (rule ids joined by `|`) and either ``lawful_from`` or, where no
        instant can be given, ``until``: what must change, in words.
        """
        return self._table.copy()

    def rule(self, rule_id: str) -> dict[str, Any]:
        """Return summary and citation of a reason, as they stood on the day of the decision."""
        if rule_id in self.facts.rules:
            return dict(self.facts.rules[rule_id])
        known = _OURS.get(rule_id, ("", ""))[0]
        return {"summary": known, "citation": "", "kind": "", "ends": None}

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """Every reason that blocks some action of this customer, with its words."""
        named = {r for text in self._table["reasons"] for r in text.split(REASON_SEPARATOR) if r}
        return {rule_id: self.rule(rule_id) for rule_id in sorted(named)}

    @property
    def drawn(self) -> dict[str, Any]:
        """The line of the drawn action."""
        line = self._table[self._table["drawn"]]
        return {str(k): v for k, v in line.iloc[0].items()}

    @property
    def best(self) -> dict[str, Any]:
        """The line of the open action (or `wait`) with the best priced value."""
        is_open = self._table[self._table["reasons"] == ""]
        at = int(is_open["priced_value"].to_numpy(np.float64).argmax())
        return {str(k): v for k, v in is_open.iloc[at].items()}

    @cached_property
    def learned(self) -> float:
        """Money of the drawn action that updates since the fit added, part of margin x lift."""
        raw = self._actions
        if "adjustment" not in raw or "margin" not in raw:
            return 0.0
        line = raw[(raw["action_id"].astype(object) == self.action_id)].iloc[0]
        return float(np.nan_to_num(float(line["margin"]) * float(line["adjustment"])))

    @cached_property
    def treatment(self) -> dict[str, Any] | None:
        """The choice of message and offer inside the drawn action; None where there was none.

        ``probability`` of the drawn one among ``n`` valid ones; ``adds``: money it is estimated to
        add over a random one; ``choice_adds``: what drawing by these probabilities adds, which is
        part of the action's value.
        """
        if self._treatments is None or "treatment_group" not in self._actions:
            return None
        line = self._actions[(self._actions["action_id"].astype(object) == self.action_id)].iloc[0]
        own = self._treatments[(self._treatments["group"] == line["treatment_group"]).to_numpy()]
        if own.empty:
            return None
        ids = [_stated(self.decision.get(name)) for name in ("template_id", "offer_id")]
        same = np.ones(len(own), dtype=bool)
        for name, one in zip(("template_id", "offer_id"), ids, strict=True):
            same &= np.array([_stated(x) == one for x in own[name].astype(object)], dtype=bool)
        drawn = own[same].iloc[0]
        worth = float(line["margin"] * line["p_reach"] * line["amount"])
        worth *= float((self.facts.treatments or {}).get("discount", 1.0))
        chance, effect = own["probability"].to_numpy(), own["effect"].to_numpy(np.float64)
        return {
            "template_id": ids[0],
            "offer_id": ids[1],
            "probability": float(drawn["probability"]),
            "n": len(own),
            "adds": worth * float(drawn["effect"]),
            "choice_adds": worth * float((chance * effect).sum()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values, JSON-ready: absent numbers are None."""
        from contactopt.plan.why_words import why_dict

        return why_dict(self)

    def __repr__(self) -> str:
        from contactopt.plan.why_words import why_text

        return why_text(self)

    def _repr_html_(self) -> str:
        from contactopt.plan.why_words import why_html

        return why_html(self)


def _stated(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def value_parts(actions: pd.DataFrame, facts: BatchFacts) -> dict[str, Any]:
    """Split logged values into parts that add up.

    Parameters
    ----------
    actions : DataFrame
        Considered actions as logged, of any decisions of one batch.
    facts : BatchFacts

    Returns
    -------
    dict of str to float array
        margin_x_lift, cost, harm, value, price, priced_value. Where a log has no margin (the
        first format), or scores of others state a lift that does not explain their value,
        margin_x_lift is what the value implies.
    """
    value, cost, harm = (actions[k].to_numpy(np.float64) for k in ("value", "cost", "harm"))
    gross = value + cost + harm
    if "margin" in actions:
        told = actions["margin"].to_numpy(np.float64) * actions["lift"].to_numpy(np.float64)
        off = ~(np.abs(told - cost - harm - value) <= _ADDS_UP * np.maximum(1.0, np.abs(value)))
        gross = np.where(off, gross, told)
    priced = actions["priced_value"].to_numpy(np.float64)
    price = value - priced
    if facts.cell_prices is not None and "cell" in actions:
        # the same product as when it was made, so that it fits to the last bit
        prices = np.append(facts.cell_prices, 0.0)
        price = actions["usage"].to_numpy(np.float64) * prices[actions["cell"].to_numpy(np.int64)]
    return {
        "margin_x_lift": gross,
        "cost": cost,
        "harm": harm,
        "value": value,
        "price": price,
        "priced_value": priced,
    }


def _until(reasons: str, has_instant: bool, facts: BatchFacts) -> str:
    """Say what must change before a blocked action is open, where no instant is known."""
    if has_instant or not reasons:
        return ""
    names = reasons.split(REASON_SEPARATOR)
    own = [_OURS[name][1] for name in names if name in _OURS]
    if own:
        return "; ".join(own)
    known = [facts.rules[name] for name in names if name in facts.rules]
    ends = list(dict.fromkeys(rule["ends"] for rule in known if rule["ends"]))
    if ends and len(known) == len(names) > 1:  # each reason has an end of its own
        told = {
            name: f"until {rule['ends']}" if rule["ends"] else "ends by itself, at an instant"
            for name, rule in zip(names, known, strict=True)
        }
        return "; ".join(f"{name} {text}" for name, text in told.items())
    if ends:
        return "until " + "; and until ".join(ends)
    if len(known) < len(names):
        from_log = "that log holds no texts of its rules" if facts.format == 1 else "no rule text"
        return f"no instant was given with this reason ({from_log})"
    return f"no open hour of this action was found in the {facts.searched_days} days searched"
