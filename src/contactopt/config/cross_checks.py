"""What parts of a strategy file say about each other: every fault, in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from contactopt.contracts.vocabulary import ARREARS_STAGES, CHANNELS, INBOUND_ONLY

if TYPE_CHECKING:
    from contactopt.config.strategy_file import StrategyConfig

__all__ = ["cross_faults", "likely"]


def cross_faults(config: StrategyConfig) -> list[str]:
    """Return every fault between sections that are right each by itself.

    Parameters
    ----------
    config : StrategyConfig

    Returns
    -------
    list of str
        One line each; none if all is well. A word that nothing there is called by is a fault
        everywhere: a delay of a table that does not exist would delay nothing, in silence.
    """
    return [
        *_channels(config),
        *_named_channels(config),
        *_tables(config),
        *_stages(config),
        *_currencies(config),
        *_zones(config),
        *_treatments(config),
        *_twice(config),
    ]


def likely(word: str, known: Collection[str]) -> str:
    """Return a question that names the known word that was likely meant, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _channels(config: StrategyConfig) -> Iterator[str]:
    for name, channel in config.channels.items():
        if name not in CHANNELS and channel.like not in CHANNELS:
            yield (
                f"unknown channel {name!r}{likely(name, CHANNELS)}; a channel of your own "
                "needs `like:` one of the contract's channels"
            )
        elif (channel.like or name) in INBOUND_ONLY:
            yield f"channel {name!r} can only come in: it cannot be planned"


def _named_channels(config: StrategyConfig) -> Iterator[str]:
    for where, channels in _mentions(config):
        for c in channels:
            if c not in config.channels and c not in CHANNELS:
                yield f"{where} names unknown channel {c!r}{likely(c, CHANNELS)}"


def _mentions(config: StrategyConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, pool in config.pools.items():
        yield f"pool {name!r}", pool.serves.channels
    for t in config.templates:
        yield f"template {t.template_id!r}", (t.channel,)
    turns = config.orchestration
    for first, then in turns.fallback_chains.items():
        yield "orchestration.fallback_chains", (first, then)
    yield "orchestration.vendors", tuple(turns.vendors)
    for state, allowed in turns.treatments:
        yield f"orchestration.treatments.{state}", allowed.channels
    yield "safety.incumbent", tuple(row.channel for row in config.safety.incumbent)


def _tables(config: StrategyConfig) -> Iterator[str]:
    if not config.data_delay:
        return
    # the tables bring pandera with them: a second at start-up that most files need not pay
    from contactopt.contracts.tables.registry import TABLES

    for name in config.data_delay:
        if name not in TABLES:
            yield f"data_delay names unknown table {name!r}{likely(name, TABLES)}"


def _stages(config: StrategyConfig) -> Iterator[str]:
    for name in config.objective.horizon_days_by_stage:
        if name not in ARREARS_STAGES:
            yield (
                f"objective.horizon_days_by_stage names unknown stage {name!r}"
                f"{likely(name, ARREARS_STAGES)}; there are {', '.join(ARREARS_STAGES)}"
            )


def _currencies(config: StrategyConfig) -> Iterator[str]:
    for code in config.objective.exchange_rates:
        if re.fullmatch("[A-Z]{3}", code) is None:
            yield f"objective.exchange_rates: {code!r} is no ISO 4217 code such as EUR"


def _zones(config: StrategyConfig) -> Iterator[str]:
    for name, pool in config.pools.items():
        if pool.time_zone not in available_timezones():
            yield f"pool {name!r}: unknown time zone {pool.time_zone!r} (IANA name)"


def _treatments(config: StrategyConfig) -> Iterator[str]:
    known = {t.template_id for t in config.templates}
    for state, allowed in config.orchestration.treatments:
        for name in allowed.templates:
            if name not in known:
                yield (
                    f"orchestration.treatments.{state} names unknown template "
                    f"{name!r}{likely(name, known)}"
                )
    offers = {o.offer_id for o in config.offers}
    for t in config.templates:
        for name in t.offers or ():
            if name not in offers:
                yield (
                    f"template {t.template_id!r} names unknown offer {name!r}{likely(name, offers)}"
                )
    for first, then in config.orchestration.fallback_chains.items():
        if first == then:
            yield f"orchestration.fallback_chains: {first!r} follows itself"


def _twice(config: StrategyConfig) -> Iterator[str]:
    for kind, ids in (
        ("template_id", [t.template_id for t in config.templates]),
        ("offer_id", [o.offer_id for o in config.offers]),
    ):
        for name in sorted({i for i in ids if ids.count(i) > 1}):
            yield f"{kind} is used twice: {name!r}"
