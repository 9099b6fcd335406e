"""Shared points of the compliance oracle: every touch of everybody looked at, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from oracles.compliance_places import NO_INSTANT, Places, address, at, null

from contactopt.contracts import vocabulary as v

#: what these words mean is said here again, on purpose
FAILED = {"invalid", "bounced"}
REACHED = {"delivered", "opened", "third_party"}
ANSWERED = {
    "clicked", "replied", "visited", "paid_online", "opted_out", "complained", "promise", "paid",
    "plan_agreed", "settlement_agreed", "callback", "hardship", "vulnerable", "claims_paid",
    "dispute", "refused", "hung_up", "no_commitment", "asked_to_stop",
}  # fmt: skip
#: holds of a point that speak of the phone or address, whoever else has it
OF_ADDRESS = (
    "do_not_contact", "cease_communication", "workplace_prohibited", "employer_refused",
)  # fmt: skip


@dataclass
class Elsewhere:
    """A contact, or a plan of one, with somebody else at an address of the customer."""

    when: datetime
    channel: Any
    outcome: str
    direction: Any
    machine: bool
    collector: Any
    planned: bool
    point: int


class Shared(Places):
    """What contacts at one address say of every point that has it."""

    def fits(self, channel: Any, kind: str) -> bool:
        """Whether a channel uses points of a kind; nobody knows where an unknown one went."""
        root = None if null(channel) else self.root(channel)
        if root is None or (channel not in self.config.channels and root not in v.CHANNELS):
            return True
        return root != "portal" and kind in (self.config.channel(channel).contact_point_kinds or ())

    def went_to(self, customer: int, channel: Any, code: int, when: datetime) -> list[Any]:
        """Points a contact went to, or may have: the one it names, else all that fit."""
        if code >= 0:
            return [self.point_of[code]] if code in self.point_of else []
        return [
            p
            for p in self.own("points", customer)
            if self.fits(channel, p["kind"]) and at(p["valid_from_us"]) <= when
        ]

    # ---- dead addresses ------------------------------------------------------------------------

    @cached_property
    def heard_at(self) -> dict[Any, list[tuple[str, int, datetime, bool]]]:
        """By address: outcome, customer and instant of every contact, and whether it names it."""
        found: dict[Any, list[tuple[str, int, datetime, bool]]] = {}
        for t in self.touches:
            when, named = at(t["started_us"]), t["contact_point"] >= 0
            for p in self.went_to(t["customer"], t["channel"], t["contact_point"], when):
                found.setdefault(address(p), []).append((t["outcome"], t["customer"], when, named))
        return found

    def is_dead(self, point: Any) -> bool:
        """Whether the address does not work, or is somebody else's as far as is known."""
        heard = self.heard_at.get(address(point), [])
        failed = [w for o, _, w, _ in heard if o in FAILED]
        works = [w for o, _, w, named in heard if named and o in REACHED | ANSWERED]
        wrong = [w for o, _, w, _ in heard if o == "wrong_number"]
        mine = [w for o, c, w, named in heard if named and o in ANSWERED and c == point["customer"]]
        fails = bool(failed) and not (works and max(works) >= max(failed))
        strange = bool(wrong) and not (mine and max(mine) >= max(wrong))
        return fails or strange or point["dead"]

    # ---- contacts of others --------------------------------------------------------------------

    def elsewhere(self, c: int) -> list[Elsewhere]:
        """Contacts with others at this customer's points."""
        if ("elsewhere", c) not in self.kept:
            self.kept["elsewhere", c] = list(self._elsewhere(c))
        return self.kept["elsewhere", c]

    def _elsewhere(self, c: int) -> Iterator[Elsewhere]:
        mine: dict[Any, int] = {}
        for p in self.own("points", c):
            if p["holder"] != "third_party" and self.sharers[address(p)] - {c}:
                mine.setdefault(address(p), p["contact_point"])
        others = set().union(*(self.sharers[a] for a in mine)) - {c}
        for other in sorted(others):
            for t in self.own("touches", other):
                if t["direction"] == "inbound" or t["channel"] == "portal":
                    continue
                when = at(t["started_us"])
                spots = self.went_to(other, t["channel"], t["contact_point"], when)
                hit = {mine[address(p)] for p in spots if address(p) in mine}
                if hit:
                    word = "unknown" if t["outcome"] == "third_party" else t["outcome"]
                    yield Elsewhere(
                        when, t["channel"], word, t["direction"], t["machine_only"],
                        t["collector"], False, hit.pop() if len(hit) == 1 else -1,
                    )  # fmt: skip
            for d in self.own("decisions", other):
                if not d["open"]:
                    continue
                slot = d["slot_start_us"]
                when = at(d["decided_us"] if slot == NO_INSTANT else slot)
                spots = self.went_to(other, d["channel"], -1, when)
                hit = {mine[address(p)] for p in spots if address(p) in mine}
                if hit:
                    yield Elsewhere(
                        when, d["channel"], "unknown", "outbound", False, None, True,
                        hit.pop() if len(hit) == 1 else -1,
                    )  # fmt: skip

    @cached_property
    def sharers(self) -> dict[Any, set[int]]:
        """Customers by address."""
        found: dict[Any, set[int]] = {}
        for p in self.points:
            found.setdefault(address(p), set()).add(p["customer"])
        return found

    # ---- refused addresses ---------------------------------------------------------------------

    def refused_there(self, point: Any, channel: str) -> bool:
        """Whether a consent was revoked, or opted out of, at another point of the same address."""

        def granted(who: Any, codes: set[int], word: Any, after: datetime) -> bool:
            return any(
                x["status"] == "granted"
                and x["channel"] == word
                and x["contact_point"] in codes
                and at(x["changed_us"]) > after
                for x in (self.own("consents", who) if who is not None else self.every_consent)
            )

        spots = [p for p in self.points if address(p) == address(point)]
        codes = {p["contact_point"] for p in spots}
        said = [
            (x["customer"], x["channel"], at(x["changed_us"]), False)
            for x in self.every_consent
            if x["status"] == "revoked" and x["contact_point"] in codes - {point["contact_point"]}
        ]
        for t in self.touches:
            whens = [at(t["outcome_known_us"])] if t["outcome"] == "opted_out" else []
            whens += [
                at(e["occurred_us"])
                for e in self.own("touch_events", t["row"], "touch")
                if e["event"] == "opted_out"
            ]
            if t["customer"] != point["customer"] or t["contact_point"] >= 0:
                long_ago = datetime.max.replace(tzinfo=UTC)
                went = self.went_to(t["customer"], t["channel"], t["contact_point"], long_ago)
                if any(address(p) == address(point) for p in went):
                    said += [(t["customer"], t["channel"], w, True) for w in whens]
        for who, word, when, out in said:
            mine = who == point["customer"] and out
            if (
                self.closes(word, channel)
                and not granted(who, codes, word, when)
                and not granted(None, {point["contact_point"]}, word, when)
                and not (out and granted(who, {-1}, word, when))
                and not mine
            ):
                return True
        return False

    @property
    def every_consent(self) -> list[dict[str, Any]]:
        if "consents" not in self.kept:
            self.kept["consents"] = self.view.consents.to_dict("records")
        return self.kept["consents"]

    def refuses(self, detail: dict[str, Any], channel: str) -> bool:
        if detail.get("refused"):
            return any(self.closes(x, channel) for x in detail["refused"])
        return not detail.get("only") or channel not in detail["only"]
