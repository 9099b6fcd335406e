"""The inner choice of a logged batch done again: probabilities of treatments, and their draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.plan.draw import id_keys
from contactopt.plan.log.batch_record import BatchFacts
from contactopt.plan.log.replay_report import ReplayTally
from contactopt.plan.treatments import treatment_seed
from contactopt.policy.treatments.inner import INNER_UNIT, drawn_places, softmax_units, temperatures

__all__ = ["TreatmentsAgain"]

Ints = npt.NDArray[np.int64]


class TreatmentsAgain:
    """Treatments of a batch as logged, and as its own figures give them.

    Parameters
    ----------
    facts : BatchFacts
    choices : DataFrame
        As `DecisionLog.treatments` gives them.
    decisions : DataFrame
    group : int64 array, shape (n,)
        Group of each decision's drawn arm, -1 without a choice.
    customers : object array, shape (n,)

    Attributes
    ----------
    treatment, units : int64 array, shape (n,)
        Logged: number (-1 without a choice) and probability in units.
    """

    def __init__(
        self, facts: BatchFacts, choices: pd.DataFrame, decisions: pd.DataFrame, group: Ints,
        customers: npt.NDArray[np.object_],
    ) -> None:  # fmt: skip
        self.facts, self.choices, self.group = facts, choices, group
        self.ids = decisions["decision_id"].to_numpy(dtype=object)
        self.customers = customers
        self.rows = np.flatnonzero(group >= 0)
        self.place = self._logged(decisions)
        n = len(decisions)
        self.treatment, self.units = np.full(n, -1, np.int64), np.full(n, INNER_UNIT, np.int64)
        found = self.place >= 0
        own = choices.iloc[self.place[found]]
        self.treatment[self.rows[found]] = own["treatment"]
        told = decisions["treatment_propensity"].to_numpy(np.float64)
        self.units = np.rint(told * INNER_UNIT).astype(np.int64)

    def _logged(self, decisions: pd.DataFrame) -> Ints:
        """Line of the choices that each decision's template and offer are, -1 for none."""
        cut = decisions.iloc[self.rows]
        keys = ["template_id", "offer_id"]
        sides = []
        for group, frame in ((self.choices["group"].to_numpy(), self.choices), (
            self.group[self.rows], cut)):  # fmt: skip
            words = [frame[k].astype(object).where(frame[k].notna(), "").to_numpy() for k in keys]
            sides.append(pd.MultiIndex.from_arrays([np.asarray(group, np.int64), *words]))
        return sides[0].get_indexer(sides[1]).astype(np.int64)

    def compare(self, tally: ReplayTally) -> None:
        """Count what differs."""
        told = self.facts.treatments or {}
        units = self.choices["units"].to_numpy(np.int64)
        group = self.choices["group"].to_numpy(np.int64)
        starts = np.append(np.flatnonzero(np.diff(group, prepend=-1)), len(group))
        effect = self.choices["effect"].to_numpy(np.float64)
        spread = self.choices["spread"].to_numpy(np.float64)
        heat = float(told["heat"]) * temperatures(effect, spread, starts)
        again = softmax_units(effect, heat, starts, int(told["least"]))
        # exponentials may differ in the last digit elsewhere, and with them one unit
        off = np.abs(again - units) > 1
        tally.count(
            "probabilities of messages and offers", len(units), group[off].astype(object),
            how="to 1/65536", logged=units[off], replayed=again[off],
        )  # fmt: skip
        keys = id_keys(self.customers[self.rows])
        seed = treatment_seed(self.facts.random_state, self.facts.batch_id)
        place = drawn_places(units, self.group[self.rows], keys, seed)
        off = place != self.place
        off |= units[place] != self.units[self.rows]
        tally.count(
            "draw of messages and offers", len(self.ids), self.ids[self.rows[off]], how="exactly"
        )
