"""What all contacts together added, from the control group: the only customers who had none.

A draw says what a contact adds *now*, with the plan going on afterwards; where a plan hardly ever
waits for a customer, draws say next to nothing of contact as such. The control group is chosen by a
hash and stays out, so that its money against the others', in the window after each customer's first
decision, is what the plans added over contacting nobody. Held against what the models said of the
same contacts, it tells how far off the gain is as a whole.

Sides are those of the first decision, whatever came later (intention to treat). That decision must
be the first at which anybody was left out: of customers who were planned for before, those whom
contacts made pay are gone from one side only (`admission.never_planned_before`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal import JournalView
from contactopt.journal.labels import payment_labels
from contactopt.journal.local_time import DAY_US
from contactopt.learning.logged_rows import LoggedRows
from contactopt.policy.residual import ArmNest, ControlContrast

__all__ = ["ControlGroup"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: a stage is cut into groups by money so that each has about so many controls, at most so many
#: groups: contacts go to large debts first, and where much was planned there is much to see
_CONTROLS_PER_GROUP, _MOST_GROUPS = 3, 8
#: a group with fewer contacted customers says nothing
_LEAST_CONTACTED = 30
#: least variance of a payment within the window
_LEAST_VARIANCE = 0.02


class ControlGroup:
    """Customers of a log by their first decision, and what was planned for them since.

    Parameters
    ----------
    rows : DataFrame
        All decisions in the log's order: ``customer`` (code, -1 unknown), ``decided_us``,
        ``holdout``, ``stage``, ``unit`` (money expected of a payer), ``p_wait``, ``admitted`` and
        ``stands`` (bool).
    nest : ArmNest
    as_of_us : int
        What is known by now.
    horizon_days : float or float array, one per row
        Money counts so long after a customer's first decision, and contacts within that time.
    most_units : float
        A customer's money counts up to so many times what was expected of a payer.
    typical_unit : float
        Smaller customers count less, by the square: theirs is the noisier money per unit.

    Notes
    -----
    Of a contact d days before the end of the window (or now) the share d / horizon of what it
    promised is taken to have come, the whole of it at most; that horizon is the contact's own.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        nest: ArmNest,
        *,
        as_of_us: int,
        horizon_days: float | Floats,
        most_units: float,
        typical_unit: float,
    ) -> None:
        self._nest, self._most = nest, most_units
        self._as_of_us = as_of_us
        code, when = (rows[c].to_numpy(dtype=np.int64) for c in ("customer", "decided_us"))
        unit = np.nan_to_num(rows["unit"].to_numpy(dtype=np.float64))
        days = np.broadcast_to(np.asarray(horizon_days, dtype=np.float64), code.shape)
        fit = rows["admitted"].to_numpy(dtype=bool) & (code >= 0)
        at = np.flatnonzero(fit)
        order = at[np.argsort(when[at], kind="stable")]
        customer, place = np.unique(code[order], return_index=True)
        first = order[place]
        # of whom no money was expected at first, nothing can be held against a promise
        customer, first = customer[unit[first] > 0], first[unit[first] > 0]
        self._customer, fit = customer, fit & np.isin(code, customer)
        self._started, self._unit, self._horizon = when[first], unit[first], days[first]
        self._control = rows["holdout"].to_numpy(dtype=bool)[first]
        self._x = np.nan_to_num(rows["p_wait"].to_numpy(dtype=np.float64)[first])
        stage = (
            nest.stage_codes(rows["stage"].to_numpy(dtype=object)[first]) if len(first) else first
        )
        self._group = _groups(stage, self._unit, self._control)
        self._n_groups = int(self._group.max(initial=-1)) + 1
        self._weight = np.minimum(1.0, self._unit / typical_unit) ** 2
        counts = fit & rows["stands"].to_numpy()
        self._cell, self._share = self._of_rows(code, when, unit, _microseconds(days), counts)
        self._planned = np.zeros((2 * self._n_groups, nest.size))

    def _of_rows(
        self, code: Ints, when: Ints, unit: Floats, length: Ints, counts: Mask
    ) -> tuple[Ints, Floats]:
        """Return each decision's group and side, and how much of its promise counts."""
        cell, share = np.full(len(code), -1, dtype=np.int64), np.zeros(len(code))
        rows = np.flatnonzero(counts)
        of = np.searchsorted(self._customer, code[rows])
        end = np.minimum((self._started + _microseconds(self._horizon))[of], self._as_of_us)
        come = np.clip((end - when[rows]) / length[rows], 0.0, 1.0)
        cell[rows] = 2 * self._group[of] + self._control[of]
        share[rows] = self._weight[of] * come * unit[rows] / self._unit[of]
        return cell, share

    def add(self, block: LoggedRows, begin: int) -> None:
        """Take up what was planned in a block of decisions, the first of them row ``begin``."""
        m, here = len(block.action_ids), slice(begin, begin + len(block))
        cell, share = self._cell[here], self._share[here]
        use = np.flatnonzero((share > 0) & (cell >= 0))
        if use.size == 0:
            return
        amounts = block.probability[use, :m] * block.reach[use] * share[use, None]
        design = self._nest.design(
            amounts,
            (amounts * block.gain[use]).sum(axis=1),
            self._nest.arm_codes(block.action_ids),
            self._nest.stage_codes(block.stage[use]),
        )
        of_cell = np.zeros((len(self._planned), use.size))
        of_cell[cell[use], np.arange(use.size)] = 1.0
        self._planned += of_cell @ design

    def contrast(self, view: JournalView, *, discount_rate_yearly: float) -> ControlContrast:
        """Compare the money of both sides, group by group.

        Parameters
        ----------
        view : JournalView
            What is known now: payments less reversals, each once.
        discount_rate_yearly : float
        """
        if not self._control.any():
            return ControlContrast.none(self._nest.size)
        y = self._money(view, discount_rate_yearly)
        sides = [self._sides(np.flatnonzero(self._group == g)) for g in range(self._n_groups)]
        kept = [(g, *both) for g, both in enumerate(sides) if both is not None]
        if not kept:
            return ControlContrast.none(self._nest.size)
        compared = [_Compared(y, self._x, self._weight, out, others) for _, out, others in kept]
        spread = np.array([c.expected for c in compared])
        # one level of noise for all groups: a group's own would be low where few happened to pay
        level = sum(c.squares for c in compared) / sum(c.squares_expected for c in compared)
        variance = np.array([c.kish for c in compared]) * spread * max(level, 1e-6)
        design = np.stack([self._mean_planned(g, out, others) for g, out, others in kept])
        members = np.concatenate([np.concatenate([out, others]) for _, out, others in kept])
        age = float(np.mean(self._as_of_us - self._started[members])) / DAY_US
        return ControlContrast(
            design,
            design[:, self._nest.slope].copy(),
            np.array([c.difference for c in compared]),
            variance,
            age,
            sum(len(out) for _, out, _ in kept),
            sum(len(others) for _, _, others in kept),
        )

    def _money(self, view: JournalView, rate: float) -> Floats:
        """Money of each customer's window by now, in units of what was expected of a payer."""
        labels = payment_labels(
            view.journal,
            self._customer,
            self._started,
            horizon_days=self._horizon,
            as_of=self._as_of_us,
            discount_rate_yearly=rate,
        )
        money = labels["amount_discounted"].to_numpy(dtype=np.float64)
        return np.minimum(money / self._unit, self._most)

    def _sides(self, members: Ints) -> tuple[Ints, Ints] | None:
        """Return controls and others of a group, None where it says nothing."""
        out, others = members[self._control[members]], members[~self._control[members]]
        return (out, others) if len(out) and len(others) >= _LEAST_CONTACTED else None

    def _mean_planned(self, group: int, out: Ints, others: Ints) -> Floats:
        """Mean planned for contacted customers less that for the controls, who may be set free."""
        others_sum, out_sum = self._planned[2 * group], self._planned[2 * group + 1]
        return others_sum / self._weight[others].sum() - out_sum / self._weight[out].sum()


