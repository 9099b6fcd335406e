"""Reading a mapping: every section checked against the contract, all faults told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

from contactopt.contracts.tables import TABLES, ColumnSpec
from contactopt.contracts.vendors.clock import format_fault
from contactopt.contracts.vendors.codes import SENT, SKIP, Code, fold_code
from contactopt.contracts.vendors.mapping import (
    EVENT_COLUMNS,
    MAPPED_TABLES,
    MATCH_KEYS,
    Match,
    VendorMapping,
    default_id_columns,
)
from contactopt.contracts.vendors.read_options import read_options
from contactopt.contracts.vendors.scalars import as_flag, as_number
from contactopt.errors import ConfigError

__all__ = ["meant", "read_mapping"]

_KEYS = (
    "table", "read", "time_zone", "format", "columns", "constants", "codes", "match", "id_from",
)  # fmt: skip
_HASHES = ("sha256", "sha1", "md5")
#: what a row of each table cannot do without, one of each group
_NEEDED = {
    "touches": (("channel",), ("started_at", "occurred_at")),
    "payments": (("paid_at",), ("amount",)),
    "promises": (("made_at",), ("due_at",), ("amount",)),
}
#: the column whose codes stand in a flat `codes` section
_CODED = {"touches": "outcome", "payments": "kind", "promises": ""}


def meant(word: object, known: Iterable[str]) -> str:
    """Return the likely word behind a misspelt one, as the end of a sentence."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def read_mapping(
    data: Mapping[str, Any], source: str = "mapping", extra_channels: tuple[str, ...] = ()
) -> VendorMapping:
    """Read a mapping; see `VendorMapping.from_mapping`."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{source}: the mapping must be keys with values")
    faults: list[str] = []
    for key in data:
        if key not in _KEYS:
            inside = " (it belongs under `constants`)" if key in ("vendor", *_word_names()) else ""
            faults.append(f"{key}: unknown key{inside or meant(key, _KEYS)}")
    table = data.get("table")
    if table not in MAPPED_TABLES:
        told = "missing" if table is None else f"{table!r} cannot be mapped"
        faults.append(f"table: {told}; one of {', '.join(MAPPED_TABLES)}{meant(table, _TABLES)}")
        raise _refusal(source, faults)
    mapping = _Reader(str(table), data, extra_channels, faults).mapping()
    if faults or mapping is None:
        raise _refusal(source, faults)
    return mapping


_TABLES = MAPPED_TABLES


def _word_names() -> tuple[str, ...]:
    return TABLES["touches"].of_kind("word")


def _refusal(source: str, faults: list[str]) -> ConfigError:
    return ConfigError(
        f"{source}: {len(faults)} fault(s)\n" + "\n".join(f"  {f}" for f in faults),
        hint="`contactopt init DIR` writes an annotated mapping.yaml that shows every key",
    )


class _Reader:
    """One mapping while it is read: sections in, faults noted."""

    def __init__(
        self, table: str, data: Mapping[str, Any], extra: tuple[str, ...], faults: list[str]
    ) -> None:
        self.table, self.data, self.faults = table, data, faults
        self.specs: dict[str, ColumnSpec] = dict(TABLES[table].columns)
        if table == "touches":
            events = TABLES["touch_events"].columns
            self.specs |= {c: events[c] for c in EVENT_COLUMNS}
        self.extra = extra
        self.known = (*self.specs, *(k for k in MATCH_KEYS if k not in self.specs))

    def mapping(self) -> VendorMapping | None:
        columns = self._columns()
        constants = self._constants(columns)
        match = self._match(columns)
        codes = self._codes(columns)
        formats, zone = self._formats(), self._zone()
        read = read_options(self.data.get("read"), self.faults)
        self._needed(columns, constants, codes)
        if match is None:
            return None
        draft = VendorMapping(
            table=self.table,
            match=match,
            columns=columns,
            constants=constants,
            codes=codes,
            formats=formats,
            time_zone=zone,
            read=read,
            extra_channels=self.extra,
        )
        return replace(draft, id_from=self._id_from(draft))

    def _section(self, name: str) -> Mapping[Any, Any]:
        given = self.data.get(name)
        if given in (None, ""):
            return {}
        if not isinstance(given, Mapping):
            self.faults.append(f"{name}: give keys with values")
            return {}
        return given

    # ---- columns and constants -------------------------------------------------------------

    def _columns(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for ours, theirs in self._section("columns").items():
            if ours not in self.known:
                self.faults.append(
                    f"columns.{ours}: {self.table} has no such column{meant(ours, self.known)}; "
                    "ours stand left, theirs right"
                )
                continue
            names = names_of(theirs)
            if not names:
                self.faults.append(f"columns.{ours}: name their column, or a list of columns")
                continue
            found[str(ours)] = names
        if "event" in found and "outcome" in found:
            self.faults.append("columns: give either `event` or `outcome`, they mean the same here")
        return found

    def _constants(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for ours, value in self._section("constants").items():
            spec = self.specs.get(str(ours))
            if ours == "vendor" and spec is None:
                # payments and promises have no such column: it is part of their ids only
                found["vendor"] = str(value)
            elif spec is None:
                self.faults.append(f"constants.{ours}: no such column{meant(ours, self.known)}")
            elif ours in columns:
                self.faults.append(f"constants.{ours}: stands under columns as well")
            elif spec.kind in ("instant", "day", "due_day") or ours == TABLES[self.table].key[0]:
                self.faults.append(f"constants.{ours}: cannot be the same in all rows")
            else:
                found[str(ours)] = self._constant(spec, value)
        return found

    def _constant(self, spec: ColumnSpec, value: Any) -> Any:
        where = f"constants.{spec.name}"
        if isinstance(value, Mapping | list) or str(value).strip() == "" or value is None:
            self.faults.append(f"{where}: give one value")
        elif spec.kind == "number":
            number = as_number(value)
            if number is None:
                self.faults.append(f"{where}: not a number")
            return number
        elif spec.kind == "flag":
            flag = as_flag(value)
            if flag is None:
                self.faults.append(f"{where}: true or false")
            return flag
        elif spec.kind == "word" and value not in self._words(spec):
            self.faults.append(f"{where}: unknown word{meant(value, self._words(spec))}")
        return str(value)

    def _words(self, spec: ColumnSpec) -> tuple[str, ...]:
        return (*spec.words, *self.extra) if spec.name == "channel" else spec.words

    # ---- whose row it is, and which --------------------------------------------------------

    def _match(self, columns: Mapping[str, tuple[str, ...]]) -> Match | None:
        given = self.data.get("match")
        if given in (None, ""):
            by = next((k for k in MATCH_KEYS if k in columns), None)
            if by is None:
                self.faults.append(
                    "match: say how a row's customer is told: match: customer_id with "
                    "columns.customer_id, or match: {address_key: THEIR_COLUMN, hash: sha256}"
                )
                return None
            return Match(by, columns[by])
        if isinstance(given, str):
            return self._match_by(given, None, {}, columns)
        if not isinstance(given, Mapping):
            self.faults.append("match: a word, or keys with values")
            return None
        options = {k: v for k, v in given.items() if k in ("hash", "strip")}
        rest = {k: v for k, v in given.items() if k not in options}
        if "by" in rest:
            by, theirs = rest.pop("by"), rest.pop("column", rest.pop("columns", None))
        else:
            by = next((k for k in rest if k in MATCH_KEYS), None)
            theirs = None if by is None else rest.pop(by)
        for key in rest:
            keys = (*MATCH_KEYS, "by", "column", "hash", "strip")
            self.faults.append(f"match.{key}: unknown key{meant(key, keys)}")
        return None if by is None and rest else self._match_by(str(by), theirs, options, columns)

    def _match_by(
        self,
        by: str,
        theirs: Any,
        options: Mapping[str, Any],
        columns: Mapping[str, tuple[str, ...]],
    ) -> Match | None:
        if by not in MATCH_KEYS:
            told = meant(by, MATCH_KEYS) or f"; one of {', '.join(MATCH_KEYS)}"
            self.faults.append(f"match: cannot match by {by!r}{told}")
            return None
        names = names_of(theirs) or columns.get(by, ())
        if not names:
            self.faults.append(f"match: name their column: match: {{{by}: THEIR_COLUMN}}")
            return None
        method = str(options.get("hash") or "").lower().replace("-", "")
        method = "" if method in ("none", "null") else method
        if method and method not in _HASHES:
            self.faults.append(f"match.hash: one of {', '.join(_HASHES)}")
        strip = as_flag(options.get("strip", True))
        if strip is None:
            self.faults.append("match.strip: true or false")
        return Match(by, names, method, strip is not False)

    def _id_from(self, draft: VendorMapping) -> tuple[str, ...]:
        given, key = self.data.get("id_from"), draft.key
        names = names_of(given)
        if key in draft.columns:
            if names:
                self.faults.append(f"id_from: columns.{key} is mapped already; give one of the two")
            return ()
        if given not in (None, "") and not names:
            self.faults.append("id_from: name one or several of their columns")
        if names:
            return names
        tells = ("started_at", "decision_id", "template_id", "touch_id")
        if draft.receipts and not any(c in draft.columns for c in tells):
            self.faults.append(
                "id_from: a message has several rows here: name their columns that tell one "
                "message from another"
            )
        return default_id_columns(draft.columns, draft.match, draft.receipts)

    # ---- codes and times -------------------------------------------------------------------

    def _codes(self, columns: Mapping[str, Any]) -> dict[str, dict[str, Code]]:
        section = self._section("codes")
        if not section:
            return {}
        coded = {n: s for n, s in self.specs.items() if s.kind in ("word", "flag")}
        inner = ("outcome", "event", "word", "machine")
        nested = all(
            str(k) in coded and isinstance(v, Mapping) and not set(v) <= set(inner)
            for k, v in section.items()
        )
        flat = _CODED[self.table]
        if self.table == "touches" and "event" in columns:
            flat = "event"
        if not nested and not flat:
            self.faults.append(f"codes: {self.table} have no codes of their own; name the column")
            return {}
        groups = section if nested else {flat: section}
        return {str(name): self._code_group(coded[str(name)], g) for name, g in groups.items()}

    def _code_group(self, spec: ColumnSpec, group: Mapping[Any, Any]) -> dict[str, Code]:
        found: dict[str, Code] = {}
        for theirs, value in group.items():
            where = f"codes.{theirs}"
            if isinstance(theirs, bool):
                self.faults.append(f"{where}: YAML reads this code as a truth value: quote it")
                continue
            code = self._code(spec, where, value)
            folded = fold_code(str(theirs))
            if code is not None and found.setdefault(folded, code) != code:
                self.faults.append(f"{where}: the same code stands twice with different meanings")
        return found

    def _code(self, spec: ColumnSpec, where: str, value: Any) -> Code | None:
        machine: bool | None = None
        if isinstance(value, Mapping):
            unknown = set(value) - {"outcome", "event", "word", "machine"}
            if unknown:
                known = ("outcome", "machine")
                self.faults += [f"{where}.{k}: unknown key{meant(k, known)}" for k in unknown]
            if "machine" in value:
                machine = as_flag(value["machine"])
                if machine is None:
                    self.faults.append(f"{where}.machine: true or false")
            value = value.get("outcome", value.get("event", value.get("word")))
        if spec.kind == "flag":
            flag = as_flag(value)
            if flag is None:
                self.faults.append(f"{where}: true or false")
            return Code("true" if flag else "false")
        outcome = spec.name in ("outcome", "event")
        words = (*self._words(spec), *((SENT, SKIP) if outcome else ()))
        if outcome and (value is None or str(value).lower() in ("", "null", "~", "none")):
            return Code(SENT, machine)
        if value not in words:
            self.faults.append(f"{where}: {value!r} is no word of {spec.name}{meant(value, words)}")
            return None
        return Code(str(value), machine)

    def _formats(self) -> dict[str, tuple[str, ...]]:
        given = self.data.get("format")
        if given in (None, ""):
            return {}
        groups = given if isinstance(given, Mapping) else {"": given}
        found: dict[str, tuple[str, ...]] = {}
        for name, value in groups.items():
            where = f"format.{name}" if name else "format"
            if name and name not in self.specs:
                self.faults.append(f"{where}: no such column{meant(name, self.specs)}")
            found[str(name)] = names_of(value)
            if not found[str(name)]:
                self.faults.append(f"{where}: give a format, or a list of formats")
            for one in found[str(name)]:
                fault = format_fault(one)
                if fault:
                    self.faults.append(f"{where}: {fault}")
        return found

    def _zone(self) -> str | None:
        zone = self.data.get("time_zone")
        if zone in (None, ""):
            return None
        if zone not in available_timezones():
            told = meant(zone, available_timezones())
            self.faults.append(f"time_zone: {zone!r} is no IANA time zone{told}")
        return str(zone)

    def _needed(
        self, columns: Mapping[str, Any], constants: Mapping[str, Any], codes: Mapping[str, Any]
    ) -> None:
        for group in _NEEDED[self.table]:
            if not any(c in columns or c in constants for c in group):
                self.faults.append(f"columns.{' or columns.'.join(group)}: missing")
        for name in codes:
            if name not in columns:
                self.faults.append(f"codes: there are codes, but columns.{name} is not mapped")


def names_of(value: Any) -> tuple[str, ...]:
    """Return column names given as one name or a list of them; empty if it is neither."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    if not all(isinstance(v, str | int) and str(v).strip() for v in value):
        return ()
    return tuple(str(v) for v in value)
