"""Why one customer may not be contacted: the rules, what they counted, the first lawful instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import Block
from contactopt.compliance.counted_windows import days_counted, is_numeric, windows_of
from contactopt.compliance.counting import gather
from contactopt.compliance.data_tables import table
from contactopt.compliance.denials import Denials
from contactopt.compliance.evaluate import ENDED_RULES, evaluate
from contactopt.compliance.events import Events, LocalDays
from contactopt.compliance.rule_texts import ending_of
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import shared_contacts_of
from contactopt.compliance.verdict import explain
from contactopt.config import StrategyConfig
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError
from contactopt.journal.local_time import DAY_US
from contactopt.journal.terms import open_journal

__all__ = ["CustomerExplanation", "explain_customer"]

_UNNAMED = {"planned": "a plan", "shared contact point": "a contact with another holder"}
_COUNTING = ("frequency_cap", "cooldown", "one_channel")


@dataclass(frozen=True, eq=False)
class CustomerExplanation:
    """What one customer's actions are stopped by.

    Parameters
    ----------
    customer_id : str
    as_of : Timestamp
    time_zones, jurisdictions : tuple of str
        All candidates: hours must hold in every zone, rules of every jurisdiction apply.
    allowed : tuple of str
        Ids of the actions that may be taken.
    blocked : tuple of dict
        Per blocked action: action_id, lawful_from (Timestamp or None), and per rule its card,
        the contacts it counted (touch_id, started_at, channel, outcome), the facts it rests on,
        and its own first lawful instant (``lawful_from``: were it the only rule) or what must
        change before it stops denying (``until``). The action waits for the last of them.
    notes : tuple of str
    rules_version : str
    """

    customer_id: str
    as_of: pd.Timestamp
    time_zones: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    allowed: tuple[str, ...]
    blocked: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    rules_version: str

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values; instants as ISO 8601."""
        return {
            "customer_id": self.customer_id,
            "as_of": self.as_of.isoformat(),
            "time_zones": list(self.time_zones),
            "jurisdictions": list(self.jurisdictions),
            "allowed": list(self.allowed),
            "blocked": [_plain(b) for b in self.blocked],
            "notes": list(self.notes),
            "rules_version": self.rules_version,
        }

    def __repr__(self) -> str:
        zones, places = ", ".join(self.time_zones), ", ".join(self.jurisdictions)
        lines = [
            f"customer {self.customer_id} at {self.as_of.isoformat()} · {places or 'no place'} · "
            f"{zones or 'no time zone'} · rules {self.rules_version[:12]}",
            f"  may: {', '.join(self.allowed) or 'nothing'}",
        ]
        alike: dict[str, list[str]] = {}
        for b in self.blocked:
            alike.setdefault(_reasons_text(b), []).append(b["action_id"])
        for text, actions in alike.items():
            lines.append(f"  may not: {', '.join(actions)}")
            lines.append(text)
        lines += [f"  note: {note}" for note in self.notes]
        lines.append("  Not legal advice.")
        return "\n".join(lines)


def _reasons_text(b: dict[str, Any]) -> str:
    lines = []
    for rule in b["rules"]:
        lines.append(f"    {rule['id']} ({rule['confidence']}): {rule['summary']}")
        if rule["facts"]:
            lines.append(f"      because of {', '.join(rule['facts'])}")
        if rule["lawful_from"] is not None:
            lines.append(f"      by itself lawful from {rule['lawful_from'].isoformat()}")
        elif rule["until"]:
            lines.append(f"      until {rule['until']}")
        lines += [
            f"      counted {e['touch_id'] or _UNNAMED[e['channel']]}: "
            f"{e['started_at'].isoformat()} {e['channel']} {e['outcome']}"
            for e in rule["counted"]
        ]
    when = b["lawful_from"]
    lines.append(f"    lawful from {'no known instant' if when is None else when.isoformat()}")
    return "\n".join(lines)


