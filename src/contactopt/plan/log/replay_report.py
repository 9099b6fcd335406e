"""What a replay compared, how much was equal, and where the first differences lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["WHOLE_BATCH", "ReplayReport", "ReplayTally"]

#: stands for a decision where only the batch as a whole can be told to differ
WHOLE_BATCH = "(the whole batch)"
#: decisions named in a report
_NAMED = 5


@dataclass(frozen=True, eq=False)
class ReplayReport:
    """The outcome of a replay; made by `DecisionLog.replay` and `ContactStrategy.replay`.

    Parameters
    ----------
    batch_id : str
    source : str
        What the batch was done again from.
    checks : DataFrame
        One line per thing that was compared: what, compared, equal, how (exactly, or the
        tolerance and why it is needed).
    differences : DataFrame
        Of at most five decisions, in order: decision_id, action_id (empty: the decision itself),
        what, logged, replayed.
    n_decisions_that_differ : int
    other_versions : dict of str to (str, str)
        Versions and hashes that differ: logged, found. They explain differences and are none.
    notes : tuple of str
        What could not be compared, and why.

    Examples
    --------
    >>> tally = ReplayTally("b-1", "the log alone")
    >>> tally.count("draw", 10, ["d-7"], how="exactly", logged=["sms"], replayed=["wait"])
    >>> tally.report().ok
    False
    >>> tally.report().differences["decision_id"].tolist()
    ['d-7']
    """

    batch_id: str
    source: str
    checks: pd.DataFrame
    differences: pd.DataFrame
    n_decisions_that_differ: int
    other_versions: dict[str, tuple[str, str]]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was compared is equal, and something was."""
        return bool(
            self.n_decisions_that_differ == 0
            and (self.checks["compared"] == self.checks["equal"]).all()
            and len(self.checks)
        )

    def to_frame(self) -> pd.DataFrame:
        """Return what was compared, one line each."""
        return self.checks.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, JSON-ready."""
        return {
            "batch_id": self.batch_id,
            "source": self.source,
            "ok": self.ok,
            "other_versions": {
                name: {"logged": logged, "found": found}
                for name, (logged, found) in self.other_versions.items()
            },
            "checks": self.checks.to_dict(orient="records"),
            "decisions_that_differ": self.n_decisions_that_differ,
            "differences": self.differences.to_dict(orient="records"),
            "notes": list(self.notes),
        }

    def _head(self) -> str:
        verdict = "the same" if self.ok else "NOT the same"
        return f"Replay of batch {self.batch_id} from {self.source}: {verdict}"

    def __repr__(self) -> str:
        lines = [self._head()]
        for name, (logged, found) in self.other_versions.items():
            lines.append(f"  other {name}: logged {logged}, found {found}")
        width = max((len(w) for w in self.checks["what"]), default=0)
        for row in self.checks.itertuples():
            told = f"{row.equal:,} of {row.compared:,} equal, {row.how}"
            lines.append(f"  {row.what:<{width}}  {told}")
        lines += [f"  note: {note}" for note in self.notes]
        if self.n_decisions_that_differ:
            lines.append(f"  {self.n_decisions_that_differ:,} decision(s) differ; the first:")
            lines += [
                f"    {row.decision_id}: {row.what}"
                + (f" of {row.action_id}" if row.action_id else "")
                + f": logged {row.logged}, replayed {row.replayed}"
                for row in self.differences.itertuples()
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        versions = "".join(
            f"<p>other {escape(name)}: logged {escape(logged)}, found {escape(found)}</p>"
            for name, (logged, found) in self.other_versions.items()
        )
        notes = "".join(f"<p>note: {escape(note)}</p>" for note in self.notes)
        found = self.differences.to_html(index=False) if len(self.differences) else ""
        table = self.checks.to_html(index=False)
        return f"<b>{escape(self._head())}</b>{versions}{table}{notes}{found}"


@dataclass
class ReplayTally:
    """Counts comparisons block by block and remembers the first differences."""

    batch_id: str
    source: str
    other_versions: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counts: dict[str, list[Any]] = {}
        self._differ: set[str] = set()
        self._first: list[dict[str, str]] = []

    def count(
        self,
        what: str,
        compared: int,
        differing: Any = (),
        *,
        how: str,
        actions: Any = None,
        logged: Any = None,
        replayed: Any = None,
    ) -> None:
        """Add one comparison.

        Parameters
        ----------
        what : str
        compared : int
            Values compared.
        differing : sequence of str
            Decision of each value that differs.
        how : str
        actions, logged, replayed : sequence, optional
            Action and the two values of each that differs.
        """
        line = self._counts.setdefault(what, [0, 0, how])
        line[0] += compared
        line[1] += compared - len(differing)
        self._differ.update(d for d in map(str, differing) if d != WHOLE_BATCH)
        for k in range(min(len(differing), 50)):  # more are counted, not named
            self._first.append(
                {
                    "decision_id": str(differing[k]),
                    "action_id": "" if actions is None else str(actions[k]),
                    "what": what,
                    "logged": "" if logged is None else str(logged[k]),
                    "replayed": "" if replayed is None else str(replayed[k]),
                }
            )

    def grid(
        self,
        what: str,
        same: npt.NDArray[np.bool_],
        decision_ids: npt.NDArray[Any],
        action_ids: tuple[str, ...],
        logged: npt.NDArray[Any],
        replayed: npt.NDArray[Any],
        *,
        how: str,
    ) -> None:
        """Add a comparison of arrays of shape (k, m + 1)."""
        i, a = np.nonzero(~same)
        names = np.array(action_ids, dtype=object)
        few = slice(0, 50)
        self.count(
            what,
            same.size,
            decision_ids[i],
            how=how,
            actions=names[a[few]],
            logged=logged[i[few], a[few]],
            replayed=replayed[i[few], a[few]],
        )

    def report(self) -> ReplayReport:
        """Return what was found."""
        columns = ["decision_id", "action_id", "what", "logged", "replayed"]
        found = pd.DataFrame(self._first, columns=columns, dtype="str")
        found = found.drop_duplicates(["decision_id", "what"], ignore_index=True)
        one = found["decision_id"] != WHOLE_BATCH
        named = found.loc[one, "decision_id"].drop_duplicates().head(_NAMED)
        checks = pd.DataFrame(
            [(what, *line) for what, line in self._counts.items()],
            columns=["what", "compared", "equal", "how"],
        )
        return ReplayReport(
            batch_id=self.batch_id,
            source=self.source,
            checks=checks,
            differences=found[found["decision_id"].isin(named)].reset_index(drop=True),
            n_decisions_that_differ=len(self._differ),
            other_versions=dict(self.other_versions),
            notes=tuple(self.notes),
        )
