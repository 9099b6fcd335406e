"""The people, debts and contact points of a world as they stand on its first day."""

from __future__ import annotations

import dataclasses

import numpy as np

from contactopt.contracts.vocabulary import PRODUCTS
from contactopt.simulation.presets import WORLD_CHANNELS, Preset

__all__ = [
    "CHANNEL_GROUP",
    "JURISDICTIONS",
    "LANGUAGES",
    "POINT_GROUPS",
    "POINT_SLOTS",
    "ZONES",
    "Debts",
    "People",
    "Points",
    "draw_debts",
    "draw_people",
    "draw_points",
]

ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Bogota",
    "Europe/Lisbon",
)
#: (code, zone, share): mostly states of the US, some of Colombia, a few without a rule pack
JURISDICTIONS = (
    ("US-TX", 1, 0.19),
    ("US-CA", 3, 0.17),
    ("US-FL", 0, 0.14),
    ("US-IL", 1, 0.09),
    ("US-OH", 0, 0.09),
    ("US-GA", 0, 0.08),
    ("US-CO", 2, 0.06),
    ("US-WA", 3, 0.05),
    ("US-NY", 0, 0.03),
    ("CO", 4, 0.08),
    ("PT", 5, 0.02),
)
LANGUAGES = ("en", "es", "pt")
#: columns of the matrix of contact points of a customer
POINT_SLOTS = ("mobile", "mobile", "landline", "email", "email", "postal", "app")
_DEAD_CLASS = np.array([0, 0, 1, 2, 2, 3, 4])
#: columns that a group of channels may use: calls, texts, e-mail, app, post
POINT_GROUPS = ((0, 1, 2), (0, 1), (3, 4), (6,), (5,))
#: group of each channel of WORLD_CHANNELS
CHANNEL_GROUP = (0, 0, 1, 1, 2, 3, 3, 4, 4)
#: how strongly products differ in size; shares of the book by product (A)
_PRODUCT_SHARES = (0.34, 0.22, 0.08, 0.03, 0.08, 0.10, 0.08, 0.05, 0.0, 0.02)
_PRODUCT_SIZE = (1.0, 1.6, 2.2, 3.0, 0.6, 0.3, 0.25, 0.3, 1.0, 1.0)


@dataclasses.dataclass(slots=True)
class People:
    """Visible facts of n customers; codes index the tuples above."""

    jurisdiction: np.ndarray
    zone: np.ndarray
    language: np.ndarray
    birth_year: np.ndarray
    owner: np.ndarray
    kind: np.ndarray
    #: (n, 9) int8: 1 granted, -1 revoked, 0 nothing known
    consent: np.ndarray
    consent_day: np.ndarray


@dataclasses.dataclass(slots=True)
class Debts:
    """Debts, sorted by customer; money in USD, days are day numbers of the world."""

    customer: np.ndarray
    starts: np.ndarray
    product: np.ndarray
    principal: np.ndarray
    balance: np.ndarray
    instalment: np.ndarray
    past_due: np.ndarray
    #: first local day past due; far in the future for debts that enter later
    since: np.ndarray
    entry: np.ndarray
    opened: np.ndarray
    status: np.ndarray
    #: first day of the first arrears, and the day a debt was settled or recalled
    first_since: np.ndarray
    ended: np.ndarray


@dataclasses.dataclass(slots=True)
class Points:
    """Contact points, sorted by customer and column of ``POINT_SLOTS``."""

    customer: np.ndarray
    slot: np.ndarray
    alive: np.ndarray
    quality: np.ndarray
    place: np.ndarray
    holder: np.ndarray
    address: np.ndarray
    #: (n, 7) index of the customer's point, -1 where there is none
    of_customer: np.ndarray


def draw_people(preset: Preset, n: int, rng: np.random.Generator) -> People:
    """Draw where people live, their language, whose debt they owe and what they consented to."""
    shares = np.array([j[2] for j in JURISDICTIONS])
    jurisdiction = rng.choice(len(JURISDICTIONS), size=n, p=shares / shares.sum())
    zone = np.array([j[1] for j in JURISDICTIONS])[jurisdiction]
    language = np.where(zone == 4, 1, np.where(zone == 5, 2, 0))
    spanish = np.isin(jurisdiction, (0, 1, 2)) & (rng.random(n) < 0.18)
    u = rng.random((n, len(WORLD_CHANNELS)))
    granted = u < np.asarray(preset.consent_granted)
    revoked = u > 1 - np.asarray(preset.consent_revoked)
    return People(
        jurisdiction=jurisdiction,
        zone=zone,
        language=np.where(spanish, 1, language),
        birth_year=2025 - np.clip(rng.normal(42, 13, n), 19, 88).astype(np.int64),
        owner=rng.choice(3, size=n, p=np.asarray(preset.ownership_shares)),
        kind=(rng.random(n) < 0.02).astype(np.int64),
        consent=granted.astype(np.int8) - revoked.astype(np.int8),
        consent_day=-rng.integers(30, 400, size=n),
    )


