"""Contacts and plans of the compliance oracle, in the words of the rules."""

from __future__ import annotations

from typing import Any

from oracles.compliance_facts import Facts
from oracles.compliance_places import NO_INSTANT, Event, at, null

from contactopt.compliance.data_tables import table


class Past(Facts):
    """What happened to a customer, and whether a rule counts it."""

    # ---- events ----------------------------------------------------------------------------

    def events(self, c: int) -> list[Event]:
        if ("events", c) not in self.kept:
            self.kept["events", c] = self._events(c)
        return self.kept["events", c]

    def _events(self, c: int) -> list[Event]:
        found = []
        for t in self.own("touches", c):
            found.append(
                Event(
                    when=at(t["started_us"]),
                    words=self.words(t["channel"]),
                    medium=self.medium(t["channel"]),
                    self_service=self.root(t["channel"]) is not None
                    and not self.words(t["channel"]),
                    outcomes=self.said(t["outcome"], t["channel"], t["machine_only"]),
                    directions={"in", "out"}
                    if null(t["direction"])
                    else {"in" if t["direction"] == "inbound" else "out"},
                    ours=null(t["collector"]) or t["collector"] == self.config.collector,
                    planned=False,
                    debts=self.named.get(t["row"]),
                    point=t["contact_point"],
                    letter=self.words(t["channel"]) == {"letter"},
                )
            )
        for d in self.own("decisions", c):
            if d["open"]:
                slot = d["slot_start_us"]
                channel = d["channel"]
                found.append(
                    Event(
                        when=at(d["decided_us"] if slot == NO_INSTANT else slot),
                        words=self.words(channel),
                        medium=self.medium(channel),
                        self_service=False,
                        outcomes=None,
                        directions={"out"},
                        ours=True,
                        planned=True,
                        debts=None,
                        point=-1,
                        letter=self.words(channel) == {"letter"},
                    )
                )
        for e in self.elsewhere(c):
            found.append(
                Event(
                    when=e.when,
                    words=self.words(e.channel),
                    medium=self.medium(e.channel),
                    self_service=False,
                    outcomes=self.said(e.outcome, e.channel, e.machine),
                    directions={"in", "out"} if null(e.direction) else {"out"},
                    ours=null(e.collector) or e.collector == self.config.collector,
                    planned=e.planned,
                    debts=None,
                    point=e.point,
                    letter=self.words(e.channel) == {"letter"},
                    shared=True,
                )
            )
        return found

    def said(self, word: Any, channel: Any, machine: bool) -> set[str] | None:
        """Outcome in the words of the rules; None where it is not known."""
        words = table("words")
        if machine and word in words["machine_only"]:
            word = words["machine_only"][word]
        if null(word) or word not in words["outcomes"]:
            return None
        more = words["outcome_of_channel"].get(self.root(channel))
        return {words["outcomes"][word], more} - {None}

    def counts(self, e: Event, what: dict[str, Any], groups: list[str]) -> bool:
        channels = set(what.get("channels", ["*"]))
        if "*" not in channels and not e.words & channels:
            return False
        if e.shared and "account" in groups:
            return False
        if e.self_service or (what.get("planned_only") and not e.planned):
            return False
        wanted = what.get("direction", "any")
        if wanted != "any" and wanted not in e.directions:
            return False
        include, exclude = what.get("include_outcomes"), what.get("exclude_outcomes")
        if include and e.outcomes is not None and not e.outcomes & set(include):
            return False
        if exclude and e.outcomes is not None and e.outcomes & set(exclude):
            return False
        if "letter" in what.get("exclude_flags", []) and e.letter:
            return False
        return e.ours or "collector" not in groups
