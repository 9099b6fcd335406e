"""Law and orchestration once more, just before dispatch: which planned contacts to withdraw."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance import RuleBook, shared_contacts_of
from contactopt.compliance.planned import PlannedContacts, judge_planned
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ConfigError, ContractError
from contactopt.journal.columns import Ids, word_codes
from contactopt.journal.local_time import DAY_US, HOUR_US, to_us
from contactopt.journal.terms import open_journal

__all__ = ["WITHDRAWN_BY_PLAN", "recheck"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: findings of the recheck itself, beside the ids of rules
WITHDRAWN_BY_PLAN = {
    "plan.too_late": "the last instant to start has passed",
    "plan.customer_missing": "the customer is no longer in the portfolio",
    "plan.customer_quarantined": "a row that protects the customer is faulty",
    "plan.debt_missing": "a debt that the contact names is no longer there, or is somebody else's",
    "plan.point_missing": "the contact point is no longer there, or is somebody else's",
    "plan.action_unknown": "the strategy has no such channel and hour",
    "plan.slot_moved": "the customer's candidate time zones have changed",
    "plan.cut_short": "the contact would not be lawful until the planned end of its slot",
}
_NEEDED = (
    "decision_id", "decided_at", "customer_id", "channel", "slot_start", "start_before",
    "slot_local_hour", "contact_point_id", "template_id", "debt_id", "debt_ids",
)  # fmt: skip
_TOLD = (
    "decision_id", "customer_id", "action_id", "channel", "pool", "slot_start", "start_before",
    "contact_point_id", "template_id", "debt_id",
)  # fmt: skip
_BLOCK_CUSTOMERS = 25_000
#: share of a block's customers without a contact from which on it pays to leave them out
_IDLE_SHARE = 0.05


def recheck(
    plan: pd.DataFrame,
    portfolio: Portfolio,
    as_of: Any,
    *,
    config: StrategyConfig,
    rules: RuleBook | None = None,
    block_customers: int = _BLOCK_CUSTOMERS,
    workers: int | None = None,
) -> pd.DataFrame:
    """Judge the contacts of a plan that have not started by what is known now.

    Every contact is judged as it is planned: its debt (and the debts named with it), its contact
    point and template, from now (or its slot) to its last instant to start. Fail closed: what can
    no longer be found is withdrawn. The plan's own decisions, wherever they are on record, do not
    count against themselves; those of other batches do.

    Parameters
    ----------
    plan : DataFrame
        Rows of the contract's plan; only rank 1 is looked at.
    portfolio : Portfolio
        As it stands now.
    as_of : Timestamp, str with a zone, or int microseconds
        Now. Not before the plan was decided.
    config : StrategyConfig
        The strategy of the plan.
    rules : RuleBook, optional
        Default: the strategy's packs at ``as_of``.
    block_customers : int
        Customers judged at a time: bounds the memory.
    workers : int, optional
        Threads that judge blocks side by side; default the number of cores, at most four. The
        answer does not depend on it.

    Returns
    -------
    DataFrame
        The rows to withdraw, in the plan's order: decision_id, customer_id, action_id, channel,
        pool, slot_start, start_before, contact_point_id, template_id, debt_id, reasons (ids of
        rules, and of `WITHDRAWN_BY_PLAN`, joined by ``|``). ``attrs`` has the counts rows,
        started, withdrawn, and rules_version. Empty for an empty plan.

    Raises
    ------
    ConfigError
        If columns are missing or ``as_of`` lies before the plan.
    """
    rows = _rows_of(plan)
    now = to_us(as_of)
    decided = _us(rows["decided_at"])
    if len(rows) and now < int(decided.max()):
        raise ConfigError(
            "as_of lies before the plan was decided", hint="give the instant of the dispatch"
        )
    rules = RuleBook.load(config.rules, now) if rules is None else rules
    mine = Ids(rows["decision_id"])
    tried = _tried(rows, mine, portfolio, now)
    late = _deadline(rows, decided) <= now
    # further attempts of a contact that has begun can still be stopped
    goes_on = (tried > 0) & (tried < _attempts(rows)) & ~late
    started = (tried > 0) & ~goes_on
    reasons = np.full(len(rows), "", dtype=object)
    _add(reasons, late, "plan.too_late")
    links = _Links(rows, portfolio, config)
    for name, hit in links.missing.items():
        _add(reasons, hit, name)
    live = np.flatnonzero(~started & (reasons == ""))
    if len(live):
        dispatch = _Dispatch(rows, links, mine, now, config, rules)
        dispatch.judge(live, portfolio, block_customers, workers or _workers(), reasons)
        _forgive_own_attempts(reasons, np.flatnonzero(goes_on), rules)
    out = np.flatnonzero(~started & (reasons != ""))
    found = rows.iloc[out].reindex(columns=list(_TOLD)).reset_index(drop=True)
    found["reasons"] = pd.Series(reasons[out], dtype="str")
    found.attrs = {
        "rows": len(rows),
        "started": int((tried > 0).sum()),
        "withdrawn": len(out),
        "rules_version": rules.version,
    }
    return found


# ---- what the rows say ---------------------------------------------------------------------------


def _rows_of(plan: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in _NEEDED if c not in plan]
    if missing:
        raise ConfigError(
            f"the plan has no column {', '.join(missing)}",
            hint="give the plan as `to_frame()` or plan.parquet has it",
        )
    if "rank" in plan:
        plan = plan[plan["rank"] == 1]
    twice = plan["customer_id"].duplicated()
    if twice.any():
        raise ConfigError(
            f"{int(twice.sum())} customer(s) stand in the plan twice",
            hint="recheck the plan of one batch at a time",
        )
    return plan.reset_index(drop=True)


def _us(column: pd.Series) -> Ints:
    if len(column) == 0 or column.isna().all():
        return np.full(len(column), NO_INSTANT, dtype=np.int64)
    utc = pd.to_datetime(column, utc=True)
    return utc.to_numpy(dtype="datetime64[us]").astype(np.int64)


def _deadline(rows: pd.DataFrame, decided: Ints) -> Ints:
    """Exclusive last instant to start; without one the end of the slot's hour, or a day."""
    before, slot = _us(rows["start_before"]), _us(rows["slot_start"])
    other = np.where(slot == NO_INSTANT, decided + DAY_US, slot + HOUR_US)
    return np.where(before == NO_INSTANT, other, before)


