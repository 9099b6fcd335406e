"""What will be done: the drawn plan of one batch, with everything needed to explain and log it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.errors import ConfigError
from contactopt.plan.prices.allocation import Allocation
from contactopt.plan.prices.capacity_rows import CLOSED, CellMap
from contactopt.plan.prices.problem import Rows
from contactopt.policy import ContactPolicy

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig
    from contactopt.contracts import Portfolio
    from contactopt.plan.log.batch_record import BatchFacts
    from contactopt.plan.page.plots import PlanPlots
    from contactopt.plan.replanning import Replanned
    from contactopt.plan.safe_plan import SafePlan
    from contactopt.plan.treatments import DrawnTreatments

__all__ = ["CAPACITY_CLOSED", "CONTROL_GROUP", "NOT_ALLOWED", "ContactPlan"]

#: reasons that the plan adds to those of the rules; the last: blocked by scores that name none
CAPACITY_CLOSED, CONTROL_GROUP = "capacity.closed", "plan.control_group"
NOT_ALLOWED = "scores.not_allowed"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ContactPlan:
    """A drawn plan; made by `rank`.

    Parameters
    ----------
    batch : ScoredBatch
    cells : CellMap
        Capacity rows in force and the cell of every pair.
    rows : Rows
        Limits and margins of the rows.
    allocation : Allocation
        Integer probabilities (n, m + 1), prices, tau, certified loss.
    control : bool array, shape (n,)
        Customers of the control group.
    drawn : int64 array, shape (n,)
        Column drawn, m for `wait`.
    batch_id : str
    decision_id : object array, shape (n,)
    policy : ContactPolicy
    policy_version : str
    capacity : DataFrame
        Capacity table in force.
    random_state : int
    pool_zones : mapping of str to str
        IANA zone of every pool of the batch; UTC where the strategy names none.
    drawn_treatments : DrawnTreatments or None
        The message and offer of every drawn arm that had a choice; None where none had.
    replanned : Replanned or None
        What stands of the day's earlier plan, where this is a re-plan of it.
    safe : SafePlan or None
        Who led and by which verdict, with all candidates' plans; None where safety is off.
    """

    batch: ScoredBatch
    cells: CellMap
    rows: Rows
    allocation: Allocation
    control: npt.NDArray[np.bool_]
    drawn: Ints
    batch_id: str
    decision_id: npt.NDArray[np.object_]
    policy: ContactPolicy
    policy_version: str
    capacity: pd.DataFrame
    random_state: int
    pool_zones: Mapping[str, str] = field(default_factory=dict)
    drawn_treatments: DrawnTreatments | None = None
    replanned: Replanned | None = None
    safe: SafePlan | None = None

    # ---- what the frames are made of ---------------------------------------------------------

    @property
    def rules_version(self) -> str | None:
        """Version of the rules that made the mask, as the batch carries it."""
        return self.batch.meta.get("rules_version")

    @property
    def as_of_us(self) -> int:
        """Instant of the decision in microseconds since the epoch, UTC."""
        return pd.Timestamp(self.batch.as_of).value // 1000

    def eligible(self, rows: Ints) -> npt.NDArray[np.bool_]:
        """Return which arms could have been drawn, shape (len(rows), m)."""
        is_open = self.batch.allowed[rows] & (self.cells.cell[rows] != CLOSED)
        return is_open & ~self.control[rows, None]

    def n_eligible(self) -> Ints:
        """Return the number of eligible arms (beside `wait`) of every customer."""
        is_open = self.batch.allowed & (self.cells.cell != CLOSED)
        return np.where(self.control, 0, is_open.sum(axis=1)).astype(np.int64)

    def propensity(self, rows: Ints, arms: Ints) -> Floats:
        """Return the exact probability of pairs as the plan shows them: arm times treatment."""
        from contactopt.plan.treatments import joint_probability

        return joint_probability(self, rows, arms)

    def price(self, rows: Ints, arms: Ints) -> Floats:
        """Return usage x price of the pairs' cells, in money; 0 where closed."""
        cell = self.cells.cell[rows, arms]
        prices = np.append(self.allocation.cell_prices, 0.0)  # -1, closed, is the last
        return np.asarray(self.batch.usage[rows, arms] * prices[cell], dtype=np.float64)

    def priced_value(self, rows: Ints) -> Floats:
        """Return value less price of every arm, shape (len(rows), m)."""
        arms = np.arange(len(self.batch.actions))
        return self.batch.value[rows] - self.price(rows[:, None], arms[None, :])

    def reason_codes(self, rows: Ints) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Return why each arm was not eligible: codes (len(rows), m) and their texts."""
        sets = ["|".join(s) for s in self.batch.reason_sets] or [""]
        codes = self.batch.reason[rows].astype(np.int32)  # a copy
        allowed = self.batch.allowed[rows]
        codes[allowed & (self.cells.cell[rows] == CLOSED)] = len(sets)
        codes[allowed & self.control[rows, None]] = len(sets) + 1
        codes[~allowed & (codes == 0)] = len(sets) + 2
        return codes, [*sets, CAPACITY_CLOSED, CONTROL_GROUP, NOT_ALLOWED]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of ids, probabilities and draw."""
        h = hashlib.sha256("\n".join(map(str, self.batch.customer_ids)).encode())
        h.update(self.allocation.probabilities.tobytes())
        h.update(self.drawn.tobytes())
        if self.drawn_treatments is not None:
            h.update(self.drawn_treatments.treatment.tobytes())
            h.update(self.drawn_treatments.units.tobytes())
        return h.hexdigest()

    @cached_property
    def used(self) -> Floats:
        """Units drawn by row, shape (K,)."""
        m = len(self.batch.actions)
        row = np.flatnonzero(self.drawn < m)
        arm = self.drawn[row]
        n_cells = self.rows.table.cover.shape[1]
        by_cell = np.bincount(
            self.cells.cell[row, arm], weights=self.batch.usage[row, arm], minlength=n_cells + 1
        )
        return np.asarray(self.rows.table.cover @ by_cell[:n_cells], dtype=np.float64)

    # ---- frames ----------------------------------------------------------------------------------

    def to_frame(self, k: int = 1) -> pd.DataFrame:
        """Return the plan of the contract: one row per customer and rank, sorted by customer.

        Parameters
        ----------
        k : int
            Ranks per customer; rank 1 was drawn, others inform (by priced value) and executing
            one is off-plan.

        Returns
        -------
        DataFrame
            Customers who wait have no row; all columns are there for an empty plan.
        """
        from contactopt.plan.frames import plan_rows

        return plan_rows(self, k)

    def decisions(self) -> pd.DataFrame:
        """Return the log, one row per customer; blocked from everything: wait, propensity 1."""
        from contactopt.plan.frames import decision_rows

        return decision_rows(self)

    def decision_actions(self, first: int = 0, last: int | None = None) -> pd.DataFrame:
        """Return one row per considered action of customers ``first`` to ``last`` (exclusive)."""
        from contactopt.plan.frames import action_rows

        return action_rows(self, first, len(self.drawn) if last is None else last)

    def decision_action_blocks(self, size: int = 20_000) -> Iterator[pd.DataFrame]:
        """Yield `decision_actions` in blocks of customers; one empty block for no customers."""
        for first in range(0, max(len(self.drawn), 1), size):
            yield self.decision_actions(first, min(first + size, len(self.drawn)))

    def treatments(self) -> pd.DataFrame:
        """Return what each group of customers could be sent in an arm, with probabilities.

        One row per group (``treatment_group`` of `decision_actions`) and treatment: effect and
        spread say what it adds to P(pays | reached) over a random one, units are of 1/65536.
        """
        from contactopt.plan.treatments import no_treatments, treatment_rows

        found = self.drawn_treatments
        return no_treatments() if found is None else treatment_rows(found.choice, self.batch)

    def batches(self) -> pd.DataFrame:
        """Return the batch's own row: prices, tau, seeds, capacity, hashes, versions."""
        from contactopt.plan.log.batch_record import batch_row

        return batch_row(self)

    @cached_property
    def facts(self) -> BatchFacts:
        """What was in force for the whole batch, as the log keeps it."""
        from contactopt.plan.log.batch_record import facts_of_plan

        return facts_of_plan(self)

    @cached_property
    def shadow_prices(self) -> pd.DataFrame:
        """Price per unit of each row without exploration, and the range over which it holds.

        Computed on first use: each binding row is solved anew at -10 % and +10 %.
        """
        from contactopt.plan.prices.shadow_prices import shadow_prices

        return shadow_prices(self)

    # ---- telling and keeping ---------------------------------------------------------------------

    def why(self, customer_id: str):
        """Explain one customer's decision.

        Returns
        -------
        Why
            With every action's probability, value split, price, reasons and first lawful instant.

        Raises
        ------
        ConfigError
            If the customer is not in the batch.
        """
        from contactopt.plan.frames import action_rows, decision_rows
        from contactopt.plan.why import Why

        ids = self.batch.customer_ids
        at = int(np.searchsorted(ids, customer_id)) if len(ids) else 0
        if at >= len(ids) or ids[at] != customer_id:
            raise ConfigError(
                "that customer is not in this batch",
                hint="quarantined customers and those without a debt are not planned; "
                "plan.batch.customer_ids lists who is",
            )
        row = decision_rows(self, at, at + 1).iloc[0]
        decision = {str(name): value for name, value in row.items()}
        choice = None if self.drawn_treatments is None else self.treatments()
        return Why(decision, action_rows(self, at, at + 1), self.facts, choice)

    def recheck(
        self, portfolio: Portfolio, as_of: Any, *, config: StrategyConfig | None = None
    ) -> pd.DataFrame:
        """Return the rows to withdraw by what is known just before dispatch, with rule ids.

        Parameters
        ----------
        portfolio : Portfolio
            As it stands now.
        as_of : Timestamp or str with a zone
            Now.
        config : StrategyConfig, optional
            Default: the strategy that made the scores.

        Returns
        -------
        DataFrame
            See `contactopt.plan.rechecking.recheck`. The plan itself is not changed.

        Raises
        ------
        ContractError
            If neither the batch nor the caller names a strategy.
        ConfigError
            If ``as_of`` lies before the plan.
        """
        from contactopt.plan.rechecking import from_meta, recheck

        config = from_meta(self.batch.meta) if config is None else config
        return recheck(self.to_frame(), portfolio, as_of, config=config)

    @overload
    def summary(self, by: None = None) -> dict[str, object]: ...
    @overload
    def summary(self, by: str | pd.Series | Mapping[str, object]) -> pd.DataFrame: ...
    def summary(self, by: Any = None) -> Any:
        """Return the plan in figures: JSON-ready, or a frame with a row per group.

        ``by`` is a column of the plan (segment, channel, pool, slot_local_hour, ...) or values
        by customer id; see `contactopt.plan.summary_by.summarise_by`.
        """
        from contactopt.plan.summary import summarise
        from contactopt.plan.summary_by import summarise_by

        return summarise(self) if by is None else summarise_by(self, by)

    @property
    def plot(self) -> PlanPlots:
        """Charts, each with its data: load_by_hour, value_by_channel, probability, ..."""
        from contactopt.plan.page.plots import PlanPlots

        return PlanPlots(self)

    def to_html(self, path: str | Path | None = None, *, n_rows: int = 10) -> str:
        """Return one self-contained page that explains the plan to a manager and an auditor.

        Parameters
        ----------
        path : str or Path, optional
            File to write too, whole or not at all.
        n_rows : int
            Rows shown per pool, first by priority; ids only.

        Returns
        -------
        str
            HTML without script and network; the same bytes for the same plan.
        """
        from contactopt.plan.page.page import write_page

        return write_page(self, path, n_rows=n_rows)

    def to_csv(
        self,
        path: str | Path | None = None,
        pool: str | None = None,
        *,
        zone: str = "customer",
        columns: Mapping[str, str] | None = None,
        separator: str = ",",
        encoding: str = "utf-8",
        formulas: str = "quote",
    ) -> str | None:
        """Return or write what a dialler, CRM or messaging gateway needs to execute a pool.

        Drawn rows only, by slot_start and priority, with ``decision_id`` as the key for outcomes;
        `contactopt.plan.dispatch.dispatch_csv` tells more, `contactopt.plan.read_dispatch` reads.

        Parameters
        ----------
        path : str or Path, optional
            File to write, whole or not at all; the text is returned without.
        pool : str, optional
            One pool; `ConfigError` with those there are for an unknown one.
        zone : str
            Clock of the ``_local`` columns: ``customer``, ``pool`` or an IANA name.
        columns : mapping of str to str, optional
            Ours: theirs; only these are written, ``decision_id`` among them.
        separator, encoding : str
            ``utf-8-sig`` and ``;`` for Excel.
        formulas : {"quote", "keep"}
            A single quote goes before text that a spreadsheet would run as a formula, with a
            warning that counts the cells; ``keep`` leaves all ids as they are.
        """
        from contactopt.plan.dispatch import dispatch_csv

        return dispatch_csv(
            self.to_frame(),
            path,
            pool=pool,
            pools=self.pool_zones,
            zone=zone,
            columns=columns,
            separator=separator,
            encoding=encoding,
            formulas=formulas,
        )

    def write(self, folder: str | Path) -> Path:
        """Write plan and log; see `contactopt.plan.log.writer.write_plan`."""
        from contactopt.plan.log.writer import write_plan

        return write_plan(self, Path(folder))

    def __repr__(self) -> str:
        from contactopt.plan.summary import summary_text

        return summary_text(self)

    def _repr_html_(self) -> str:
        from contactopt.plan.summary import summary_html

        return summary_html(self)
