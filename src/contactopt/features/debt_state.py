"""What is owed: the lead debt as it stands, and totals over the customer's debts."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.features._base import Column, FeatureBlock, category
from contactopt.features.arithmetic import MONTH_DAYS, days_between, instant_at, ratio, value_at
from contactopt.features.moments import Moments
from contactopt.journal.columns import instants, numbers, text, word_codes, words
from contactopt.journal.debts import STAGES

__all__ = ["DebtState"]

_SNAPSHOTS = "debts+debt_snapshots"
_MONEY = ("balance", "past_due", "instalment")


class DebtState(FeatureBlock):
    """Lead debt and totals.

    Examples
    --------
    >>> [c.name for c in DebtState().columns()][:3]
    ['balance', 'past_due', 'past_due_now']
    """

    name = "debt"
    fitted = ("creditors_", "books_")

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        money = ("balance", "past_due", "past_due_now", "instalment", "principal")
        shares = ("balance_to_principal", "past_due_to_balance", "instalments_past_due",
                  "paid_since_snapshot_share", "margin_share")  # fmt: skip
        days = ("days_past_due", "days_since_snapshot", "days_to_next_due", "days_to_limitation")
        months = ("months_since_open", "months_since_charge_off", "months_since_placement")
        totals = ("n_debts", "n_collectable", "n_charged_off")
        return (
            *(Column(n, "money", "latest", _SNAPSHOTS) for n in money),
            *(Column(n, "ratio", "latest", _SNAPSHOTS + "+payments") for n in shares),
            *(Column(n, "days", "latest", _SNAPSHOTS) for n in days),
            *(Column(n, "months", "latest", "debts") for n in months),
            *(Column(n, "count", "latest", _SNAPSHOTS) for n in totals),
            Column("total_balance", "money", "latest", _SNAPSHOTS),
            Column("total_past_due_now", "money", "latest", _SNAPSHOTS + "+payments"),
            Column("max_days_past_due", "days", "latest", _SNAPSHOTS),
            *(
                Column(n, "category", "latest", _SNAPSHOTS)
                for n in ("product", "ownership", "stage", "status", "creditor", "book")
            ),
        )

    def learn(self, moments: Moments) -> None:
        """Learn the creditors and books of the lead debts."""
        self.creditors_ = _seen(moments, "creditor")
        self.books_ = _seen(moments, "book")

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        out = self._lead_numbers(moments)
        out |= self._lead_dates(moments)
        out |= self._totals(moments)
        out |= self._words(moments)
        return out

    def _lead_numbers(self, m: Moments) -> dict[str, Any]:
        log, rows = m.journal.debts, m.debts
        snapshot = rows.of_lead(rows.states.snapshot, -1).astype(np.int64)
        out: dict[str, Any] = {}
        for name in _MONEY:
            out[name] = value_at(getattr(log, name), snapshot)
        out["past_due_now"] = rows.of_lead(rows.states.past_due_now)
        out["principal"] = value_at(numbers(log.frame, "principal"), m.lead_debt)
        out["margin_share"] = value_at(log.margin_share, m.lead_debt)
        out["days_past_due"] = rows.of_lead(rows.states.days_past_due)
        paid = rows.of_lead(rows.states.paid_since)
        out["balance_to_principal"] = ratio(out["balance"], out["principal"])
        out["past_due_to_balance"] = ratio(out["past_due_now"], out["balance"])
        out["instalments_past_due"] = ratio(out["past_due_now"], out["instalment"])
        out["paid_since_snapshot_share"] = ratio(paid, out["past_due"])
        return out

    def _lead_dates(self, m: Moments) -> dict[str, Any]:
        log, rows = m.journal.debts, m.debts
        snapshot = rows.of_lead(rows.states.snapshot, -1).astype(np.int64)
        has = m.lead_debt >= 0
        lead = np.maximum(m.lead_debt, 0)
        out: dict[str, Any] = {}
        dates = {"open": "opened_at", "charge_off": "charged_off_at", "placement": "placed_at"}
        for what, date in dates.items():
            at = np.full(len(m), NO_INSTANT)
            if len(log):
                at = np.where(has, log.date_known(date, lead, m.instants), NO_INSTANT)
            out[f"months_since_{what}"] = days_between(at, m.instants) / MONTH_DAYS
        out["days_since_snapshot"] = days_between(
            instant_at(log.snapshots.time, snapshot), m.instants
        )
        out["days_to_next_due"] = -days_between(instant_at(log.next_due_us, snapshot), m.instants)
        limit = instant_at(instants(log.frame, "limitation_at"), m.lead_debt)
        out["days_to_limitation"] = -days_between(limit, m.instants)
        return out

    def _totals(self, m: Moments) -> dict[str, Any]:
        rows = m.debts
        running = rows.states.exists & ~rows.states.ended
        balance = value_at(m.journal.debts.balance, rows.states.snapshot)
        worst = np.full(len(m), -np.inf)
        dpd = rows.states.days_past_due
        np.maximum.at(worst, rows.moment, np.where(running & ~np.isnan(dpd), dpd, -np.inf))
        return {
            "n_debts": rows.total(running),
            "n_collectable": rows.total(rows.states.collectable),
            "n_charged_off": rows.total(rows.states.charged_off & running),
            "total_balance": rows.total(np.where(running, balance, 0.0)),
            "total_past_due_now": rows.total(np.where(running, rows.states.past_due_now, 0.0)),
            "max_days_past_due": np.where(np.isfinite(worst), worst, np.nan),
        }

    def _words(self, m: Moments) -> dict[str, Any]:
        log, rows = m.journal.debts, m.debts
        snapshot = rows.of_lead(rows.states.snapshot, -1).astype(np.int64)
        status = np.append(log.status.codes.astype(np.int64), -1)[snapshot]
        status = np.where(status < len(v.DEBT_STATUSES), status, -1)
        out: dict[str, Any] = {
            "stage": category(rows.of_lead(rows.states.stage, 5), STAGES),
            "status": category(status, v.DEBT_STATUSES),
        }
        for name, vocabulary in (("product", v.PRODUCTS), ("ownership", v.OWNERSHIPS)):
            codes = np.append(words(log.frame, name, vocabulary).codes.astype(np.int64), -1)
            code = codes[m.lead_debt]
            out[name] = category(np.where(code < len(vocabulary), code, -1), vocabulary)
        for name, seen in (("creditor", self.creditors_), ("book", self.books_)):
            codes = np.append(word_codes(text(log.frame, name), seen), -1)
            out[name] = category(codes[m.lead_debt], seen)
        return out


def _seen(m: Moments, name: str) -> list[str]:
    lead = np.unique(m.lead_debt[m.lead_debt >= 0])
    return sorted(text(m.journal.debts.frame, name).iloc[lead].dropna().unique().tolist())
