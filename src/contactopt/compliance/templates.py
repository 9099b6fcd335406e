"""Which message a contact would carry: the first that is approved, valid, fits and is not stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import NEVER, Block, RuleSet
from contactopt.compliance.disclosures import Disclosures, carries
from contactopt.compliance.fact_table import FactIndex, Facts, fact_arrays, joined
from contactopt.compliance.orchestration.history import History, day_begins
from contactopt.compliance.rule import within
from contactopt.config import TemplateConfig
from contactopt.journal.local_time import local_day

__all__ = ["DISCLOSES_TOO_LITTLE", "NONE_FITS", "NOT_NEEDED", "Templates", "choose_templates"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: the channel has no template in the strategy, so it needs none
NOT_NEEDED = -1
NONE_FITS = -2
#: templates fit but for the disclosures that the law of the place demands
DISCLOSES_TOO_LITTLE = -3


@dataclass(frozen=True, eq=False)
class Templates:
    """The template of every (row, channel).

    Parameters
    ----------
    chosen : int64 array, shape (n_rows, channels)
        Index into the strategy's templates, or one of the codes above.
    resting : DataFrame
        Facts: every template that fits went to the customer only lately.
    set_of : int32 array, shape (n_rows, channels)
        Index into ``sets``: the templates that fit and do not rest; -1 where there is none.
    sets : tuple of tuple of int
        Indices into the strategy's templates, in the file's order.
    """

    chosen: Ints
    resting: Facts
    set_of: npt.NDArray[np.int32]
    sets: tuple[tuple[int, ...], ...] = ()


def choose_templates(
    block: Block,
    index: FactIndex,
    history: History,
    limits: Sequence[tuple[Bools, frozenset[str]]] = (),
) -> Templates:
    """Choose the template of every row and channel.

    A template must be approved, valid on every local date that the window touches, and fit
    stage, book, the customer's language and one candidate jurisdiction, where it names them; it
    must carry the disclosures that the rules binding the row demand in that channel. A customer
    whose language is not known takes any language; an unknown stage or book fits only templates
    that name none. One that went to the customer within `template_rest_days` gives way to the
    next one that fits.

    Parameters
    ----------
    limits : sequence of (bool array (n_rows,), set of template ids)
        Rows in a protected state, and what may go to them.
    """
    names = block.channels
    templates = block.config.templates
    needs = [c for c, name in enumerate(names) if any(t.channel == name for t in templates)]
    chosen = np.full((block.n_rows, len(names)), NOT_NEEDED, dtype=np.int64)
    parts, sets = [], _Sets(block.n_rows, len(names))
    if needs and block.n_rows:
        code, distinct = _kinds(block, limits)
        sent = _sent(block, history)
        said = Disclosures(block)
        for c in needs:
            fitting = [_fitting(block, said, c, kind, limits) for kind in distinct]
            first = [found[0] if len(found) else why for found, why in fitting]
            chosen[:, c] = np.array(first, dtype=np.int64)[code]
            fit = [found for found, _ in fitting]
            sets.of_kinds(c, code, fit)
            parts.append(_give_way(block, index, c, code, fit, sent, chosen, sets))
            if block.planned is not None:
                parts[-1] = _as_planned(block, index, c, code, fitting, sent, chosen)
    return Templates(chosen, joined(parts), sets.set_of, tuple(sets.codes))


class _Sets:
    """The distinct sets of templates that may go, and which one each (row, channel) has."""

    def __init__(self, n_rows: int, n_channels: int) -> None:
        self.codes: dict[tuple[int, ...], int] = {}
        self.set_of = np.full((n_rows, n_channels), -1, dtype=np.int32)

    def code(self, templates: Ints) -> int:
        if len(templates) == 0:
            return -1
        return self.codes.setdefault(tuple(templates.tolist()), len(self.codes))

    def of_kinds(self, channel: int, code: Ints, fitting: list[Ints]) -> None:
        """Give rows of one kind one set."""
        own = np.array([self.code(found) for found in fitting], dtype=np.int32)
        self.set_of[:, channel] = own[code]

    def without(self, channel: int, rows: Ints, own: Ints, rests: Bools) -> None:
        """Take resting templates out of some rows' sets; rests has shape (rows, templates)."""
        at = np.flatnonzero(rests.any(axis=1))
        if len(at) == 0:
            return
        packed = np.ascontiguousarray(np.packbits(rests[at], axis=1))
        keys = packed.view([("", f"V{packed.shape[1]}")]).ravel()
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        codes = np.array([self.code(own[~rests[at[f]]]) for f in first], dtype=np.int32)
        self.set_of[rows[at], channel] = codes[which.ravel()]


