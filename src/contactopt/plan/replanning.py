"""Again within the day: what was sent is fixed, the rest of the capacity is drawn anew.

A customer's newest decision stands unless it was withdrawn (by the recheck, or as not dispatched):
nothing new is drawn or logged for him. Drawn are those who have no decision yet, those whose
contact was withdrawn, and those from whom everything was blocked and to whom something is open now.
Who was left waiting by the draw keeps waiting: to draw him again because he waits would falsify
both probabilities. A contact whose time has passed counts as gone out unless it is known not to
have been: touches are known late, and nobody is called twice for that.

Probabilities of a re-plan are conditional on the decisions that stand; its batch names the earlier
one (``replans``). Nothing is drawn beyond the earlier plan's window: that is the next plan's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch
from contactopt.errors import ConfigError
from contactopt.plan.contact_plan import ContactPlan
from contactopt.plan.log.reader import DecisionLog, read_decisions
from contactopt.plan.log.written_plan import read_plan
from contactopt.plan.prices.capacity_rows import _paced
from contactopt.plan.prices.capacity_table import CAPACITY_COLUMNS, capacity_table

__all__ = ["Earlier", "Standing", "earlier_of", "remaining_capacity", "within_window"]

Ints = npt.NDArray[np.int64]

#: dispatch states of a contact that did not go out
_NOT_SENT = ("suppressed_rule", "suppressed_event", "no_capacity", "vendor_error")
#: reason of actions whose slot lies beyond the earlier plan's window
AFTER_WINDOW = "plan.after_window"
_DAY_US = 86_400_000_000


@dataclass(frozen=True, eq=False)
class Standing:
    """What a re-plan leaves as it is.

    Parameters
    ----------
    replans : str
        Batch that was planned anew.
    contacts : DataFrame
        Rows of the plan that stand, with ``usage`` (units of their pool); executed as planned.
    withdrawn : DataFrame
        Contacts that no longer stand: decision_id, customer_id, reasons.
    n_waiting : int
        Customers whose decision to wait stands.
    """

    replans: str
    contacts: pd.DataFrame
    withdrawn: pd.DataFrame
    n_waiting: int


@dataclass(frozen=True, eq=False)
class Earlier:
    """The plan of the day so far.

    Parameters
    ----------
    batch_id : str
        The newest batch.
    as_of, newest : Timestamp
        Of the first and of the newest batch of the day.
    contacts : DataFrame
        Contacts in force, one per customer at most, with ``usage``.
    decisions : DataFrame
        Newest decision of every customer: decision_id, customer_id, action_id, n_eligible,
        holdout.
    capacity : DataFrame
        Table in force for the first batch, as `rank` takes it.
    """

    batch_id: str
    as_of: pd.Timestamp
    newest: pd.Timestamp
    contacts: pd.DataFrame
    decisions: pd.DataFrame
    capacity: pd.DataFrame

    def stand(
        self, withdrawn: pd.DataFrame, decisions: pd.DataFrame, started: set[str]
    ) -> Standing:
        """Return what stands.

        Parameters
        ----------
        withdrawn : DataFrame
            From the recheck: decision_id, customer_id and reasons.
        decisions : DataFrame
            On record now, with dispatch_status.
        started : set of str
            Ids of decisions that a touch carries out: they stand whatever else is said.
        """
        own = self.contacts
        ids = own["decision_id"].astype(str)
        # a passed deadline alone says nothing: the touch may not be known yet
        over = withdrawn["reasons"].astype(str).str.split("|").str[0] != "plan.too_late"
        gone = withdrawn[over.to_numpy(dtype=bool)][["decision_id", "customer_id", "reasons"]]
        status = decisions["dispatch_status"].astype(object)
        sent = set(decisions["decision_id"][(status == "sent").to_numpy(dtype=bool)])
        failed = decisions[status.isin(_NOT_SENT).to_numpy(dtype=bool)]
        failed = failed[failed["decision_id"].isin(set(ids)).to_numpy(dtype=bool)]
        told = pd.DataFrame(
            {
                "decision_id": failed["decision_id"].astype(object),
                "customer_id": failed["customer_id"].astype(object),
                "reasons": failed["dispatch_status"].astype(object),
            }
        )
        gone = pd.concat([gone.astype(object), told], ignore_index=True)
        gone = gone[~gone["decision_id"].isin(started | sent).to_numpy(dtype=bool)]
        gone = gone.drop_duplicates("decision_id", ignore_index=True)
        stays = ~ids.isin(set(gone["decision_id"])).to_numpy(dtype=bool)
        waits = (self.decisions["action_id"].astype(object) == "wait").to_numpy(dtype=bool)
        return Standing(
            self.batch_id, own[stays].reset_index(drop=True), gone.astype("str"), int(waits.sum())
        )

    def to_draw(
        self, standing: Standing, customer_ids: npt.NDArray[np.object_]
    ) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
        """Return who is drawn, and who is if something is open now.

        Returns
        -------
        anew : object array
            Customers without a decision, and those whose contact was withdrawn.
        blocked : object array
            Customers to whom everything was closed.
        """
        known = set(self.decisions["customer_id"].astype(str))
        freed = set(standing.withdrawn["customer_id"].astype(str))
        closed = (self.decisions["n_eligible"] == 0) & ~self.decisions["holdout"].astype(bool)
        shut = set(self.decisions["customer_id"].astype(str)[closed.to_numpy(dtype=bool)])
        anew = [c for c in customer_ids if c not in known or c in freed]
        blocked = [c for c in customer_ids if c in shut and c not in freed]
        return np.array(anew, dtype=object), np.array(blocked, dtype=object)


# ---- reading -----------------------------------------------------------------------------------


def earlier_of(earlier: ContactPlan | DecisionLog | str | Path) -> Earlier:
    """Return the plan of the day so far, from a plan in memory or the folder of its log.

    Parameters
    ----------
    earlier : ContactPlan, DecisionLog or path
        A plan that was a re-plan itself carries what stood before it.

    Raises
    ------
    ConfigError
        If the folder holds no plan, or none of its newest batch.
    """
    if isinstance(earlier, ContactPlan):
        return _of_plan(earlier)
    log = earlier if isinstance(earlier, DecisionLog) else read_decisions(earlier)
    return _of_log(log)


def _of_plan(plan: ContactPlan) -> Earlier:
    own = plan.to_frame()
    row = np.flatnonzero(plan.drawn < len(plan.batch.actions))
    usage = plan.batch.usage[row, plan.drawn[row]].astype(np.float64)
    own = own.assign(usage=usage)
    decisions = _short(plan.decisions())
    before = plan.replanned
    if before is None:
        at = plan.batch.as_of
        return Earlier(plan.batch_id, at, at, own, decisions, _as_given(plan.capacity))
    contacts = _under(before.standing.contacts, own)
    decisions = _newest([before.earlier.decisions, decisions])
    first = before.earlier
    return Earlier(
        plan.batch_id, first.as_of, plan.batch.as_of, contacts, decisions, first.capacity
    )


def _of_log(log: DecisionLog) -> Earlier:
    """Follow the re-plans of the newest batch back to the first of the day."""
    chain = [log.batch_ids[-1]]
    while (before := log.facts(chain[0]).replans) is not None:
        chain.insert(0, before)
    contacts = read_plan(log.folder).rows
    contacts = contacts[(contacts["rank"] == 1).to_numpy(dtype=bool)]
    if not set(contacts["batch_id"].astype(str)) <= set(chain):
        raise ConfigError(
            f"plan.parquet in {log.folder} is not that of the newest batch {chain[-1]!r}",
            hint="give the folder as the newest plan was written to it",
        )
    usage = pd.concat([_usage(log, b) for b in chain])
    usage = usage.reindex(contacts["decision_id"].astype(str)).to_numpy(np.float64)
    first = log.facts(chain[0])
    return Earlier(
        chain[-1],
        first.as_of,
        log.facts(chain[-1]).as_of,
        contacts.assign(usage=usage).reset_index(drop=True),
        _newest([_short(log.decisions(b)) for b in chain]),
        first.capacity_table(),
    )


def _usage(log: DecisionLog, batch_id: str) -> pd.Series:
    """Units of its pool that each decision's drawn action takes, by decision id."""
    decisions, parts = log.decisions(batch_id), log.parts(batch_id)
    place = {a: k for k, a in enumerate(log.facts(batch_id).channels)}
    drawn = np.array([place.get(str(a), parts.width - 1) for a in decisions["action_id"]], int)
    found = [np.empty(0)]
    for first, last in parts.blocks():
        units = parts.read(first, last, ["usage"]).column("usage").to_numpy()
        units = units.reshape(last - first, -1)
        found.append(units[np.arange(last - first), drawn[first:last]])
    return pd.Series(np.concatenate(found), index=decisions["decision_id"].astype(str))


