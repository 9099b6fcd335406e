"""The feature pipeline: blocks side by side, at one instant or at many (customer, instant)s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.errors import ConfigError
from contactopt.features._base import FeatureBlock
from contactopt.features.audit import audit_leakage
from contactopt.features.calendar import Calendar
from contactopt.features.channels import Channels
from contactopt.features.customer import Customer
from contactopt.features.debt_state import DebtState
from contactopt.features.hours import Hours
from contactopt.features.moments import Moments
from contactopt.features.own_columns import OwnColumns
from contactopt.features.payments import Payments
from contactopt.features.pressure import Pressure
from contactopt.features.promises import Promises
from contactopt.features.reachability import Reachability
from contactopt.features.trajectory import Trajectory
from contactopt.journal.columns import instants
from contactopt.journal.journal import Journal
from contactopt.journal.labels import debt_rates
from contactopt.journal.local_time import to_us

__all__ = ["BLOCKS", "FeaturePipeline"]

#: blocks by name, in the order of their columns
BLOCKS: dict[str, type[FeatureBlock]] = {
    block.name: block
    for block in (
        DebtState,
        Trajectory,
        OwnColumns,
        Payments,
        Promises,
        Channels,
        Hours,
        Pressure,
        Reachability,
        Calendar,
        Customer,
    )
}


class FeaturePipeline(BaseEstimator):
    """Columns of customers at instants, from what the journal knew then and nothing later.

    Parameters
    ----------
    blocks : "default", or sequence of str or FeatureBlock
        Names of shipped blocks (`BLOCKS`) or blocks of your own.
    windows_days : tuple of int, ascending
        Windows of counts and sums.
    use_age : bool
        Whether `birth_year` may be used.
    exchange_rates : mapping of str to float, optional
        Value of one unit of a currency; without it money is taken as it stands.
    channel_roots : mapping of str to str, optional
        Channel of the strategy's own -> the contract's channel it is like.

    Examples
    --------
    >>> journal = Journal({"customers": pd.DataFrame({"customer_id": ["a"], "time_zone": ["UTC"]})})
    >>> pipeline = FeaturePipeline(blocks=["calendar"]).fit(journal, as_of="2026-06-02T12:00Z")
    >>> pipeline.transform(journal, as_of="2026-06-02T12:00Z")[["calendar.weekday"]]
       calendar.weekday
    0               1.0
    """

    def __init__(
        self,
        *,
        blocks: Any = "default",
        windows_days: tuple[int, ...] = (7, 30, 90),
        use_age: bool = False,
        exchange_rates: Mapping[str, float] | None = None,
        channel_roots: Mapping[str, str] | None = None,
    ) -> None:
        self.blocks = blocks
        self.windows_days = windows_days
        self.use_age = use_age
        self.exchange_rates = exchange_rates
        self.channel_roots = channel_roots

    # ---- fitting and transforming ----------------------------------------------------------

    def fit(self, journal: Journal, y: Any = None, *, as_of: Any, customers: Any = None) -> Self:
        """Learn population rates and category lists from what is known at the moments given.

        Parameters
        ----------
        journal : Journal
        y : ignored
        as_of : Timestamp or str with a zone, int microseconds, or int64 array, shape (n,)
            One instant for everybody, or one per entry of ``customers``.
        customers : int array, shape (n,), optional
            Customer codes; all customers by default.

        Raises
        ------
        ConfigError
            If a block is unknown, windows are not ascending, a currency has no rate, or arrays
            of customers and instants differ in length.
        """
        moments = self._moments(journal, as_of, customers)
        fitted = [block.fit(moments) for block in self._make_blocks()]
        self.blocks_ = fitted
        return self

    def transform(self, journal: Journal, *, as_of: Any, customers: Any = None) -> pd.DataFrame:
        """Return the features of customers at instants; one or many give the same numbers.

        Parameters
        ----------
        journal, as_of, customers
            As in `fit`.

        Returns
        -------
        DataFrame, shape (n, n_features)
            float64 and category columns, rows in the order asked for; missing is NaN, also for
            categories not seen at the fit. No customers give no rows.
        """
        check_is_fitted(self, "blocks_")
        moments = self._moments(journal, as_of, customers)
        return pd.concat([block.transform(moments) for block in self.blocks_], axis=1)

    def fit_transform(
        self, journal: Journal, y: Any = None, *, as_of: Any, customers: Any = None
    ) -> pd.DataFrame:
        """Fit and transform at the same moments."""
        return self.fit(journal, y, as_of=as_of, customers=customers).transform(
            journal, as_of=as_of, customers=customers
        )

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of all columns, object array."""
        return self.catalogue["name"].to_numpy(dtype=object)

    @property
    def catalogue(self) -> pd.DataFrame:
        """Name, unit, window and source tables of every column, in order."""
        check_is_fitted(self, "blocks_")
        rows = [
            (f"{block.name}.{c.name}", c.unit, c.window, c.source)
            for block in self.blocks_
            for c in block.columns()
        ]
        return pd.DataFrame(rows, columns=["name", "unit", "window", "source"])

    def audit(self, portfolio: Any, *, as_of: Any, config: Any = None) -> pd.DataFrame:
        """Recompute on tables cut at the instant and return what differs; see `audit_leakage`."""
        return audit_leakage(portfolio, self, config=config, as_of=as_of)

    # ---- state -------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return the fitted pipeline as plain data (shipped blocks only).

        Raises
        ------
        ConfigError
            If a block is not a shipped one: its code cannot be stored as data.
        """
        check_is_fitted(self, "blocks_")
        own = [b.name for b in self.blocks_ if BLOCKS.get(b.name) is not type(b)]
        if own:
            raise ConfigError(
                f"feature blocks of your own cannot be saved: {', '.join(own)}",
                hint="use shipped blocks, or rebuild the pipeline in code",
            )
        params = self.get_params(deep=False) | {"blocks": [b.name for b in self.blocks_]}
        return {"params": params, "blocks": {b.name: b.to_state() for b in self.blocks_}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild a fitted pipeline from `to_state`."""
        params = dict(state["params"])
        params["windows_days"] = tuple(params["windows_days"])
        pipeline = cls(**params)
        pipeline.blocks_ = [
            BLOCKS[name].from_state(_tuples(s)) for name, s in state["blocks"].items()
        ]
        return pipeline

    # ---- parts -------------------------------------------------------------------------------

    def _make_blocks(self) -> list[FeatureBlock]:
        given = {"windows_days": tuple(self.windows_days), "use_age": self.use_age}
        if list(given["windows_days"]) != sorted(set(given["windows_days"])):
            raise ConfigError("windows_days must ascend", hint="for example (7, 30, 90)")
        chosen = list(BLOCKS) if isinstance(self.blocks, str) else list(self.blocks)
        out = []
        for block in chosen:
            if isinstance(block, FeatureBlock):
                out.append(block)
                continue
            if block not in BLOCKS:
                raise ConfigError(
                    f"unknown feature block {block!r}", hint=f"there are {', '.join(BLOCKS)}"
                )
            takes = BLOCKS[block]._get_param_names()
            out.append(BLOCKS[block](**{k: p for k, p in given.items() if k in takes}))
        return out

    def _moments(self, journal: Journal, as_of: Any, customers: Any) -> Moments:
        who = np.arange(journal.n_customers) if customers is None else np.asarray(customers)
        if isinstance(as_of, np.ndarray | list | pd.Series | pd.DatetimeIndex):
            when = _instants(as_of)
        else:
            when = np.full(len(who), to_us(as_of), dtype=np.int64)
        if len(when) != len(who):
            raise ConfigError(
                f"{len(who)} customers and {len(when)} instants",
                hint="give one instant, or one per customer",
            )
        rates = None
        if self.exchange_rates is not None:
            rates = debt_rates(journal, self._rate_of)
        return Moments(journal, who, when, rates=rates, channel_roots=self.channel_roots)

    def _rate_of(self, currency: str) -> float:
        try:
            return float((self.exchange_rates or {})[currency])
        except KeyError:
            raise ConfigError(
                f"no exchange rate for {currency}", hint="add it to exchange_rates"
            ) from None


def _instants(as_of: Any) -> npt.NDArray[np.int64]:
    """Return an array of instants as microseconds; a column of times must have a zone."""
    column = pd.Series(as_of)
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if len(column) == 0:
        return np.empty(0, dtype=np.int64)
    return instants(pd.DataFrame({"as_of": pd.to_datetime(column)}), "as_of")


def _tuples(state: dict[str, Any]) -> dict[str, Any]:
    """Return a block's state with lists of windows as tuples again (JSON knows only lists)."""
    params = {k: tuple(p) if isinstance(p, list) else p for k, p in state["params"].items()}
    return {**state, "params": params}
