"""The inner choice: integer probabilities of the treatments of each group, and the draw.

Within a group the treatments have effects e_t (over a random one of them, so that their mean is 0)
and a temperature: the mean posterior standard deviation of the effects, at least 1 % of their
range, times ``heat``. p(t | arm) is proportional to exp(e_t / temperature) over a floor. A
customer's stake multiplies effects and temperature alike, so that all customers of a group share
one distribution and nothing is ever stored by customer and treatment.

Probabilities are multiples of 1/65536 that sum to exactly 1. Those of arms are multiples of 2^-36:
the joint probability of arm and treatment is a multiple of 2^-52, which float64 holds exactly, and
so is the quotient of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.contracts.treatment_table import TreatmentTable

__all__ = ["INNER_UNIT", "InnerChoice", "draw_treatments", "inner_choice"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: probabilities of treatments are multiples of 1 / INNER_UNIT
INNER_UNIT = 1 << 16
#: least temperature as a share of the range of effects, as with customers' weights
_RANGE_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class InnerChoice:
    """Probabilities of all treatments of all groups.

    Parameters
    ----------
    table : TreatmentTable
    heat : float
        0: the best treatment always (the first of equals).
    least : int
        Smallest probability of a valid treatment, in units (lower in large groups).
    units : int64 array, shape (len(table.member),)
        They sum to `INNER_UNIT` by group.
    effect : float array, same shape
        What each member adds to P(pays | reached), over a random member of its group.
    mean, best : float array, shape (G,)
        Effect under the probabilities, and of the best member.
    """

    table: TreatmentTable
    heat: float
    least: int
    units: Ints
    effect: Floats
    mean: Floats
    best: Floats

    @property
    def learned(self) -> bool:
        """Whether some treatment is better than another."""
        return bool(self.effect.any())


def inner_choice(table: TreatmentTable, *, heat: float, floor: float) -> InnerChoice:
    """Give every group its probabilities.

    Parameters
    ----------
    table : TreatmentTable
    heat : float
        Temperature in posterior standard deviations; 0 takes the best.
    floor : float
        Least probability of every valid treatment; all of a group together at most 1/400, but
        never less than one unit.
    """
    effect, temperature = _effects(table)
    least = max(round(floor * INNER_UNIT), 1) if heat > 0 else 0
    units = softmax_units(effect, heat * temperature, table.starts, least)
    groups = len(table)
    starts = table.starts[:-1]
    empty = np.zeros(0)
    mean = np.add.reduceat(effect * units, starts) / INNER_UNIT if groups else empty
    best = np.maximum.reduceat(effect, starts) if groups else empty
    return InnerChoice(table, heat, least, units, effect, mean, best)


def _effects(table: TreatmentTable) -> tuple[Floats, Floats]:
    """Return the centred effect of each member, and each group's temperature at heat 1."""
    if len(table) == 0:
        return np.zeros(0), np.zeros(0)
    context, starts = table.context[table.group_of], table.starts[:-1]
    size = np.diff(table.starts)
    raw = table.effect[context, table.member]
    centred = raw - np.repeat(np.add.reduceat(raw, starts) / size, size)
    # equal effects differ by nothing, whatever rounding the mean brings
    flat = np.maximum.reduceat(raw, starts) == np.minimum.reduceat(raw, starts)
    centred[np.repeat(flat, size)] = 0.0
    return centred, temperatures(centred, table.spread[context, table.member], table.starts)


def temperatures(effect: Floats, spread: Floats, starts: Ints) -> Floats:
    """Return each group's temperature: the mean spread, at least 1 % of the range of effects."""
    if len(starts) < 2:
        return np.zeros(0)
    first = starts[:-1]
    sd = np.add.reduceat(spread, first) / np.diff(starts)
    span = np.maximum.reduceat(effect, first) - np.minimum.reduceat(effect, first)
    return np.maximum(sd, _RANGE_SHARE * span)


def softmax_units(effect: Floats, temperature: Floats, starts: Ints, least: int) -> Ints:
    """Round the softmax of each segment to units that sum to exactly `INNER_UNIT`.

    Each member gets ``least`` first (less in large groups, `least_units`); of the rest its share
    rounded down; what then remains goes, one unit each, to the largest remainders, ties to the
    first.
    """
    if len(starts) < 2:
        return np.zeros(0, dtype=np.int64)
    first, size = starts[:-1], np.diff(starts)
    top = np.maximum.reduceat(effect, first)
    gap = np.repeat(top, size) - effect
    if least == 0:  # no exploration: the first of the best
        return _one_each(np.arange(len(gap)), np.where(gap == 0, 0, 1), starts, 1) * INNER_UNIT
    t = np.repeat(np.maximum(temperature, 1e-300), size)
    q = np.exp(np.where(gap > 0, -gap / t, 0.0))
    q /= np.repeat(np.add.reduceat(q, first), size)
    low = least_units(least, size)
    rest = np.repeat(INNER_UNIT - low * size, size)
    share = q * rest
    units = np.floor(share).astype(np.int64)
    left = INNER_UNIT - low * size - np.add.reduceat(units, first)
    order = _one_each(np.arange(len(gap)), -(share - units), starts, np.repeat(left, size))
    return units + np.repeat(low, size) + order


def least_units(least: int, size: Ints) -> Ints:
    """Return the least units of a group's members: all together 1/400, but one unit each."""
    return np.minimum(least, np.maximum(INNER_UNIT // (400 * size), 1))


def _one_each(place: Ints, key: npt.NDArray, starts: Ints, count: Ints | int) -> Ints:
    """Mark the first ``count`` of each segment by key, ties by place."""
    size = np.diff(starts)
    group = np.repeat(np.arange(len(size)), size)
    order = np.lexsort((place, key, group))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = place - starts[group]
    return (rank < count).astype(np.int64)


def draw_treatments(
    choice: InnerChoice, group: npt.NDArray[np.integer], keys: npt.NDArray[np.uint64], seed: int
) -> tuple[Ints, Ints]:
    """Draw one treatment per decision.

    Parameters
    ----------
    choice : InnerChoice
    group : int array, shape (k,)
        Group of each decision's drawn arm.
    keys : uint64 array, shape (k,)
        Hash of each decision's customer: the draw hangs on it and the seed alone, so that neither
        the order of rows nor the number of shards changes it.
    seed : int

    Returns
    -------
    treatment, units : int64 array, shape (k,)
        Number of the treatment, and its probability in units of 1 / `INNER_UNIT`.
    """
    at = drawn_places(choice.units, group, keys, seed)
    return choice.table.member[at].astype(np.int64), choice.units[at]


def drawn_places(
    units: Ints, group: npt.NDArray[np.integer], keys: npt.NDArray[np.uint64], seed: int
) -> Ints:
    """Return which of all members each decision draws; see `draw_treatments`."""
    if len(group) == 0:
        return np.zeros(0, dtype=np.int64)
    u = (_mixed(keys ^ np.uint64(seed)) >> np.uint64(48)).astype(np.int64)  # 0 ... INNER_UNIT - 1
    # every group sums to INNER_UNIT: cumulative units tell group and place at once
    return np.searchsorted(
        np.cumsum(units), group.astype(np.int64) * INNER_UNIT + u, side="right"
    ).astype(np.int64)


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix bits well (the finaliser of SplitMix64; Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
