"""Attempts as arrays: integer codes, local hours and weights from a frame of contacts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vocabulary import CHANNELS
from contactopt.errors import ConfigError, ContractError
from contactopt.models.reach.events import UNOBSERVABLE
from contactopt.models.reach.priors import BLOCK_OF_HOUR, N_BLOCKS

__all__ = ["AttemptColumns", "Attempts", "column", "known_channels", "need", "told_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: columns that put attempts into an order of their own, whatever order they came in
_ORDER = (
    "customer",
    "age_days",
    "channel",
    "local_hour",
    "reached",
    "touches_7d",
    "point_quality",
    "propensity",
)


class Attempts:
    """Codes of one frame of attempts.

    Parameters
    ----------
    rows : DataFrame
        ``channel``, ``local_hour`` and, where they exist, ``customer``, ``weekday``, ``age_days``.
    channels : dict
        Its order numbers the channels.
    half_life_days : float
        Age at which an attempt weighs half.
    n_customers : int, optional
        Given: ``customer`` holds codes below it. Else ids are numbered here; without the column
        every row is its own customer.

    Attributes
    ----------
    customer, channel, hour, weekday : int arrays, shape (n,)
        Hour and weekday are -1 where there is none.
    weight : float array, shape (n,)
    n_customers : int
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        channels: dict[str, str],
        half_life_days: float,
        n_customers: int | None = None,
    ) -> None:
        if n_customers is not None:
            self.customer = rows["customer"].to_numpy(dtype=np.int64)
            self.n_customers = n_customers
        elif "customer" in rows:
            code, ids = pd.factorize(rows["customer"], sort=True)
            if (code < 0).any():
                raise ContractError(
                    f"{int((code < 0).sum())} attempts name no customer",
                    hint="leave the column `customer` out, or fill it",
                )
            self.customer, self.n_customers = code.astype(np.int64), len(ids)
        else:
            self.customer, self.n_customers = np.arange(len(rows)), len(rows)
        self.channel = pd.Index(list(channels)).get_indexer(pd.Index(rows["channel"]))
        self.hour = _whole(column(rows, "local_hour", np.nan), 24, "local_hour")
        self.weekday = _whole(column(rows, "weekday", np.nan), 7, "weekday")
        age = np.maximum(np.nan_to_num(column(rows, "age_days", 0.0)), 0.0)
        self.weight = np.exp2(-age / half_life_days)

    def shares(self) -> Floats:
        """Shares of the customer's attempts by hour block and channel, minus their means.

        Shape (n, blocks + channels); the same for all rows of a customer.
        """
        parts = []
        blocks = np.where(self.hour < 0, N_BLOCKS, BLOCK_OF_HOUR[self.hour])
        for code, size in (
            (blocks, N_BLOCKS + 1),
            (self.channel, int(self.channel.max(initial=0)) + 1),
        ):
            count = np.bincount(self.customer * size + code, minlength=self.n_customers * size)
            count = count.reshape(self.n_customers, size)
            share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
            parts.append(share[self.customer])
        out = np.hstack(parts)
        return out - out.mean(axis=0) if len(out) else out


def _whole(values: Floats, n: int, name: str) -> Ints:
    code = np.where(np.isnan(values), -1, values).astype(np.int64)
    wrong = int(((code >= n) | (code < -1)).sum())
    if wrong:
        raise ContractError(
            f"{wrong} attempts have a {name} outside 0..{n - 1}", hint="leave it empty if unknown"
        )
    return code


def column(frame: pd.DataFrame, name: str, default: float) -> Floats:
    """Return the named column as floats, ``default`` where it is absent or missing."""
    if name not in frame:
        return np.full(len(frame), default)
    values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(values), default, values)


def known_channels(like: dict[str, str] | None) -> dict[str, str]:
    """Return the contract's channels and those that are like one: word -> contract's word.

    Raises
    ------
    ConfigError
        If a channel is said to be like something that is not the contract's.
    """
    wrong = sorted(c for c, root in (like or {}).items() if root not in CHANNELS)
    if wrong:
        raise ConfigError(
            f"channels are like unknown words: {', '.join(wrong[:5])}",
            hint=f"use one of {', '.join(CHANNELS)}",
        )
    return {c: c for c in CHANNELS} | dict(sorted((like or {}).items()))


def told_rows(frame: pd.DataFrame, channels: dict[str, str]) -> pd.DataFrame:
    """Return the attempts whose result is known and can be seen, in an order of their own content.

    Raises
    ------
    ContractError
        If a channel is not among ``channels``.
    """
    root = frame["channel"].map(channels)
    wrong = sorted({str(c) for c in frame["channel"][root.isna()]})
    if wrong:
        raise ContractError(
            f"{len(wrong)} channel words of attempts are unknown: {', '.join(wrong[:5])}",
            hint="name what they are like: ReachModel(like={'rcs': 'sms'})",
        )
    told = frame["reached"].notna() & ~root.isin(UNOBSERVABLE)
    by = [c for c in _ORDER if c in frame]
    return frame[told].sort_values(by, kind="stable", ignore_index=True)


class AttemptColumns:
    """Fatigue, centred point quality and standardised covariates of attempts.

    Parameters
    ----------
    names : tuple of str
        The covariates.
    mean, scale : float arrays
    """

    def __init__(self, names: tuple[str, ...], mean: Floats, scale: Floats) -> None:
        self.names = names
        self.mean = mean
        self.scale = scale

    @classmethod
    def learn(cls, rows: pd.DataFrame, names: tuple[str, ...]) -> AttemptColumns:
        """Learn mean and sd of each covariate; 0 and 1 where nothing is known."""
        mean, scale = np.zeros(len(names)), np.ones(len(names))
        for k, name in enumerate(names):
            values = column(rows, name, np.nan)
            known = values[~np.isnan(values)]
            if len(known):
                mean[k], scale[k] = known.mean(), known.std() or 1.0
        return cls(names, mean, scale)

    def matrix(self, frame: pd.DataFrame) -> Floats:
        """Return the columns, shape (n, 2 + n_covariates); what is unknown counts as average."""
        parts = [column(frame, "touches_7d", 0.0), column(frame, "point_quality", 0.5) - 0.5]
        for k, name in enumerate(self.names):
            values = (column(frame, name, np.nan) - self.mean[k]) / self.scale[k]
            parts.append(np.nan_to_num(np.clip(values, -5.0, 5.0)))
        return np.column_stack(parts)

    def to_state(self) -> dict[str, Any]:
        """Return names and scales."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AttemptColumns:
        """Rebuild from `to_state`."""
        mean, scale = (np.asarray(state[k], dtype=np.float64) for k in ("mean", "scale"))
        return cls(tuple(state["names"]), mean, scale)


def need(frame: pd.DataFrame, names: tuple[str, ...], owner: str) -> None:
    """Raise a `ContractError` that names the columns which are not there."""
    missing = [c for c in names if c not in frame]
    if missing:
        raise ContractError(
            f"{owner}: the frame lacks the columns {', '.join(missing)}",
            hint=f"see {owner}.fit for what each column holds",
        )
