"""One decision in words: for a terminal, a notebook and a program."""

from __future__ import annotations

import math
import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.contracts.vocabulary import WAIT

if TYPE_CHECKING:
    from contactopt.plan.why import Why

__all__ = ["why_dict", "why_html", "why_text"]

_WIDTH = 100
#: runners-up that the text lists; the frame has all
_SHOWN = 5
_MONEY = ["margin_x_lift", "cost", "harm", "value", "price", "priced_value"]


def why_text(why: Why) -> str:
    """Return who, when, what, what it is worth, what else there was, and what was blocked."""
    lines = [f"{name:<12}{text}" for name, text in _told(why)]
    lines = [line for text in lines for line in _wrapped(text, " " * 12)]
    others = _others(why)
    if len(others):
        lines += ["", f"Runners-up, by priced value ({_unit(why)}):"]
        columns = ["action_id", "probability", "value", "price", "priced_value"]
        shown = others.head(_SHOWN)[columns]
        text = shown.to_string(index=False, formatters=_formats(columns))
        lines += textwrap.indent(text, "  ").splitlines()
        if len(others) > _SHOWN:
            lines.append(f"  and {len(others) - _SHOWN} more open actions")
    blocked = _blocked(why)
    if blocked:
        lines += ["", f"Blocked: {sum(len(names) for _, _, names in blocked)} action(s)"]
        for reasons, when, names in blocked:
            lines += _wrapped(f"  {reasons}: {', '.join(_short(names))}", "    ")
            lines += _wrapped(f"    first lawful: {when}", "      ")
        lines += ["", "What those reasons say:"]
        for rule_id, rule in why.rules.items():
            lines += _wrapped(f"  {rule_id}: {_rule_words(rule, why)}", "    ")
    return "\n".join(lines)


def why_html(why: Why) -> str:
    """Return the same as tables."""
    told = "".join(
        f"<tr><th style='text-align:left'>{escape(k)}</th>"
        f"<td style='text-align:left'>{escape(v)}</td></tr>"
        for k, v in _told(why)
    )
    table = why.to_frame().drop(columns=["drawn", "p_pay_wait", "amount"])
    rules = "".join(
        f"<li><code>{escape(rule_id)}</code>: {escape(_rule_words(rule, why))}</li>"
        for rule_id, rule in why.rules.items()
    )
    return (
        f"<table>{told}</table>{table.to_html(index=False, float_format='{:,.4f}'.format)}"
        f"{f'<ul>{rules}</ul>' if rules else ''}"
    )


def why_dict(why: Why) -> dict[str, Any]:
    """Return plain values: who, when, what was drawn, every action, every rule's words."""
    head = {
        name: getattr(why, name)
        for name in ("decision_id", "batch_id", "customer_id", "action_id", "channel")
    }
    return {
        **head,
        "decided_at": why.decided_at.isoformat(),
        "slot_start": _plain(why.decision.get("slot_start")),
        "slot_local_hour": _plain(why.decision.get("slot_local_hour")),
        "time_zone": _zone(why),
        "debt_id": _plain(why.decision.get("debt_id")),
        "template_id": _plain(why.decision.get("template_id")),
        "propensity": why.propensity,
        **({} if why.treatment is None else {"treatment": why.treatment}),
        "n_eligible": why.n_eligible,
        "control": why.control,
        "currency": why.currency,
        "policy_version": why.facts.policy_version,
        "rules_version": why.facts.rules_version,
        "in_words": dict(_told(why)),
        "actions": [
            {str(k): _plain(v) for k, v in row.items()}
            for row in why.to_frame().to_dict(orient="records")
        ],
        "rules": why.rules,
    }


# ---- the lines -----------------------------------------------------------------------------------


def _told(why: Why) -> list[tuple[str, str]]:
    who = f"customer {why.customer_id}, decision {why.decision_id}"
    lines = [
        ("who", who),
        ("when", f"{_instant(why.decided_at)}, batch {why.batch_id}"),
        ("drawn", _drawn(why)),
        ("value", _value(why)),
    ]
    if why.action_id != WAIT:
        lines.append(("chances", _chances(why)))
    if why.treatment is not None:
        lines.append(("message", _message(why, why.treatment)))
    return [*lines, ("exploration", _exploration(why)), ("versions", _versions(why))]


def _drawn(why: Why) -> str:
    chance = f"with probability {why.propensity:.6g}"
    if why.action_id == WAIT:
        return f"wait: no contact, {chance}, out of {_choices(why)}"
    parts = [why.action_id, f"channel {why.channel}"]
    hour, start = why.decision.get("slot_local_hour"), why.decision.get("slot_start")
    if _plain(hour) is not None:
        h = int(float(str(hour)))  # a column with nulls is read back as floats
        parts.append(f"local hour {h:02d}:00 to {(h + 1) % 24:02d}:00")
    if start is not None and _plain(start) is not None:
        zone = _zone(why)
        local = f" = {pd.Timestamp(start).tz_convert(zone):%Y-%m-%d %H:%M} in {zone}"
        parts.append(f"slot from {_instant(start)}{local if zone else ''}")
    for name in ("debt_id", "template_id", "offer_id"):
        if _plain(why.decision.get(name)) is not None:
            parts.append(f"{name.removesuffix('_id')} {why.decision[name]}")
    return f"{', '.join(parts)}; {chance}, out of {_choices(why)}"


def _choices(why: Why) -> str:
    return f"{why.n_eligible} open action(s) and waiting"


