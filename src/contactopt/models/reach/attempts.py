"""Attempts as arrays in an order of their own: codes, local hours, ages, what came of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vocabulary import CHANNELS
from contactopt.errors import ConfigError, ContractError
from contactopt.models.learners.splits import row_hash
from contactopt.models.reach.events import DELIVERY_ONLY, UNOBSERVABLE
from contactopt.models.reach.evidence import Trail, group_of, sign_of, walk

__all__ = ["Attempts", "column", "known_channels", "need", "read_attempts", "segment_names"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: tenths of a second in the longest age that is told apart: 54 years
_LONGEST = 1 << 34


@dataclasses.dataclass
class Attempts:
    """Attempts by customer and time, whatever order their frame had.

    Attributes
    ----------
    place : int array, shape (n,)
        Row of the frame.
    customer, channel, hour, weekday, segment : int arrays, shape (n,)
        -1 where there is none (hour, weekday, segment).
    age : float array, shape (n,)
        Days before the instant of the fit or the decision; 0 where not known.
    reached : float array, shape (n,)
        1, 0, NaN where it cannot be told.
    sign : int array, shape (n,)
        See `evidence.sign_of`.
    touches, quality, propensity : float arrays, shape (n,)
        NaN where unknown.
    ids : Index, shape (n_customers,)
        Customers by code.
    ordered : bool
        Ages were given: what came before an attempt is known.
    named : bool
        Customers were given: attempts on one are told from those on many.
    """

    place: Ints
    customer: Ints
    channel: Ints
    hour: Ints
    weekday: Ints
    segment: Ints
    age: Floats
    reached: Floats
    sign: npt.NDArray[np.int8]
    touches: Floats
    quality: Floats
    propensity: Floats
    ids: pd.Index
    ordered: bool
    named: bool

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def n_customers(self) -> int:
        """Number of customers that codes stand for."""
        return len(self.ids)

    @property
    def told(self) -> npt.NDArray[np.bool_]:
        """Rows whose result is known."""
        return ~np.isnan(self.reached)

    def pick(self, rows: npt.NDArray[Any]) -> Attempts:
        """Return some rows; codes of customers stay."""
        keep = ("ids", "ordered", "named")
        arrays = (f.name for f in dataclasses.fields(self) if f.name not in keep)
        return dataclasses.replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    def of_customers(self, chosen: npt.NDArray[np.bool_]) -> Attempts:
        """Return the rows of some customers, numbered anew."""
        code = np.cumsum(chosen) - 1
        rows = self.pick(chosen[self.customer])
        return dataclasses.replace(rows, customer=code[rows.customer], ids=self.ids[chosen])

    def weight(self, half_life_days: float) -> Floats:
        """Weight of each row by its age."""
        return np.exp2(-self.age / half_life_days)

    def trail(self, channels: dict[str, str], half_life_days: float) -> Trail:
        """Tell what each attempt, and the next one, could know of those before."""
        groups = np.array([group_of(root) for root in channels.values()], dtype=np.int64)
        if not self.ordered:
            nothing = self.pick(np.zeros(len(self), dtype=bool))
            end = nothing.trail_end(groups, half_life_days)
            return Trail(np.zeros((len(self), end.shape[2]), dtype=np.float32), end)
        return walk(
            self.customer,
            self.age,
            groups[self.channel],
            self.sign,
            self.n_customers,
            half_life_days,
        )

    def trail_end(self, groups: Ints, half_life_days: float) -> npt.NDArray[np.float32]:
        """Tell what the next attempt on each customer could know."""
        group = groups[self.channel]
        n = self.n_customers
        return walk(self.customer, self.age, group, self.sign, n, half_life_days).end


def read_attempts(
    frame: pd.DataFrame,
    channels: dict[str, str],
    *,
    customers: pd.Index | None = None,
    segments: list[str] | None = None,
    delivery_counts: bool = True,
) -> Attempts:
    """Read a frame of attempts (`plain_frames.attempt_frame`).

    Parameters
    ----------
    frame : DataFrame
        ``channel``, ``local_hour``, ``reached`` and, where they exist, ``customer``, ``age_days``,
        ``weekday``, ``segment``, ``outcome``, ``touches_7d``, ``point_quality``, ``propensity``.
    channels : dict
        Its order numbers the channels.
    customers : Index, optional
        Given: codes are positions in it and others' rows are left out. Else ids are numbered in
        their own order; without the column every row is its own customer.
    segments : list of str, optional
        Its order numbers the segments.
    delivery_counts : bool
        False: a message that was merely delivered does not count as reached where delivery is
        the only sign its channel would otherwise give.

    Raises
    ------
    ContractError
        If a channel is unknown, an hour, weekday or propensity is out of range, touches or point
        quality are infinite, a result is neither 0, 1 nor missing, or a customer is missing.
    """
    names = pd.Categorical(frame["channel"])
    known = pd.Index(list(channels)).get_indexer(names.categories)
    channel = np.append(known, -1)[names.codes]
    if (channel < 0).any():
        wrong = sorted({str(c) for c in names.categories[known < 0]} or {"(missing)"})
        raise ContractError(
            f"{len(wrong)} channel words of attempts are unknown: {', '.join(wrong[:5])}",
            hint="name what they are like: ReachModel(like={'rcs': 'sms'})",
        )
    roots = list(channels.values())
    reached = _results(frame)
    reached[np.isin(roots, UNOBSERVABLE)[channel]] = np.nan
    words = frame["outcome"].astype(object).to_numpy() if "outcome" in frame else None
    if words is not None and not delivery_counts:
        reached[np.isin(roots, DELIVERY_ONLY)[channel] & (words == "delivered")] = 0.0
    customer, ids = _customers(frame, customers)
    age = column(frame, "age_days", 0.0)
    attempts = Attempts(
        place=np.arange(len(frame)),
        customer=customer,
        channel=channel,
        hour=_whole(column(frame, "local_hour", np.nan), 24, "local_hour"),
        weekday=_whole(column(frame, "weekday", np.nan), 7, "weekday"),
        segment=_segments(frame, segments),
        age=np.maximum(age, 0.0),
        reached=reached,
        sign=sign_of(words, reached),
        touches=_finite(frame, "touches_7d"),
        quality=_finite(frame, "point_quality"),
        propensity=_propensities(frame),
        ids=ids,
        ordered="age_days" in frame and ("customer" in frame or customers is not None),
        named="customer" in frame,
    )
    return _in_own_order(attempts)


def _in_own_order(a: Attempts) -> Attempts:
    """Sort by customer, oldest first, then by content: whatever order the frame had."""
    result = np.where(np.isnan(a.reached), 2, a.reached).astype(np.int64)
    what = ((a.channel * 32 + a.hour + 1) * 8 + a.weekday + 1) * 3 + result
    rest = row_hash(a.touches, a.quality, a.propensity) if len(a) else np.zeros(0)
    customer = a.customer if a.named else np.zeros(len(a), dtype=np.int64)
    # one sort by customer and tenth of a second; only what is equal so far is looked at again
    tenths = np.minimum(np.round(a.age * 864_000), _LONGEST - 1).astype(np.int64)
    key = customer * _LONGEST - tenths
    order = np.argsort(key, kind="stable")
    equal = key[order][1:] == key[order][:-1]
    tied = np.append(equal, False) | np.append(False, equal)
    if tied.any():
        some = order[tied[: len(order)]]
        again = np.lexsort((rest[some], what[some], -a.age[some], key[some]))
        order[tied[: len(order)]] = some[again]
    if not a.named:
        return dataclasses.replace(a.pick(order), customer=np.arange(len(a)))
    return a.pick(order[a.customer[order] >= 0])


def _customers(frame: pd.DataFrame, customers: pd.Index | None) -> tuple[Ints, pd.Index]:
    if customers is not None:
        return customers.get_indexer(pd.Index(frame["customer"])).astype(np.int64), customers
    if "customer" not in frame:
        return np.arange(len(frame)), pd.RangeIndex(len(frame))
    code, ids = pd.factorize(frame["customer"], sort=True)
    if (code < 0).any():
        raise ContractError(
            f"{int((code < 0).sum())} attempts name no customer",
            hint="leave the column `customer` out, or fill it",
        )
    return code.astype(np.int64), pd.Index(ids)


def _segments(frame: pd.DataFrame, segments: list[str] | None) -> Ints:
    if not segments or "segment" not in frame:
        return np.full(len(frame), -1, dtype=np.int64)
    names = pd.Categorical(frame["segment"])
    code = pd.Index(segments).get_indexer(pd.Index([str(c) for c in names.categories]))
    return np.append(code, -1)[names.codes].astype(np.int64)


def segment_names(frame: pd.DataFrame) -> list[str]:
    """Return the segments of attempts, sorted; a `ContractError` where they are too many."""
    if "segment" not in frame:
        return []
    names = sorted({str(s) for s in frame["segment"].dropna().unique()})
    if len(names) > 200:
        raise ContractError(
            f"{len(names)} segments: more than 200 are no segments",
            hint="give a stage or time-zone group, not an id",
        )
    return names


def _results(frame: pd.DataFrame) -> Floats:
    reached = column(frame, "reached", np.nan)
    wrong = int((~np.isnan(reached) & (reached != 0) & (reached != 1)).sum())
    if wrong:
        raise ContractError(
            f"{wrong} attempts have a result that is neither 0 nor 1",
            hint="1 reached, 0 not reached, missing where it cannot be told",
        )
    return reached


def _finite(frame: pd.DataFrame, name: str) -> Floats:
    values = column(frame, name, np.nan)
    wrong = int(np.isinf(values).sum())
    if wrong:
        raise ContractError(
            f"{wrong} attempts have an infinite {name}", hint="leave it empty if unknown"
        )
    return values


def _propensities(frame: pd.DataFrame) -> Floats:
    p = column(frame, "propensity", np.nan)
    wrong = int(((p <= 0) | (p > 1)).sum())
    if wrong:
        raise ContractError(
            f"{wrong} attempts have a propensity outside (0, 1]",
            hint="an attempt that was made had some probability; leave it empty if unknown",
        )
    return p


def _whole(values: Floats, n: int, name: str) -> Ints:
    wrong = int(((values >= n) | (values < 0)).sum())
    if wrong:
        raise ContractError(
            f"{wrong} attempts have a {name} outside 0..{n - 1}", hint="leave it empty if unknown"
        )
    return np.where(np.isnan(values), -1, values).astype(np.int64)


def column(frame: pd.DataFrame, name: str, default: float) -> Floats:
    """Return the named column as floats, ``default`` where it is absent or missing."""
    if name not in frame:
        return np.full(len(frame), default)
    try:
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ContractError(f"the column {name} of attempts is not numeric") from error
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


def need(frame: pd.DataFrame, names: tuple[str, ...], owner: str) -> None:
    """Raise a `ContractError` that names the columns which are not there, or come twice."""
    if frame.columns.has_duplicates:
        raise ContractError(
            f"{owner}: two columns of the frame have one name", hint="rename or drop one of them"
        )
    missing = [c for c in names if c not in frame]
    if missing:
        raise ContractError(
            f"{owner}: the frame lacks the columns {', '.join(missing)}",
            hint=f"see {owner}.fit for what each column holds",
        )
