"""The ladder: what tables already allow, and what the next step needs, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.known import known_at
from contactopt.contracts.links import positions
from contactopt.contracts.vocabulary import REWARD_KINDS, WAIT

__all__ = ["LADDER_COLUMNS", "ladder"]

LADDER_COLUMNS = ["step", "allows", "have", "needs", "reached"]
Tables = Mapping[str, pd.DataFrame]
Ints = npt.NDArray[np.int64]

#: what the models ask for before they leave their priors (`models/`: amount, payment, contrast)
_PAYERS, _BOTH_KINDS = 50, 10
_PER_ARM, _EVENTS = 30, 5
#: payers with which an effect of contact can be told from noise, contacted and waiting each
_EFFECT = 200
_NEWEST = ("touches", "payments", "debt_snapshots")


def ladder(
    tables: Tables,
    *,
    as_of: pd.Timestamp | None = None,
    horizon_days: float = 30.0,
    data_delay: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Count what is there, step by step.

    Times are cut into windows of ``horizon_days`` back from ``as_of``, as far as touches, payments
    and snapshots reach; a *customer-window* is one customer in one whole window. A *contacted
    payer* is a customer-window with an outbound touch and a payment after it; a *waiting payer* one
    with a payment and no outbound touch. Payments count if they are of a rewarded kind and were not
    reversed. Work grows with the rows, not with customers times windows.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Every table of the contract, typed.
    as_of : Timestamp, optional
        Only what was known by then is counted; default: the newest instant of touches, payments
        and snapshots.
    horizon_days : float
        Length of the window of a label; of the longest, where stages have windows of their own.
    data_delay : mapping of str to float, optional
        Hours until rows without `recorded_at` are known, by table.

    Returns
    -------
    pandas.DataFrame
        Columns step, allows, have, needs (empty where the step is reached), reached; five rows,
        also for empty tables.
    """
    seen = _Seen.of(tables, as_of, horizon_days, data_delay or {})
    steps = [_plan(tables, seen), _reach(seen), _payment(seen), _effect(seen), _proof(seen)]
    return pd.DataFrame(steps, columns=LADDER_COLUMNS)


Step = tuple[str, str, str, str, bool]


def _plan(tables: Tables, seen: _Seen) -> Step:
    debts = seen.debts["debt_id"]
    snapped = positions(debts, pd.Index(seen.snapshots["debt_id"].unique())) >= 0
    ids = pd.Index(tables["customers"]["customer_id"].dropna().unique())
    with_debt = set(positions(seen.debts.loc[snapped, "customer_id"], ids)) - {-1}
    with_point = set(positions(seen.points["customer_id"], ids)) - {-1}
    ready = len(with_debt & with_point)
    have = f"{ready:,} of {len(ids):,} customers have a debt, its snapshot and a contact point"
    lacks = [
        f"{name} (none known)"
        for name, n in (
            ("customers", len(ids)),
            ("debts", len(debts)),
            ("debt_snapshots", len(seen.snapshots)),
            ("contact_points", len(seen.points)),
        )
        if n == 0
    ]
    needs = "" if ready else ", ".join(lacks) or "one customer who has all three"
    return "a lawful plan", "a plan within law and capacity, on priors", have, needs, ready > 0


def _reach(seen: _Seen) -> Step:
    told = seen.touches[seen.touches["outcome"] != "unknown"]
    have = f"{len(told):,} attempts with a known outcome over {told['channel'].nunique()} channels"
    needs = "" if len(told) else "touches: one outbound attempt with a known outcome"
    return "reach", "reach by channel and hour learned, attempt by attempt", have, needs, bool(
        len(told)
    )  # fmt: skip


def _payment(seen: _Seen) -> Step:
    paid, windows = len(seen.payers), seen.n_windows
    have = f"{paid:,} customer-windows with a payment, {windows} whole window(s)"
    lacks = []
    if windows < 1:
        lacks.append(f"history longer than the window of {seen.days:g} days")
    if paid < _PAYERS:
        lacks.append(
            f"{paid} of {_PAYERS} paying customer-windows (from {_BOTH_KINDS} on the probability, "
            f"from {_PAYERS} on the amount leaves its prior)"
        )
    return "payment and amount", "probability and amount of payment learned", have, "; ".join(
        lacks
    ), not lacks  # fmt: skip