def _tried(rows: pd.DataFrame, mine: Ids, portfolio: Portfolio, now: int) -> Ints:
    """How many touches that began by now, and are on record by now, bear the decision's id."""
    touches = portfolio.tables["touches"]
    bears = touches["decision_id"].notna().to_numpy(dtype=bool)
    if not bears.any():
        return np.zeros(len(rows), dtype=np.int64)
    own = mine.codes(touches["decision_id"][bears])
    known = _us(touches["started_at"][bears]) <= now
    known &= _us(touches["recorded_at"][bears]) <= now  # never recorded: NO_INSTANT
    tried = np.bincount(own[(own >= 0) & known], minlength=len(mine) + 1)
    return tried[mine.codes(rows["decision_id"])].astype(np.int64)


def _attempts(rows: pd.DataFrame) -> Ints:
    if "max_attempts" not in rows:
        return np.ones(len(rows), dtype=np.int64)
    return np.asarray(rows["max_attempts"].astype("Float64").fillna(1), dtype=np.int64)


def _forgive_own_attempts(reasons: npt.NDArray[np.object_], rows: Ints, rules: RuleBook) -> None:
    """Drop the caps from the reasons of contacts that have begun: the plan counted all attempts."""
    caps = {r.id for r in rules.rules if r.kind == "frequency_cap"} | {"house.daily_attempt"}
    for i in rows.tolist():
        reasons[i] = "|".join(w for w in str(reasons[i]).split("|") if w not in caps)


def _add(reasons: npt.NDArray[np.object_], hit: Bools, name: str) -> None:
    for at, more in ((hit & (reasons == ""), name), (hit & (reasons != ""), f"|{name}")):
        reasons[at] = reasons[at] + more


