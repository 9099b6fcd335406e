"""Why a customer got this decision: every action with its probability, value, price and reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.contracts.vocabulary import WAIT
from contactopt.plan.frames import instants
from contactopt.policy.kernels import UNIT

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["Why"]


class Why:
    """The explanation of one decision; made by `ContactPlan.why`.

    Parameters
    ----------
    plan : ContactPlan
    row : int
        Position of the customer in the batch.
    """

    def __init__(self, plan: ContactPlan, row: int) -> None:
        self.customer_id = str(plan.batch.customer_ids[row])
        self.decision_id = str(plan.decision_id[row])
        self.control = bool(plan.control[row])
        self.currency = plan.batch.currency
        self._plan = plan
        self._row = row

    @property
    def action_id(self) -> str:
        """The drawn action."""
        return str((*self._plan.batch.actions.action_ids, WAIT)[self._plan.drawn[self._row]])

    @property
    def propensity(self) -> float:
        """The exact probability with which it was drawn."""
        column = self._plan.drawn[self._row]
        return float(self._plan.allocation.probabilities[self._row, column] / UNIT)

    def to_frame(self) -> pd.DataFrame:
        """Return one line per action, most probable first, blocked ones last.

        ``value = margin x lift - cost - harm``; ``priced_value = value - price``, the price being
        what the action's capacity is worth to others.
        """
        plan, i = self._plan, self._row
        b = plan.batch
        rows = np.array([i])
        codes, sets = plan.reason_codes(rows)
        priced = plan.priced_value(rows)[0]

        def and_wait(values: np.ndarray) -> np.ndarray:
            return np.append(np.asarray(values, dtype=float), 0.0)

        frame = pd.DataFrame(
            {
                "action_id": [*b.actions.action_ids, WAIT],
                "drawn": np.arange(len(b.actions) + 1) == plan.drawn[i],
                "probability": plan.allocation.probabilities[i] / UNIT,
                "p_reach": and_wait(b.p_reach[i]),
                "margin_x_lift": and_wait(b.margin[i] * b.lift[i]),
                "cost": and_wait(b.cost[i]),
                "harm": and_wait(b.harm[i]),
                "value": and_wait(b.value[i]),
                "spread": and_wait(b.spread[i]),
                "price": and_wait(b.value[i] - priced),
                "priced_value": and_wait(priced),
                "reasons": [*(sets[c] for c in codes[0]), ""],
                "lawful_from": instants(np.append(b.lawful_from[i], NO_INSTANT)),
            }
        )
        order = np.lexsort((-frame["priced_value"], -frame["probability"]))
        return frame.iloc[order].reset_index(drop=True)

    def __repr__(self) -> str:
        shown = self.to_frame()
        kept = shown[shown["probability"] > 0].head(8)
        columns = ["action_id", "probability", "value", "cost", "harm", "price", "priced_value"]
        blocked = shown.loc[shown["reasons"] != "", "reasons"].value_counts(sort=False)
        lines = [
            f"{self.customer_id}: {self.action_id}, drawn with probability {self.propensity:.4g}"
            + (" (control group: only waits)" if self.control else ""),
            kept[columns].to_string(index=False, float_format="{:,.4g}".format),
        ]
        lines += [f"blocked: {k} action(s) by {why}" for why, k in sorted(blocked.items())]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, float_format="{:,.4g}".format)