def draw_debts(
    preset: Preset, owner: np.ndarray, hardship: np.ndarray, n_days: int, rng: np.random.Generator
) -> Debts:
    """Draw one to three debts per customer and when each fell behind."""
    n = len(owner)
    count = 1 + rng.choice(3, size=n, p=np.asarray(preset.n_debts_shares))
    customer = np.repeat(np.arange(n), count)
    d = len(customer)
    entry, dpd, stage = _entries(preset, n, n_days, rng)
    # further debts of a customer fall behind within the same fortnight
    shift = np.where(np.diff(customer, prepend=-1) > 0, 0, rng.integers(0, 15, d))
    entry_d, dpd_d, stage_d = entry[customer], dpd[customer], stage[customer]
    since = np.where(entry_d > 0, entry_d - preset.entry_dpd, -dpd_d) + 0
    late_start = (entry_d > 0) | (dpd_d > 20)
    since = since + np.where(late_start, shift, 0)
    product = rng.choice(len(PRODUCTS), size=d, p=_PRODUCT_SHARES)
    size = np.asarray(_PRODUCT_SIZE)[product] * np.exp(preset.balance_sigma * rng.normal(size=d))
    balance = np.round(np.clip(np.asarray(preset.median_balance)[stage_d] * size, 40, 60000), 2)
    share = preset.instalment_share * np.exp(0.3 * rng.normal(size=d))
    instalment = np.round(np.clip(share, 0.02, 0.5) * balance, 2)
    behind = np.where(entry_d > 0, preset.entry_dpd, dpd_d - shift)
    n_missed = 1 + np.maximum(behind, 0) // 30
    past_due = np.where(stage_d == 3, balance, np.minimum(balance, instalment * n_missed))
    status = np.where(entry_d > 0, 0, 1)
    return Debts(
        customer=customer,
        starts=np.concatenate([[0], np.cumsum(count)]),
        product=product,
        principal=np.round(balance * rng.uniform(1.0, 1.8, d), 2),
        balance=balance,
        instalment=instalment,
        past_due=np.round(np.where(status == 1, past_due, 0.0), 2),
        since=since,
        entry=np.where(entry_d > 0, since + preset.entry_dpd, 0),
        opened=np.minimum(since, 0) - rng.integers(120, 1500, size=d),
        status=status,
        first_since=since.copy(),
        ended=np.full(d, 1 << 40),
    )


def _entries(
    preset: Preset, n: int, n_days: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day of entry (0: there from the start), days past due on day 0, stage; each (n,)."""
    shares = np.append(np.asarray(preset.stage_shares), 0.0)
    shares[-1] = 1.0 - shares.sum()
    group = rng.choice(5, size=n, p=np.maximum(shares, 0))
    low = np.array([1, 31, 91, 185, 1])[group]
    high = np.array([30, 90, 178, 3640, 1])[group]
    u = rng.random(n)
    # charged-off debts are mostly young: log-uniform ages up to ten years (A)
    even = low + np.floor(u * (high - low + 1))
    skewed = np.floor(low * (high / low) ** u)
    dpd = np.where(group == 3, skewed, even).astype(np.int64)
    last = max(2, n_days - 3)
    entry = np.where(group == 4, rng.integers(1, last, size=n), 0)
    entering_stage = int(np.searchsorted([30, 90, 180], preset.entry_dpd))
    if preset.entry_dpd > 180:
        dpd = np.where(group == 4, preset.entry_dpd, dpd)
    return entry, dpd, np.where(group == 4, entering_stage, group)


def draw_points(
    preset: Preset, weights: np.ndarray, owner: np.ndarray, rng: np.random.Generator
) -> Points:
    """Draw phones, e-mail and postal addresses; some are dead, some shared by two customers."""
    n = len(weights)
    has = rng.random((n, len(POINT_SLOTS))) < np.asarray(preset.has_point)
    has[:, 1] &= has[:, 0]
    has[:, 4] &= has[:, 3]
    of_customer = np.where(has, np.cumsum(has.ravel()).reshape(has.shape) - 1, -1)
    customer, slot = np.nonzero(has)
    p = len(customer)
    dead_share = np.asarray(preset.dead_share)[_DEAD_CLASS[slot]]
    dead_share = dead_share * (weights @ np.asarray(preset.type_dead))[customer]
    second = np.isin(slot, (1, 4))
    dead_share = np.clip(np.where(second, 1.6 * dead_share, dead_share), 0, 0.85)
    alive = rng.random(p) >= dead_share
    quality = np.clip(
        1 - dead_share + np.where(alive, 0.08, -0.25) + 0.12 * rng.normal(size=p), 0.02, 0.99
    )
    address = np.arange(p)
    shared = rng.random(p) < np.asarray(preset.shared_share)[_DEAD_CLASS[slot]]
    previous = np.where(customer > 0, of_customer[np.maximum(customer - 1, 0), slot], -1)
    address = np.where(shared & (previous >= 0), previous, address)
    return Points(
        customer=customer,
        slot=slot,
        alive=alive,
        quality=np.round(quality, 3),
        place=np.where(slot == 2, rng.integers(0, 2, p), np.where(slot <= 1, 2, 0)),
        holder=np.where(rng.random(p) < 0.02, 1, np.where(rng.random(p) < 0.05, 2, 0)),
        address=address,
        of_customer=of_customer,
    )