def _effect(seen: _Seen) -> Step:
    contacted, waiting = seen.contacted_payers, seen.waiting_payers
    have = f"{contacted:,} contacted and {waiting:,} waiting payers"
    pairs = ((contacted, "contacted"), (waiting, "waiting"))
    lacks = [f"{n} of {_EFFECT} {kind} payers" for n, kind in pairs if n < _EFFECT]
    allows = (
        "enough payers to tell an effect of contact from noise; it is learned from decisions with "
        "propensities, never from who happened to be contacted"
    )
    return "effect", allows, have, ", ".join(lacks), not lacks


def _proof(seen: _Seen) -> Step:
    rows = seen.decisions
    arms = rows.groupby("channel", observed=True)["paid"].agg(["size", "sum"])
    n = {c: int(k) for c, k in arms["size"].items()}
    paid = {c: int(k) for c, k in arms["sum"].items()}
    waited = n.get(WAIT, 0)
    drawn = [c for c in n if c != WAIT]
    best = max(drawn, key=lambda c: (_speaks(n[c], paid[c]), n[c], c), default=None)
    most = n[best] if best else 0
    have = f"{len(rows):,} decisions with a propensity and a closed window, {waited:,} of them wait"
    have += f", {most:,} {best}" if best else ""
    lacks = []
    for name, count, payers in (
        (WAIT, waited, paid.get(WAIT, 0)),
        (best or "some channel", most, paid.get(best, 0) if best else 0),
    ):
        if count < _PER_ARM:
            lacks.append(f"{count} of {_PER_ARM} that drew {name}")
        elif not _speaks(count, payers):
            few = min(payers, count - payers)
            which = "pay" if payers < _EVENTS else "do not"
            lacks.append(f"{few} of {_EVENTS} that drew {name} and {which}")
    allows = "effects per channel learned without confounding; a policy's lift proven from its log"
    return "learning and proof", allows, have, ", ".join(lacks), not lacks


def _speaks(rows: int, payers: int) -> bool:
    return rows >= _PER_ARM and min(payers, rows - payers) >= _EVENTS