class _Links:
    """Where a plan's rows lead in the portfolio and the strategy, and what is missing."""

    def __init__(self, rows: pd.DataFrame, portfolio: Portfolio, config: StrategyConfig) -> None:
        who = Ids(portfolio.customer_ids)
        customer = who.codes(rows["customer_id"])
        there = customer >= 0
        aside = Ids(portfolio.quarantined_customers).codes(rows["customer_id"]) >= 0
        self.action = self._actions(rows, config)
        self.template = self._templates(rows, config)
        debts, points = portfolio.tables["debts"], portfolio.tables["contact_points"]
        self.others = self._other_debts(rows)
        row = self.others["row"].to_numpy(dtype=np.int64)
        named = [rows["debt_id"], self.others["debt_id"]]
        lead, other = _owners(debts, "debt_id", named, who)
        foreign = np.zeros(len(rows), dtype=bool)
        foreign[row[other != customer[row]]] = True
        (holder,) = _owners(points, "contact_point_id", [rows["contact_point_id"]], who)
        to_point = rows["contact_point_id"].notna().to_numpy(dtype=bool)
        self.missing = {
            "plan.customer_quarantined": aside,
            "plan.customer_missing": ~there & ~aside,
            "plan.debt_missing": there & ((lead != customer) | foreign),
            "plan.point_missing": there & to_point & (holder != customer),
            "plan.action_unknown": self.action < 0,
        }

    @staticmethod
    def _actions(rows: pd.DataFrame, config: StrategyConfig) -> Ints:
        space = config.action_space
        place = np.full((len(space.channels) + 1, 26), -1, dtype=np.int64)
        place[space.channel_index, space.hours + 1] = np.arange(len(space))
        hour = rows["slot_local_hour"].astype("Float64").fillna(-1).astype(int)
        hour = hour.to_numpy(dtype=np.int64)
        channel = word_codes(rows["channel"], tuple(space.channels))
        return place[channel, np.where((hour < -1) | (hour > 23), 25, hour + 1)]

    @staticmethod
    def _templates(rows: pd.DataFrame, config: StrategyConfig) -> Ints:
        names = pd.Index([t.template_id for t in config.templates], dtype=object)
        named = rows["template_id"].notna().to_numpy(dtype=bool)
        found = names.get_indexer(pd.Index(rows["template_id"].astype(object)))
        return np.where(named, np.where(found < 0, -2, found), -1).astype(np.int64)

    @staticmethod
    def _other_debts(rows: pd.DataFrame) -> pd.DataFrame:
        text = rows["debt_ids"].astype(object)
        text = text[text.notna() & (text != "")]
        parts = text.str.split("|").explode()
        return pd.DataFrame(
            {"row": parts.index.to_numpy(dtype=np.int64), "debt_id": parts.to_numpy(dtype=object)}
        )


def _owners(frame: pd.DataFrame, key: str, ids: list[pd.Series], who: Ids) -> list[Ints]:
    """Return the customer of each id in lists of ids, -2 where the id is not there."""
    known = Ids(frame[key])
    owner = np.full(len(known) + 1, -2, dtype=np.int64)
    owner[known.codes(frame[key])] = who.codes(frame["customer_id"])
    owner[-1] = -2
    return [owner[known.codes(column)] for column in ids]


# ---- the rules -----------------------------------------------------------------------------------


def _workers() -> int:
    return min(4, os.cpu_count() or 1)


