"""What all contacts together added, from the control group: the only customers who had none.

A draw says what a contact adds *now*, with the plan going on afterwards; where a plan hardly ever
waits for a customer, draws say next to nothing of contact as such. The control group was chosen by
a hash before anything was known and stays out for good, so that its money against the others' is
the lift of the plan as a whole. Held against what the plan promised for the same customers, it
tells by how much the models' gain is off.
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

#: a stage is cut into groups by money so that each has about so many controls, at most so many
#: groups: contacts go to large debts first, and where much was planned there is much to see
_CONTROLS_PER_GROUP, _MOST_GROUPS = 3, 8
#: a group with fewer contacted customers says nothing
_LEAST_CONTACTED = 30
#: least variance of a customer's money, in squares of what is expected of him as a payer
_LEAST_VARIANCE = 0.02


class ControlGroup:
    """Customers of a log by their first decision, and what was planned for them since.

    Parameters
    ----------
    rows : DataFrame
        All decisions: ``customer`` (code, -1 unknown), ``decided_us``, ``holdout``, ``stage``,
        ``unit``, ``p_wait``, ``seen`` (share of a window's payments that come by this age).
    nest : ArmNest
    most_units : float
        A customer's money counts up to so many times what is expected of a payer.
    typical_unit : float
        Smaller customers count less, by the square: theirs is the noisier money per unit.

    Notes
    -----
    A customer's side is that of the first decision. Where a share was changed under way, whoever
    was contacted before is no control.
    """

    def __init__(
        self, rows: pd.DataFrame, nest: ArmNest, *, most_units: float, typical_unit: float
    ) -> None:
        usable = ((rows["customer"] >= 0) & (rows["unit"] > 0)).to_numpy(dtype=bool)
        mine = rows[usable].sort_values(["decided_us", "decision_id"], kind="stable")
        first = mine.drop_duplicates("customer").reset_index(drop=True)
        self._nest, self._most, self._first = nest, most_units, first
        always = mine.groupby("customer")["holdout"].all().reindex(first["customer"])
        self._control = always.to_numpy(dtype=bool)
        unit = first["unit"].to_numpy(dtype=np.float64)
        self._group = _groups(nest.stage_codes(first["stage"]), unit, self._control)
        self._n_groups = int(self._group.max(initial=-1)) + 1
        self._weight = np.minimum(1.0, unit / typical_unit) ** 2
        # by code of the customer: where its contacts are added up, and how much they weigh
        at = first["customer"].to_numpy(dtype=np.int64)
        size = int(rows["customer"].max()) + 1 if len(at) else 1
        self._group_of, self._weight_of = np.full(size, -1, dtype=np.int64), np.zeros(size)
        self._group_of[at] = np.where(self._control, -1, self._group)
        self._weight_of[at] = self._weight
        self._planned = np.zeros((self._n_groups, nest.size))

    def add(self, block: LoggedRows, labels: pd.DataFrame) -> None:
        """Take up what was planned in a block of decisions, as far as it can show by now."""
        m = len(block.action_ids)
        customer = labels["customer"].to_numpy(dtype=np.int64)
        group = np.where(customer >= 0, self._group_of[np.maximum(customer, 0)], -1)
        use = np.flatnonzero((group >= 0) & ~block.holdout)
        weight = self._weight_of[customer[use]]
        weight = weight * labels["seen"].to_numpy(dtype=np.float64)[use]
        amounts = block.probability[use, :m] * block.reach[use]
        design = self._nest.design(
            amounts,
            (amounts * block.gain[use]).sum(axis=1),
            self._nest.arm_codes(block.action_ids),
            self._nest.stage_codes(block.stage[use]) if len(use) else use,
        )
        np.add.at(self._planned, group[use], weight[:, None] * design)

    def contrast(self, view: JournalView, *, discount_rate_yearly: float) -> ControlContrast:
        """Compare the money of both sides since each customer's first decision, group by group.

        Parameters
        ----------
        view : JournalView
            What is known now: payments less reversals, each once.
        discount_rate_yearly : float
        """
        first, slope = self._first, self._nest.slope
        if not self._control.any():
            return ControlContrast.none(self._nest.size)
        started = first["decided_us"].to_numpy(dtype=np.int64)
        labels = payment_labels(
            view.journal,
            first["customer"].to_numpy(dtype=np.int64),
            started,
            horizon_days=max((view.as_of_us - int(started.min())) / DAY_US, 1.0),
            as_of=view.as_of_us,
            discount_rate_yearly=discount_rate_yearly,
        )
        money = labels["amount_discounted"].to_numpy(dtype=np.float64)
        y = np.minimum(money / first["unit"].to_numpy(dtype=np.float64), self._most)
        x = first["p_wait"].to_numpy(dtype=np.float64)
        found = []
        for g in range(self._n_groups):
            at = np.flatnonzero(self._group == g)
            w, control = self._weight[at], self._control[at]
            n_control, n_contacted = int(control.sum()), int((~control).sum())
            if n_control == 0 or n_contacted < _LEAST_CONTACTED:
                continue
            design = self._planned[g] / w[~control].sum()
            found.append((design, *_difference(y[at], x[at], control, w), n_control, n_contacted))
        if not found:
            return ControlContrast.none(self._nest.size)
        design, realised, variance, controls, contacted = zip(*found, strict=True)
        return ControlContrast(
            np.stack(design),
            np.array([d[slope] for d in design]),
            np.array(realised),
            np.array(variance),
            sum(controls),
            sum(contacted),
        )


def _groups(stage: Ints, unit: Floats, control: npt.NDArray[np.bool_]) -> Ints:
    """Return the group of like customers of each: by stage, in it by money; -1 without stage."""
    out, begin = np.full(len(stage), -1, dtype=np.int64), 0
    for s in range(int(stage.max(initial=-1)) + 1):
        at = np.flatnonzero(stage == s)
        parts = int(np.clip(control[at].sum() // _CONTROLS_PER_GROUP, 1, _MOST_GROUPS))
        rank = np.argsort(np.argsort(unit[at], kind="stable"), kind="stable")
        out[at] = begin + rank * parts // max(len(at), 1)
        begin += parts
    return out


def _difference(y: Floats, x: Floats, control: npt.NDArray[np.bool_], w: Floats):
    """Contacted less control, each mean corrected for x, and its variance.

    One slope for both sides, found within them (analysis of covariance); the variance of a
    customer is that of both together, as a handful of controls cannot tell their own.
    """
    means = {}
    for side in (False, True):
        own = w * (control == side)
        means[side] = np.array([own @ y, own @ x]) / own.sum()
    middle = np.where(control[:, None], means[True], means[False])
    left, spread = y - middle[:, 0], x - middle[:, 1]
    steep = float((w * spread) @ left) / max(float((w * spread) @ spread), 1e-12)
    rest = left - steep * spread
    noise = max(float((w * rest) @ rest) / float(w.sum()), _LEAST_VARIANCE)
    difference = means[False] - means[True]
    # squared weights: small customers are few customers' worth
    each = [float((own**2).sum() / own.sum() ** 2) for own in (w[control], w[~control])]
    return float(difference[0] - steep * difference[1]), noise * sum(each)