def _short(decisions: pd.DataFrame) -> pd.DataFrame:
    return decisions[["decision_id", "customer_id", "action_id", "n_eligible", "holdout"]]


def _newest(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True).drop_duplicates(
        "customer_id", keep="last", ignore_index=True
    )


def _under(first: pd.DataFrame, then: pd.DataFrame) -> pd.DataFrame:
    """Put rows of one plan under another's; an empty one would only blur the types."""
    if first.empty or then.empty:
        return (then if first.empty else first).reset_index(drop=True)
    return pd.concat([first, then], ignore_index=True)


def _as_given(capacity: pd.DataFrame) -> pd.DataFrame:
    """Return a table in force as `rank` takes it."""
    hour = capacity["hour"].astype(float)
    until = capacity["until_date"].astype(object)
    return capacity.assign(hour=hour.where(hour >= 0), until_date=until.where(until != "", None))


# ---- what is left --------------------------------------------------------------------------------


def remaining_capacity(
    capacity: pd.DataFrame | str | Path | None,
    contacts: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    until: pd.Timestamp,
    zones: Mapping[str, str],
    known: set[str],
) -> pd.DataFrame:
    """Return what the standing contacts leave of every row of a capacity table.

    Parameters
    ----------
    capacity : DataFrame, path or None
        Of the whole day, as `rank` takes it; None: everything is unlimited.
    contacts : DataFrame
        Standing contacts: pool, slot_start, decided_at, usage.
    as_of : Timestamp
        Of the first batch of the day: budgets up to a date keep the pace that they had there.
    until : Timestamp
        End of its window.
    zones : mapping of str to str
        IANA zone by pool, UTC without.
    known : set of str
        Names of pools that a table may use.

    Returns
    -------
    DataFrame
        pool, date, hour, units: one row per day and hour in force, never below 0. Least units are
        left out: they were the earlier plan's to meet, with everybody to choose from.
    """
    table = capacity_table(capacity, known)
    slot = pd.to_datetime(contacts["slot_start"], utc=True)
    decided = pd.to_datetime(contacts["decided_at"], utc=True)
    pool_of = contacts["pool"].astype(str).to_numpy(dtype=object)
    usage = contacts["usage"].to_numpy(np.float64)
    rows = []
    for pool in table["pool"].unique().tolist():
        zone = zones.get(pool, "UTC")
        own = np.flatnonzero(pool_of == pool)
        local, day0 = slot.iloc[own].dt.tz_convert(zone), decided.iloc[own].dt.tz_convert(zone)
        timed = local.notna().to_numpy(dtype=bool)
        day = np.where(timed, local.dt.strftime("%Y-%m-%d"), day0.dt.strftime("%Y-%m-%d"))
        hour = np.where(timed, local.dt.hour.fillna(-2).astype(int), -2)
        first, last = (t.tz_convert(zone).normalize() for t in (as_of, until))
        days = [d.strftime("%Y-%m-%d") for d in pd.date_range(first, last, freq="D")]
        paced = _paced(table[table["pool"] == pool], days, days[0])
        for (date, at), (units, _) in sorted(paced.items()):
            same = (day == date) & ((hour == at) if at >= 0 else True)
            left = max(units - float(usage[own][same].sum()), 0.0)
            rows.append((pool, date, float(at) if at >= 0 else np.nan, left))
    found = pd.DataFrame(rows, columns=["pool", "date", "hour", "units"])
    return found.assign(min_units=0.0, until_date=None)[list(CAPACITY_COLUMNS)]


