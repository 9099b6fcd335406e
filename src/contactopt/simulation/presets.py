"""The frozen parameters of the worlds: five portfolios with one response law.

Each figure names its source; `A` marks an assumption of ours without a source. They were
collected from practitioners' pages and papers and are priors for a simulator, never findings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from contactopt.errors import ConfigError

__all__ = ["PRESETS", "TYPES", "WORLD_CHANNELS", "Preset", "preset_by_name", "preset_hash"]

#: outbound channels of a world, in the order of every per-channel tuple below
WORLD_CHANNELS = (
    "call_agent",
    "call_bot",
    "sms",
    "whatsapp",
    "email",
    "push",
    "chat",
    "letter",
    "visit",
)
#: latent behaviour types, in the order of every per-type tuple below
TYPES = ("forgetful", "stretched", "strategic", "unreachable", "digital_first", "phone_first")

Row = tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Preset:
    """All parameters of a simulated portfolio; frozen, so that results can be compared.

    Per-type tuples follow ``TYPES``, per-channel tuples ``WORLD_CHANNELS``, per-stage tuples
    (early, mid, late, charged off). Hazards are per day, shares lie in [0, 1].
    """

    name: str
    # ---- who is in the portfolio -----------------------------------------------------------
    #: share of customers by stage at the first day; the rest enters during the history
    stage_shares: Row = (0.22, 0.13, 0.09, 0.08)
    #: days past due with which customers enter later, and beyond which they are recalled
    entry_dpd: int = 1
    recall_dpd: int | None = None
    #: probability that a cured instalment debt misses its next due day (A)
    redefault_share: float = 0.60
    n_debts_shares: Row = (0.75, 0.20, 0.05)  # A: a quarter has several debts
    ownership_shares: Row = (0.50, 0.35, 0.15)  # first party, third party, debt buyer (A)
    type_shares: Row = (0.24, 0.22, 0.14, 0.12, 0.16, 0.12)  # A
    #: pseudo-counts of the Dirichlet mixture: own type, and each type (A)
    type_concentration: tuple[float, float] = (6.0, 0.30)
    #: median balance in USD by stage and spread of its logarithm (A)
    median_balance: Row = (1100.0, 1500.0, 2100.0, 3000.0)
    balance_sigma: float = 0.8
    #: instalment as a share of the balance of a delinquent debt (A)
    instalment_share: float = 0.11

    # ---- paying without contact --------------------------------------------------------------
    #: (days past due, chance to pay within 30 days without contact): self-cure by bucket,
    #: 1-7 60 %, 8-30 40 %, 31-60 18 %, 61-90 8 %, 91-180 4 %, then 0.5 % a month (A, anchored on
    #: published self-cure of 40-60 % in early arrears)
    self_cure: tuple[tuple[int, float], ...] = (
        (1, 0.890),
        (4, 0.870),
        (19, 0.690),
        (45, 0.310),
        (75, 0.112),
        (135, 0.052),
        (200, 0.012),
        (400, 0.0065),
        (3650, 0.0050),
    )
    type_pay: Row = (1.35, 0.70, 0.55, 0.70, 1.30, 1.10)  # A: hazard multiplier
    pay_sigma: float = 0.5  # A: lognormal frailty
    balance_efold: float = 0.6  # A: x 0.6 per e-fold of balance
    reference_balance: float = 1300.0
    hardship_share: Row = (0.05, 0.35, 0.05, 0.15, 0.05, 0.10)  # A
    hardship_pay: float = 0.5  # A
    #: x 1.8 on payday and the three days after it (A); pay cycles: 1st, 15th, 30th, 1st and
    #: 15th, weekly, biweekly (two phases)
    payday_factor: float = 1.8
    payday_days: int = 4
    cycle_shares: Row = (0.22, 0.12, 0.18, 0.18, 0.12, 0.09, 0.09)
    #: chance that a payment clears the arrears, and mean share of them otherwise (A)
    full_share: Row = (0.80, 0.62, 0.42, 0.08)
    partial_share: Row = (0.50, 0.45, 0.30, 0.06)
    #: days after a payment in which none follows: one payment per month's income (A)
    refractory_days: int = 30
    reversal_share: float = 0.01  # A
    reversal_days: int = 4

    # ---- being reached -------------------------------------------------------------------------
    #: "78 % block third-party agency calls" (000-02, vendor); own creditor: A
    blocked_third_party: float = 0.78
    blocked_first_party: float = 0.50
    type_block_tilt: Row = (0.0, 0.0, 0.3, 1.2, 0.3, -1.3)  # A: who blocks more
    dead_share: Row = (0.12, 0.18, 0.10, 0.07, 0.10)  # A: mobile, landline, email, postal, app
    type_dead: Row = (0.7, 1.0, 1.0, 2.2, 0.8, 0.8)  # A: multiplier
    shared_share: Row = (0.03, 0.06, 0.02, 0.05, 0.0)  # A: points that two customers share
    #: shares of customers with a point: mobile, second mobile, landline, email, second email,
    #: postal, app (A)
    has_point: Row = (0.97, 0.25, 0.22, 0.86, 0.12, 0.98, 0.40)
    #: preferred local hour by daily pattern: at work mornings and afternoons, at home evenings
    #: (10-11, 14-16, 19-21: an old collections manual)
    hour_peaks: Row = (10.4, 14.9, 19.3)
    hour_weekend_peak: float = 10.5
    hour_sigma: float = 1.7
    hour_shares: tuple[Row, ...] = (
        (0.20, 0.35, 0.45),
        (0.15, 0.30, 0.55),
        (0.20, 0.30, 0.50),
        (0.10, 0.20, 0.70),
        (0.10, 0.25, 0.65),
        (0.50, 0.30, 0.20),
    )
    answer_floor: float = 0.13  # A: chance to answer an unblocked call off peak
    answer_peak: float = 0.80  # A
    #: multiplier of reach by type and channel (A): calls for phone-first, texts for digital
    taste: tuple[Row, ...] = (
        (1.00, 0.80, 1.15, 1.10, 0.95, 1.1, 1.0, 1.0, 1.0),
        (0.90, 0.75, 1.05, 1.00, 0.80, 0.9, 0.9, 1.0, 0.9),
        (0.70, 0.50, 0.70, 0.65, 0.70, 0.6, 0.6, 1.0, 0.7),
        (0.45, 0.35, 0.50, 0.50, 0.50, 0.5, 0.5, 0.8, 0.5),
        (0.60, 0.50, 1.50, 1.50, 1.70, 1.6, 1.6, 0.8, 0.8),
        (1.25, 1.00, 0.60, 0.70, 0.50, 0.5, 0.5, 1.1, 1.2),
    )
    taste_sigma: float = 0.30  # A
    #: chance of being noticed if delivered: texts 20-30 % (first message, third party), e-mail
    #: open 15-20 % (2016), rest A; calls have the hour curve instead
    read_rate: Row = (0.0, 0.0, 0.40, 0.50, 0.33, 0.30, 0.32, 0.60, 0.0)
    undelivered_share: float = 0.03  # A
    right_party_share: float = 0.88  # A: of answered calls on a live point
    #: response x 0.85 per touch, which wears off with a half-life of 14 days (A)
    fatigue_factor: float = 0.85
    fatigue_half_life_days: float = 14.0

    # ---- what a contact adds --------------------------------------------------------------------
    #: intensity per day that a contact adds at first, by type and channel (A): the unwilling gain
    #: little, the forgetful and stretched most; a bot is weaker than a person
    strength: tuple[Row, ...] = (
        (0.050, 0.032, 0.055, 0.055, 0.045, 0.05, 0.05, 0.022, 0.06),
        (0.040, 0.022, 0.030, 0.030, 0.025, 0.03, 0.03, 0.018, 0.06),
        (0.010, 0.005, 0.006, 0.006, 0.005, 0.00, 0.00, 0.012, 0.02),
        (0.020, 0.012, 0.015, 0.015, 0.015, 0.01, 0.01, 0.015, 0.04),
        (0.016, 0.008, 0.050, 0.050, 0.055, 0.06, 0.05, 0.010, 0.03),
        (0.060, 0.034, 0.018, 0.020, 0.012, 0.01, 0.01, 0.018, 0.06),
    )
    strength_sigma: float = 0.4  # A
    stage_strength: Row = (1.0, 0.75, 0.45, 0.10)  # A
    #: half-life in days by channel (A); digital collections work slower and longer (2017)
    half_life_days: Row = (4.0, 3.0, 3.0, 3.0, 3.5, 2.0, 2.0, 6.0, 5.0)
    #: days until a letter is read (A)
    letter_lag_days: int = 3
    #: promise per right-party contact 25-45 % early, 10-25 % late (A), before fatigue
    promise_share: Row = (0.52, 0.42, 0.28, 0.12)
    channel_promise: Row = (1.0, 0.75, 0.14, 0.18, 0.05, 0.06, 0.25, 0.0, 1.0)  # A
    type_promise: Row = (1.20, 1.15, 0.45, 0.80, 1.00, 1.20)  # A
    #: kept promises to a person 50-70 % (vendor); to a bot 10 points fewer (after a field study of
    #: 22 M loans)
    kept_share: Row = (0.66, 0.58, 0.50, 0.42)
    type_kept: Row = (1.10, 0.85, 0.70, 0.90, 1.10, 1.05)  # A
    bot_kept_penalty: float = 0.10
    paid_now_share: Row = (0.05, 0.035, 0.02, 0.006)  # A
    plan_share: Row = (0.02, 0.03, 0.04, 0.02)  # A
    channel_plan: Row = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 1.0)  # A: who may agree plans
    plan_instalments: int = 4
    # ---- harm, cost, inbound ---------------------------------------------------------------------
    #: complaint and opt-out intensity of one attempt on a live point (A)
    complaint: Row = (0.0012, 0.0016, 0.0008, 0.0009, 0.0003, 0.0003, 0.0004, 0.0002, 0.004)
    opt_out: Row = (0.0008, 0.0030, 0.0045, 0.0035, 0.0030, 0.003, 0.002, 0.0, 0.0)
    harm_growth: float = 0.22  # A: intensities x exp(0.22) per touch that still weighs
    #: variable cost in USD per attempt (A, mid-points; agents' minutes are capacity, not cost)
    unit_cost: Row = (1.50, 0.10, 0.05, 0.06, 0.003, 0.001, 0.05, 0.95, 15.0)
    inbound_daily: Row = (0.004, 0.006, 0.002, 0.001, 0.004, 0.007)  # A
    consent_granted: Row = (0.97, 0.88, 0.90, 0.80, 0.92, 0.85, 0.8, 0.97, 0.9)  # A
    consent_revoked: Row = (0.01, 0.04, 0.03, 0.03, 0.03, 0.02, 0.02, 0.005, 0.02)  # A
    # ---- the incumbent (A): calls at ten, likely payers first, some of the rest --------
    incumbent_contact: tuple[float, float] = (0.60, 0.96)  # least and most likely to be contacted
    incumbent_channels: Row = (0.50, 0.15, 0.17, 0.04, 0.11, 0.0, 0.0, 0.03, 0.0)
    incumbent_ten_share: float = 0.62
    incumbent_turns: tuple[int, int] = (2, 5)  # decided on two days of five


_MIXED = Preset("mixed")
PRESETS: dict[str, Preset] = {
    "mixed": _MIXED,
    "early": Preset(
        "early", stage_shares=(0.40, 0.0, 0.0, 0.0), recall_dpd=30, redefault_share=0.75
    ),
    "mid": Preset("mid", stage_shares=(0.0, 0.55, 0.0, 0.0), entry_dpd=31, recall_dpd=90),
    "late": Preset("late", stage_shares=(0.0, 0.0, 0.65, 0.0), entry_dpd=91, recall_dpd=180),
    "charged_off": Preset("charged_off", stage_shares=(0.0, 0.0, 0.0, 0.85), entry_dpd=185),
}


def preset_by_name(preset: str | Preset) -> Preset:
    """Return a preset by its name; a `Preset` passes through.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}", hint=f"use one of {', '.join(PRESETS)}")
    return PRESETS[preset]


def preset_hash(preset: Preset) -> str:
    """Return the SHA-256 of all parameters of a preset.

    Examples
    --------
    >>> len(preset_hash(PRESETS["mixed"]))
    64
    """
    text = json.dumps(dataclasses.asdict(preset), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
