"""A timeline as people read it: half a page for an agent, the latest lines, and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import pandas as pd

from contactopt.journal.timeline.state import TimelineState
from contactopt.journal.timeline.words import plain, way

__all__ = ["brief_text", "timeline_html", "timeline_text"]

#: lines shown at the end of a printed timeline, and in a notebook
_PRINTED, _IN_NOTEBOOK = 25, 200
#: facts of one kind shown in a brief
_MOST = 5


def brief_text(state: TimelineState) -> str:
    """Return the state in about twenty lines of text."""
    facts = list(brief_lines(state))
    width = max(len(head) for head, _ in facts)
    return "\n".join(f"{head:<{width}}  {text}" for head, text in facts)


def brief_lines(state: TimelineState) -> Iterator[tuple[str, str]]:
    """Yield heading and text of every line of a brief."""
    yield "Customer", _who(state)
    yield from _listed("Owes", [_debt(d) for d in state.debts], "no debt known")
    yield "Last contact", _contact(state, state.last_step)
    if state.last_right_party != state.last_step:
        yield "Last reached", _contact(state, state.last_right_party)
    if state.last_inbound not in (state.last_step, state.last_right_party):
        yield "Last inbound", _contact(state, state.last_inbound)
    yield from _listed("Promise", [_promise(p) for p in state.promises], "none open")
    if state.broken_promise is not None:
        p = state.broken_promise
        yield (
            "Broken",
            f"{_money(p['amount'], p['currency'])} on {p['debt_id']} by {p['due']}, "
            f"{_money(p['paid'], p['currency'])} came",
        )
    yield from _listed("Offer", [_offer(state, o) for o in state.offers], "none in flight")
    yield from _listed("Hold", [_hold(state, h) for h in state.holds], "none")
    if state.callback is not None:
        yield "Callback", _callback(state, state.callback)
    if state.representative is not None:
        yield "Speaks for them", _representative(state.representative)
    for a in state.arrangements[:_MOST]:
        yield (
            "Arrangement",
            f"{a['debt_id']}: {a['n_instalments']:.0f} {a['frequency']} instalments of "
            f"{_money(a['instalment'], a['currency'])}, {a['state']}: {a['paid']:,.2f} of "
            f"{a['amount_due']:,.2f} due came",
        )
    yield from _listed("Planned", [_plan(state, p) for p in state.open_plans], "nothing open")
    yield "Channels", _channels(state)


def _listed(head: str, texts: list[str], none: str) -> Iterator[tuple[str, str]]:
    for text in texts[:_MOST] or [none]:
        yield head, text
    if len(texts) > _MOST:
        yield head, f"... and {len(texts) - _MOST} more"


def _local(state: TimelineState, at: Any) -> str:
    return "?" if at is None else f"{pd.Timestamp(at).tz_convert(state.time_zone):%Y-%m-%d %H:%M}"


def _money(amount: float | None, currency: str | None) -> str:
    return "an unknown amount" if amount is None else f"{amount:,.2f} {currency or ''}".rstrip()


def _who(state: TimelineState) -> str:
    known = [f"language {state.language or 'not known'}", state.jurisdiction or ""]
    if state.preferred_channel:
        known.append(f"prefers {way(state.preferred_channel)}")
    at = f"{_local(state, state.as_of)} {state.time_zone}"
    return f"{state.customer_id} as of {at}; " + ", ".join(k for k in known if k)


def _debt(d: dict[str, Any]) -> str:
    name = f"{d['debt_id']}, {plain(d['product'] or 'debt')} of {d['creditor'] or 'unknown'}"
    if d["ended"]:
        return f"{name}: over ({plain(d['status'] or 'closed')})"
    late = "days past due not known" if d["days_past_due"] is None else (
        f"{d['days_past_due']:.0f} days past due"
    )  # fmt: skip
    paid = ", arrears paid since the last snapshot" if d["paid_since_snapshot"] else ""
    return (
        f"{name}: {_money(d['balance'], d['currency'])}, {_money(d['past_due'], None)} of it past "
        f"due, {late}, {plain(d['stage'])}, {plain(d['status'] or 'status not known')}{paid}"
    )


def _contact(state: TimelineState, c: dict[str, Any] | None) -> str:
    if c is None:
        return "never"
    side = "from the customer" if c["direction"] == "inbound" else "to the customer"
    by = ", ".join(str(x) for x in (c["by"], c["vendor"]) if x)
    offer = f", offer {c['offer_id']}" if c["offer_id"] else ""
    outcome = "outcome not known" if c["outcome"] == "unknown" else plain(c["outcome"])
    return (
        f"{_local(state, c['at'])} {way(c['channel'])} {side}"
        + (f" ({by})" if by else "")
        + f": {outcome}{offer}"
    )


def _promise(p: dict[str, Any]) -> str:
    so_far = f", {p['paid']:,.2f} came so far" if p["paid"] else ""
    return (
        f"{_money(p['amount'], p['currency'])} on {p['debt_id']} by {p['due'] or 'no stated day'}, "
        f"grace until {p['grace_until'] or 'no stated day'}{so_far}"
    )


def _offer(state: TimelineState, o: dict[str, Any]) -> str:
    about = "|".join(o["debt_ids"]) if o["debt_ids"] else "all debts"
    until = "end not known" if o["until"] is None else f"until {_local(state, o['until'])}"
    against = f"; contradicts {', '.join(o['conflicts_with'])}" if o["conflicts_with"] else ""
    made = f"made {_local(state, o['made_at'])} by {way(o['channel'])}"
    return f"{o['offer_id']} on {about}, {made}, {until}{against}"


def _hold(state: TimelineState, h: dict[str, Any]) -> str:
    about = f" on {h['debt_id']}" if h["debt_id"] else ""
    about += f", {way(h['channel'])} only" if h["channel"] else ""
    about += f", contact point {h['contact_point_id']} only" if h["contact_point_id"] else ""
    until = "" if h["until"] is None else f" until {_local(state, h['until'])}"
    told = {"hold": "", "outcome": " (said in a contact)", "debt status": " (status of the debt)"}
    return f"{plain(h['kind'])}{about}, since {_local(state, h['since'])}{until}{told[h['source']]}"


def _callback(state: TimelineState, c: dict[str, Any]) -> str:
    if c["source"] == "outcome":
        return f"asked for on {_local(state, c['asked_at'])}, no time agreed"
    by = f" by {way(c['channel'])}" if c["channel"] else ""
    begin, end = (_when(state, c[k]) for k in ("from", "to"))
    return f"agreed for {begin} to {end}{by}"


def _when(state: TimelineState, at: Any) -> str:
    """Return an instant locally; text of a hold's detail as it stands where it is no instant."""
    try:
        return _local(state, at)
    except (ValueError, TypeError):
        return str(at)


