"""From pack files to rules: shipped ones by name, a user's own by path, each read from disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from contactopt.compliance.data_tables import shipped_packs, table
from contactopt.compliance.pack_check import DEFAULTS, check_pack
from contactopt.compliance.rule import EVERYWHERE, Reach, Rule
from contactopt.config.unique_keys import json_value, yaml_value
from contactopt.errors import RulePackError

__all__ = ["OURS", "in_profile", "pack_texts", "read_packs", "rule_of", "rules_of"]

#: packs of ours that are never named as a jurisdiction's pack
OURS = ("cautious", "house")


def pack_texts(names: Iterable[str]) -> dict[str, str]:
    """Return the text of every pack named, and of ours, by file name.

    Parameters
    ----------
    names : iterable of str
        Names of shipped packs, ``auto`` for all of them, or paths of JSON or YAML files.

    Raises
    ------
    RulePackError
        No such pack, or a file that cannot be read as text.
    """
    shipped = shipped_packs()
    texts: dict[str, str] = {}
    for name in names:
        if name == "auto":
            texts.update({k: v for k, v in shipped.items() if k not in OURS})
        elif name in shipped:
            texts[name] = shipped[name]
        else:
            path = Path(name)
            if not path.is_file():
                raise RulePackError(
                    f"no rule pack {name!r}",
                    hint=f"shipped: {', '.join(shipped)}; or give the path of a JSON or YAML file",
                )
            if path.name in texts:
                raise RulePackError(
                    f"two rule packs are files of the name {path.name}", hint="rename one of them"
                )
            try:
                texts[path.name] = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise RulePackError(
                    f"{path.name}: not readable: {type(error).__name__}",
                    hint="a pack is a UTF-8 text file in JSON or YAML",
                ) from None
    return {**texts, **{name: shipped[name] for name in OURS}}


def read_packs(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Parse and check packs.

    Raises
    ------
    RulePackError
        With every fault of every file, each with file and rule id.
    """
    data: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for name, text in texts.items():
        data[name], found = _parsed(name, text)
        faults += [f"{name}: {fault}" for fault in found]
    if faults:
        raise RulePackError(
            f"{len(faults)} fault(s) in rule packs\n  " + "\n  ".join(faults),
            hint="a shipped pack in contactopt/compliance/packs shows the form",
        )
    _no_id_twice(data)
    return data


@lru_cache(maxsize=64)
def _parsed(name: str, text: str) -> tuple[Any, tuple[str, ...]]:
    """Return a pack and its faults; the same text is read once. Callers must not change it."""
    try:
        data = (yaml_value if name.endswith((".yaml", ".yml")) else json_value)(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        return {}, ("not readable: " + str(error).replace("\n", " "),)
    return data, tuple(check_pack(data))


def _no_id_twice(data: Mapping[str, Mapping[str, Any]]) -> None:
    where: dict[str, str] = {}
    twice = set()
    for name, pack in data.items():
        for rule in pack["rules"]:
            if where.setdefault(rule["id"], name) != name:
                twice.add(f"{rule['id']} ({where[rule['id']]} and {name})")
    if twice:
        raise RulePackError(
            f"rule ids stand in two packs: {', '.join(sorted(twice)[:5])}",
            hint="give every rule of a pack of your own an id that starts with the pack's name",
        )


def rules_of(data: Mapping[str, Mapping[str, Any]]) -> list[Rule]:
    """Return the rules of all packs in their order, those for other purposes included."""
    found = [rule_of(pack, r) for pack in data.values() for r in pack["rules"]]
    return [replace(rule, order=i) for i, rule in enumerate(found)]


def rule_of(pack: Mapping[str, Any], r: Mapping[str, Any]) -> Rule:
    """Return one checked rule of a pack."""
    r = {**DEFAULTS, **r}
    return Rule(
        id=r["id"],
        jurisdiction=r["jurisdiction"],
        locality=r.get("locality"),
        kind=r["kind"],
        applies_to=tuple(r["applies_to"]),
        channels=tuple(r["channels"]),
        parameters=dict(r["parameters"]),
        strength=r["strength"],
        status=r["status"],
        scope=r["scope"],
        effective_from=_date(r["effective_from"]),
        effective_to=_date(r["effective_to"]),
        citation=r["citation"],
        confidence=r["confidence"],
        summary=r.get("summary") or "",
        note=r.get("note") or "",
        source_url=r.get("source_url"),
        purposes=tuple(r.get("purposes", ["collection"])),
        exceptions=tuple(r.get("exceptions") or ()),
        pack=pack["pack"],
        always=pack.get("binds", "profile") == "always",
        reach=_reach(r),
        approved_by=r.get("approved_by"),
    )


def _reach(r: Mapping[str, Any]) -> Reach:
    creditors, books = (tuple(map(str, r.get(k) or ())) for k in ("creditors", "books"))
    return Reach(creditors, books) if creditors or books else EVERYWHERE


def in_profile(rule: Rule, profile: str) -> Rule:
    """Return the rule as the profile reads it: `strict_` parameters count in `strict` only."""
    p = rule.parameters
    if profile != "strict":
        return rule
    own = {
        k: p[f"strict_{k}"]
        for k in table("kinds")[rule.kind]["tested"]
        if not k.startswith("strict_") and f"strict_{k}" in p and k != "trigger_outcomes"
    }
    return replace(rule, parameters={**p, **own}) if own else rule


def _date(value: Any) -> date | None:
    return None if value is None else date.fromisoformat(str(value))
