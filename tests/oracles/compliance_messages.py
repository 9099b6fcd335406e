"""Templates of the compliance oracle: every message that might be sent, tried one by one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from oracles.compliance_orchestration import Orchestration
from oracles.compliance_places import at, inside, local_date, null

from contactopt.compliance.data_tables import table


class Messages(Orchestration):
    """Facts against every message of a channel."""

    def template(  # noqa: C901  (one reading, in one piece)
        self, c: int, debt: Any, channel: str, moment: datetime, zones: list[str],
        jurisdictions: list[str], locality: str | None,
    ) -> set[str]:  # fmt: skip
        """Facts against every message that might be sent."""
        if not any(t.channel == channel for t in self.config.templates):
            return set()
        fitting, but_for = [], False
        days = [local_date(m, z) for m in (self.as_of, self.end - timedelta(microseconds=1))
                for z in zones]  # fmt: skip
        known = self.view.customers.iloc[c].get("language")
        limits = self.limits(c, debt, zones)
        for t in self.config.templates:
            if t.channel != channel or not t.approved:
                continue
            if any(t.template_id not in allowed for allowed in limits):
                continue
            if (t.valid_from and min(days) < t.valid_from) or (
                t.valid_to and max(days) > t.valid_to
            ):
                continue
            if t.stages and (debt is None or debt["stage"] not in t.stages):
                continue
            if t.books and (debt is None or debt["book"] not in t.books):
                continue
            if t.jurisdictions and not any(inside(j, k) for j in jurisdictions
                                           for k in t.jurisdictions):  # fmt: skip
                continue
            if t.language and not null(known):
                a, b = t.language.lower(), known.lower()
                if not (a == b or b.startswith(a + "-") or a.startswith(b + "-")):
                    continue
            if self.says_all(t, c, debt, channel, days, jurisdictions, locality):
                fitting.append(t.template_id)
            else:
                but_for = True
        if not fitting:
            return {"template:disclosures" if but_for else "template:none"}
        rest = self.config.orchestration.template_rest_days
        ends = {}
        for name in fitting:
            sent = [e.when for e in self.past(c) if e.attempt and e.template == name]
            ends[name] = bool(rest) and any(self.within(moment, s, rest, zones) for s in sent)
        return {"template:resting"} if all(ends.values()) else set()

    def limits(self, c: int, debt: Any, zones: list[str]) -> list[tuple[str, ...]]:
        """Templates that may go, for each protected state at any time of the window."""
        states = {k: t for k, t in self.config.orchestration.treatments if t.templates}
        if not states:
            return []
        key = ("states", c, None if debt is None else debt["debt"])
        if key not in self.kept:
            edge = timedelta(microseconds=1)
            moments = {self.begin, self.end - edge}
            for h in self.own("holds", c):
                moments |= {at(h["starts_us"]), (at(h["ends_us"]) or self.begin) - edge}
            self.kept[key] = set()
            for m in moments:
                if self.begin <= m < self.end:
                    for k in self.actions.channels:
                        self.kept[key] |= self.facts(c, debt, k, m, zones, False)
        flags = table("flags")["flags"]
        return [t.templates for k, t in states.items() if self.kept[key] & set(flags[f"house.{k}"])]

    def says_all(
        self, t: Any, c: int, debt: Any, channel: str, days: list[date], jurisdictions: list[str],
        locality: str | None,
    ) -> bool:  # fmt: skip
        aliases = table("disclosures")["names"]
        said = set(t.disclosures).union(*(aliases.get(d, []) for d in t.disclosures))
        ownership = None if debt is None else debt["ownership"]
        spoken_to = any(
            e.row >= 0 and (null(self.touches[e.row]["direction"])
                            or self.touches[e.row]["direction"] != "inbound")
            for e in self.past(c)
        )  # fmt: skip
        for r in self.book.rules:
            if r.kind != "disclosure" or "deadline" in r.parameters or r.id in said:
                continue
            if not self.speaks(r, channel):
                continue
            if not null(ownership) and ownership not in r.applies_to:
                continue
            if r.jurisdiction != "*" and not any(inside(j, r.jurisdiction) for j in jurisdictions):
                continue
            if r.locality and locality and r.locality != locality:
                continue
            if not any(r.effective_on(d) for d in (min(days), max(days))):
                continue
            turn = r.parameters.get("required_later" if spoken_to else "required_first", [])
            if not {*r.parameters.get("required", []), *turn} <= said:
                return False
        return True