def _kinds(
    block: Block, limits: Sequence[tuple[Bools, frozenset[str]]]
) -> tuple[Ints, list[dict[Any, Any]]]:
    """Rows that are alike to every template: their code, and each kind once."""
    debts, view, of = block.view.debts, block.view, block.columns
    outbound = ~of.among("touches", "direction", "inbound")
    spoken_to = np.zeros(block.n, dtype=bool)
    spoken_to[of.ints("touches", "customer")[outbound]] = True
    days = [window_dates(block, z) for z in block.places.zone_sets]
    alike = {d: i for i, d in enumerate(dict.fromkeys(days))}
    templates = block.config.templates
    stage = debts["stage"] if any(t.stages for t in templates) else None
    book = debts["book"] if any(t.books for t in templates) else None
    rules, which = _first_alike(block)
    kinds = pd.DataFrame(
        {
            "stage": pd.factorize(_padded(block, stage, None))[0],
            "book": pd.factorize(_padded(block, book, None))[0],
            "language": pd.factorize(_padded(block, None, view.customers.get("language")))[0],
            "rules": which[block.rule_set],
            "days": np.array([alike[d] for d in days], dtype=np.int64)[block.zone_set],
            "first": ~spoken_to[block.customer],
            "states": sum(rows.astype(np.int64) << i for i, (rows, _) in enumerate(limits))
            if limits
            else 0,
        }
    )
    code: Ints = kinds.groupby(list(kinds), sort=False).ngroup().to_numpy().astype(np.int64)
    rows = np.unique(code, return_index=True)[1]
    words = {
        "stage": _padded(block, stage, None)[rows],
        "book": _padded(block, book, None)[rows],
        "language": _padded(block, None, view.customers.get("language"))[rows],
        "rules": [rules[k] for k in kinds["rules"].iloc[rows]],
        "days": [list(alike)[k] for k in kinds["days"].iloc[rows]],
        "first": kinds["first"].iloc[rows].tolist(),
        "states": kinds["states"].iloc[rows].tolist(),
    }
    return code, [
        dict(zip(words, values, strict=True)) for values in zip(*words.values(), strict=True)
    ]


def _first_alike(block: Block) -> tuple[list[int], Ints]:
    """Rule sets of one ground and ownership are one to a template: the first, and each one's."""
    seen: dict[Any, int] = {}
    which = [seen.setdefault((s.ground, s.ownership), len(seen)) for s in block.rule_sets]
    where = np.array(which, dtype=np.int64)
    return [which.index(k) for k in range(len(seen))], where


def _padded(block: Block, of_debt: pd.Series | None, of_customer: pd.Series | None) -> Any:
    out = np.full(block.n_rows, None, dtype=object)
    if of_debt is not None:
        out[: block.n_debts] = of_debt.astype(object).where(of_debt.notna(), None).to_numpy()
    elif of_customer is not None:
        values = of_customer.astype(object).where(of_customer.notna(), None).to_numpy()
        out[:] = values[block.customer]
    return out


def _fitting(
    block: Block,
    said: Disclosures,
    channel: int,
    kind: dict[Any, Any],
    limits: Sequence[tuple[Bools, frozenset[str]]],
) -> tuple[Ints, int]:
    """Templates that fit, in the file's order, and what to say where none does."""
    name = block.channels[channel]
    days = kind["days"]
    own = block.rule_sets[kind["rules"]]
    words = said.demanded(own, channel, days, first=bool(kind["first"]))
    allowed = [some for i, (_, some) in enumerate(limits) if kind["states"] >> i & 1]
    fits, why = [], NONE_FITS
    for i, template in enumerate(block.config.templates):
        if template.channel != name or not template.approved:
            continue
        if any(template.template_id not in some for some in allowed):
            continue
        if not _fits(own, template, kind, days):
            continue
        if carries(template, words):
            fits.append(i)
        else:
            why = DISCLOSES_TOO_LITTLE
    return np.array(fits, dtype=np.int64), why


def window_dates(block: Block, zones: tuple[str, ...]) -> tuple[date, ...]:
    """Return the first and the last local date that the window touches in any zone."""
    w = block.window
    ends = np.array([w.as_of_us, w.end_us - 1], dtype=np.int64)
    found = [int(d) for zone in zones or ("UTC",) for d in local_day(ends, zone)]
    return tuple(date(1970, 1, 1) + timedelta(days=d) for d in (min(found), max(found)))


def _fits(own: RuleSet, t: TemplateConfig, kind: dict[Any, Any], days: tuple[date, ...]) -> bool:
    if t.valid_from is not None and days[0] < t.valid_from:
        return False
    if t.valid_to is not None and days[1] > t.valid_to:
        return False
    if t.stages and kind["stage"] not in t.stages:
        return False
    if t.books and kind["book"] not in t.books:
        return False
    if t.jurisdictions and not any(
        within(j, ours) for j in own.ground.jurisdictions for ours in t.jurisdictions
    ):
        return False
    return _speaks(t.language, kind["language"])