@dataclass(frozen=True)
class _Seen:
    """What was known at the instant, and the customer-windows of payers."""

    days: float
    n_windows: int
    debts: pd.DataFrame
    snapshots: pd.DataFrame
    points: pd.DataFrame
    #: outbound only
    touches: pd.DataFrame
    #: (customer, window) of every customer-window with a payment
    payers: Ints
    contacted_payers: int
    waiting_payers: int
    #: channel, paid; with a propensity and a closed window, without control group
    decisions: pd.DataFrame

    @classmethod
    def of(
        cls,
        tables: Tables,
        as_of: pd.Timestamp | None,
        horizon_days: float,
        delay: Mapping[str, float],
    ) -> _Seen:
        if as_of is None:
            newest = [known_at(n, tables[n], delay).max() for n in _NEWEST]
            newest = [t for t in newest if t is not pd.NaT]
            as_of = max(newest) if newest else None

        def known(name: str) -> pd.DataFrame:
            frame = tables[name]
            return frame if as_of is None else frame[known_at(name, frame, delay) <= as_of]

        touches = known("touches")
        touches = touches[touches["direction"] == "outbound"]
        ids = pd.Index(tables["customers"]["customer_id"].dropna().unique())
        payments = _rewarded(known("payments"), tables["debts"], ids, as_of)
        end_s = 0 if as_of is None else int(as_of.timestamp())
        starts = (
            known("touches")["started_at"],
            known("debt_snapshots")["observed_at"],
            tables["payments"].loc[payments.index, "paid_at"],
        )
        firsts = [t for t in (s.min() for s in starts) if t is not pd.NaT]
        span_s = end_s - int(min(firsts).timestamp()) if firsts else 0
        width = int(horizon_days * 86_400)
        n_windows = max(span_s // width, 0)
        payers, contacted, waiting = _payers(touches, payments, ids, end_s, width, n_windows)
        return cls(
            days=horizon_days,
            n_windows=n_windows,
            debts=known("debts"),
            snapshots=known("debt_snapshots"),
            points=known("contact_points"),
            touches=touches,
            payers=payers,
            contacted_payers=contacted,
            waiting_payers=waiting,
            decisions=_decided(known("decisions"), payments, ids, end_s, width),
        )


def _seconds(times: pd.Series) -> Ints:
    return times.to_numpy(dtype="datetime64[s]").astype(np.int64)


def _rewarded(
    payments: pd.DataFrame, debts: pd.DataFrame, ids: pd.Index, as_of: pd.Timestamp | None
) -> pd.DataFrame:
    """Return customer (code) and second of every payment that counts."""
    kind = payments["kind"].fillna("voluntary")
    keep = kind.isin(REWARD_KINDS) & payments["paid_at"].notna()
    if as_of is not None:
        keep &= ~(payments["reversed_at"] <= as_of)
    payments = payments[keep]
    whose = debts.dropna(subset="debt_id").drop_duplicates("debt_id")
    owner = np.append(positions(whose["customer_id"], ids), -1)
    customer = owner[positions(payments["debt_id"], pd.Index(whose["debt_id"]))]
    frame = pd.DataFrame(
        {"customer": customer, "second": _seconds(payments["paid_at"])}, index=payments.index
    )
    return frame[frame["customer"] >= 0]


def _payers(
    touches: pd.DataFrame, payments: pd.DataFrame, ids: pd.Index, end_s: int, width: int, n: int
) -> tuple[Ints, int, int]:
    """Return the customer-windows with a payment, and how many were contacted and waited."""
    if n == 0:
        return np.empty(0, np.int64), 0, 0
    touched = pd.DataFrame(
        {"cell": _cells(positions(touches["customer_id"], ids), touches, end_s, width, n)}
    )
    touched["second"] = _seconds(touches["started_at"])
    first = touched[touched["cell"] >= 0].groupby("cell")["second"].min()
    cell = _cell(payments["customer"].to_numpy(), payments["second"].to_numpy(), end_s, width, n)
    last = payments.assign(cell=cell)[cell >= 0].groupby("cell")["second"].max()
    before = first.reindex(last.index)
    contacted = int((last > before).sum())
    return last.index.to_numpy(np.int64), contacted, int(before.isna().sum())


def _cells(customer: Ints, touches: pd.DataFrame, end_s: int, width: int, n: int) -> Ints:
    return _cell(customer, _seconds(touches["started_at"]), end_s, width, n)


def _cell(customer: Ints, second: Ints, end_s: int, width: int, n: int) -> Ints:
    """Return customer x windows + window, counted back from the end; -1 outside of all windows."""
    window = (end_s - second) // width
    return np.where((customer >= 0) & (window >= 0) & (window < n), customer * n + window, -1)


def _decided(
    decisions: pd.DataFrame, payments: pd.DataFrame, ids: pd.Index, end_s: int, width: int
) -> pd.DataFrame:
    """Return channel and whether a payment followed, of decisions an effect can be learned from."""
    second = _seconds(decisions["decided_at"])
    customer = positions(decisions["customer_id"], ids)
    drawn = decisions["propensity"].to_numpy(np.float64)
    keep = (second + width <= end_s) & (customer >= 0) & (drawn > 0) & (drawn <= 1)
    keep &= ~decisions["holdout"].to_numpy(bool)
    customer, second = customer[keep], second[keep]
    # one sorted line of time per customer, the next customer's beginning where this one's ends
    paid_s = payments["second"].to_numpy()
    low = min(int(x.min()) if len(x) else end_s for x in (paid_s, second))
    stride = end_s - low + 2 * width + 2
    line = np.sort(payments["customer"].to_numpy() * stride + paid_s - low)
    at = customer * stride + second - low
    paid = np.searchsorted(line, at + width, "right") > np.searchsorted(line, at, "right")
    return pd.DataFrame({"channel": decisions["channel"][keep].astype(object), "paid": paid})
