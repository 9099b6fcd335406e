"""The verdict on hours per medium and channel, and which hours the model may then tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.hour_evidence import (
    NOT_SHOWN,
    SHOWN,
    HourTable,
    between_rows,
    within_customers,
)
from contactopt.models.reach.priors import MEDIA, medium_of

__all__ = ["hour_verdicts"]

Floats = npt.NDArray[np.float64]

#: what the verdict on a medium rests on
WITHIN = "attempts on the same customer"
LOGGED = "rows weighted by logged propensities"
ESTIMATED = "rows weighted by estimated propensities"
AS_DRAWN = "rows, as if hours had been drawn at random"
_SATURDAY = 5


def hour_verdicts(
    a: Attempts,
    channels: dict[str, str],
    weight: Floats,
    *,
    level: float,
    propensities: str,
) -> dict[str, dict[str, Any]]:
    """Test the hours of each medium and channel.

    Parameters
    ----------
    a : Attempts
        Told or not; all of them.
    channels : dict
    weight : float array, shape (n,)
        Inverse propensities (1 without) times age weights; only their order of size matters.
    level : float
        Probability that noise is called an effect anywhere.
    propensities : {"logged", "estimated", "none"}

    Returns
    -------
    dict
        Medium or channel -> verdict, reason, p_value, attempts, hours, compared, detectable_sd,
        basis. Channels that were never tried at an hour are left out.
    """
    timed = a.told & (a.hour >= 0)
    rows, weight = a.pick(timed), weight[timed]
    tables, basis = {}, {}
    roots = list(channels.values())
    for c in np.unique(rows.channel):
        mine = rows.channel == c
        tables[int(c)], basis[int(c)] = _table(rows.pick(mine), weight[mine], propensities)
    out: dict[str, dict[str, Any]] = {}
    media = {c: medium_of(roots[c]) for c in tables}
    found = {}
    for m in sorted(set(media.values())):
        mine = [c for c in tables if media[c] == m]
        found[m] = _sum([tables[c] for c in mine])
    accepted = _holm({m: t.test()["p_value"] for m, t in found.items()}, level)
    names = list(channels)
    for m, table in found.items():
        mine = [c for c in tables if media[c] == m]
        bases = sorted({basis[c] for c in mine})
        out[MEDIA[m]] = _verdict(table, accepted[m], "; ".join(bases), rows, mine)
        own = _holm({c: tables[c].test()["p_value"] for c in mine}, level)
        for c in mine:
            out[names[c]] = _of_channel(
                _verdict(tables[c], accepted[m] and own[c], basis[c], rows, [c]), out[MEDIA[m]]
            )
    return out


def _table(rows: Attempts, weight: Floats, propensities: str) -> tuple[HourTable, str]:
    weekend = (rows.weekday >= _SATURDAY).astype(np.int64)
    within = within_customers(rows.customer * 2 + weekend, rows.customer, rows.hour, rows.reached)
    if rows.named and (within.test()["groups"] >= 2 or propensities != "logged"):
        return within, WITHIN
    between = between_rows(rows.customer, rows.hour, rows.reached, weight)
    if propensities == "logged":
        return between, LOGGED
    return between, ESTIMATED if propensities == "estimated" else AS_DRAWN


def _sum(tables: list[HourTable]) -> HourTable:
    total = tables[0]
    for table in tables[1:]:
        total = total + table
    return total


def _holm(p: dict[int, float], level: float) -> dict[int, bool]:
    """Which p values pass when the level is shared out among them."""
    out, holds = {}, True
    for rank, key in enumerate(sorted(p, key=lambda k: (p[k], k))):
        holds = holds and p[key] <= level / (len(p) - rank)
        out[key] = holds
    return out


def _verdict(
    table: HourTable, accepted: bool, basis: str, rows: Attempts, channels: list[int]
) -> dict[str, Any]:
    test = table.test()
    mine = np.isin(rows.channel, channels)
    verdict, reason = (SHOWN if accepted else NOT_SHOWN), ""
    if table.n_hours < 2:
        verdict = "cannot tell: calls at 1 hour only"
        reason = "all attempts were made at one hour of the day"
    elif len(rows) and rows.reached[mine].min() == rows.reached[mine].max():
        verdict = "cannot tell: one outcome only"
        reason = "every attempt ended the same way"
    elif test["groups"] < 2 or not np.isfinite(test["detectable_sd"]):
        verdict = "cannot tell: too few attempts compare hours"
        reason = (
            f"attempts at {table.n_hours} hours, but only {table.compared} compare hours "
            f"({basis}); vary the hour for the same customers or log propensities"
        )
    elif not accepted:
        reason = f"the test finds no difference between {table.n_hours} hours"
    return {
        "verdict": verdict,
        "reason": reason,
        "p_value": float(test["p_value"]),
        "attempts": int(table.attempts.sum()),
        "hours": table.n_hours,
        "compared": table.compared,
        "detectable_sd": float(test["detectable_sd"]),
        "basis": basis,
    }


def _of_channel(own: dict[str, Any], medium: dict[str, Any]) -> dict[str, Any]:
    """Let a channel with too few attempts of its own go with a medium whose hours matter."""
    if medium["verdict"] != SHOWN or own["verdict"] == SHOWN:
        return own
    if own["verdict"] != NOT_SHOWN or own["detectable_sd"] > medium["detectable_sd"] * 2:
        return {**own, "verdict": SHOWN, "reason": "shown by the channels of its kind together"}
    return own
