"""Read the log of earlier batches back; a batch counts once its row in batches/ is there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ConfigError, ContractError
from contactopt.plan.log.batch_record import BatchFacts
from contactopt.plan.log.parts import ActionParts
from contactopt.plan.log.treatment_record import read_treatments
from contactopt.plan.why import Why

if TYPE_CHECKING:
    from contactopt.plan.log.replay_report import ReplayReport

__all__ = ["DecisionLog", "read_decisions"]

#: batches whose decisions are kept at hand; another one is read anew
_KEPT = 8
_SCHEMA_HINT = "give the folder that `ContactPlan.write` wrote to"


def read_decisions(folder: str | Path) -> DecisionLog:
    """Open the log of all batches that were written whole.

    Parameters
    ----------
    folder : str or Path
        As `ContactPlan.write` made it, with this version or any before it. Nothing else is
        needed: no strategy, no bundle, no tables.

    Returns
    -------
    DecisionLog
        Opening reads one small row per batch; decisions and their actions are read when asked for.

    Raises
    ------
    ConfigError
        If the folder holds no batch.
    """
    return DecisionLog(folder)


class DecisionLog:
    """What was decided, batch after batch, and why; made by `read_decisions`.

    Parameters
    ----------
    folder : str or Path

    Examples
    --------
    >>> import tempfile
    >>> from contactopt.contracts import ScoredBatch
    >>> from contactopt.plan import rank
    >>> scores = pd.DataFrame(
    ...     {
    ...         "customer_id": ["a", "a", "b"],
    ...         "action_id": ["sms", "letter", "sms"],
    ...         "channel": ["sms", "letter", "sms"],
    ...         "allowed": [True, False, True],
    ...         "reasons": ["", "our.no_address", ""],
    ...         "value": [2.0, 0.5, 1.0],
    ...         "cost": 0.05,
    ...     }
    ... )
    >>> batch = ScoredBatch.from_frame(scores, as_of="2026-06-02T12:00Z", currency="USD")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = read_decisions(rank(batch, batch_id="nightly-1").write(folder))
    ...     why = log.why(log.decision_of("a"))
    >>> len(log), log.batch_ids
    (2, ('nightly-1',))
    >>> why.to_frame().set_index("action_id").loc["letter", "reasons"]
    'our.no_address'
    """

    def __init__(self, folder: str | Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder = Path(folder)
        paths = sorted((self.folder / "batches").glob("*.parquet"))
        if not paths:
            raise ConfigError(f"no batch in {self.folder}", hint=_SCHEMA_HINT)
        try:
            tables = [pq.read_table(path) for path in paths]
        except pa.ArrowException:
            raise ContractError(
                "a file in batches/ is no Parquet file",
                hint="the log is damaged: copy the folder anew",
            ) from None
        rows = pa.concat_tables(tables, promote_options="permissive").to_pandas()
        #: one row per batch, oldest first, columns of all formats (absent ones null)
        self.batches: pd.DataFrame = rows.sort_values(["as_of", "batch_id"], ignore_index=True)
        self._facts: dict[str, BatchFacts] = {}
        self._parts: dict[str, ActionParts] = {}
        self._decisions: OrderedDict[str, pd.DataFrame] = OrderedDict()
        self._treatments: dict[str, pd.DataFrame] = {}
        self._keys: dict[str, tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]] = {}

    # ---- batches -----------------------------------------------------------------------------

    @property
    def batch_ids(self) -> tuple[str, ...]:
        """Ids of all whole batches, oldest first."""
        return tuple(self.batches["batch_id"].astype(str))

    def __len__(self) -> int:
        """Return the number of decisions, one per customer and batch."""
        return int(self.batches["n_customers"].sum())

    def facts(self, batch_id: str) -> BatchFacts:
        """Return what was in force for a batch.

        Raises
        ------
        ConfigError
            If the log holds no whole batch of that id.
        """
        if batch_id not in self._facts:
            row = self.batches[(self.batches["batch_id"] == batch_id).to_numpy()]
            if row.empty:
                raise ConfigError(
                    f"no batch {batch_id!r} in {self.folder}",
                    hint="`.batches` lists those that were written whole",
                )
            told = {str(k): v for k, v in row.iloc[0].items() if not _absent(v)}
            self._facts[batch_id] = BatchFacts.from_row(told)
        return self._facts[batch_id]

    def parts(self, batch_id: str) -> ActionParts:
        """Return the considered actions of a batch as they lie on disk."""
        if batch_id not in self._parts:
            n = self.facts(batch_id).n_customers
            self._parts[batch_id] = ActionParts(self.folder, batch_id, n)
        return self._parts[batch_id]

    def decisions(self, batch_id: str) -> pd.DataFrame:
        """Return the decisions of one batch, sorted by customer.

        Raises
        ------
        ConfigError
            If the log holds no whole batch of that id.
        ContractError
            If the decisions of a batch that counts are missing or not whole.
        """
        if batch_id not in self._decisions:
            n, path = self.facts(batch_id).n_customers, self._path(batch_id)
            frame = pd.read_parquet(path) if path.is_file() else None
            if frame is None or len(frame) != n:
                raise ContractError(
                    f"the decisions of batch {batch_id!r} are not whole",
                    hint="the log is damaged: copy the folder anew",
                )
            self._decisions[batch_id] = frame
            if len(self._decisions) > _KEPT:
                self._decisions.popitem(last=False)
        self._decisions.move_to_end(batch_id)
        return self._decisions[batch_id]

    def treatments(self, batch_id: str) -> pd.DataFrame:
        """Return what each group of customers could be sent; see `ContactPlan.treatments`.

        Raises
        ------
        ConfigError
            If the log holds no whole batch of that id.
        ContractError
            If the file of a batch that had a choice is missing or was changed.
        """
        from contactopt.plan.treatments import no_treatments

        if batch_id not in self._treatments:
            facts = self.facts(batch_id).treatments
            self._treatments[batch_id] = (
                no_treatments() if facts is None else read_treatments(self.folder, batch_id, facts)
            )
        return self._treatments[batch_id]

    def table(self, batch_id: str) -> Any:
        """Return the same as a pyarrow Table, with the types that were written."""
        import pyarrow.parquet as pq

        return pq.read_table(self._path(batch_id))

    def to_frame(self) -> pd.DataFrame:
        """Return the decisions of all whole batches: the contract's columns, oldest first.

        Sorted by decided_at, batch_id, customer_id.
        """
        parts = [pd.read_parquet(self._path(batch_id)) for batch_id in self.batch_ids]
        log = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        return log.sort_values(["decided_at", "batch_id", "customer_id"], ignore_index=True)

    def _path(self, batch_id: str) -> Path:
        return self.folder / "decisions" / f"{batch_id}.parquet"

    # ---- one decision ------------------------------------------------------------------------

    def why(self, decision_id: str) -> Why:
        """Explain one decision in words, from the log alone.

        Parameters
        ----------
        decision_id : str
            See `decision_of` for the decision of a customer.

        Returns
        -------
        Why
            Who, when, what was drawn and how likely, the split of every action's value, and of
            every blocked action the rules in the words of that day.

        Raises
        ------
        ConfigError
            If the log holds no such decision.
        """
        batch_id, at = self._find(decision_id)
        decision = {str(k): v for k, v in self.decisions(batch_id).iloc[at].items()}
        actions, facts = self._actions(batch_id, at), self.facts(batch_id)
        choice = None if facts.treatments is None else self.treatments(batch_id)
        return Why(decision, actions, facts, choice)

    def actions(self, decision_id: str) -> pd.DataFrame:
        """Return the considered actions of one decision as logged, `wait` last.

        Raises
        ------
        ConfigError
            If the log holds no such decision.
        """
        return self._actions(*self._find(decision_id))

    def decision_of(self, customer_id: str, batch_id: str | None = None) -> str:
        """Return the id of a customer's decision.

        Parameters
        ----------
        customer_id : str
        batch_id : str, optional
            The newest batch with that customer without it.

        Raises
        ------
        ConfigError
            If no such batch, or no decision of that customer in it.
        """
        wanted = [batch_id] if batch_id is not None else reversed(self.batch_ids)
        for one in wanted:
            self.facts(one)  # refuses a batch that is not there
            log = self._columns(one, ["decision_id", "customer_id"])
            at = np.flatnonzero((log["customer_id"] == customer_id).to_numpy())
            if at.size:
                return str(log["decision_id"].iloc[at[0]])
        where = f"batch {batch_id!r}" if batch_id is not None else "this log"
        raise ConfigError(
            f"customer {customer_id!r} has no decision in {where}",
            hint="quarantined customers are not planned; "
            "`read_decisions(folder).to_frame()` lists who was decided on",
        )

    def _columns(self, batch_id: str, columns: list[str]) -> pd.DataFrame:
        """Return columns of a batch's decisions; only these are read if none are at hand."""
        if batch_id in self._decisions or not self._path(batch_id).is_file():
            return self.decisions(batch_id)[columns]
        return pd.read_parquet(self._path(batch_id), columns=columns)

    def _actions(self, batch_id: str, at: int) -> pd.DataFrame:
        found = self.parts(batch_id).read(at, at + 1).to_pandas()
        decision_id = self.decisions(batch_id)["decision_id"].iloc[at]
        if not (found["decision_id"] == decision_id).all():
            raise ContractError(
                f"the considered actions of batch {batch_id!r} are not in the order of its "
                "decisions",
                hint="the log was rewritten: take the folder as it was written",
            )
        return found

    def _find(self, decision_id: str) -> tuple[str, int]:
        """Return batch and position; the newest batches are looked through first."""
        key = _key(np.array([decision_id], dtype=object))
        for batch_id in reversed(self.batch_ids):
            keys, order = self._index(batch_id)
            low, high = (int(np.searchsorted(keys, key[0], side)) for side in ("left", "right"))
            for at in order[low:high].tolist():
                if self.decisions(batch_id)["decision_id"].iloc[at] == decision_id:
                    return batch_id, at
        raise ConfigError(
            f"no decision {decision_id!r} in {self.folder}",
            hint="`.to_frame()` lists all; `.decision_of(customer_id)` finds a customer's",
        )

    def _index(self, batch_id: str) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """Return hashes of a batch's decision ids, sorted, and their positions."""
        if batch_id not in self._keys:
            column = self._columns(batch_id, ["decision_id"])["decision_id"]
            key = _key(column.to_numpy(dtype=object))
            order = np.argsort(key, kind="stable").astype(np.int32)
            self._keys[batch_id] = (key[order], order)
        return self._keys[batch_id]

    # ---- replay ------------------------------------------------------------------------------

    def replay(self, batch_id: str | None = None) -> ReplayReport:
        """Do a batch again from the log alone: values, probabilities and the draw.

        Parameters
        ----------
        batch_id : str, optional
            The newest batch without it.

        Returns
        -------
        ReplayReport
            Probabilities computed anew from logged values, prices, spread, mask, tau and floor;
            the draw done again with the logged seed; checksums of every decision. Logs of the
            first format hold less: the report says what could not be compared.

        Raises
        ------
        ConfigError
            If the log holds no whole batch of that id.
        ContractError
            If files of the batch are missing or rows were added or taken away.
        """
        from contactopt.plan.log.replay import replay_log

        return replay_log(self, self.batch_ids[-1] if batch_id is None else batch_id)

    # ---- telling -----------------------------------------------------------------------------

    @cached_property
    def _overview(self) -> pd.DataFrame:
        names = ["batch_id", "as_of", "n_customers", "policy_version", "rules_version"]
        return self.batches[names]

    def _lines(self) -> Iterator[str]:
        yield (
            f"DecisionLog({len(self):,} decisions in {len(self.batches):,} batch(es), "
            f"{self.batches['as_of'].min():%Y-%m-%d} to {self.batches['as_of'].max():%Y-%m-%d})"
        )
        for row in self._overview.tail(5).itertuples():
            yield f"  {row.batch_id}: {row.n_customers:,} decisions, {row.as_of:%Y-%m-%d %H:%M} UTC"
        if len(self.batches) > 5:
            yield f"  and {len(self.batches) - 5} earlier batch(es)"

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        first = next(self._lines())
        return f"<b>{escape(first)}</b>{self._overview.tail(20).to_html(index=False)}"


def _key(ids: npt.NDArray[np.object_]) -> npt.NDArray[np.uint64]:
    return pd.util.hash_array(ids, categorize=False)


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA
