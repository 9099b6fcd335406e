"""A batch done again from its log alone: values, probabilities, draw.

Probabilities come from the same compiled pass that made them, fed with logged values, spread,
mask, tau and floor and the logged prices of capacity. On the kind of machine that wrote the log
they are equal to the integer. Elsewhere another order of sums and fused multiplications may move
the last digits, hence a tolerance; the logged integers themselves are guarded exactly, by the
batch's content hash and by a checksum per decision.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vocabulary import WAIT
from contactopt.plan.draw import build_tree, draw, seed_of
from contactopt.plan.log.batch_record import BatchFacts
from contactopt.plan.log.block import LoggedBlock, logged_blocks
from contactopt.plan.log.checksum import CHECKSUM, checksums
from contactopt.plan.log.probabilities import probabilities_again, tolerance_of
from contactopt.plan.log.replay_report import WHOLE_BATCH, ReplayReport, ReplayTally
from contactopt.plan.log.safe_record import column_of
from contactopt.plan.log.safe_replay import candidates_again
from contactopt.plan.log.treatment_replay import TreatmentsAgain
from contactopt.plan.prices.capacity_rows import CapacityRows, CellMap
from contactopt.plan.why import value_parts
from contactopt.policy import control_group
from contactopt.policy.kernels import UNIT

if TYPE_CHECKING:
    from contactopt.plan.log.reader import DecisionLog

__all__ = ["replay_log"]

Ints = npt.NDArray[np.int64]
_EXACTLY = "exactly"


def replay_log(log: DecisionLog, batch_id: str) -> ReplayReport:
    """Compare a logged batch with what its own figures give; see `DecisionLog.replay`."""
    facts, decisions = log.facts(batch_id), log.decisions(batch_id)
    tally = ReplayTally(batch_id, "the log alone")
    if facts.format == 1:
        tally.notes.append(
            "written in the first format: it has no margin, no cells of capacity and no checksums, "
            "so that values and the draw are not done again, and probabilities only nearly"
        )
    again = _Again(log, facts, decisions, tally)
    for block in logged_blocks(log, batch_id):
        again.compare(block)
    again.compare_draw()
    return tally.report()


class _Again:
    """Goes through a batch block by block, then draws it anew."""

    def __init__(
        self, log: DecisionLog, facts: BatchFacts, decisions: pd.DataFrame, tally: ReplayTally
    ) -> None:
        self.facts, self.decisions, self.tally = facts, decisions, tally
        self.ids = decisions["decision_id"].to_numpy(dtype=object)
        self.customers = decisions["customer_id"].to_numpy(dtype=object)
        self.control = decisions["holdout"].to_numpy(dtype=bool)
        self.rows = log.table(facts.batch_id)
        self.exact = 0
        n, width = len(decisions), log.parts(facts.batch_id).width
        self.logged = np.zeros((n, width), dtype=np.int64)
        self.again = np.zeros((n, width), dtype=np.int64)
        self.cell = np.zeros((n, width - 1), dtype=np.int16)
        self.usage = np.zeros((n, width - 1))
        self.drawn = np.full(n, -1, dtype=np.int64)
        self.group = np.full(n, -1, dtype=np.int64)
        self.action_ids: tuple[str, ...] = (WAIT,)
        self.choices = log.treatments(facts.batch_id)
        self.treatments: TreatmentsAgain | None = None

    # ---- what can be seen decision by decision -----------------------------------------------

    def compare(self, block: LoggedBlock) -> None:
        s = slice(block.first, block.last)
        self.action_ids = block.action_ids
        position = {name: k for k, name in enumerate(block.action_ids)}
        own = self.decisions.iloc[s]
        self.drawn[s] = [position.get(str(a), -1) for a in own["action_id"]]
        self.logged[s] = block.probabilities
        reasons = block.words("reasons")
        if self.facts.format > 1:
            self._values(block)
            self.cell[s] = block.numbers("cell")[:, :-1].astype(np.int16)
            self.usage[s] = block.numbers("usage")[:, :-1]
        if self.facts.treatments is not None:
            width = np.arange(len(own))
            self.group[s] = block.numbers("treatment_group")[width, self.drawn[s]]
        self._consistent(block, own, reasons)
        self._probabilities(block, reasons)
        if CHECKSUM in block.table.column_names:
            self._checksums(block, own)

    def _values(self, block: LoggedBlock) -> None:
        names = ["value", "lift", "cost", "harm", "priced_value", "margin", "usage", "cell"]
        frame = block.table.select(names).to_pandas()
        parts = {k: np.reshape(v, block.shape) for k, v in value_parts(frame, self.facts).items()}
        value = parts["value"]
        total = parts["margin_x_lift"] - parts["cost"] - parts["harm"]
        near = np.abs(total - value) <= 1e-9 * np.maximum(1.0, np.abs(value))
        told = (block.decision_ids, block.action_ids)
        self.tally.grid(
            "value = margin x lift - cost - harm", near, *told, value, total, how="to 1e-9"
        )
        net = value - parts["price"]
        self.tally.grid(
            "priced value = value - price", net == parts["priced_value"], *told,
            parts["priced_value"], net, how=_EXACTLY,
        )  # fmt: skip

    def _consistent(self, block: LoggedBlock, own: pd.DataFrame, reasons: Any) -> None:
        ids, k = block.decision_ids, len(block.decision_ids)
        units = block.numbers("probability") * UNIT
        whole = (units == np.rint(units)).all(axis=1) & (self.logged_of(block).sum(axis=1) == UNIT)
        self.tally.count("probabilities sum to 1", k, ids[~whole], how=_EXACTLY)
        is_open = reasons[:, :-1] == ""
        wrong = (~is_open & (units[:, :-1] != 0)).any(axis=1)
        self.tally.count("blocked actions have probability 0", k, ids[wrong], how=_EXACTLY)
        n_open, told = is_open.sum(axis=1), own["n_eligible"].to_numpy(np.int64)
        off = n_open != told
        self.tally.count(
            "n_eligible", k, ids[off], how=_EXACTLY, logged=told[off], replayed=n_open[off]
        )
        drawn = self.drawn[block.first : block.last]
        chance = block.numbers("probability")[np.arange(k), drawn]
        if self.facts.treatments is not None:
            chance = chance * own["treatment_propensity"].to_numpy(np.float64)
        logged = own["propensity"].to_numpy(np.float64)
        off = (chance != logged) | (drawn < 0)
        self.tally.count(
            "propensity of the drawn action", k, ids[off], how=_EXACTLY, logged=logged[off],
            replayed=chance[off],
        )  # fmt: skip
        share = self.facts.policy.get("holdout_share")
        if share is not None:
            held = control_group(self.customers[block.first : block.last], float(share))
            off = held != self.control[block.first : block.last]
            self.tally.count("control group", k, ids[off], how=_EXACTLY)

    def logged_of(self, block: LoggedBlock) -> Ints:
        return self.logged[block.first : block.last]

    def _probabilities(self, block: LoggedBlock, reasons: Any) -> None:
        s = slice(block.first, block.last)
        found = probabilities_again(block, reasons, self.control[s], self.facts)
        if found is None:
            return
        if self.facts.safe is not None:
            found = self._candidates(block, reasons, found)
        self.again[s] = found
        tolerance, how = tolerance_of(self.facts)
        logged = block.numbers("probability")
        near = np.abs(logged - found / UNIT) <= tolerance
        told = (block.decision_ids, block.action_ids, logged, found / UNIT)
        self.tally.grid("probability", near, *told, how=how)
        if self.facts.format > 1:
            self.exact += int((logged == found / UNIT).sum())

    def _candidates(self, block: LoggedBlock, reasons: Any, learned: Ints) -> Ints:
        """Compare every candidate's plan; return their mixture, which was drawn from."""
        control = self.control[block.first : block.last]
        found = candidates_again(block, reasons, control, self.facts, learned)
        tolerance, how = tolerance_of(self.facts)
        told = (block.decision_ids, block.action_ids)
        for name, again in found.each.items():
            logged = block.numbers(column_of(name))
            near = np.abs(logged - again / UNIT) <= tolerance
            self.tally.grid(
                f"probability under the {name} policy", near, *told, logged, again / UNIT, how=how
            )
        return found.mixed

    def _checksums(self, block: LoggedBlock, own: pd.DataFrame) -> None:
        rows = self.rows.slice(block.first, len(own))
        told = block.table.column(CHECKSUM).to_numpy().reshape(block.shape)
        off = (told != checksums(rows, block.table)[:, None]).any(axis=1)
        self.tally.count(
            "checksum of all rows of a decision", len(own), block.decision_ids[off], how=_EXACTLY
        )

    # ---- what only the whole batch shows -------------------------------------------------------

    def compare_draw(self) -> None:
        n, sound = len(self.ids), self._content_hash() == self.facts.content_hash
        self.tally.count(
            "content hash of ids, probabilities and draw", 1, [] if sound else [WHOLE_BATCH],
            how=_EXACTLY,
        )  # fmt: skip
        if self.facts.format == 1:
            return
        if n:
            self.tally.notes.append(
                f"{self.exact:,} of {self.logged.size:,} probabilities equal to the integer"
            )
        if self.treatments is not None:
            self.treatments.compare(self.tally)
        # changed probabilities would change everybody's draw: then from those computed anew
        drawn = self._draw(self.logged if sound else self.again)
        off = drawn != self.drawn
        names = np.array([*self.action_ids, "(unknown action)"], dtype=object)
        self.tally.count(
            "draw", n, self.ids[off], how=_EXACTLY,
            logged=names[self.drawn[off]], replayed=names[drawn[off]],
        )  # fmt: skip

    def _content_hash(self) -> str:
        h = hashlib.sha256("\n".join(map(str, self.customers)).encode())
        h.update(self.logged.tobytes())
        h.update(self.drawn.tobytes())
        if self.facts.treatments is not None:
            self.treatments = TreatmentsAgain(
                self.facts, self.choices, self.decisions, self.group, self.customers
            )
            h.update(self.treatments.treatment.tobytes())
            h.update(self.treatments.units.tobytes())
        return h.hexdigest()

    def _draw(self, probabilities: Ints) -> Ints:
        facts = self.facts
        assert facts.rows is not None and facts.expected_use is not None
        table: CapacityRows = facts.rows.table
        cells = CellMap(table, self.cell)
        # the tree asks a batch for nothing else
        batch = cast(Any, SimpleNamespace(customer_ids=self.customers, usage=self.usage))
        tree = build_tree(
            batch, cells, facts.rows, probabilities, facts.expected_use, order=facts.draw_order
        )
        return draw(probabilities, tree, seed_of(facts.random_state, facts.batch_id))
