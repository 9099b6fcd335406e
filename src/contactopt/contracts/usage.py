"""Who reads what: for each column and word of the contract, the room that acts on it.

None means that nobody reads it yet; `validate` names those that the data fill. A test holds this
list against the code: changing what is read must change a mask, a feature, a value or a plan.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from contactopt.contracts.tables import TABLES
from contactopt.contracts.vocabulary import CHANNELS

__all__ = ["CAPACITY_READERS", "KEYS", "READERS", "UNUSED_WORDS", "not_used_yet", "readers"]

KEYS = "contracts: keys and links"
_KNOWN = "journal: known-at"

#: table -> column -> reader
READERS: dict[str, dict[str, str | None]] = {
    "customers": {
        "customer_id": KEYS,
        "jurisdiction": "compliance: packs",
        "locality": "compliance: packs",
        "time_zone": "compliance: hours",
        "language": "policy: pools and templates",
        "birth_year": None,
        "preferred_channel": "features: customer",
        "kind": "features: customer",
    },
    "debts": {
        "debt_id": KEYS,
        "customer_id": KEYS,
        "product": "features: debt state",
        "creditor": "compliance: named debts",
        "ownership": "compliance: who is bound",
        "currency": "policy: value",
        "principal": "features: debt state",
        "opened_at": "journal: known-at",
        "delinquent_since": "journal: past-due clock",
        "charged_off_at": "journal: stage",
        "placed_at": "features: debt state",
        "recalled_at": "compliance: house",
        "closed_at": "compliance: house",
        "book": "policy: templates",
        "margin_share": "policy: value",
        "settlement_floor_share": "policy: offers",
        "limitation_at": "features: debt state",
        "last_paid_at": "features: payments",
        "recorded_at": _KNOWN,
    },
    "debt_snapshots": {
        "debt_id": KEYS,
        "observed_at": _KNOWN,
        "balance": "features: debt state",
        "past_due": "compliance: lead debt",
        "days_past_due": "journal: past-due clock",
        "status": "compliance: house",
        "next_due_at": "features: calendar",
        "instalment": "features: debt state",
        "recorded_at": _KNOWN,
    },
    "debt_parties": {
        "debt_id": KEYS,
        "customer_id": KEYS,
        "role": "compliance: suppression",
        "valid_from": "compliance: suppression",
        "valid_to": "compliance: suppression",
        "recorded_at": _KNOWN,
    },
    "contact_points": {
        "contact_point_id": KEYS,
        "customer_id": KEYS,
        "kind": "compliance: house",
        "place": "compliance: hours and holds",
        "quality_share": "compliance: choice of point",
        "time_zone": "compliance: hours",
        "jurisdiction": "compliance: packs",
        "holder": "compliance: house",
        "address_key": "compliance: shared points",
        "valid_from": "journal: points",
        "valid_to": "journal: points",
        "recorded_at": _KNOWN,
    },
    "consents": {
        "customer_id": KEYS,
        "channel": "compliance: consent",
        "changed_at": _KNOWN,
        "contact_point_id": "compliance: consent",
        "status": "compliance: consent",
        "recorded_at": _KNOWN,
    },
    "holds": {
        "hold_id": KEYS,
        "customer_id": KEYS,
        "kind": "compliance: suppression",
        "debt_id": "compliance: suppression",
        "channel": "compliance: suppression",
        "contact_point_id": "compliance: suppression",
        "starts_at": "compliance: suppression",
        "ends_at": "compliance: suppression",
        "detail": "compliance: suppression",
        "recorded_at": _KNOWN,
    },
    "notices": {
        "notice_id": KEYS,
        "customer_id": KEYS,
        "debt_id": KEYS,
        "kind": "compliance: notice first",
        "sent_at": "compliance: notice first",
        "channel": "compliance: notice first",
        "recorded_at": _KNOWN,
    },
    "touches": {
        "touch_id": KEYS,
        "customer_id": KEYS,
        "debt_id": "compliance: frequency caps",
        "direction": "compliance: frequency caps",
        "channel": "compliance: frequency caps",
        "started_at": _KNOWN,
        "outcome": "features: touches",
        "outcome_at": _KNOWN,
        "responded_at": _KNOWN,
        "contact_point_id": "journal: points",
        "template_id": None,
        "offer_id": "policy: offers in flight",
        "decision_id": "journal: commitments",
        "handled_by": None,
        "vendor": None,
        "collector": "compliance: frequency caps",
        "duration_s": "journal: known-at",
        "cost": None,
        "recorded_at": _KNOWN,
    },
    "touch_debts": {"touch_id": KEYS, "debt_id": "compliance: frequency caps"},
    "touch_events": {
        "touch_id": KEYS,
        "occurred_at": _KNOWN,
        "event": "journal: touches",
        "machine": "journal: touches",
        "recorded_at": _KNOWN,
    },
    "promises": {
        "promise_id": KEYS,
        "debt_id": KEYS,
        "made_at": _KNOWN,
        "due_at": "journal: promise state",
        "amount": "journal: promise state",
        "touch_id": None,
        "cancelled_at": "journal: promise state",
        "recorded_at": _KNOWN,
    },
    "payments": {
        "payment_id": KEYS,
        "debt_id": KEYS,
        "paid_at": _KNOWN,
        "amount": "features: payments",
        "kind": "journal: labels",
        "method": None,
        "promise_id": "journal: promise state",
        "reversed_at": "journal: payments",
        "recorded_at": _KNOWN,
    },
    "arrangements": {
        "arrangement_id": KEYS,
        "debt_id": KEYS,
        "starts_at": "compliance: suppression",
        "frequency": "compliance: suppression",
        "instalment": "compliance: suppression",
        "n_instalments": "compliance: suppression",
        "ended_at": "compliance: suppression",
        "end_reason": None,
        "recorded_at": _KNOWN,
    },
    "decisions": {
        "decision_id": KEYS,
        "decided_at": _KNOWN,
        "customer_id": KEYS,
        "channel": "journal: commitments",
        "propensity": "models: attempts and effect",
        "batch_id": None,
        "action_id": None,
        "slot_start": "journal: commitments",
        "slot_local_hour": "models: effect",
        "template_id": None,
        "offer_id": "policy: offers in flight",
        "debt_id": None,
        "n_eligible": None,
        "holdout": "models: effect",
        "dispatch_status": "journal: commitments",
        "dispatched_at": "journal: commitments",
        "policy_version": None,
        "rules_version": None,
        "recorded_at": _KNOWN,
    },
}

#: columns of the capacity table
CAPACITY_READERS: dict[str, str | None] = {
    "pool": "plan: capacity rows",
    "date": "plan: capacity rows",
    "hour": "plan: capacity rows",
    "units": "plan: capacity rows",
    "min_units": "plan: shadow prices",
    "until_date": "plan: capacity rows",
}

#: words that nobody tells apart yet although their column is read
UNUSED_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    # an event that says nothing changes nothing
    ("touch_events", "event"): ("unknown",),
    # no rule waits for these notices, and only a posted one is known to be on paper
    ("notices", "kind"): ("validation", "assignment", "limitation", "other"),
    ("notices", "channel"): tuple(c for c in CHANNELS if c != "letter"),
    # who owes beside the main party neither forbids nor allows contact with it
    ("debt_parties", "role"): ("co_obligor", "guarantor"),
}


def readers() -> pd.DataFrame:
    """Return the whole list: columns table, column, word (null for the column itself), reader."""
    rows = []
    for table, spec in TABLES.items():
        for column in spec.columns.values():
            reader = READERS[table][column.name]
            rows.append((table, column.name, None, reader))
            words = column.words if len(column.words) < 100 else ()
            unused = UNUSED_WORDS.get((table, column.name), ())
            rows += [(table, column.name, w, None if w in unused else reader) for w in words]
    return pd.DataFrame(rows, columns=["table", "column", "word", "reader"])


def not_used_yet(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return `table.column` and `table.column=word` that the data fill and nobody reads."""
    found = []
    for table, columns in READERS.items():
        frame = tables[table]
        for column, reader in columns.items():
            values = frame[column]
            if reader is None and _filled(values):
                found.append(f"{table}.{column}")
            for word in UNUSED_WORDS.get((table, column), ()) if reader else ():
                if (values == word).any():
                    found.append(f"{table}.{column}={word}")
    return found


def _filled(values: pd.Series) -> bool:
    return bool(values.any() if values.dtype == bool else values.notna().any())