def _plain(b: dict[str, Any]) -> dict[str, Any]:
    when = b["lawful_from"]
    rules = [
        {
            **r,
            "counted": [{**e, "started_at": e["started_at"].isoformat()} for e in r["counted"]],
            "lawful_from": None if r["lawful_from"] is None else r["lawful_from"].isoformat(),
        }
        for r in b["rules"]
    ]
    return {**b, "lawful_from": None if when is None else when.isoformat(), "rules": rules}


def explain_customer(
    portfolio: Any,
    customer_id: str,
    *,
    config: StrategyConfig,
    as_of: Any,
    rules: RuleBook | None = None,
    denied: dict[str, Any] | None = None,
) -> CustomerExplanation:
    """Explain every blocked action of one customer.

    Parameters
    ----------
    portfolio : Portfolio
    customer_id : str
    config : StrategyConfig
    as_of : Timestamp or str with a zone
    rules : RuleBook, optional
        Default: those of the strategy at as_of.
    denied : mapping of rule id to customer ids, optional
        As in `evaluate`.

    Returns
    -------
    CustomerExplanation

    Raises
    ------
    ContractError
        If the portfolio has no such customer, or the customer is in quarantine.
    """
    if customer_id not in set(portfolio.customer_ids):
        raise ContractError(
            "the portfolio has no such customer to explain",
            hint="customers with rows in quarantine are never planned: see `contactopt validate`",
        )
    view = open_journal(portfolio.subset([customer_id]), config).as_of(as_of)
    rules = rules or RuleBook.load(config.rules, view.as_of)
    actions = config.action_space
    shared = shared_contacts_of(portfolio, config, as_of)
    verdict = evaluate(view, rules=rules, config=config, denied=denied, shared=shared)
    at = list(view.customer_ids).index(customer_id)
    block = Block(view, rules, config, actions, shared=shared)
    found = Denials(block, denied)
    counted = _Counted(block, found)
    told = _facts(found, at)
    blocked = explain(verdict, rules, at, actions)
    alone = _Alone(view, rules, config, denied or {}, shared, verdict, at)
    for b in blocked:
        a = actions.action_ids.index(b["action_id"])
        when = b["lawful_from"]
        b["lawful_from"] = None if when is None else _stamp(when)
        for card in b["rules"]:
            card["counted"] = counted.of(at, a, card["id"])
            card["facts"] = _behind(card, told)
            card["lawful_from"] = alone.lawful_from(card["id"], a)
            card["until"] = ending_of(rules.rule(card["id"]))
    allowed = [n for a, n in enumerate(actions.action_ids) if verdict.allowed[at, a]]
    ground = block.places.grounds[int(block.places.ground[at])]
    zones = block.places.zone_sets[int(block.places.zone_set[at])]
    return CustomerExplanation(
        customer_id,
        view.as_of,
        zones,
        ground.jurisdictions,
        tuple(allowed),
        tuple(blocked),
        verdict.notes,
        rules.version,
    )


def _stamp(us: int) -> pd.Timestamp:
    return pd.Timestamp(int(us), unit="us", tz="UTC")


def _facts(found: Denials, customer: int) -> frozenset[str]:
    """Names of the facts in force about a customer, whatever the debt or channel."""
    facts, window = found.facts, found.block.window
    own = (facts.customer == customer) & (facts.start < window.end_us)
    own &= facts.end > window.begin_us
    return frozenset(found.index.names[i] for i in np.unique(facts.name[own]))


def _behind(card: dict[str, Any], told: frozenset[str]) -> list[str]:
    """Return the facts that a suppression rests on; of the point's facts all that may be."""
    if card["kind"] != "suppression":
        return []
    named = table("flags")["flags"].get(card["parameters"]["flag"], [])
    return [f for f in named if f in told] or [f for f in named if f.startswith("point:")]