class _Dispatch:
    """Judges the rows of a plan that are still to go out, in blocks of their customers."""

    def __init__(
        self, rows: pd.DataFrame, links: _Links, mine: Ids, now: int, config: StrategyConfig,
        rules: RuleBook,
    ) -> None:  # fmt: skip
        self.rows, self.links, self.mine, self.now = rows, links, mine, now
        self.config, self.rules = config, rules
        self.decided, self.slot = _us(rows["decided_at"]), _us(rows["slot_start"])
        self.before = _deadline(rows, self.decided)
        self.other_row = links.others["row"].to_numpy(dtype=np.int64)

    def judge(
        self, live: Ints, portfolio: Portfolio, size: int, workers: int,
        reasons: npt.NDArray[np.object_],
    ) -> None:  # fmt: skip
        """Write the reasons of live rows."""
        self.shared = shared_contacts_of(_Others(portfolio, self.mine), self.config, self.now)
        row = np.full(portfolio.n_customers, -1, dtype=np.int64)
        row[Ids(portfolio.customer_ids).codes(self.rows["customer_id"].iloc[live])] = live
        tasks = self._tasks(portfolio, row, size)
        with ThreadPoolExecutor(workers) as pool:
            # a few at a time: blocks that wait would only fill the memory
            while some := list(islice(tasks, workers)):
                for at, found in pool.map(self._judged, some):
                    for i, why in zip(at.tolist(), found, strict=True):
                        reasons[i] = "|".join(why)

    def _tasks(
        self, portfolio: Portfolio, row: Ints, size: int
    ) -> Iterator[tuple[Portfolio, Ints, int]]:
        """Yield blocks, the row of each customer in the plan, and the instant of the plan."""
        start = 0
        for block in portfolio.blocks(size):
            at = row[start : start + block.n_customers]
            start += block.n_customers
            for decided in np.unique(self.decided[at[at >= 0]]).tolist():
                yield block, np.where((at >= 0) & (self.decided[at] == decided), at, -1), decided

    def _judged(
        self, task: tuple[Portfolio, Ints, int]
    ) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
        block, at, decided = task
        if (at < 0).sum() > _IDLE_SHARE * len(at):
            block = block.subset(block.customer_ids[at >= 0])
            at = at[at >= 0]
        tables = {**block.tables}
        tables["decisions"] = _without(tables["decisions"], self.mine)
        view = open_journal(_Tables(tables), self.config).as_of(self.now)
        own = np.flatnonzero(at >= 0)
        contacts = self._contacts(at[own], own, view, decided)
        judged = judge_planned(
            view, contacts, rules=self.rules, config=self.config, shared=self.shared
        )
        return at[own], judged.reasons

    def _contacts(self, at: Ints, customer: Ints, view: Any, decided: int) -> PlannedContacts:
        cut, journal = self.rows.iloc[at], view.journal
        position = np.full(len(self.rows), -1, dtype=np.int64)
        position[at] = np.arange(len(at))
        of = position[self.other_row]
        others, of = self.links.others["debt_id"][of >= 0], of[of >= 0]
        return PlannedContacts(
            customer=customer,
            action=self.links.action[at],
            debt=journal.debts.ids.codes(cut["debt_id"]),
            point=journal.points.ids.codes(cut["contact_point_id"]),
            template=self.links.template[at],
            slot_start=self.slot[at],
            start_before=self.before[at],
            decided_us=decided,
            others_of=of,
            other_debt=journal.debts.ids.codes(others),
        )


@dataclass(frozen=True)
class _Tables:
    tables: Mapping[str, pd.DataFrame]


class _Others:
    """A portfolio whose log does not have the plan's own decisions."""

    def __init__(self, portfolio: Portfolio, mine: Ids) -> None:
        self._portfolio, self._mine = portfolio, mine
        self.customer_ids = portfolio.customer_ids
        self.tables = {
            **portfolio.tables,
            "decisions": _without(portfolio.tables["decisions"], mine),
        }

    def subset(self, customer_ids: Any) -> _Others:
        return _Others(self._portfolio.subset(customer_ids), self._mine)


def _without(decisions: pd.DataFrame, mine: Ids) -> pd.DataFrame:
    if len(decisions) == 0:
        return decisions
    return decisions[mine.codes(decisions["decision_id"]) < 0].reset_index(drop=True)


def from_meta(meta: Mapping[str, Any]) -> StrategyConfig:
    """Return the strategy that a scored batch carries.

    Raises
    ------
    ContractError
        If the scores came without one.
    """
    if "strategy" not in meta:
        raise ContractError(
            "these scores came without a strategy: nobody can say which rules they obey",
            hint="give config=, the strategy's settings",
        )
    return StrategyConfig.from_mapping(meta["strategy"], source="the plan's strategy")
