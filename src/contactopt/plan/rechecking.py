"""Law and orchestration once more, just before dispatch: which planned contacts to withdraw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from contactopt.journal.columns import Ids
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


def recheck(
    plan: pd.DataFrame,
    portfolio: Portfolio,
    as_of: Any,
    *,
    config: StrategyConfig,
    rules: RuleBook | None = None,
    block_customers: int = _BLOCK_CUSTOMERS,
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
    started = _started(rows, portfolio, now)
    reasons = np.full(len(rows), "", dtype=object)
    _add(reasons, _deadline(rows, decided) <= now, "plan.too_late")
    links = _Links(rows, portfolio, config)
    for name, hit in links.missing.items():
        _add(reasons, hit, name)
    live = np.flatnonzero(~started & (reasons == ""))
    if len(live):
        _judge(rows, live, links, portfolio, now, config, rules, block_customers, reasons)
    out = np.flatnonzero(~started & (reasons != ""))
    found = rows.iloc[out].reindex(columns=list(_TOLD)).reset_index(drop=True)
    found["reasons"] = pd.Series(reasons[out], dtype="str")
    found.attrs = {
        "rows": len(rows),
        "started": int(started.sum()),
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


def _started(rows: pd.DataFrame, portfolio: Portfolio, now: int) -> Bools:
    """Whether a touch that began by now bears the decision's id."""
    touches = portfolio.tables["touches"]
    own = Ids(rows["decision_id"]).codes(touches["decision_id"])
    begun = own[(own >= 0) & (_us(touches["started_at"]) <= now)]
    return np.isin(Ids(rows["decision_id"]).codes(rows["decision_id"]), begun)


def _add(reasons: npt.NDArray[np.object_], hit: Bools, name: str) -> None:
    for at, more in ((hit & (reasons == ""), name), (hit & (reasons != ""), f"|{name}")):
        reasons[at] = reasons[at] + more


class _Links:
    """Where a plan's rows lead in the portfolio and the strategy, and what is missing."""

    def __init__(self, rows: pd.DataFrame, portfolio: Portfolio, config: StrategyConfig) -> None:
        who = rows["customer_id"].astype(object)
        there = Ids(portfolio.customer_ids).codes(who) >= 0
        aside = Ids(portfolio.quarantined_customers).codes(who) >= 0
        self.action = self._actions(rows, config)
        self.template = self._templates(rows, config)
        debts, points = portfolio.tables["debts"], portfolio.tables["contact_points"]
        owner = pd.Series(debts["customer_id"].to_numpy(), index=debts["debt_id"].to_numpy())
        lead = rows["debt_id"].map(owner).astype(object) == who
        self.others = self._other_debts(rows)
        strange = (
            self.others["debt_id"].map(owner).astype(object).to_numpy()
            != (who.to_numpy()[self.others["row"].to_numpy(dtype=np.int64)])
        )
        foreign = np.zeros(len(rows), dtype=bool)
        foreign[self.others["row"].to_numpy(dtype=np.int64)[strange]] = True
        holder = pd.Series(
            points["customer_id"].to_numpy(), index=points["contact_point_id"].to_numpy()
        )
        named = rows["contact_point_id"].notna().to_numpy(dtype=bool)
        own = (rows["contact_point_id"].map(holder).astype(object) == who).to_numpy(dtype=bool)
        self.missing = {
            "plan.customer_quarantined": aside,
            "plan.customer_missing": ~there & ~aside,
            "plan.debt_missing": there & (~lead.to_numpy(dtype=bool) | foreign),
            "plan.point_missing": there & named & ~own,
            "plan.action_unknown": self.action < 0,
        }

    @staticmethod
    def _actions(rows: pd.DataFrame, config: StrategyConfig) -> Ints:
        space = config.action_space
        key = [f"{a.channel}|{-1 if h is None else h}" for a in space for h in [a.slot_local_hour]]
        hour = rows["slot_local_hour"].astype("Float64").fillna(-1).astype(int).astype(str)
        asked = (
            rows["channel"].astype(str).to_numpy(dtype=object) + "|" + hour.to_numpy(dtype=object)
        )
        return pd.Index(key).get_indexer(pd.Index(asked, dtype=object)).astype(np.int64)

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


# ---- the rules -----------------------------------------------------------------------------------


def _judge(
    rows: pd.DataFrame, live: Ints, links: _Links, portfolio: Portfolio, now: int,
    config: StrategyConfig, rules: RuleBook, size: int, reasons: npt.NDArray[np.object_],
) -> None:  # fmt: skip
    """Judge live rows in blocks of their customers."""
    ids = rows["customer_id"].to_numpy(dtype=object)
    whole = portfolio.subset(ids[live])
    shared = shared_contacts_of(_Others(portfolio, rows["decision_id"]), config, now)
    place = pd.Series(live, index=ids[live])
    for decided in np.unique(_us(rows["decided_at"])[live]):
        for block in whole.blocks(size):
            at = place.reindex(block.customer_ids).to_numpy(dtype=np.int64)
            own = _us(rows["decided_at"])[at] == decided
            if not own.any():
                continue
            tables = {**block.tables}
            tables["decisions"] = _without(tables["decisions"], rows["decision_id"])
            view = open_journal(_Tables(tables), config).as_of(now)
            contacts = _contacts(rows, at[own], np.flatnonzero(own), links, view, int(decided))
            judged = judge_planned(view, contacts, rules=rules, config=config, shared=shared)
            for i, why in zip(at[own].tolist(), judged.reasons, strict=True):
                reasons[i] = "|".join(why)


@dataclass(frozen=True)
class _Tables:
    tables: Mapping[str, pd.DataFrame]


class _Others:
    """A portfolio whose log does not have the plan's own decisions."""

    def __init__(self, portfolio: Portfolio, decision_ids: pd.Series) -> None:
        self._ids = decision_ids
        self.customer_ids = portfolio.customer_ids
        self.tables = {
            **portfolio.tables,
            "decisions": _without(portfolio.tables["decisions"], decision_ids),
        }
        self._portfolio = portfolio

    def subset(self, customer_ids: Any) -> _Others:
        return _Others(self._portfolio.subset(customer_ids), self._ids)


def _without(decisions: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    return decisions[Ids(ids).codes(decisions["decision_id"]) < 0].reset_index(drop=True)


def _contacts(
    rows: pd.DataFrame, at: Ints, customer: Ints, links: _Links, view: Any, decided: int
) -> PlannedContacts:
    cut = rows.iloc[at]
    others = links.others
    position = np.full(len(rows), -1, dtype=np.int64)
    position[at] = np.arange(len(at))
    of = position[others["row"].to_numpy(dtype=np.int64)]
    others, of = others[of >= 0], of[of >= 0]
    return PlannedContacts(
        customer=customer,
        action=links.action[at],
        debt=_codes(view.debt_ids, cut["debt_id"]),
        point=_codes(view.point_ids, cut["contact_point_id"]),
        template=links.template[at],
        slot_start=_us(cut["slot_start"]),
        start_before=_deadline(cut, _us(cut["decided_at"])),
        decided_us=decided,
        others_of=of,
        other_debt=_codes(view.debt_ids, others["debt_id"]),
    )


def _codes(ids: npt.NDArray[np.object_], column: pd.Series) -> Ints:
    return pd.Index(ids).get_indexer(pd.Index(column.astype(object))).astype(np.int64)


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