def _speaks(template: str | None, customer: Any) -> bool:
    """BCP 47: ``es`` serves ``es-CO``, and a plain ``es`` customer is served by ``es-CO``."""
    if template is None or not isinstance(customer, str):
        return True
    a, b = template.lower(), customer.lower()
    return a == b or b.startswith(f"{a}-") or a.startswith(f"{b}-")


def _as_planned(
    block: Block, index: FactIndex, channel: int, code: Ints, fitting: list[tuple[Ints, int]],
    sent: pd.Series, chosen: Ints,
) -> Facts:  # fmt: skip
    """Judge the planned template of customers who have a plan by this channel."""
    planned = block.planned
    wanted = planned.by_channel(block, planned.template, NOT_NEEDED)[block.customer, channel]
    rows = np.flatnonzero(wanted != NOT_NEEDED)
    fits = np.zeros((len(fitting), len(block.config.templates) + 1), dtype=bool)
    for k, (own, _) in enumerate(fitting):
        fits[k, own] = True
    known = np.maximum(wanted[rows], -1)  # one that the strategy does not have fits nobody
    why = np.array([w for _, w in fitting], dtype=np.int64)[code[rows]]
    chosen[rows, channel] = np.where(fits[code[rows], known], known, why)
    key = block.customer[rows] * len(block.config.templates) + known
    end = sent.reindex(key).fillna(NEVER).to_numpy(dtype=np.int64)
    rests = end > block.window.begin_us
    return fact_arrays(
        int(rests.sum()), customer=block.customer[rows[rests]], row=rows[rests],
        name=index.of("template:resting"), channels=np.uint64(1) << np.uint64(channel),
        end=end[rests],
    )  # fmt: skip


# ---- the same words again ------------------------------------------------------------------------


def _sent(block: Block, history: History) -> pd.Series:
    """Until when a template rests for a customer: key customer x templates + template."""
    rest, templates = block.config.orchestration.template_rest_days, block.config.templates
    place = pd.Index([t.template_id for t in templates])
    at = np.flatnonzero(history.attempt) if rest else np.empty(0, np.int64)
    said = place.get_indexer(pd.Index([*history.template.words], dtype=object))
    template = np.append(said, -1)[history.template.code[at]]
    at, template = at[template >= 0], template[template >= 0]
    _, end = day_begins(block, history.customer[at], history.time[at], rest)
    key = history.customer[at] * len(templates) + template
    near = end > block.window.begin_us
    return pd.Series(end[near]).groupby(key[near]).max()


def _give_way(
    block: Block, index: FactIndex, channel: int, code: Ints, fitting: list[Ints], sent: pd.Series,
    chosen: Ints, sets: _Sets,
) -> Facts:  # fmt: skip
    """Choose the first template that does not rest; where all do, the first that is free again."""
    n = len(block.config.templates)
    keys = sent.index.to_numpy(dtype=np.int64)
    of_channel = np.array([t.channel == block.channels[channel] for t in block.config.templates])
    keys, ends = keys[of_channel[keys % n]], sent.to_numpy(dtype=np.int64)[of_channel[keys % n]]
    seen = np.zeros(block.n, dtype=bool)
    seen[keys // n] = True
    rows = np.flatnonzero(seen[block.customer])
    if len(rows) == 0:
        return fact_arrays(0)
    rows = rows[np.argsort(code[rows], kind="stable")]
    until_free = np.full(len(rows), NEVER)
    cuts = np.flatnonzero(np.append(True, code[rows][1:] != code[rows][:-1]))
    for a, b in zip(cuts, [*cuts[1:], len(rows)], strict=True):
        own = fitting[code[rows[a]]]
        if len(own) == 0:
            continue
        asked = block.customer[rows[a:b]][:, None] * n + own[None, :]
        at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        until = np.where(keys[at] == asked, ends[at], NEVER)
        sets.without(channel, rows[a:b], own, until > block.window.begin_us)
        best = until.argmin(axis=1)  # a template that does not rest: the first of them
        chosen[rows[a:b], channel] = own[best]
        until_free[a:b] = until[np.arange(b - a), best]
    rests = until_free > block.window.begin_us
    return fact_arrays(
        int(rests.sum()), customer=block.customer[rows[rests]], row=rows[rests],
        name=index.of("template:resting"), channels=np.uint64(1) << np.uint64(channel),
        end=until_free[rests],
    )  # fmt: skip
