"""The public check suite passes honest blocks and names what a faulty one does."""

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.datasets import load_demo
from contactopt.features import BLOCKS, Column, FeatureBlock
from contactopt.journal.folds import window_sums
from contactopt.journal.local_time import DAY_US
from contactopt.testing import check_feature_block, feature_block_checks

CHECKS = ["parameters", "catalogue", "past_only", "row_order", "one_by_one", "alone",
          "no_mutation", "empty", "state"]  # fmt: skip


class Payments60(FeatureBlock):
    """Payments in sixty days, and how that compares with the population: an honest block."""

    name = "sixty"
    fitted = ("usual_",)

    def __init__(self, *, days: int = 60) -> None:
        self.days = days

    def columns(self):
        return (Column("n", "count", "60d", "payments"), Column("more", "count", "60d", "payments"))

    def counts(self, moments):
        index = moments.journal.payments.index
        all_of_them = np.zeros(len(index), dtype=np.int64)
        window = [self.days * DAY_US]
        return window_sums(index, all_of_them, 1, window, moments.customers, moments.instants)[
            :, 0, 0
        ]

    def learn(self, moments):
        counts = self.counts(moments)
        self.usual_ = float(counts.mean()) if len(counts) else 0.0

    def compute(self, moments):
        n = self.counts(moments)
        return {"n": n, "more": n - self.usual_}


@pytest.mark.parametrize("check", feature_block_checks(Payments60()))
def test_an_honest_block(check) -> None:
    check()


@pytest.mark.parametrize("name", ["debt", "payments", "channel", "points", "x"])
def test_shipped_blocks(name) -> None:
    check_feature_block(BLOCKS[name]())


def test_a_portfolio_of_your_own() -> None:
    portfolio = load_demo(60, random_state=3, n_days=30)
    check_feature_block(Payments60(days=14), portfolio)
    checks = list(co.testing.feature_block_checks(Payments60(), portfolio))
    assert [c.name for c in checks] == CHECKS
    assert checks[0].__name__ == "sixty-parameters"
    assert checks[0].case.journal.n_customers == 40


# ---- blocks with one fault each ------------------------------------------------------------------


class Prophet(Payments60):
    """Counts payments that are still to come."""

    def counts(self, moments):
        counts = np.diff(moments.journal.payments.index.starts)
        return counts[moments.customers].astype(float)


class EarlyBird(Payments60):
    """Takes a payment for known when it was made, not when it was recorded."""

    def counts(self, moments):
        log = moments.journal.payments
        out = np.zeros(len(moments))
        for i, (c, t) in enumerate(zip(moments.customers, moments.instants, strict=True)):
            own = log.time[log.index.starts[c] : log.index.starts[c + 1]]
            out[i] = (own <= t).sum()
        return out


class Schoolmaster(Payments60):
    """Learns from everything there will ever be."""

    def learn(self, moments):
        self.usual_ = float(len(moments.journal.payments))


class RowReader(Payments60):
    """Takes the order of a table's rows for a fact."""

    def counts(self, moments):
        frame = moments.journal.tables["payments"]
        first = frame["debt_id"].iloc[0] if len(frame) else ""
        return np.full(len(moments), float(str(first)[-4:] or 0))


class Ranker(Payments60):
    """Compares a customer with those asked for at the same time."""

    def counts(self, moments):
        n = super().counts(moments)
        return n - (n.mean() if len(n) else 0.0)


class Neighbour(Payments60):
    """Reads the rows of the whole portfolio at transform."""

    def counts(self, moments):
        return np.full(len(moments), float(moments.journal.n_customers))


class Scribbler(Payments60):
    """Writes into what it was given."""

    def counts(self, moments):
        n = super().counts(moments)
        moments.journal.payments.frame["amount"] *= 2.0
        return n


class Forgetful(Payments60):
    """Does not name what it learns."""

    fitted = ()

    def learn(self, moments):
        super().learn(moments)
        Forgetful.last = self.usual_

    def compute(self, moments):
        return {"n": self.counts(moments), "more": self.counts(moments) - getattr(
            self, "usual_", 0.0)}  # fmt: skip


class Meddler(Payments60):
    """Changes a parameter in its constructor."""

    def __init__(self, *, days: float = 60.5) -> None:
        self.days = int(days)


class Mislabelled(Payments60):
    """Says category where it gives numbers."""

    def columns(self):
        return (Column("n", "category", "60d", "payments"), Column("more", "count", "", "payments"))


class Elsewhere(Payments60):
    """Names a table that the contract has not."""

    def columns(self):
        return (Column("n", "count", "60d", "ledger"), Column("more", "count", "60d", "payments"))


class Infinite(Payments60):
    """Divides by zero."""

    def compute(self, moments):
        return {"n": np.full(len(moments), np.inf), "more": np.zeros(len(moments))}


class Fragile(Payments60):
    """Cannot do without a payment."""

    def counts(self, moments):
        assert len(moments.journal.payments), "no payments"
        return super().counts(moments)


@pytest.mark.parametrize(
    ("faulty", "check", "message"),
    [
        (Prophet, "past_only", "'sixty.n' in .* rows"),
        (EarlyBird, "past_only", "the block sees what became known later"),
        (Schoolmaster, "past_only", "`learn` sees what became known later: usual_"),
        (RowReader, "row_order", "the order of the tables' rows changes values"),
        (Ranker, "one_by_one", "one pair alone has other values"),
        (Neighbour, "alone", "a customer alone has other values"),
        (Scribbler, "no_mutation", "it changes the table payments"),
        (Forgetful, "state", "name what it learns in `fitted`: 'sixty.more'"),
        (Meddler, "parameters", "__init__ changes parameter 'days'|a clone has other|Cannot clone"),
        (Mislabelled, "catalogue", "column 'more' leaves unit, window or source empty|category"),
        (Elsewhere, "catalogue", r"names no contract table: \['ledger'\]"),
        (Infinite, "catalogue", "column 'n' is infinite"),
        (Fragile, "empty", "no payments"),
    ],
)  # fmt: skip
def test_a_faulty_block_is_caught(faulty, check, message) -> None:
    checks = {c.name: c for c in feature_block_checks(faulty(), _own_copy())}
    with pytest.raises(AssertionError, match=message) as error:
        checks[check]()
    assert str(error.value).startswith(f"feature block 'sixty', {check}: ")
    if check == "past_only":
        with pytest.raises(AssertionError):
            check_feature_block(faulty())


def _own_copy():
    """A portfolio that a block may spoil; rows arrive late here, too."""
    portfolio = load_demo(12, random_state=1, n_days=60)
    paid = portfolio.tables["payments"]
    late = pd.to_timedelta(np.arange(len(paid)) % 4 * 30, unit="h")
    portfolio.tables["payments"] = paid.assign(
        recorded_at=(paid["paid_at"] + late).dt.as_unit("us")
    )
    return portfolio