class _Alone:
    """First lawful instants under each rule alone; rules on ended debts stay in force."""

    def __init__(
        self, view: Any, rules: RuleBook, config: StrategyConfig, denied: dict[str, Any],
        shared: Any, verdict: Any, customer: int,
    ) -> None:  # fmt: skip
        self.view, self.rules, self.config = view, rules, config
        self.denied, self.shared, self.customer = denied, shared, customer
        told = {name for a in range(verdict.allowed.shape[1]) for name in
                verdict.reasons_of(customer, a)}  # fmt: skip
        #: debts that are over are left out as in the whole verdict
        self.ended = set(ENDED_RULES) - told
        self._kept: dict[str, Any] = {}

    def lawful_from(self, rule_id: str, action: int) -> pd.Timestamp | None:
        """Return the instant; None where only a change of facts lifts the denial.

        Where several rules leave no contact point between them, none denies alone: None too.
        """
        if rule_id not in self._kept:
            names = self.ended | {rule_id}
            book = replace(
                self.rules, rules=tuple(r for r in self.rules.rules if r.id in names), proposed=()
            )
            self._kept[rule_id] = evaluate(
                self.view, rules=book, config=self.config, shared=self.shared,
                denied={k: v for k, v in self.denied.items() if k == rule_id},
            ).lawful_from[self.customer]  # fmt: skip
        instant = int(self._kept[rule_id][action])
        return None if instant == NO_INSTANT else _stamp(instant)


class _Counted:
    """The contacts that a counting rule counted against an action."""

    def __init__(self, block: Block, found: Denials) -> None:
        self.block, self.found = block, found
        self.rules = {
            r.id: i for i, r in enumerate(block.rules) if r.kind in _COUNTING and is_numeric(r)
        }
        longest = max([7, *(days_counted(block.rules[i]) for i in self.rules.values())])
        self.events = Events.of(block, block.view.as_of_us - (longest + 3) * DAY_US)
        self.days = LocalDays(block, self.events)

    def of(self, customer: int, action: int, rule_id: str) -> list[dict[str, Any]]:
        """Return the events, oldest first; empty for rules that count nothing."""
        i = self.rules.get(rule_id)
        if i is None:
            return []
        hit: set[int] = set()
        block, point = self.block, self.found.points.point
        word, bit = block.bit(i)
        channel = int(block.channel_of[action])
        for counted, limit, span in windows_of(block.rules[i], block.book.profile):
            got = gather(block, i, self.events, self.days, counted, span, point)
            for row in np.flatnonzero(block.customer == customer):
                if not self.found.bits[word, row, action] & bit:
                    continue
                own = _in_window(got, int(row), channel, self.found.start[row, action])
                if len(own) >= limit:
                    hit |= set(got.keep[own].tolist())
        return [self._event(e) for e in sorted(hit, key=lambda e: int(self.events.time[e]))]

    def _event(self, e: int) -> dict[str, Any]:
        row = int(self.events.touch[e])
        when = _stamp(int(self.events.time[e]))
        if row < 0:  # of a contact with somebody else nothing is told but that it was
            what = "shared contact point" if self.events.shared[e] else "planned"
            return {"touch_id": None, "started_at": when, "channel": what, "outcome": "unknown"}
        touch = self.block.view.touches.iloc[row]
        words = {k: None if pd.isna(touch[k]) else str(touch[k]) for k in ("channel", "outcome")}
        return {"touch_id": str(touch["touch_id"]), "started_at": when, **words}


def _in_window(got: Any, row: int, channel: int, start: int) -> npt.NDArray[np.int64]:
    """Positions among the kept events that count for a row and channel at a start."""
    if start == NO_INSTANT:
        return np.empty(0, dtype=np.int64)
    for channels, chosen in got.columns:
        if channel in channels:
            mine = chosen[got.unit.unit[chosen] == got.row_unit[row]]
            event = got.unit.event[mine]
            return np.unique(event[got.release[event] > start])
    return np.empty(0, dtype=np.int64)
