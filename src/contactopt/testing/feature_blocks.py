"""What every feature block must keep to, as checks to run in your own tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, signature
from typing import Any, cast

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from contactopt.bundle import load_bundle, save_bundle
from contactopt.contracts.tables.registry import TABLES
from contactopt.features import Column, FeatureBlock
from contactopt.features.moments import Moments
from contactopt.journal import Journal
from contactopt.testing.world import Case, case_of

__all__ = ["Check", "check_feature_block", "feature_block_checks"]


@dataclass(frozen=True, eq=False)
class Check:
    """One check of one block: call it; it raises AssertionError where the block fails.

    Parameters
    ----------
    name : str
        What is checked.
    block : FeatureBlock
    run : callable
    make_case : callable
        Gives the case to run on, which is made when the first check runs.
    """

    name: str
    block: FeatureBlock
    run: Callable[[FeatureBlock, Case], None]
    make_case: Callable[[], Case]

    @property
    def case(self) -> Case:
        """Tables and pairs that the check runs on."""
        return self.make_case()

    @property
    def __name__(self) -> str:
        # what pytest shows for the parameter
        return f"{self.block.name}-{self.name}"

    def __call__(self) -> None:
        """Run the check on a clone of the block."""
        try:
            self.run(_new(self.block), self.case)
        except AssertionError as error:
            raise AssertionError(
                f"feature block {self.block.name!r}, {self.name}: {error}"
            ) from None


def check_feature_block(block: FeatureBlock, portfolio: Any = None) -> None:
    """Run all checks of `feature_block_checks`, one after the other.

    Parameters
    ----------
    block : FeatureBlock
        Not fitted and not changed.
    portfolio : Portfolio, optional
        See `feature_block_checks`.

    Raises
    ------
    AssertionError
        At the first check that fails; the message names block, check and column.

    Examples
    --------
    >>> from contactopt.features import BLOCKS
    >>> check_feature_block(BLOCKS["calendar"]())
    """
    for check in feature_block_checks(block, portfolio):
        check()


def feature_block_checks(block: FeatureBlock, portfolio: Any = None) -> list[Check]:
    """Return the checks of a block, to run one by one.

    In a test module of your own::

        @pytest.mark.parametrize("check", feature_block_checks(MyBlock()))
        def test_my_block(check):
            check()

    Parameters
    ----------
    block : FeatureBlock
        Of your own, with the parameters to check.
    portfolio : Portfolio, optional
        Tables that show what the block reads (at most 40 customers are taken). By default a
        small simulated portfolio, a part of whose rows arrives days after the event.

    Returns
    -------
    list of Check
        ``parameters``: a clone has the same ones; nothing is computed before a fit.
        ``catalogue``: names, units and types of the columns are those that `columns` states.
        ``past_only``: the same bits on tables from which everything later was removed, and the
        same learned values. ``row_order``, ``one_by_one`` and ``alone``: nothing depends on the
        order of the rows, on which pairs are asked for together, or on other customers.
        ``no_mutation``: tables and moments stay as they are. ``empty``: no customers and no
        history give the same columns. ``state``: a saved and loaded block gives the same bits.
    """
    make_case = cache(lambda: case_of(portfolio))
    checks = (_parameters, _catalogue, _past_only, _row_order, _one_by_one, _alone, _no_mutation,
              _empty, _state)  # fmt: skip
    return [Check(run.__name__.lstrip("_"), block, run, make_case) for run in checks]


# ---- the checks --------------------------------------------------------------------------------


def _parameters(block: FeatureBlock, case: Case) -> None:
    assert isinstance(block, FeatureBlock), "it is no subclass of FeatureBlock"
    given = block.get_params(deep=False)
    again = _new(block).get_params(deep=False)
    assert repr(given) == repr(again), f"a clone has other parameters: {again}, not {given}"
    defaults = {k: p.default for k, p in signature(type(block)).parameters.items()}
    usual = {k: v for k, v in defaults.items() if v is not Parameter.empty}
    for params in (given, {**given, **usual}):
        kept = type(block)(**params).get_params(deep=False)
        for name, value in params.items():
            assert kept[name] is value, f"__init__ changes parameter {name!r}: it may only assign"
    try:
        block.transform(case.moments())
    except NotFittedError:
        return
    raise AssertionError("it transforms before it is fitted: `transform` must not be replaced")


def _catalogue(block: FeatureBlock, case: Case) -> None:
    assert isinstance(getattr(block, "name", None), str) and block.name, "it has no name"
    moments = case.moments()
    frame = block.fit(moments).transform(moments)
    columns = block.columns()
    names = [c.name for c in columns]
    assert len(set(names)) == len(names), f"columns named twice: {_twice(names)}"
    for column in columns:
        assert isinstance(column, Column), f"{column!r} is no Column"
        assert all((column.name, column.unit, column.window, column.source)), (
            f"column {column.name!r} leaves unit, window or source empty"
        )
        unknown = set(column.source.split("+")) - set(TABLES)
        assert not unknown, f"column {column.name!r} names no contract table: {sorted(unknown)}"
        values = frame[f"{block.name}.{column.name}"]
        is_category = isinstance(values.dtype, pd.CategoricalDtype)
        assert is_category == (column.unit == "category"), (
            f"column {column.name!r} has unit {column.unit!r} and type {values.dtype}"
        )
        if not is_category:
            infinite = int(np.isinf(values.to_numpy()).sum())
            assert infinite == 0, f"column {column.name!r} is infinite in {infinite} rows"
    assert frame.columns.tolist() == [f"{block.name}.{n}" for n in names], "columns and names"


def _past_only(block: FeatureBlock, case: Case) -> None:
    fitted = _new(block).fit(case.moments())
    whole = fitted.transform(case.moments())
    who, when = case.pairs
    for instant in case.days:
        rows = np.flatnonzero(when == instant)
        then = case.cut(int(instant))
        alone = fitted.transform(Moments(then, who[rows], when[rows]))
        _same(whole.iloc[rows], alone, "tables cut at the instant give other values: the block "
              "sees what became known later")  # fmt: skip
        learned = _new(block).fit(Moments(case.journal, who[rows], when[rows]))
        known = _new(block).fit(Moments(then, who[rows], when[rows]))
        for name in block.fitted:
            a, b = getattr(learned, name), getattr(known, name)
            assert repr(a) == repr(b), (
                f"`learn` sees what became known later: {name} differs on tables cut at the instant"
            )


def _row_order(block: FeatureBlock, case: Case) -> None:
    first = _new(block).fit(case.moments())
    other = Moments(case.shuffled(), *case.pairs)
    second = _new(block).fit(other)
    _same(
        first.transform(case.moments()),
        second.transform(other),
        "the order of the tables' rows changes values",
    )


def _one_by_one(block: FeatureBlock, case: Case) -> None:
    fitted = block.fit(case.moments())
    whole = fitted.transform(case.moments())
    who, when = case.pairs
    for k in range(0, len(who), max(1, len(who) // 25)):
        one = fitted.transform(Moments(case.journal, who[k : k + 1], when[k : k + 1]))
        _same(whole.iloc[[k]], one, "one pair alone has other values than in a batch")
    order = np.random.default_rng(1).permutation(len(who))
    mixed = fitted.transform(Moments(case.journal, who[order], when[order]))
    _same(whole.iloc[order], mixed, "the order of the pairs changes values")


def _alone(block: FeatureBlock, case: Case) -> None:
    fitted = block.fit(case.moments())
    whole = fitted.transform(case.moments())
    who, when = case.pairs
    n = case.journal.n_customers
    for code in range(0, n, max(1, n // 8)):
        rows = np.flatnonzero(who == code)
        own = Moments(case.of_customer(code), np.zeros(len(rows), np.int64), when[rows])
        _same(whole.iloc[rows], fitted.transform(own), "a customer alone has other values: the "
              "block reads other customers' rows outside `learn`")  # fmt: skip


def _no_mutation(block: FeatureBlock, case: Case) -> None:
    tables = {k: f.copy(deep=True) for k, f in case.tables.items()}
    journal = Journal(tables)
    moments = Moments(journal, *case.pairs)
    block.fit(moments).transform(moments)
    for name, frame in tables.items():
        assert frame.equals(case.tables[name]), f"it changes the table {name}"
    assert np.array_equal(moments.customers, case.pairs[0]), "it changes moments.customers"
    assert np.array_equal(moments.instants, case.pairs[1]), "it changes moments.instants"
    again = block.transform(Moments(journal, *case.pairs))
    _same(block.transform(case.moments()), again, "it changes the journal")


def _empty(block: FeatureBlock, case: Case) -> None:
    fitted = _new(block).fit(case.moments())
    names = fitted.get_feature_names_out().tolist()
    nobody = np.empty(0, np.int64)
    for what, journal in (("no customers", Journal({})), ("no pairs", case.journal)):
        frame = fitted.transform(Moments(journal, nobody, nobody))
        assert frame.shape == (0, len(names)), f"{what}: shape {frame.shape}"
        assert frame.columns.tolist() == names, f"{what}: other columns"
    # a customer of whom nothing but the name is known
    new = Journal({"customers": pd.DataFrame({"customer_id": ["new"], "jurisdiction": ["CO"]})})
    frame = fitted.transform(Moments(new, [0], case.days[-1:]))
    assert frame.columns.tolist() == names and len(frame) == 1, "no history: other columns"
    fresh = Moments(Journal({}), nobody, nobody)
    _new(block).fit(fresh).transform(fresh)


def _state(block: FeatureBlock, case: Case) -> None:
    fitted = block.fit(case.moments())
    with tempfile.TemporaryDirectory() as folder:
        save_bundle({"block": fitted.to_state()}, f"{folder}/bundle", kind="features")
        state = load_bundle(f"{folder}/bundle", kind="features")["block"]
    again = type(block).from_state(state)
    a, b = fitted.transform(case.moments()), again.transform(case.moments())
    _same(a, b, "a saved and loaded block gives other values: name what it learns in `fitted`")


def _new(block: FeatureBlock) -> FeatureBlock:
    return cast(FeatureBlock, clone(block))


# ---- comparing ---------------------------------------------------------------------------------


def _same(a: pd.DataFrame, b: pd.DataFrame, problem: str) -> None:
    """Raise where two frames differ in a bit; names at most five columns."""
    assert a.columns.tolist() == b.columns.tolist(), f"{problem} (other columns)"
    assert len(a) == len(b), f"{problem} ({len(a)} and {len(b)} rows)"
    different = {}
    for name in a.columns:
        x, y = a[name], b[name]
        if isinstance(x.dtype, pd.CategoricalDtype):
            x, y = (s.astype(object).where(s.notna(), None).to_numpy() for s in (x, y))
            unequal = x != y
        else:
            x, y = x.to_numpy(), y.to_numpy()
            unequal = ~((x == y) | (np.isnan(x) & np.isnan(y)))
        if unequal.any():
            different[name] = int(unequal.sum())
    shown = ", ".join(f"{n!r} in {k} of {len(a)} rows" for n, k in list(different.items())[:5])
    assert not different, f"{problem}: {shown}"


def _twice(names: list[str]) -> str:
    return ", ".join(sorted({n for n in names if names.count(n) > 1})[:5])
