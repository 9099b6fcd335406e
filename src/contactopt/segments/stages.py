"""Segments by rule: the stage of the arrears and the size of the balance, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.config.sections import SegmentsConfig
from contactopt.contracts.vocabulary import ARREARS_STAGES
from contactopt.errors import ConfigError
from contactopt.journal.arrears import stage_positions

__all__ = ["StageSegments", "in_order", "stage_of"]

STAGES = ARREARS_STAGES
_FIRST_IN_ARREARS, _CHARGED_OFF = 1, 4
#: names of balance bands by how many there are
_BANDS = {
    1: (),
    2: ("low", "high"),
    3: ("low", "medium", "high"),
    4: ("very low", "low", "high", "very high"),
    5: ("very low", "low", "medium", "high", "very high"),
}


#: between the stage and the balance band of a label
_THEN = " · "


def stage_of(labels: Any) -> npt.NDArray[np.object_]:
    """Return the stage with which each segment's label begins, shape (n,).

    Examples
    --------
    >>> stage_of(["early · low balance", "current"]).tolist()
    ['early', 'current']
    """
    codes, words = pd.factorize(pd.Series(labels, dtype=object))
    return np.array([str(w).split(_THEN)[0] for w in words] + [""], dtype=object)[codes]


class StageSegments(BaseEstimator):
    """Label customers by stage and balance, for example ``early · low balance``.

    The stage follows from the days past due of the debt with the largest arrears; the balance is
    that of all debts in arrears. Customers who are current, and those whose days past due or
    balance are not known, get no balance band.

    Parameters
    ----------
    stage_days : tuple of 3 numbers
        Last day past due of early, middle and late arrears; later ones are charged off, as are
        debts that say so.
    n_balance_bands : int
        1 to 5; 1 is no band. Limits are quantiles of those in arrears at the fit, rounded to two
        digits.
    balance_limits : tuple of float, optional
        Limits of the bands, ascending, in the money of the columns; they win over quantiles.
    min_customers : int
        Customers in arrears per band below which no limits are learned: labels are stages then.

    Attributes
    ----------
    limits_ : tuple of float
        A band holds balances from its limit up to the next one, exclusive.
    n_seen_ : int
        Customers in arrears with a known balance at the fit.

    Examples
    --------
    >>> X = pd.DataFrame({"days_past_due": [0, 12, 45, 400], "balance": [9.0, 80.0, 900.0, 80.0]})
    >>> segments = StageSegments(balance_limits=(500,)).fit(X)
    >>> segments.predict(X).tolist()
    ['current', 'early · low balance', 'mid · high balance', 'charged off · low balance']
    """

    def __init__(
        self,
        *,
        stage_days: tuple[float, ...] = (30, 90, 180),
        n_balance_bands: int = 3,
        balance_limits: tuple[float, ...] = (),
        min_customers: int = 30,
    ) -> None:
        self.stage_days = stage_days
        self.n_balance_bands = n_balance_bands
        self.balance_limits = balance_limits
        self.min_customers = min_customers

    @classmethod
    def from_config(cls, config: SegmentsConfig) -> Self:
        """Return segments as a strategy file describes them."""
        return cls(
            stage_days=config.stage_days,
            n_balance_bands=config.n_balance_bands,
            balance_limits=config.balance_limits,
        )

    # ---- fitting and labelling ---------------------------------------------------------------

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learn the limits of the balance bands, unless they are given.

        Parameters
        ----------
        X : DataFrame
            `days_past_due` and `balance` of customers; `charged_off` (bool) if known.
        y : ignored

        Raises
        ------
        ConfigError
            If thresholds do not ascend, or a column is missing.
        """
        self._check()
        stage = self._stages(X)
        balance = _numbers(X, "balance")
        seen = balance[(stage >= _FIRST_IN_ARREARS) & (stage <= _CHARGED_OFF) & ~np.isnan(balance)]
        self.n_seen_ = len(seen)
        if len(self.balance_limits):
            self.limits_ = tuple(float(x) for x in self.balance_limits)
        elif self.n_balance_bands > 1 and len(seen) >= self.min_customers * self.n_balance_bands:
            at = np.arange(1, self.n_balance_bands) / self.n_balance_bands
            limits = sorted({_two_digits(x) for x in np.quantile(seen, at)})
            # a limit below which nobody is would make a band without anybody
            self.limits_ = tuple(x for x in limits if x > seen.min())
        else:
            self.limits_ = ()
        return self

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.object_]:
        """Return the label of each customer, object array of shape (n,)."""
        codes = self._codes(X)
        return np.array(self.labels_, dtype=object)[codes]

    def fit_predict(self, X: pd.DataFrame, y: Any = None) -> npt.NDArray[np.object_]:
        """Fit, and return the labels of the same customers."""
        return self.fit(X).predict(X)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return `segment`, `stage` and `balance_band` (null: none) as categories, n rows."""
        codes, stage = self._codes(X), self._stages(X)
        band = self._bands(X, stage)
        return pd.DataFrame(
            {
                "segment": _category(codes, self.labels_),
                "stage": _category(stage, STAGES),
                "balance_band": _category(band, self.band_names),
            },
            index=X.index,
        )

    def fit_transform(self, X: pd.DataFrame, y: Any = None) -> pd.DataFrame:
        """Fit and transform the same customers."""
        return self.fit(X).transform(X)

    # ---- telling -----------------------------------------------------------------------------

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the balance bands, lowest first; none without limits."""
        check_is_fitted(self, "limits_")
        return _BANDS[len(self.limits_) + 1]

    @property
    def labels_(self) -> tuple[str, ...]:
        """All labels there can be, by stage, then band."""
        out: list[str] = []
        for k, stage in enumerate(STAGES):
            out.append(stage)
            if _FIRST_IN_ARREARS <= k <= _CHARGED_OFF:
                out += [f"{stage} · {band} balance" for band in self.band_names]
        return tuple(out)

    @property
    def rules(self) -> pd.DataFrame:
        """The rules as a frame: segment, days past due from and to, balance from and below."""
        last = (0.0, *self.stage_days, np.inf)
        edges = (0.0, *self.limits_, np.inf) if self.band_names else (0.0, np.inf)
        rows: list[tuple[str, float, float, float, float]] = [("current", 0.0, 0.0, 0.0, np.inf)]
        for k in range(_FIRST_IN_ARREARS, _CHARGED_OFF + 1):
            for b in range(len(edges) - 1):
                band = f" · {self.band_names[b]} balance" if self.band_names else ""
                rows.append((STAGES[k] + band, last[k - 1], last[k], edges[b], edges[b + 1]))
        return pd.DataFrame(
            rows,
            columns=["segment", "days_past_due_over", "days_past_due_to", "balance_from",
                     "balance_below"],
        )  # fmt: skip

    # ---- state -------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return parameters and limits as plain data."""
        check_is_fitted(self, "limits_")
        params = {k: list(p) if isinstance(p, tuple) else p for k, p in self.get_params().items()}
        return {"params": params, "limits": list(self.limits_), "n_seen": self.n_seen_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> Self:
        """Rebuild from `to_state`; None, a strategy saved before there were bands: stages only."""
        if state is None:
            nobody = pd.DataFrame({"days_past_due": [], "balance": []}, dtype=np.float64)
            return cls(n_balance_bands=1).fit(nobody)
        params = dict(state["params"])
        for name in ("stage_days", "balance_limits"):
            params[name] = tuple(params[name])
        self = cls(**params)
        self.limits_, self.n_seen_ = tuple(state["limits"]), int(state["n_seen"])
        return self

    # ---- parts -------------------------------------------------------------------------------

    def _check(self) -> None:
        days, limits = list(self.stage_days), list(self.balance_limits)
        if len(days) != 3 or days != sorted(set(days)) or days[0] <= 0:
            raise ConfigError(
                "stage_days must be three ascending numbers of days above 0",
                hint="for example (30, 90, 180)",
            )
        if limits != sorted(set(limits)) or not all(0 < x < np.inf for x in limits):
            raise ConfigError("balance_limits must ascend and lie above 0", hint="e.g. (500, 5000)")
        if not 1 <= self.n_balance_bands <= max(_BANDS) or len(limits) >= max(_BANDS):
            raise ConfigError(f"there can be 1 to {max(_BANDS)} balance bands")

    def _stages(self, X: pd.DataFrame) -> npt.NDArray[np.int64]:
        charged_off = X["charged_off"].to_numpy(dtype=bool) if "charged_off" in X else False
        return stage_positions(_numbers(X, "days_past_due"), charged_off, self.stage_days)

    def _bands(self, X: pd.DataFrame, stage: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        balance = _numbers(X, "balance")
        band = np.searchsorted(self.limits_, balance, side="right").astype(np.int64)
        has = (stage >= _FIRST_IN_ARREARS) & (stage <= _CHARGED_OFF) & ~np.isnan(balance)
        return np.where(has & (len(self.band_names) > 0), band, -1)

    def _codes(self, X: pd.DataFrame) -> npt.NDArray[np.int64]:
        check_is_fitted(self, "limits_")
        stage = self._stages(X)
        k = len(self.band_names)
        first = np.cumsum([0] + [1 + k * (1 <= s <= _CHARGED_OFF) for s in range(len(STAGES) - 1)])
        return first[stage] + 1 + self._bands(X, stage)


def in_order(labels: Sequence[str]) -> list[int]:
    """Return the positions of labels in the order of stages and bands, others last by name."""
    bands = ("", *_BANDS[5])

    def place(k: int) -> tuple[int, int, str]:
        stage, _, band = labels[k].partition(" · ")
        band = band.removesuffix(" balance")
        known = stage in STAGES and band in bands
        return (
            (STAGES.index(stage), bands.index(band), "") if known else (len(STAGES), 0, labels[k])
        )

    return sorted(range(len(labels)), key=place)


def _numbers(X: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    if name not in X:
        raise ConfigError(
            f"the frame has no column {name}",
            hint="contactopt.segments.customer_columns(view) makes the columns",
        )
    return X[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _two_digits(x: float) -> float:
    """Round to two significant digits: a limit that people can remember."""
    return float(f"{x:.1e}")


def _category(codes: npt.NDArray[np.int64], words: tuple[str, ...]) -> pd.Categorical:
    dtype = pd.CategoricalDtype(pd.Index(list(words), dtype="str"), ordered=True)
    return pd.Categorical.from_codes(codes, dtype=dtype)  # pyright: ignore[reportCallIssue, reportArgumentType]
