"""A logged batch done again from tables and strategy: reasons, values, probabilities, draw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ConfigError
from contactopt.plan.log.block import LoggedBlock, logged_blocks
from contactopt.plan.log.replay_report import WHOLE_BATCH, ReplayReport, ReplayTally

if TYPE_CHECKING:
    from contactopt.contracts import Portfolio
    from contactopt.plan.contact_plan import ContactPlan
    from contactopt.plan.log.reader import DecisionLog

__all__ = ["Ranks", "replay_with"]

_EXACTLY = "exactly"
#: numbers of every considered action, in the order in which they arise
_NUMBERS = (
    "p_reach", "p_pay", "p_pay_wait", "amount", "lift", "cost", "harm", "value", "spread",
    "priced_value",
)  # fmt: skip
_OF_THE_DRAWN = (
    "channel", "slot_start", "slot_local_hour", "debt_id", "template_id", "offer_id", "propensity",
    "n_eligible", "holdout",
)  # fmt: skip


class Ranks(Protocol):
    """What a replay needs of a strategy."""

    @property
    def version(self) -> str:
        """Content hash of the fitted strategy."""
        ...

    def rank(
        self,
        portfolio: Portfolio,
        *,
        as_of: Any,
        capacity: Any,
        random_state: Any,
        batch_id: Any,
        warm_start: Any,
    ) -> ContactPlan:
        """Score and draw."""
        ...


def replay_with(
    strategy: Ranks, log: DecisionLog, batch_id: str, portfolio: Portfolio
) -> ReplayReport:
    """Rank the batch's customers again as of its instant and compare everything that was logged.

    Parameters
    ----------
    strategy : Ranks
        The bundle that made the batch.
    log : DecisionLog
    batch_id : str
    portfolio : Portfolio
        The tables of that day, or the same tables grown since.

    Returns
    -------
    ReplayReport
    """
    facts, decisions = log.facts(batch_id), log.decisions(batch_id)
    if facts.replans is not None:
        raise ConfigError(
            f"batch {batch_id!r} is a re-plan: it hangs on what stood of {facts.replans!r} then",
            hint="`read_decisions(folder).replay(batch_id)` does it again from the log alone",
        )
    tally = ReplayTally(batch_id, "tables and strategy")
    customers = decisions["customer_id"].to_numpy(dtype=object)
    known = np.isin(customers.astype(str), portfolio.customer_ids.astype(str))
    lost = decisions["decision_id"].to_numpy(dtype=object)[~known]
    tally.count("customers are in the tables", len(known), lost, how=_EXACTLY)
    plan = strategy.rank(
        portfolio.subset(customers[known]),
        as_of=facts.as_of,
        capacity=facts.capacity_table(),
        random_state=facts.random_state,
        batch_id=batch_id,
        warm_start=facts.start,
    )
    found = {
        "portfolio": (facts.portfolio_hash, portfolio.content_hash),
        "policy": (facts.policy_version, strategy.version),
        "policy settings": (_settings(facts.policy), _settings(plan.policy.to_state())),
        "rules": (facts.rules_version, plan.rules_version),
    }
    tally.other_versions = {
        name: (str(logged), str(now)) for name, (logged, now) in found.items() if logged != now
    }
    if "portfolio" in tally.other_versions:
        tally.notes.append(
            "the tables are not those of that day; rows known only later change nothing"
        )
    _compare(plan, log, decisions, known, tally)
    return tally.report()


def _settings(state: dict[str, Any]) -> str:
    return json.dumps(state, sort_keys=True)


def _compare(
    plan: ContactPlan,
    log: DecisionLog,
    decisions: pd.DataFrame,
    known: npt.NDArray[np.bool_],
    tally: ReplayTally,
) -> None:
    names = (*plan.batch.actions.action_ids, WAIT)
    place = np.cumsum(known) - 1  # of a logged decision among those done again
    for block in logged_blocks(log, tally.batch_id):
        own = known[block.first : block.last]
        if block.action_ids != names:
            tally.count("actions of the batch", 1, [WHOLE_BATCH], how=_EXACTLY)
            return
        if own.any():
            first = int(place[block.first : block.last][own][0])
            again = plan.decision_actions(first, first + int(own.sum()))
            _compare_actions(block, own, again, tally)
    _compare_decisions(decisions[known], plan.decisions(), tally)


def _compare_actions(
    block: LoggedBlock, own: npt.NDArray[np.bool_], again: pd.DataFrame, tally: ReplayTally
) -> None:
    shape = (int(own.sum()), len(block.action_ids))
    told = (block.decision_ids[own], block.action_ids)

    def compare(what: str, logged: npt.NDArray[Any], found: npt.NDArray[Any]) -> None:
        same = logged == found
        if logged.dtype.kind == "f":
            same |= np.isnan(logged) & np.isnan(found)
        tally.grid(what, same, *told, logged, found, how=_EXACTLY)

    reasons = np.asarray(again["reasons"].astype(object)).reshape(shape)
    compare("reasons", block.words("reasons")[own], reasons)
    lawful = again["lawful_from"].dt.tz_convert(None).to_numpy("datetime64[us]").astype(np.int64)
    lawful = np.where(again["lawful_from"].isna(), NO_INSTANT, lawful).reshape(shape)
    compare("lawful_from", block.instants("lawful_from")[own], lawful)
    for name in (*_NUMBERS, "probability"):
        found = again[name].to_numpy(np.float64).reshape(shape)
        compare(name, block.numbers(name)[own], found)


def _compare_decisions(logged: pd.DataFrame, again: pd.DataFrame, tally: ReplayTally) -> None:
    ids = logged["decision_id"].to_numpy(dtype=object)
    for name, what in [("action_id", "draw"), *((n, f"{n} of the draw") for n in _OF_THE_DRAWN)]:
        told, found = _plain(logged[name]), _plain(again[name])
        off = told != found
        tally.count(what, len(ids), ids[off], how=_EXACTLY, logged=told[off], replayed=found[off])


def _plain(column: pd.Series) -> npt.NDArray[np.object_]:
    """Return values that compare whatever types a file or a frame gave them; absent: empty."""
    values = column.astype(object).where(column.notna(), "")
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = pd.to_numeric(column).astype("Float64").astype(object).where(column.notna(), "")
    return values.to_numpy(dtype=object)