def _representative(r: dict[str, Any]) -> str:
    return ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in r.items())


def _plan(state: TimelineState, p: dict[str, Any]) -> str:
    at = "" if p["slot_start"] is None else f" at {_local(state, p['slot_start'])}"
    offer = f", offer {p['offer_id']}" if p["offer_id"] else ""
    return f"{way(p['channel'])}{at}{offer} (decision {p['decision_id']})"


def _channels(state: TimelineState) -> str:
    def names(channels: tuple[str, ...]) -> str:
        return ", ".join(map(way, channels)) or "none"

    text = f"consented: {names(state.channels_consented)}; refused: "
    text += names(state.channels_refused)
    if state.points_refused:
        text += f"; refused at one point: {', '.join(state.points_refused)}"
    if state.points_dead:
        text += f"; dead contact points: {', '.join(state.points_dead[:_MOST])}"
    return text


# ---- lines -----------------------------------------------------------------------------------


def timeline_text(frame: pd.DataFrame, brief: str) -> str:
    """Return the brief and the latest lines."""
    shown = frame[(frame["kind"] != "snapshot").to_numpy(dtype=bool)]
    last = shown.tail(_PRINTED)
    head = f"{len(frame):,} lines"
    if len(last) < len(frame):
        head += f"; the latest {len(last)} that are no unchanged snapshot"
    rows = [_line(r) for r in last.to_dict("records")]
    return "\n".join([brief, "", head, *rows])


def _line(row: Mapping[Any, Any]) -> str:
    at = "?" * 16 if row["at_local"] is pd.NaT else f"{row['at_local']:%Y-%m-%d %H:%M}"
    return f"  {at}  {row['kind']:<20}{_said(row)}"


def _said(row: Mapping[Any, Any]) -> str:
    text = row["what"]
    if not pd.isna(row["amount"]):
        text += f", {_money(row['amount'], None if pd.isna(row['currency']) else row['currency'])}"
    if not pd.isna(row["debt_id"]):
        text += f" [{row['debt_id']}]"
    return text if pd.isna(row["by"]) else f"{text} ({row['by']})"


def timeline_html(frame: pd.DataFrame, state: TimelineState) -> str:
    """Return the brief and the latest lines as HTML; every text is escaped."""
    facts = "".join(
        f"<tr><th style='text-align:left'>{escape(head)}</th>"
        f"<td style='text-align:left'>{escape(text)}</td></tr>"
        for head, text in brief_lines(state)
    )
    last = frame.tail(_IN_NOTEBOOK)
    rows = "".join(
        f"<tr><td style='white-space:nowrap'>{escape(_line(r)[2:18])}</td>"
        f"<td>{escape(r['kind'])}</td>"
        f"<td style='text-align:left'>{escape(_said(r))}</td></tr>"
        for r in last.to_dict("records")
    )
    more = "" if len(last) == len(frame) else f" of {len(frame):,}"
    return (
        f"<table>{facts}</table><details open><summary>{len(last):,}{more} lines</summary>"
        f"<table><tr><th>local time</th><th>kind</th><th>what</th></tr>{rows}</table></details>"
    )
