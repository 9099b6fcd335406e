"""What of a window's money is still to come, by channel, stage, age and calendar.

A pooled delay curve is wrong wherever channels differ in speed: a call is paid in days, a letter in
weeks. The hazard of a first payment is therefore learned per channel and age, with factors for the
stage and for the day on which it falls (paydays), from windows that have closed and from those that
are still open alike: an open window is watched until today and censored there (life table; Cox,
"Regression Models and Life-Tables", JRSS B 1972).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.errors import ContractError
from contactopt.journal.local_time import DAY_US
from contactopt.models.delay.cells import (
    AGE_EDGES,
    DelayCells,
    age_bin,
    calendar_of,
    cells_of,
    count_cells,
)

__all__ = ["DelayModel"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NEEDED = ("channel", "stage", "decided_us", "age_days", "first_delay_days")
#: expected first payments that the newest windows need to outweigh the level of all
_LEVEL_EVENTS = 10.0


class DelayModel(BaseEstimator):
    """Hazard of a first payment after a decision, and money expected in the rest of the window.

    Parameters
    ----------
    horizon_days : int
        Length of the window; where rows have windows of their own, of the longest.
    prior_events : float
        First payments that a channel's, stage's or calendar day's own factor needs to count half.
    max_iterations : int
        Rounds of the fit; it stops earlier when nothing moves.

    Attributes
    ----------
    channels_, stages_ : tuple of str
        Sorted. Others read as the population.
    log_age_ : float array, shape (n_channels + 1, len(AGE_EDGES))
        Log hazard per day by channel; the last row is the population.
    log_stage_, log_month_day_, log_weekday_ : float arrays
        Factors on it.
    level_ : dict of str to float
        By channel: first payments of open windows over those expected, shrunken to 1.
    money_per_payer_ : float
        Money of a payer's whole window over the money expected of him (``unit``).
    further_ : float
        Further money per day after a first payment, as a share of that payment.
    prior_only_ : bool
        Whether nothing was ever paid: a flat hazard then stands for it.

    Examples
    --------
    >>> rows = pd.DataFrame(
    ...     {
    ...         "channel": "sms",
    ...         "stage": "early",
    ...         "decided_us": 0,
    ...         "age_days": 30.0,
    ...         "first_delay_days": [2.5] * 30 + [np.nan] * 70,
    ...         "unit": 10.0,
    ...         "amount": [10.0] * 30 + [0.0] * 70,
    ...         "first_amount": [10.0] * 30 + [0.0] * 70,
    ...     }
    ... )
    >>> model = DelayModel().fit(rows)
    >>> young = rows.iloc[-1:].assign(age_days=[1.0])
    >>> model.complete(young)["expected"].round(1).tolist()
    [3.2]
    """

    def __init__(
        self, *, horizon_days: int = 30, prior_events: float = 20.0, max_iterations: int = 50
    ) -> None:
        self.horizon_days = horizon_days
        self.prior_events = prior_events
        self.max_iterations = max_iterations

    def fit(self, rows: pd.DataFrame) -> DelayModel:
        """Learn from decisions, whether their windows have closed or not.

        Parameters
        ----------
        rows : DataFrame
            ``channel``, ``stage``, ``decided_us``, ``age_days`` (watched so far, at most the
            horizon), ``first_delay_days`` (NaN: nothing yet). Optional: ``weight`` (inverse
            propensities, so that a channel's curve is that of all customers), ``unit`` (money
            expected of a payer; NaN: not known), ``amount`` and ``first_amount`` (so far),
            ``horizon_days`` (the row's own window, at most the model's).

        Returns
        -------
        DelayModel
            No rows, or none with a payment: a flat hazard (``prior_only_``).

        Raises
        ------
        ContractError
            If a column is missing.
        """
        missing = [name for name in _NEEDED if name not in rows]
        if missing:
            raise ContractError(
                f"the delay model needs the columns {', '.join(missing)}",
                hint="journal.decision_labels gives them; stage and unit come from the scores",
            )
        rows = rows.assign(weight=rows.get("weight", 1.0))
        self.channels_ = tuple(sorted(rows["channel"].astype(str).unique()))
        self.stages_ = tuple(sorted(rows["stage"].astype(str).unique()))
        cells = count_cells(rows, self._codes(rows), int(self.horizon_days))
        self.prior_only_ = not cells.paid.sum() > 0
        self._fit_hazard(cells)
        self._fit_money(rows)
        self.level_ = dict.fromkeys(self.channels_, 1.0)
        if not self.prior_only_:
            self.level_ = self._levels(rows)
        self.fit_record_ = {"rows": len(rows), "payers": float(cells.paid.sum())}
        return self

    # ---- fitting ---------------------------------------------------------------------------

    def _codes(self, rows: pd.DataFrame) -> tuple[Ints, Ints]:
        """Return channel and stage codes; unknown words get the population's row."""
        channel = pd.Index(self.channels_).get_indexer(pd.Index(rows["channel"].astype(str)))
        stage = pd.Index(self.stages_).get_indexer(pd.Index(rows["stage"].astype(str)))
        channel = np.where(channel < 0, len(self.channels_), channel)
        return channel, np.where(stage < 0, len(self.stages_), stage)

    def _fit_hazard(self, cells: DelayCells) -> None:
        """Scale factors in turn until each one's expected first payments match the seen ones.

        Each factor is shrunken towards 1 by ``prior_events`` expected payments (a gamma prior:
        the posterior mean of a Poisson rate), channels' ages towards the population's.
        """
        n_c, n_s, n_a = len(self.channels_) + 1, len(self.stages_) + 1, len(AGE_EDGES)
        horizon = cells.at_risk.shape[1]
        age = np.broadcast_to(age_bin(np.arange(horizon)), cells.at_risk.shape)
        when = cells.day[:, None] + np.arange(horizon)
        month, week = calendar_of(when.ravel())
        keys = {
            "population": age.ravel(),
            "channel": (cells.channel[:, None] * n_a + age).ravel(),
            "stage": np.repeat(cells.stage, horizon),
            "month": month,
            "week": week,
        }
        sizes = {"population": n_a, "channel": n_c * n_a, "stage": n_s, "month": 31, "week": 7}
        risk, paid = cells.at_risk.ravel(), cells.paid.ravel()
        rate = (paid.sum() + 0.5) / (risk.sum() + 0.5 * horizon)
        factor = {name: np.ones(size) for name, size in sizes.items()}
        expected = risk * rate
        # weekdays last, with the rest at hand: few months cannot tell a payday from its weekday
        for names in (("population", "channel", "stage", "month"), ("week",)):
            for _ in range(self.max_iterations if paid.sum() > 0 else 0):
                moved = 0.0
                for name in names:
                    key, size = keys[name], sizes[name]
                    seen = np.bincount(key, weights=paid, minlength=size)
                    hoped = np.bincount(key, weights=expected, minlength=size) / factor[name]
                    k = 0.5 if name == "population" else self.prior_events
                    new = (seen + k) / (hoped + k)
                    moved = max(moved, float(np.abs(np.log(new / factor[name])).max()))
                    expected *= (new / factor[name])[key]
                    factor[name] = new
                if moved < 1e-6:
                    break
        by_channel = factor["channel"].reshape(n_c, n_a)
        by_channel[-1] = 1.0
        self.log_age_ = np.log(rate * factor["population"]) + np.log(by_channel)
        self.log_stage_ = np.log(np.append(factor["stage"][:-1], 1.0))
        self.log_month_day_, self.log_weekday_ = np.log(factor["month"]), np.log(factor["week"])

    def _fit_money(self, rows: pd.DataFrame) -> None:
        """Learn what payers pay of what was expected of them, and what follows a first payment."""
        self.money_per_payer_, self.further_ = 1.0, 0.0
        if "unit" in rows:
            rows = rows[rows["unit"].notna().to_numpy()]
        first = rows["first_delay_days"].to_numpy(dtype=np.float64)
        age = rows["age_days"].to_numpy(dtype=np.float64)
        paid = first <= age
        if not {"unit", "amount", "first_amount"} <= set(rows.columns) or not paid.any():
            return
        unit, amount, start = (
            rows[name].to_numpy(dtype=np.float64)[paid]
            for name in ("unit", "amount", "first_amount")
        )
        watched = np.maximum(age[paid] - first[paid], 0.0)
        exposure = float((start * watched).sum())
        if exposure > 0:
            self.further_ = float((amount - start).sum() / exposure)
        if unit.sum() > 0:
            self.money_per_payer_ = float(start.sum() / unit.sum())

    def _levels(self, rows: pd.DataFrame) -> dict[str, float]:
        """Compare the first payments of windows still open with those expected by their age."""
        open_ = rows[~self._closed(rows)]
        if open_.empty:
            return dict.fromkeys(self.channels_, 1.0)
        # everybody is at risk until he pays: expected payments are hazards up to that age
        first = open_["first_delay_days"].to_numpy(dtype=np.float64)
        paid = first <= open_["age_days"].to_numpy(dtype=np.float64)
        until = np.where(paid, first, open_["age_days"].to_numpy(dtype=np.float64))
        hazard = -np.log(np.maximum(self._survival_at(open_, until), 1e-300))
        channel = self._codes(open_)[0]
        n = len(self.channels_) + 1
        weight = open_["weight"].to_numpy(dtype=np.float64)
        seen = np.bincount(channel, weights=weight * paid, minlength=n)
        hoped = np.bincount(channel, weights=weight * hazard, minlength=n)
        level = (seen + _LEVEL_EVENTS) / (hoped + _LEVEL_EVENTS)
        return dict(zip(self.channels_, level.tolist(), strict=False))

    # ---- serving ---------------------------------------------------------------------------

    def complete(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the money of each whole window: what came plus what is expected to come.

        Parameters
        ----------
        rows : DataFrame
            As in `fit`, with ``unit``, ``amount`` and ``first_amount``.

        Returns
        -------
        DataFrame
            ``expected`` (money of the window, observed money included), ``p_rest`` (P(still pays
            in the rest of the window | unpaid so far); 0 where paid) and ``seen`` (the share of a
            window's first payments that come by this age, in [0, 1]). Closed windows are what
            they are: ``seen`` 1, nothing expected.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self, "log_age_")
        age = rows["age_days"].to_numpy(dtype=np.float64)
        now = self._survival_at(rows, age)
        horizon = self._horizons(rows)
        end = self._survival_at(rows, horizon)
        level = rows["channel"].astype(str).map(self.level_).fillna(1.0).to_numpy(dtype=np.float64)
        now, end = now**level, end**level
        amount = rows["amount"].to_numpy(dtype=np.float64)
        paid = amount > 0
        closed = age >= horizon
        p_rest = np.where(paid | closed, 0.0, 1.0 - end / np.maximum(now, 1e-300))
        left = np.where(closed, 0.0, horizon - age)
        further = rows["first_amount"].to_numpy(dtype=np.float64) * self.further_ * left
        # a late payer has half of what is left for further payments, on average
        payer = self.money_per_payer_ * (1.0 + self.further_ * left / 2)
        rest = np.where(paid, further, p_rest * rows["unit"].to_numpy(dtype=np.float64) * payer)
        seen = np.where(closed, 1.0, (1.0 - now) / np.maximum(1.0 - end, 1e-12))
        return pd.DataFrame(
            {"expected": amount + rest, "p_rest": p_rest, "seen": np.clip(seen, 0.0, 1.0)},
            index=rows.index,
        )

    def _horizons(self, rows: pd.DataFrame) -> Floats:
        """Return the end of each row's window: the curve beyond it is that of other rows."""
        if "horizon_days" in rows:
            return rows["horizon_days"].to_numpy(dtype=np.float64)
        return np.full(len(rows), float(self.horizon_days))

    def _closed(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return rows["age_days"].to_numpy(dtype=np.float64) >= self._horizons(rows)

    def _survival_at(self, rows: pd.DataFrame, age: Any) -> Floats:
        """Return P(unpaid at an age) of each row, by its channel, stage and day."""
        if len(rows) == 0:
            return np.empty(0)
        channel, stage = self._codes(rows)
        day = rows["decided_us"].to_numpy(dtype=np.int64) // DAY_US
        found, at = cells_of(channel, stage, day)
        total = self._cumulative(found)
        age = np.clip(np.asarray(age, dtype=np.float64), 0.0, float(self.horizon_days))
        low = np.minimum(np.floor(age).astype(np.int64), int(self.horizon_days) - 1)
        # within a day the hazard is even
        hazard = total[at, low] + (age - low) * (total[at, low + 1] - total[at, low])
        return np.exp(-hazard)

    def _cumulative(self, cells: Ints) -> Floats:
        """Return cumulated hazards of (channel, stage, day) cells, shape (k, horizon + 1)."""
        ages = np.arange(int(self.horizon_days))
        month, week = calendar_of((cells[:, 2:] + ages).ravel())
        shape = (len(cells), len(ages))
        log_hazard = (
            self.log_age_[cells[:, :1], age_bin(ages)]
            + self.log_stage_[cells[:, 1]][:, None]
            + (self.log_month_day_[month] + self.log_weekday_[week]).reshape(shape)
        )
        return np.concatenate(
            [np.zeros((len(cells), 1)), np.exp(log_hazard).cumsum(axis=1)], axis=1
        )

    # ---- keeping ---------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return plain values from which `from_state` builds an equal model."""
        check_is_fitted(self, "log_age_")
        fitted = {k: v for k, v in vars(self).items() if k.endswith("_")}
        fitted |= {"channels_": list(self.channels_), "stages_": list(self.stages_)}
        return {"params": self.get_params(), "fitted": fitted}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DelayModel:
        """Rebuild a model from `to_state`."""
        self = cls(**state["params"])
        for name, value in state["fitted"].items():
            if name in ("channels_", "stages_"):
                value = tuple(value)
            elif name.startswith("log_"):
                value = np.asarray(value, dtype=np.float64)
            setattr(self, name, value)
        return self
