"""Best channel and best hour per customer as tidy tables, with what they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.hour_evidence import SHOWN
from contactopt.models.reach.priors import BLOCK_OF_HOUR, N_BLOCKS, N_MEDIA

__all__ = ["Counts", "best_by_key", "hour_reason", "interval", "report_frame"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_Z95 = 1.959963984540054


class Counts:
    """Own attempts with a known result per customer.

    Attributes
    ----------
    channel : int array, shape (n, n_channels)
    medium : int array, shape (n, n_media)
    block : int array, shape (n, n_channels, n_blocks)
    """

    def __init__(self, n: int, n_channels: int, media: Ints, mine: Attempts | None) -> None:
        self.channel = np.zeros((n, n_channels), dtype=np.int64)
        self.block = np.zeros((n, n_channels, N_BLOCKS), dtype=np.int64)
        if mine is not None and len(mine):
            a = mine.pick(mine.told)
            cell = a.customer * n_channels + a.channel
            self.channel = np.bincount(cell, minlength=n * n_channels).reshape(n, n_channels)
            timed = a.hour >= 0
            cell = cell[timed] * N_BLOCKS + BLOCK_OF_HOUR[a.hour[timed]]
            count = np.bincount(cell, minlength=n * n_channels * N_BLOCKS)
            self.block = count.reshape(n, n_channels, N_BLOCKS)
        self.medium = np.stack(
            [self.channel[:, media == m].sum(axis=1) for m in range(N_MEDIA)], axis=1
        )


def interval(probability: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """95 % interval on the logit scale, inside (0, 1)."""
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    sd = spread / (p * (1.0 - p))
    return expit(logit(p) - _Z95 * sd), expit(logit(p) + _Z95 * sd)


def best_by_key(probability: Floats, key: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Floats]:
    """Return per customer the key with the largest mean probability, the first winning ties.

    Parameters
    ----------
    probability : float array, shape (n, m)
    key : array, shape (m,)
        Channel or hour of each action.
    """
    keys = pd.unique(pd.Series(key))
    if not len(keys):
        return np.zeros(0, dtype=key.dtype), np.zeros(0)
    mean = np.column_stack([probability[:, key == k].mean(axis=1) for k in keys])
    best = mean.argmax(axis=1)
    return np.asarray(keys)[best], mean[np.arange(len(mean)), best]


def hour_reason(verdict: dict[str, Any] | None) -> str:
    """Why a channel's best hour is not named; empty where it is."""
    if verdict is None:
        return "cannot tell: no attempts at an hour"
    if verdict["verdict"] == SHOWN:
        return ""
    return str(verdict["verdict"])


def report_frame(channels: list[str], record: dict[str, Any], verdicts: dict[str, Any]):
    """One row per medium and channel with attempts: coverage, fallback and the hour's verdict."""
    rows = []
    coverage = record.get("coverage", {})
    for name in [*dict.fromkeys([*verdicts, *coverage])]:
        seen = coverage.get(name, {})
        verdict = verdicts.get(name, {})
        rows.append(
            {
                "of": name,
                "kind": "channel" if name in channels else "medium",
                "attempts": seen.get("attempts"),
                "unobservable": seen.get("unobservable"),
                "reached": seen.get("reached"),
                "customers_tried": seen.get("customers"),
                "coverage": seen.get("coverage"),
                "fallback_share": seen.get("fallback_share"),
                "hours_tried": verdict.get("hours"),
                "hour_effect": verdict.get("verdict", "cannot tell: no attempts at an hour"),
                "p_value": verdict.get("p_value"),
                "detectable_sd": verdict.get("detectable_sd"),
                "basis": verdict.get("basis"),
                "reason": verdict.get("reason", "no attempt has an hour"),
            }
        )
    names = ["of", "kind", "attempts", "unobservable", "reached", "customers_tried", "coverage"]
    names += ["fallback_share", "hours_tried", "hour_effect", "p_value", "detectable_sd"]
    return pd.DataFrame(rows, columns=[*names, "basis", "reason"])
