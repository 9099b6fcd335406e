"""What the data never show: behaviour types, tastes, hour curves, strengths, blocked phones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from contactopt.simulation.presets import TYPES, WORLD_CHANNELS, Preset

__all__ = ["Latent", "draw_latent", "perturbed"]

Rows = np.ndarray


@dataclasses.dataclass(slots=True)
class Latent:
    """Latent parameters of n customers; all arrays have n rows.

    Attributes
    ----------
    weights : (n, 6) float
        Mixture over the behaviour types.
    pay : (n,) float
        Multiplier of the base payment hazard.
    taste, strength : (n, 9) float
        Multiplier of reach, and intensity a contact adds, by channel.
    promise, kept : (n,) float
        Multipliers of the chance to promise and to keep a promise.
    answer : (n, 2, 24) float
        Chance to be at hand by local hour, on weekdays and at weekends.
    blocks : (n,) bool
        Unknown calls are rejected by the phone.
    cycle : (n,) int
        Pay cycle.
    inbound : (n,) float
        Chance per day to get in touch unasked.
    digital : (n,) float
        Weight of the digital-first type, seen by the incumbent as a preference.
    """

    weights: Rows
    pay: Rows
    hardship: Rows
    taste: Rows
    strength: Rows
    promise: Rows
    kept: Rows
    answer: Rows
    blocks: Rows
    cycle: Rows
    inbound: Rows


def draw_latent(preset: Preset, n: int, owner: np.ndarray, rng: np.random.Generator) -> Latent:
    """Draw the latent parameters of ``n`` customers.

    Parameters
    ----------
    preset : Preset
    n : int
        Number of customers; 0 gives empty arrays.
    owner : (n,) int array
        Ownership code of the customer's debts: 0 is the creditor itself.
    rng : numpy Generator
    """
    own_type = rng.choice(len(TYPES), size=n, p=_shares(preset.type_shares))
    own, each = preset.type_concentration
    alpha = np.full((n, len(TYPES)), each)
    alpha[np.arange(n), own_type] += own
    weights = rng.standard_gamma(alpha)
    weights /= weights.sum(axis=1, keepdims=True)

    def mixed(values: Any) -> np.ndarray:
        return weights @ np.asarray(values, dtype=np.float64)

    hardship = rng.random(n) < mixed(preset.hardship_share)
    pay = mixed(preset.type_pay) * _lognormal(rng, preset.pay_sigma, n)
    pay *= np.where(hardship, preset.hardship_pay, 1.0)
    k = len(WORLD_CHANNELS)
    taste = mixed(preset.taste) * _lognormal(rng, preset.taste_sigma, (n, k))
    strength = mixed(preset.strength) * _lognormal(rng, preset.strength_sigma, (n, 1))
    return Latent(
        weights=weights,
        pay=pay,
        hardship=hardship,
        taste=taste,
        strength=strength,
        promise=mixed(preset.type_promise) * np.where(hardship, 0.8, 1.0),
        kept=mixed(preset.type_kept),
        answer=_hour_curves(preset, mixed(preset.hour_shares), rng),
        blocks=_blocked(preset, mixed(preset.type_block_tilt), owner, rng),
        cycle=rng.choice(7, size=n, p=_shares(preset.cycle_shares)),
        inbound=mixed(preset.inbound_daily),
    )


def _shares(values: tuple[float, ...]) -> np.ndarray:
    p = np.asarray(values, dtype=np.float64)
    return p / p.sum()


def _lognormal(rng: np.random.Generator, sigma: float, shape: Any) -> np.ndarray:
    """Lognormal noise of mean 1."""
    return np.exp(sigma * rng.standard_normal(shape) - 0.5 * sigma**2)


def _hour_curves(preset: Preset, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Availability by hour, shape (n, 2, 24): a floor and a bump at the customer's own hour."""
    n = len(shares)
    pattern = (rng.random((n, 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    peak = np.asarray(preset.hour_peaks)[np.minimum(pattern, len(preset.hour_peaks) - 1)]
    peak = peak + 0.8 * rng.standard_normal(n)
    weekend = preset.hour_weekend_peak + 1.2 * rng.standard_normal(n)
    top = preset.answer_peak * np.clip(_lognormal(rng, 0.2, n), 0.5, 1.15)
    middle = np.arange(24) + 0.5
    asleep = (np.arange(24) < 7) | (np.arange(24) >= 22)
    floor = np.where(asleep, 0.2, 1.0) * preset.answer_floor
    centres = np.stack([peak, weekend], axis=1)[:, :, None]
    bump = np.exp(-0.5 * ((middle - centres) / preset.hour_sigma) ** 2)
    return floor + (top[:, None, None] - floor) * bump


def _blocked(
    preset: Preset, tilt: np.ndarray, owner: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Who blocks unknown calls: exactly the preset's share of each ownership, tilted by type."""
    key = rng.standard_exponential(len(tilt)) / np.exp(tilt)
    blocks = np.zeros(len(tilt), dtype=bool)
    for group, share in (
        (owner == 0, preset.blocked_first_party),
        (owner != 0, preset.blocked_third_party),
    ):
        members = np.flatnonzero(group)
        first = members[np.argsort(key[members], kind="stable")]
        blocks[first[: round(share * len(members))]] = True
    return blocks


#: parameters that describe the portfolio or the incumbent, not how people respond
_NOT_LATENT = {
    "name",
    "stage_shares",
    "entry_dpd",
    "recall_dpd",
    "n_debts_shares",
    "ownership_shares",
    "median_balance",
    "balance_sigma",
    "reference_balance",
    "instalment_share",
    "plan_instalments",
    "unit_cost",
    "payday_days",
    "refractory_days",
    "reversal_days",
    "letter_lag_days",
    "consent_granted",
    "consent_revoked",
    "has_point",
    "incumbent_contact",
    "incumbent_channels",
    "incumbent_ten_share",
    "incumbent_turns",
}


def perturbed(preset: Preset, seed: int, spread: float = 0.2) -> Preset:
    """Redraw every latent parameter of a preset around its value.

    Each number is multiplied by its own lognormal noise; shares stay below 0.97 and hour peaks
    move by about half an hour.

    Parameters
    ----------
    preset : Preset
    seed : int
        Same seed, same parameters.
    spread : float
        Standard deviation of the logarithm.
    """
    rng = np.random.default_rng([7919, seed])
    changed: dict[str, Any] = {"name": f"{preset.name}~{seed}"}
    for field in dataclasses.fields(preset):
        value = getattr(preset, field.name)
        if field.name in _NOT_LATENT:
            continue
        width = 0.04 if field.name.startswith("hour_") and "share" not in field.name else spread
        if field.name == "self_cure":
            changed[field.name] = tuple((d, _noisy(p, rng, width)) for d, p in value)
        else:
            changed[field.name] = _noisy(value, rng, width)
    return dataclasses.replace(preset, **changed)


def _noisy(value: Any, rng: np.random.Generator, width: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_noisy(v, rng, width) for v in value)
    drawn = float(value * np.exp(width * rng.standard_normal() - 0.5 * width**2))
    return min(drawn, max(0.97, float(value))) if 0 <= value <= 1 else drawn
