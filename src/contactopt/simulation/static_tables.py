"""Tables of a world that describe people, debts, points and notices rather than events."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from contactopt.contracts.vocabulary import (
    CUSTOMER_KINDS,
    HOLD_KINDS,
    HOLDERS,
    NOTICE_KINDS,
    OWNERSHIPS,
    PLACES,
    PRODUCTS,
)
from contactopt.simulation.columns import days, frame, ids, instants, words
from contactopt.simulation.population import JURISDICTIONS, LANGUAGES, POINT_SLOTS, ZONES
from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.state import NEVER, State

__all__ = ["Facts", "contact_points", "customers", "debts", "draw_facts", "notices"]

_CREDITORS = ("first-bank", "river-card", "casa-credit", "metro-loans", "line-telecom")
_BOOKS = ("cards", "loans", "services")
_BOOK_OF_PRODUCT = (0, 1, 1, 1, 1, 0, 2, 2, 2, 1)
#: years after which a debt is taken to be time-barred in the demo (A)
_LIMITATION_DAYS = 6 * 365
_STOPS_PAYING = ("deceased", "bankruptcy")


@dataclasses.dataclass(slots=True)
class Facts:
    """Visible facts without any influence on the response, drawn once."""

    creditor: np.ndarray
    notice_day: np.ndarray
    notice_kind: np.ndarray
    last_paid_days: np.ndarray
    preferred: np.ndarray
    bureau_score: np.ndarray
    hold_customer: np.ndarray
    hold_kind: np.ndarray
    hold_day: np.ndarray
    point_age: np.ndarray


def draw_facts(state: State, rng: np.random.Generator) -> Facts:
    """Draw creditors, notices, preferences and the holds that stand on day 0.

    Customers under a hold are marked in ``state``; the deceased and bankrupt never pay.
    """
    n, d = state.n_customers, len(state.debts.customer)
    owner = state.people.owner[state.debts.customer]
    kinds = len(HOLD_KINDS)
    per_kind = round(0.0008 * n) if n < 1250 else max(1, round(0.0008 * n))
    held = rng.permutation(n)[: per_kind * kinds]
    hold_kind = np.arange(len(held)) % kinds
    state.held_until[held] = NEVER
    stops = np.isin(hold_kind, [HOLD_KINDS.index(k) for k in _STOPS_PAYING])
    state.inert[held[stops]] = True
    placed = np.where(state.debts.entry > 0, state.debts.entry, -rng.integers(40, 200, d))
    digital = state.latent.weights[:, 4] > 0.5
    noise = rng.normal(size=n)
    return Facts(
        creditor=(state.debts.product + rng.integers(0, 2, d)) % len(_CREDITORS),
        notice_day=placed + 2,
        notice_kind=np.where(owner > 0, NOTICE_KINDS.index("validation"), -1),
        last_paid_days=np.where(rng.random(d) < 0.6, rng.integers(5, 60, d), -1),
        preferred=np.where(rng.random(n) < 0.12, np.where(digital, 4, 0), -1),
        bureau_score=np.round(600 + 55 * np.log(state.latent.pay + 0.05) + 60 * noise),
        hold_customer=held,
        hold_kind=hold_kind,
        hold_day=-rng.integers(1, 100, len(held)),
        point_age=rng.integers(40, 1500, len(state.points.customer)),
    )


def customers(state: State, facts: Facts) -> pd.DataFrame:
    """Table customers, one row each, sorted by id."""
    people = state.people
    n = state.n_customers
    return frame(
        {
            "customer_id": ids("C", np.arange(n), 7),
            "jurisdiction": words([j[0] for j in JURISDICTIONS], people.jurisdiction),
            "time_zone": words(ZONES, people.zone),
            "language": words(LANGUAGES, people.language),
            "birth_year": people.birth_year,
            "preferred_channel": words(WORLD_CHANNELS, facts.preferred),
            "kind": words(CUSTOMER_KINDS, people.kind),
            "x_bureau_score": facts.bureau_score,
        }
    )


def debts(state: State, facts: Facts, entered_after: int | None = None) -> pd.DataFrame:
    """Table debts: those that have fallen behind by now (after a day, if one is given)."""
    all_debts = state.debts
    shown = all_debts.entry <= state.day
    if entered_after is not None:
        shown &= all_debts.entry > entered_after
    debt = np.flatnonzero(shown)
    customer = all_debts.customer[debt]
    owner = state.people.owner[customer]
    since = all_debts.since[debt]
    charged = since + 180
    first = all_debts.first_since[debt]
    ended = all_debts.ended[debt]
    recalled = (
        (ended < NEVER) & (state.preset.recall_dpd is not None) & (all_debts.status[debt] == 5)
    )
    midnight = state.clock.utc_midnight_us
    own = owner == 0
    young = state.day - first < 365
    return frame(
        {
            "debt_id": ids("B", debt, 7),
            "customer_id": ids("C", customer, 7),
            "product": words(PRODUCTS, all_debts.product[debt]),
            "creditor": words(_CREDITORS, facts.creditor[debt]),
            "ownership": words(OWNERSHIPS, owner),
            "currency": words(["USD"], np.zeros(len(debt), np.int64)),
            "principal": all_debts.principal[debt],
            "opened_at": days(midnight(all_debts.opened[debt])),
            "delinquent_since": days(midnight(first)),
            "charged_off_at": days(midnight(charged), charged > state.day),
            "placed_at": days(midnight(facts.notice_day[debt] - 2), own),
            "recalled_at": days(midnight(np.where(recalled, ended, 0)), ~recalled),
            "closed_at": instants(
                midnight(np.where(ended < NEVER, ended, 0)) + 8 * 3_600_000_000, ended >= NEVER
            ),
            "book": words(_BOOKS, np.asarray(_BOOK_OF_PRODUCT)[all_debts.product[debt]]),
            "limitation_at": days(midnight(first + _LIMITATION_DAYS), young | own),
            "last_paid_at": days(
                midnight(first - facts.last_paid_days[debt]), facts.last_paid_days[debt] < 0
            ),
        }
    )


def contact_points(state: State, facts: Facts) -> pd.DataFrame:
    """Table contact_points; shared ones have the same ``address_key``."""
    points = state.points
    p = len(points.customer)
    kinds = list(dict.fromkeys(POINT_SLOTS))
    kind = np.array([kinds.index(s) for s in POINT_SLOTS])[points.slot]
    return frame(
        {
            "contact_point_id": ids("P", np.arange(p), 7),
            "customer_id": ids("C", points.customer, 7),
            "kind": words(kinds, kind),
            "place": words(PLACES, points.place),
            "quality_share": points.quality,
            "holder": words(HOLDERS, points.holder),
            "address_key": ids("K", points.address, 7),
            "valid_from": instants(
                state.clock.utc_midnight_us(-facts.point_age), np.zeros(p, bool)
            ),
        }
    )


def notices(state: State, facts: Facts, sent_after: int | None = None) -> pd.DataFrame:
    """Table notices: the validation notice of every debt collected for or bought from others."""
    shown = (facts.notice_kind >= 0) & (facts.notice_day < state.day)
    shown &= state.debts.entry <= state.day
    if sent_after is not None:
        shown &= facts.notice_day >= sent_after
    debt = np.flatnonzero(shown)
    return frame(
        {
            "notice_id": ids("N", debt, 7),
            "customer_id": ids("C", state.debts.customer[debt], 7),
            "debt_id": ids("B", debt, 7),
            "kind": words(NOTICE_KINDS, facts.notice_kind[debt]),
            "sent_at": days(state.clock.utc_midnight_us(facts.notice_day[debt])),
            "channel": words(["letter"], np.zeros(len(debt), np.int64)),
        }
    )