def _microseconds(days: Floats) -> Ints:
    return np.round(days * DAY_US).astype(np.int64)


def _groups(stage: Ints, unit: Floats, control: Mask) -> Ints:
    """Return the group of like customers of each: by stage, in it by money; -1 without stage."""
    out, begin = np.full(len(stage), -1, dtype=np.int64), 0
    for s in range(int(stage.max(initial=-1)) + 1):
        at = np.flatnonzero(stage == s)
        parts = int(np.clip(control[at].sum() // _CONTROLS_PER_GROUP, 1, _MOST_GROUPS))
        rank = np.argsort(np.argsort(unit[at], kind="stable"), kind="stable")
        out[at] = begin + rank * parts // max(len(at), 1)
        begin += parts
    return out


class _Compared:
    """Contacted less control, each mean corrected for x: one slope for both sides.

    Analysis of covariance. ``kish`` times a customer's variance is that of the difference, with
    the error of the slope; ``expected`` is what a payment's variance is on average.
    """

    def __init__(self, y: Floats, x: Floats, w: Floats, out: Ints, others: Ints) -> None:
        mean = [
            np.array([w[side] @ y[side], w[side] @ x[side]]) / w[side].sum()
            for side in (out, others)
        ]
        both = np.concatenate([out, others])
        middle = np.repeat(np.stack(mean), [len(out), len(others)], axis=0)
        left, spread = y[both] - middle[:, 0], x[both] - middle[:, 1]
        across = float(w[both] @ spread**2)
        steep = float((w[both] * spread) @ left) / max(across, 1e-12)
        apart = mean[1] - mean[0]
        self.difference = float(apart[0] - steep * apart[1])
        chance = np.clip(x[both], 0.0, 1.0)
        expected = chance * (1.0 - chance) + _LEAST_VARIANCE
        self.expected = float(w[both] @ expected) / float(w[both].sum())
        self.squares = float(w[both] @ (left - steep * spread) ** 2)
        # two means and a slope are taken from the rows themselves
        self.squares_expected = float(w[both] @ expected) * max(1.0 - 3.0 / len(both), 0.1)
        kish = [float(w[side] @ w[side]) / float(w[side].sum()) ** 2 for side in (out, others)]
        self.kish = sum(kish) + float(apart[1] ** 2) / max(across, 1e-12)