def within_window(batch: ScoredBatch, until: pd.Timestamp) -> ScoredBatch:
    """Block actions whose slot begins at or after the end of the earlier plan's window."""
    late = (batch.slot_start != NO_INSTANT) & (batch.slot_start >= until.value // 1000)
    late &= batch.allowed
    if not late.any():
        return batch
    sets = (*batch.reason_sets, (AFTER_WINDOW,))
    group = batch.treatment_group
    return replace(
        batch,
        allowed=batch.allowed & ~late,
        reason=np.where(late, len(sets) - 1, batch.reason).astype(np.int32),
        reason_sets=sets,
        treatment_group=None if group is None else np.where(late, -1, group).astype(np.int32),
    )


def decisions_of(contacts: pd.DataFrame) -> pd.DataFrame:
    """Return contacts as rows of the decisions table that are still to be carried out."""
    names = [
        "decision_id", "batch_id", "decided_at", "customer_id", "action_id", "channel",
        "slot_start", "slot_local_hour", "template_id", "offer_id", "debt_id", "propensity",
    ]  # fmt: skip
    return contacts[names].assign(dispatch_status="pending", holdout=False)


@dataclass(frozen=True, eq=False)
class Replanned:
    """What a re-plan was made from: kept on the plan, so that it can be planned anew itself."""

    earlier: Earlier
    standing: Standing

    def with_new(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return everything to execute: what stands, then what was drawn now."""
        kept = self.standing.contacts.drop(columns="usage")
        return _under(kept, rows.reindex(columns=kept.columns) if len(rows.columns) else rows)
