"""In which stage a customer's arrears stood at an instant, by what was known then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from contactopt.contracts.vocabulary import ARREARS_STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contactopt.config import StrategyConfig
    from contactopt.journal.journal import Journal

__all__ = ["horizons_at", "lead_rows", "stage_positions", "stages_at"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CHARGED_OFF, _UNKNOWN = (ARREARS_STAGES.index(name) for name in ("charged off", "unknown"))


def stage_positions(days: Floats, charged_off: Any, stage_days: Sequence[float]) -> Ints:
    """Return positions in `ARREARS_STAGES` by days past due, shape (n,).

    Parameters
    ----------
    days : float array, shape (n,)
        0 without arrears, NaN where they are not known.
    charged_off : bool or bool array, shape (n,)
        Goes before the days.
    stage_days : sequence of 3 numbers
        Last day past due of early, middle and late arrears.

    Examples
    --------
    >>> days = np.array([0.0, 30.0, 31.0, 400.0, np.nan])
    >>> [ARREARS_STAGES[k] for k in stage_positions(days, False, (30, 90, 180))]
    ['current', 'early', 'mid', 'charged off', 'unknown']
    """
    stage = np.searchsorted([0.0, *stage_days], days, side="left").astype(np.int64)
    return np.where(charged_off, _CHARGED_OFF, np.where(np.isnan(days), _UNKNOWN, stage))


def lead_rows(owner: Ints, debt: Ints, days: Floats, due: Floats) -> Ints:
    """Return for each owner, in order, the row of the debt that says its stage.

    Parameters
    ----------
    owner, debt : int64 arrays, shape (n,)
        Whose the row is, and the debt's place among all.
    days, due : float arrays, shape (n,)
        Days past due and money past due; NaN counts as 0.

    Returns
    -------
    int64 array
        Largest arrears; ties: the debt longest past due, then the first.
    """
    order = np.lexsort((debt, -np.nan_to_num(days), -np.nan_to_num(due), owner))
    return order[np.append(True, np.diff(owner[order]) != 0)[: len(order)]]


def stages_at(
    journal: Journal, customers: Ints, instants: Ints, stage_days: Sequence[float]
) -> npt.NDArray[np.object_]:
    """Return the stage of each customer at an instant, as segments of that instant say it.

    Parameters
    ----------
    journal : Journal
    customers : int64 array, shape (n,)
        Customer codes; -1 is nobody the journal knows.
    instants : int64 array, shape (n,)
        Microseconds UTC. Nothing that became known later is used.
    stage_days : sequence of 3 numbers
        As in `stage_positions`.

    Returns
    -------
    object array, shape (n,)
        Words of `ARREARS_STAGES`; empty for nobody.
    """
    log, n = journal.debts, len(customers)
    found = np.flatnonzero(customers >= 0)
    where, own = log.by_customer.pairs(customers[found], instants[found])
    pair, debt = found[own], log.by_customer.rows[where]
    states = log.states(debt, instants[pair])
    late = np.flatnonzero(states.collectable)
    days, due = states.days_past_due[late], states.past_due_now[late]
    lead = lead_rows(pair[late], debt[late], days, due)
    worst, charged_off = np.zeros(n), np.zeros(n, dtype=bool)
    worst[pair[late][lead]] = days[lead]
    charged_off[pair[late][lead]] = states.charged_off[late][lead]
    words = np.array(ARREARS_STAGES, dtype=object)
    stage = words[stage_positions(worst, charged_off, stage_days)]
    return np.where(customers >= 0, stage, "").astype(object)


def horizons_at(journal: Journal, config: StrategyConfig, customers: Any, instants: Any) -> Floats:
    """Return for how many days payments count after each customer's instant.

    Parameters
    ----------
    journal : Journal
    config : StrategyConfig
        Its ``objective`` and the ``stage_days`` of its segments.
    customers : int array, shape (n,)
        Customer codes, -1 for nobody.
    instants : int array, shape (n,)
        Microseconds UTC: the stage is that of this moment, whatever became of it.

    Returns
    -------
    float array, shape (n,)
        Empty for no rows.
    """
    customers = np.asarray(customers, dtype=np.int64)
    horizons = config.objective.horizons
    # stages of many moments are work: they are looked up only where they matter
    if not horizons.differ:
        return np.full(len(customers), horizons.days)
    when = np.asarray(instants, dtype=np.int64)
    return horizons.of(stages_at(journal, customers, when, config.segments.stage_days))
