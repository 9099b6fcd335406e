"""Facts, consent and points of the compliance oracle: every row looked at, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from oracles.compliance_messages import Messages
from oracles.compliance_places import NO_INSTANT, address, at, in_window, local_date, null
from oracles.compliance_shared import OF_ADDRESS

from contactopt.compliance.data_tables import table
from contactopt.compliance.rule import EVERYWHERE


class Facts(Messages):
    """Which facts speak against a contact, and which point it would use."""

    # ---- facts -----------------------------------------------------------------------------

    def facts(  # noqa: C901  (one reading, in one piece)
        self,
        c: int,
        debt: Any,
        channel: str,
        moment: datetime | None,
        zones: list[str],
        refused: bool,
    ) -> set[str]:
        """Facts against a contact about a debt at a moment, points left out."""
        found = {"pack:none"} if refused else set()
        if not zones:
            found.add("zone:none")
        found |= {f"channel:{self.root(channel)}", "always"}
        if debt is not None:
            own = debt["debt"]
            found |= {f"party:{p['role']}" for p in self.own("parties", own, "debt")}
            if any(x["state"] == "active" for x in self.own("arrangements", own, "debt")):
                found.add("arrangement:kept")
        if debt is None:
            found.add("debt:none")
        else:
            dpd = debt["days_past_due"]
            found |= {f"status:{debt['status']}"}
            if null(debt["status"]) or null(dpd):
                found.add("debt:no_snapshot")
            if not null(dpd) and dpd <= 0:
                found.add("debt:current")
            if debt["paid_since_snapshot"]:
                found.add("debt:paid_since")
            found |= {f"debt:{k}" for k in ("closed", "recalled") if not null(debt[f"{k}_at"])}
        for h in self.own("holds", c):
            somewhere = h["contact_point"] >= 0 and h["kind"] != "callback_agreed"
            if not somewhere and self.hold_reaches(h, c, debt, channel, moment, zones):
                found.add(f"hold:{h['kind']}")
        for t in self.own("touches", c):
            how = table("flags")["outcomes"].get(t["outcome"])
            if how is None:
                continue
            named = self.named.get(t["row"])
            if how["debts"] == "touch" and named and (debt is None or debt["debt"] not in named):
                continue
            whole = how["debts"] == "all" or not named
            ends = [
                at(h["ends_us"]) or datetime.max.replace(tzinfo=UTC)
                for h in self.own("holds", c)
                if h["kind"] in how["ended_by_hold"]
                and null(h["channel"])
                and h["contact_point"] < 0
                and (
                    h["debt"] < 0 or (not whole and debt is not None and h["debt"] == debt["debt"])
                )
            ]
            ends = [e for e in ends if e > at(t["outcome_known_us"])]
            if not ends or moment is None or moment < max(ends):
                found.add(f"outcome:{t['outcome']}")
        grace = self.config.orchestration.promise_grace_days
        for p in self.own("promises", c):
            if p["state"] != "cancelled" and zones:
                over = [local_date(at(p["due_us"]), z) + timedelta(days=grace) for z in zones]
                if moment is None or any(
                    local_date(moment, z) <= o for z, o in zip(zones, over, strict=True)
                ):
                    found.add("promise:open")
        if any(self.debt_in_plan(d, zones) for d in self.own("debts", c)):
            found.add("plan:in_force")
        if moment is not None:
            found |= self.orchestration(c, debt, channel, moment, zones)
        return found

    def hold_reaches(  # noqa: C901  (one reading, in one piece)
        self,
        h: dict[str, Any],
        c: int,
        debt: Any,
        channel: str,
        moment: datetime | None,
        zones: list[str],
    ) -> bool:
        if h["customer"] != c or (h["debt"] >= 0 and (debt is None or h["debt"] != debt["debt"])):
            return False
        ends = at(h["ends_us"])
        how = table("flags")["holds"].get(h["kind"], {})
        # the batch does not know how an agreed callback will go: nothing after it
        last = self.end if how.get("detail") == "agreed_window" else self.begin
        if ends is not None and (
            ends <= self.as_of or (moment is not None and moment >= max(ends, last))
        ):
            return False
        detail = h["detail"] if isinstance(h["detail"], dict) else None
        if "only_place" in how or (
            how.get("detail") == "local_window" and detail and detail.get("place") == "work"
        ):
            return False  # concerns points at work
        if how.get("detail") == "agreed_window":
            if moment is None:
                return True
            begins, to = at(h["starts_us"]), ends
            if detail and "from" in detail and "to" in detail:
                begins, to = (
                    datetime.fromisoformat(detail["from"]),
                    datetime.fromisoformat(detail["to"]),
                )
            elif begins <= self.as_of:
                return True
            meant = null(h["channel"]) or h["channel"] == channel
            kinds = self.config.channel(channel).contact_point_kinds
            meant &= h["contact_point"] < 0 or bool(kinds)  # at a point, and by no other way
            return not (meant and begins <= moment and (to is None or moment < to))
        if moment is not None and moment < at(h["starts_us"]):
            return False
        if how.get("detail") == "channels" and null(h["channel"]):
            return self.refuses(detail or {}, channel)
        if "spares_channels" in how:
            return self.root(channel) not in how["spares_channels"]
        if not self.closes(h["channel"], channel):
            return False
        if (
            how.get("detail") == "local_window"
            and detail
            and moment is not None
            and {"start", "end", "days"} & set(detail)
        ):
            return any(in_window(detail, moment.astimezone(ZoneInfo(z))) for z in zones)
        return True

    # ---- points and consent ----------------------------------------------------------------

    def consent(
        self, c: int, channel: str, point: Any
    ) -> tuple[datetime | None, datetime | None, bool, datetime | None]:
        """Latest grant that counts, grant of the point itself, revoked, last heard from it."""
        code = -1 if point is None else point["contact_point"]
        whole = [x for x in self.own("consents", c) if x["contact_point"] < 0]
        own = [x for x in self.own("consents", c) if code >= 0 and x["contact_point"] == code]
        revoked = any(
            x["status"] == "revoked" and self.closes(x["channel"], channel) for x in [*whole, *own]
        )
        revoked |= point is not None and self.refused_there(point, channel)
        of_channel = [
            at(x["changed_us"])
            for x in whole
            if x["status"] == "granted" and x["channel"] == channel
        ]
        of_point = [
            at(x["changed_us"]) for x in own if x["status"] == "granted" and x["channel"] == channel
        ]
        mine = self.own("touches", c)
        outs = [(t, at(t["outcome_known_us"])) for t in mine if t["outcome"] == "opted_out"]
        outs += [
            (t, at(e["occurred_us"]))
            for t in mine
            for e in self.own("touch_events", t["row"], "touch")
            if e["event"] == "opted_out"
        ]
        for t, when in outs:
            if self.closes(t["channel"], channel) and not any(g > when for g in of_channel):
                revoked = True
        heard = [
            at(t["started_us"])
            for t in mine
            if code >= 0
            and t["contact_point"] == code
            and t["direction"] == "inbound"
            and self.root(t["channel"]) == self.root(channel)
        ]
        return (
            max([*of_channel, *of_point], default=None),
            max(of_point, default=None),
            revoked,
            max(heard, default=None),
        )

    def consent_denies(
        self,
        rule: Any,
        c: int,
        channel: str,
        point: Any,
        moment: datetime | None,
        zones: list[str],
        debt: Any = None,
    ) -> bool:
        p = rule.parameters
        granted, own, revoked, heard = self.consent(c, channel, point)
        model = p.get("model")
        if model is None or model in table("kinds")["consent_not_needed"]:
            return False
        if model == "revocation":
            own = [k for k in self.actions.channels if self.speaks(rule, k)]
            spread = any(self.consent(c, k, None)[2] for k in own)
            return revoked or (bool(p.get("spreads_to")) and spread)
        if p.get("scope_line") == "wireless" and point is not None and point["kind"] == "landline":
            return False
        if revoked:
            return True
        if model == "safe_harbor":
            basis = {table("flags")["consent_facts"]["basis"].get(b) for b in p["basis_any"]}
            at_work = (
                point is not None and point["place"] in ("work", "unknown") and "work_email" in p
            )
            shown = [own if at_work else granted] if "consent" in basis else []
            shown += [heard] if "inbound" in basis else []
            shown = [s for s in shown if s is not None]
            if not shown:
                return True
            if p.get("expiry_days") and moment is not None:
                return any(
                    (local_date(moment, z) - local_date(max(shown), z)).days > p["expiry_days"]
                    for z in zones
                )
            return False
        now = {z: local_date(self.begin, z) for z in zones}
        if p.get("precondition") and not (
            zones and self.noticed(p["precondition"], 0, c, debt, now)
        ):
            return True
        return granted is None

    def against_point(
        self, c: int, debt: Any, channel: str, point: Any, rules: tuple[Any, ...], zones: list[str]
    ) -> set[str]:
        """Ids of the rules against a point for this window."""
        facts = set()
        _, _, revoked, _ = self.consent(c, channel, point)
        if revoked:
            facts.add("consent:revoked")
        if point is not None:
            facts |= {"point:dead"} if self.is_dead(point) else set()
            lasts = point["valid_to_us"] == NO_INSTANT or at(point["valid_to_us"]) >= self.end
            facts |= set() if point["valid"] and lasts else {"point:invalid"}
            facts |= {"point:third_party"} if point["holder"] == "third_party" else set()
            facts |= {"point:unknown_holder"} if point["holder"] == "unknown" else set()
            if not self.channel_rests(c, channel, None, self.begin, zones) and self.channel_rests(
                c, channel, point["contact_point"], self.begin, zones
            ):
                facts.add("channel:futile")
            facts |= {"point:work"} if point["place"] in ("work", "unknown") else set()
            for h in self.view.holds.to_dict("records"):
                if self.hold_on_point(h, c, channel, point):
                    facts.add(f"hold:{h['kind']}")
        hit = {r.id for r in self.flagged(rules, facts, channel)}
        for r in self.spoken(rules, channel):
            if r.kind == "consent" and self.consent_denies(
                r, c, channel, point, self.begin, zones, debt
            ):
                hit.add(r.id)
        return hit

    def agreed(self, c: int, debt: Any, channel: str, moment: datetime) -> bool:
        """Whether a callback was agreed for this moment by this channel."""
        for h in self.own("holds", c):
            kinds = self.config.channel(channel).contact_point_kinds
            if h["kind"] != "callback_agreed" or (h["contact_point"] >= 0 and not kinds):
                continue
            if h["debt"] >= 0 and (debt is None or h["debt"] != debt["debt"]):
                continue
            ends, begins = at(h["ends_us"]), at(h["starts_us"])
            if ends is not None and ends <= self.as_of:
                continue
            detail = h["detail"] if isinstance(h["detail"], dict) else {}
            if "from" in detail and "to" in detail:
                begins, ends = (datetime.fromisoformat(detail[k]) for k in ("from", "to"))
            elif begins <= self.as_of:
                continue
            meant = null(h["channel"]) or h["channel"] == channel
            if meant and begins <= moment and (ends is None or moment < ends):
                return True
        return False

    def hold_on_point(self, h: dict[str, Any], c: int, channel: str, point: Any) -> bool:
        how = table("flags")["holds"].get(h["kind"], {})
        detail = h["detail"] if isinstance(h["detail"], dict) else {}
        agreed = how.get("detail") == "agreed_window"
        same = address(self.point_of.get(h["contact_point"], {"address_key": ""})) == address(point)
        if h["customer"] != c and not (same and h["kind"] in OF_ADDRESS):
            return False
        if at(h["starts_us"]) >= self.end and not agreed:
            return False
        ends = at(h["ends_us"])
        if ends is None and agreed and {"from", "to"} <= set(detail):
            ends = datetime.fromisoformat(detail["to"])
        if ends is not None and (ends <= self.as_of or ends <= self.begin):
            return False
        work = "only_place" in how or (
            how.get("detail") == "local_window" and detail.get("place") == "work"
        )
        if h["contact_point"] < 0 and not work:
            return False
        if h["contact_point"] >= 0 and same == agreed:
            return False  # a callback was agreed at that point: the others are closed
        if work and h["customer"] == c and point["place"] not in ("work", "unknown"):
            return False
        if "spares_channels" in how:
            return self.root(channel) not in how["spares_channels"]
        if how.get("detail") == "channels" and null(h["channel"]):
            return self.refuses(detail, channel)
        return agreed or self.closes(h["channel"], channel)

    def speaks(self, rule: Any, channel: str) -> bool:
        words = self.words(channel)
        count = rule.parameters.get("count", {})
        if words == {"letter"} and "letter" in count.get("exclude_flags", []):
            return False
        return "*" in rule.channels or bool(words & set(rule.channels))

    def spoken(self, rules: tuple[Any, ...], channel: str) -> list[Any]:
        """Rules of a set that speak of a channel."""
        key = ("spoken", rules, channel)
        if key not in self.kept:
            self.kept[key] = [r for r in rules if self.speaks(r, channel)]
        return self.kept[key]

    def limited(self, rules: tuple[Any, ...], debt: Any, channel: str) -> tuple[Any, ...]:
        """Rules whose part of the portfolio holds this debt and channel."""

        def inside(part: Any, unknown: bool) -> bool:
            named = set(part.channels)
            if named and channel not in named and not self.words(channel) & named:
                return False
            for asked, value in ((part.creditors, "creditor"), (part.books, "book")):
                own = None if debt is None or null(debt[value]) else debt[value]
                if asked and (not unknown if own is None else own not in asked):
                    return False
            return True

        whole = [r for r in rules if r.reach is EVERYWHERE and not r.spared]
        if len(whole) == len(rules):
            return rules
        return tuple(
            r
            for r in rules
            if inside(r.reach, True) and not any(inside(s, False) for s in r.spared)
        )

    def noticed(self, event: str, wait: int, c: int, debt: Any, day: dict[str, date]) -> bool:
        """Whether a fitting notice was sent, and the wait is over in every zone."""
        how = table("flags")["notices"][event]
        for n in self.own("notices", c):
            if n["kind"] not in how["kinds"]:
                continue
            if n["debt"] >= 0 and (debt is None or n["debt"] != debt["debt"]):
                continue
            if "channels" in how and n["channel"] not in how["channels"]:
                continue
            if all((d - local_date(at(n["sent_us"]), z)).days >= wait for z, d in day.items()):
                return True
        return False

    def flagged(self, rules: tuple[Any, ...], facts: set[str], channel: str) -> list[Any]:
        flags = table("flags")["flags"]
        return [
            r
            for r in self.spoken(rules, channel)
            if r.kind == "suppression"
            and not facts.isdisjoint(flags.get(r.parameters["flag"], ()))
            and not self.treated(r, channel)
        ]

    def choose(
        self, c: int, debt: Any, channel: str, rules: tuple[Any, ...], zones: list[str]
    ) -> tuple[Any, set[str]]:
        kinds = self.config.channel(channel).contact_point_kinds
        if not kinds:
            return None, self.against_point(c, debt, channel, None, rules, zones)
        fitting = [p for p in self.own("points", c) if p["kind"] in kinds]
        if not fitting:
            return None, {r.id for r in self.flagged(rules, {"point:none"}, channel)}
        judged = [(p, self.against_point(c, debt, channel, p, rules, zones)) for p in fitting]
        good = [p for p, hit in judged if not hit]
        if good:
            return min(
                good,
                key=lambda p: (
                    1.0 if null(p["quality_share"]) else -p["quality_share"],
                    p["contact_point"],
                ),
            ), set()
        return None, set().union(*(hit for _, hit in judged))