def _value(why: Why) -> str:
    if why.action_id == WAIT:
        return f"0 {_unit(why)}: every other value is counted over waiting"
    line = why.drawn
    row = why.facts.row_of_cell(_cell(why))
    paid = f" for {row}" if row and line["price"] > 0 else ""
    learned = f" ({_money(why.learned)} of it learned since the fit)" if why.learned else ""
    return (
        f"margin x lift {_money(line['margin_x_lift'])}{learned} - cost {_money(line['cost'])} "
        f"- harm {_money(line['harm'])} = value {_money(line['value'])} {_unit(why)} over waiting; "
        f"price of its capacity {_money(line['price'])}{paid}; priced value "
        f"{_money(line['priced_value'])}"
    )


def _chances(why: Why) -> str:
    line = why.drawn
    said = [
        ("reaches the customer", line["p_reach"]),
        ("pays within the horizon if contacted so", line["p_pay"]),
        ("pays if left alone", line["p_pay_wait"]),
    ]
    known = [f"{text} {p:.4f}" for text, p in said if _plain(p) is not None]
    return ", ".join(known) if known else "the scores that were handed in state none"


def _message(why: Why, one: dict[str, Any]) -> str:
    what = [f"{k.removesuffix('_id')} {one[k]}" for k in ("template_id", "offer_id") if one[k]]
    arm = why.propensity / one["probability"]
    said = (
        f"{' with '.join(what) or 'no template and no offer'}: drawn with probability "
        f"{one['probability']:.6g} of {one['n']} that are valid, the action with {arm:.6g}; "
    )
    if one["adds"] == 0 and one["choice_adds"] == 0:
        return said + "none is known to do better than another"
    return said + (
        f"it adds {_money(one['adds'])} {_unit(why)} over a random one, and the choice as it is "
        f"drawn {_money(one['choice_adds'])}, which is part of margin x lift"
    )


def _exploration(why: Why) -> str:
    if why.control:
        return (
            "control group: only waits, with probability 1, so that the lift of all contacts can "
            "be measured; left out of one-step evaluation"
        )
    if why.n_eligible == 0:
        return "no action was open, so there was nothing to draw"
    if why.facts.tau == 0:
        return (
            "none in this batch: the best plan inside the capacities was taken, and its "
            "probabilities cannot judge a later policy"
        )
    best = why.best
    kept = "every open action keeps a chance, so that later policies can be judged from this log"
    if best["action_id"] == why.action_id:
        return f"this is also the choice with the best priced value; {kept}"
    if _priced(why, why.action_id) == best["priced_value"]:
        return f"no other choice has a better priced value, {best['action_id']} the same; {kept}"
    return (
        f"drawn to learn: the best priced value is that of {best['action_id']} "
        f"({_money(best['priced_value'])} {_unit(why)}, probability {best['probability']:.6g}); "
        f"{kept}"
    )


def _priced(why: Why, action_id: str | None) -> float:
    found = why.to_frame()
    return float(found.loc[found["action_id"] == action_id, "priced_value"].iloc[0])


def _versions(why: Why) -> str:
    facts = why.facts
    return f"policy {facts.policy_version or 'not logged'}, rules {facts.rules_version or 'none'}"


def _others(why: Why) -> pd.DataFrame:
    table = why.to_frame()
    is_open = table[(table["reasons"] == "") & ~table["drawn"]]
    return is_open.sort_values("priced_value", ascending=False, kind="stable")


def _blocked(why: Why) -> list[tuple[str, str, list[str]]]:
    """Group blocked actions by reasons and what must change; instants stand with each action."""
    table = why.to_frame()
    found: dict[tuple[str, str], list[str]] = {}
    blocked = table[table["reasons"] != ""].sort_values("action_id")
    columns = ["action_id", "reasons", "lawful_from", "until"]
    for name, reasons, lawful, until in blocked[columns].itertuples(index=False, name=None):
        known = lawful is not pd.NaT
        when = "as given with each action" if known else f"none can be given: {until}"
        told = f"{name} from {_instant(lawful)}" if known else name
        found.setdefault((reasons.replace("|", " and "), when), []).append(told)
    return [(reasons, when, names) for (reasons, when), names in sorted(found.items())]


def _short(names: list[str]) -> list[str]:
    """Leave out the channel where it is that of the name before: sms@08, @09, @10."""
    before = ["", *(name.split("@")[0] for name in names)]
    return [
        name.removeprefix(last) if "@" in name and name.startswith(f"{last}@") else name
        for name, last in zip(names, before, strict=False)
    ]


def _rule_words(rule: dict[str, Any], why: Why) -> str:
    if not rule["summary"] and not rule["citation"]:
        return "the log holds no text" + (
            " (written by an earlier version)" if why.facts.format == 1 else " for it"
        )
    source = "; ".join(text for text in (rule["citation"], rule.get("source_url")) if text)
    return rule["summary"] + (f" [{source}]" if source else "")


# ---- small words ---------------------------------------------------------------------------------


def _unit(why: Why) -> str:
    return why.currency or "in the strategy's currency"


def _money(value: float) -> str:
    return f"{value:,.4f}"


def _instant(value: Any) -> str:
    at = pd.Timestamp(value).tz_convert("UTC")
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d} {at.hour:02d}:{at.minute:02d} UTC"


def _raw_line(why: Why) -> pd.Series:
    raw = why._actions
    return raw[(raw["action_id"].astype(object) == why.action_id).to_numpy()].iloc[0]


def _zone(why: Why) -> str | None:
    found = _raw_line(why).get("time_zone")
    return found if isinstance(found, str) else None


def _cell(why: Why) -> int:
    return int(_raw_line(why).get("cell", -1))


def _formats(columns: list[str]) -> dict[str, Any]:
    own = {name: "{:,.4f}".format for name in columns if name in _MONEY}
    return {**own, "probability": "{:.6g}".format}


def _wrapped(text: str, further: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )


def _plain(value: Any) -> Any:
    """Return JSON values; absent ones are None."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
