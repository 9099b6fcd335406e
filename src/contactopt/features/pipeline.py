"""The feature pipeline: blocks side by side, at one instant or at many (customer, instant)s."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Self, cast

import narwhals as nw
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from contactopt.errors import BundleError, ConfigError
from contactopt.features._base import FeatureBlock
from contactopt.features.audit import audit_leakage
from contactopt.features.block_classes import class_at, class_path
from contactopt.features.calendar import Calendar
from contactopt.features.channels import Channels
from contactopt.features.column_audit import audit_columns
from contactopt.features.customer import Customer
from contactopt.features.debt_state import DebtState
from contactopt.features.hours import Hours
from contactopt.features.moments import Moments
from contactopt.features.own_columns import OwnColumns
from contactopt.features.pairs import journal_of, pairs_of
from contactopt.features.payments import Payments
from contactopt.features.pressure import Pressure
from contactopt.features.promises import Promises
from contactopt.features.reachability import Reachability
from contactopt.features.trajectory import Trajectory
from contactopt.features.windows import window_lengths

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
_OUTPUTS = ("default", "pandas", "polars")


class FeaturePipeline(BaseEstimator):
    """Columns of customers at instants, from what the journal knew then and nothing later.

    Money is taken in the currency of its debt and channels by their own names, unless the journal
    was opened in a strategy's terms (`contactopt.journal.terms.open_journal`).

    Parameters
    ----------
    blocks : "default", or sequence of str or FeatureBlock
        Names of shipped blocks (`BLOCKS`; "default" stands for all of them) and blocks of your
        own, which are cloned before they are fitted.
    windows_days : tuple of float, ascending
        Windows of counts and sums, for shipped blocks given by name; whole hours.
    use_age : bool
        Whether `birth_year` may be used.

    Examples
    --------
    >>> from contactopt.journal import Journal
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
        windows_days: tuple[float, ...] = (7, 30, 90),
        use_age: bool = False,
    ) -> None:
        self.blocks = blocks
        self.windows_days = windows_days
        self.use_age = use_age

    # ---- fitting and transforming ----------------------------------------------------------

    def fit(self, journal: Any, y: Any = None, *, as_of: Any, customers: Any = None) -> Self:
        """Learn population rates and category lists from what is known at the moments given.

        Parameters
        ----------
        journal : Journal, Portfolio, or mapping of str to frame
            Contract tables may be pandas, polars or pyarrow frames; they are checked.
        y : ignored
        as_of : Timestamp or str with a zone, int microseconds; or an array or column of them
            One instant for everybody, or one per entry of ``customers``.
        customers : array or column, shape (n,), optional
            Customer ids, or codes (positions in ``journal.customer_ids``); all by default.

        Raises
        ------
        ConfigError
            If a block is unknown or named twice, windows do not ascend, or arrays of customers
            and instants differ in length.
        ContractError
            If tables do not meet the contract, an id is unknown or an instant has no zone.
        """
        self._fit(self._moments(journal, as_of, customers)[0])
        return self

    def transform(self, journal: Any, *, as_of: Any, customers: Any = None) -> Any:
        """Return the features of customers at instants; one or many give the same numbers.

        Parameters
        ----------
        journal, as_of, customers
            As in `fit`.

        Returns
        -------
        DataFrame, shape (n, n_features)
            float64 and category columns, rows in the order asked for; missing is NaN, also for
            categories not seen at the fit. No customers give no rows. A polars frame after
            ``set_output(transform="polars")``.
        """
        check_is_fitted(self, "blocks_")
        moments, order = self._moments(journal, as_of, customers)
        return self._given(self._transform(moments, order))

    def fit_transform(
        self, journal: Any, y: Any = None, *, as_of: Any, customers: Any = None
    ) -> Any:
        """Fit and transform at the same moments, which is quicker than one after the other."""
        moments, order = self._moments(journal, as_of, customers)
        self._fit(moments)
        return self._given(self._transform(moments, order))

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the kind of frame that `transform` returns, as in scikit-learn.

        Parameters
        ----------
        transform : "default", "pandas" or "polars"
            None leaves it as it is.
        """
        if transform is not None:
            if transform not in _OUTPUTS:
                raise ConfigError(
                    f"no output {transform!r}", hint=f"there are {', '.join(_OUTPUTS)}"
                )
            # scikit-learn's own name: `clone` carries it over
            self._sklearn_output_config = {"transform": transform}
        return self

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

    # ---- audits ----------------------------------------------------------------------------

    def audit(self, portfolio: Any, *, as_of: Any, config: Any = None) -> pd.DataFrame:
        """Recompute on tables cut at the instant and return what differs; see `audit_leakage`."""
        return audit_leakage(portfolio, self, config=config, as_of=as_of)

    def audit_columns(
        self, journal: Any, y: Any, *, as_of: Any, customers: Any = None
    ) -> pd.DataFrame:
        """Judge every column against the label of the same moments; see `audit_columns`.

        Columns that came in as ``x_...`` are the user's own word: the journal cannot tell whether
        they were known at the instant, their look can.
        """
        check_is_fitted(self, "blocks_")
        moments, order = self._moments(journal, as_of, customers)
        frame = self._transform(moments, order)
        who, when = moments.customers, moments.instants
        if order is not None:
            who, when = who[order], when[order]
        return audit_columns(frame, y, times=when, groups=who)

    # ---- state -------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return the fitted pipeline as plain data; blocks of your own by where they are imported.

        Raises
        ------
        ConfigError
            If the class of a block of your own cannot be imported again.
        """
        check_is_fitted(self, "blocks_")
        params = self.get_params(deep=False) | {"blocks": [b.name for b in self.blocks_]}
        given = {b.name for b in self._chosen() if isinstance(b, FeatureBlock)}
        return {
            "params": params,
            "blocks": {b.name: b.to_state() for b in self.blocks_},
            # given as objects: where a class of the user's own is imported from, None for ours
            "own": {
                b.name: None if BLOCKS.get(b.name) is type(b) else class_path(type(b))
                for b in self.blocks_
                if b.name in given
            },
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild a fitted pipeline from `to_state`.

        Raises
        ------
        BundleError
            If a block of your own cannot be imported here, or the state is of an older library
            and held exchange rates or channels, which a strategy's journal now converts.
        """
        params = dict(state["params"])
        for old in ("exchange_rates", "channel_roots"):
            if params.pop(old, None):
                raise BundleError(
                    f"the saved pipeline converted tables itself ({old})",
                    hint="fit it anew on a journal opened by journal.terms.open_journal",
                )
        own = dict(state.get("own", {}))
        unknown = [n for n in state["blocks"] if not own.get(n) and n not in BLOCKS]
        if unknown:
            raise BundleError(
                f"this library knows no feature block {', '.join(unknown)}",
                hint="load the bundle with the version of the library that saved it",
            )
        blocks = [
            _rebuilt(class_at(path) if (path := own.get(name)) else BLOCKS[name], held)
            for name, held in state["blocks"].items()
        ]
        by_name = {b.name: b for b in blocks}
        params["blocks"] = [
            clone(by_name[name]) if name in own else name for name in params["blocks"]
        ]
        params["windows_days"] = tuple(params["windows_days"])
        pipeline = cls(**params)
        pipeline.blocks_ = blocks
        return pipeline

    # ---- parts -------------------------------------------------------------------------------

    def _fit(self, moments: Moments) -> None:
        fitted = [block.fit(moments) for block in self._make_blocks()]
        self.blocks_ = fitted

    def _transform(self, moments: Moments, order: Any) -> pd.DataFrame:
        frame = pd.concat([block.transform(moments) for block in self.blocks_], axis=1)
        if order is not None:
            frame = frame.take(order)
            frame.index = pd.RangeIndex(len(frame))
        return frame

    def _given(self, frame: pd.DataFrame) -> Any:
        wanted = getattr(self, "_sklearn_output_config", {}).get("transform", "default")
        return nw.from_native(frame).to_polars() if wanted == "polars" else frame

    def _chosen(self) -> list[Any]:
        """Return names and blocks as given, with all shipped blocks for "default"."""
        given = [self.blocks] if isinstance(self.blocks, str) else self.blocks
        if not isinstance(given, Iterable):
            raise ConfigError(
                "blocks is neither a name nor a sequence", hint='for example "default"'
            )
        return [b for g in given for b in (BLOCKS if _is(g, "default") else [g])]

    def _make_blocks(self) -> list[FeatureBlock]:
        given = {"windows_days": tuple(self.windows_days), "use_age": self.use_age}
        window_lengths(given["windows_days"])
        out: list[FeatureBlock] = []
        for block in self._chosen():
            if isinstance(block, FeatureBlock):
                out.append(cast(FeatureBlock, clone(block)))
                continue
            if block not in BLOCKS:
                raise ConfigError(
                    f"unknown feature block {block!r}",
                    hint=f"there are {', '.join(BLOCKS)}, and blocks of your own as objects",
                )
            takes = BLOCKS[block]._get_param_names()
            out.append(BLOCKS[block](**{k: p for k, p in given.items() if k in takes}))
        names = [b.name for b in out]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice or not out:
            raise ConfigError(
                f"feature blocks named twice: {', '.join(twice)}" if twice else "no feature block",
                hint="each block needs a name of its own: it begins the names of its columns",
            )
        return out

    def _moments(self, journal: Any, as_of: Any, customers: Any) -> tuple[Moments, Any]:
        """Return the moments by customer, and the place of each pair asked for among them.

        Pairs of one customer side by side find the customer's events in the cache.
        """
        journal = journal_of(journal)
        who, when = pairs_of(journal, customers, as_of)
        if len(who) < 2 or bool((who[1:] >= who[:-1]).all()):
            return Moments(journal, who, when), None
        order = np.lexsort((when, who))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return Moments(journal, who[order], when[order]), place


def _is(value: Any, word: str) -> bool:
    return isinstance(value, str) and value == word


def _rebuilt(kind: type[FeatureBlock], state: dict[str, Any]) -> FeatureBlock:
    """Return a block with tuples where its parameters have them (JSON knows only lists)."""
    signature = inspect.signature(kind.__init__).parameters
    params = {
        k: tuple(p) if isinstance(p, list) and isinstance(signature[k].default, tuple) else p
        for k, p in state["params"].items()
    }
    return kind.from_state({**state, "params": params})
