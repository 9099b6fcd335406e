"""The sections of a strategy file; units stand in the names.

Money is in the strategy's ``currency``, shares lie in [0, 1], hours are the customer's local
clock hours unless a name says otherwise.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contactopt.contracts.vocabulary import FREQUENCIES, OFFER_KINDS, POINT_KINDS

Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hour = Annotated[int, Field(ge=0, le=23)]
PointKind = Literal["mobile", "landline", "email", "postal", "app"]
assert PointKind.__args__ == POINT_KINDS  # type: ignore[attr-defined]  # one vocabulary


class Section(BaseModel):
    """A part of the strategy file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectiveConfig(Section):
    """What is maximised: margin on money that contact adds, net of cost and harm."""

    horizon_days: int = Field(default=30, ge=1, le=365)
    #: horizon of a debt stage, for example {"charged_off": 90}; others use ``horizon_days``
    horizon_days_by_stage: dict[str, int] = Field(default_factory=dict)
    margin_share: Share = 1.0
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    #: value of one unit of another currency in ``currency``
    exchange_rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    cost_per_complaint: Money = 25.0
    cost_per_opt_out: Money = 2.0
    #: yearly rate at which money to come is discounted
    discount_rate_yearly: Share = 0.10


class ChannelConfig(Section):
    """How a channel is used: cost, the points it needs, limits."""

    unit_cost: Money | None = None
    contact_point_kinds: tuple[PointKind, ...] | None = None
    like: str | None = None
    max_attempts: int = Field(default=1, ge=1, le=20)
    autodialed: bool = False
    #: local hours of this channel where they differ from the strategy's; [] = no hour (letters)
    slots: tuple[Hour, ...] | None = None


class PoolServes(Section):
    """Whom a pool serves; an empty list means all."""

    channels: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    creditors: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()


class PoolConfig(Section):
    """People or a budget that actions draw on; the first pool that serves an action is used."""

    time_zone: str = "UTC"
    unit: Literal["contacts", "minutes", "money"] = "contacts"
    handling_minutes_per_contact: Annotated[float, Field(gt=0)] = 6.0
    serves: PoolServes = PoolServes()


class TemplateConfig(Section):
    """A message; only approved and valid ones are sent."""

    template_id: str
    channel: str
    language: str | None = None
    stages: tuple[str, ...] = ()
    books: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    disclosures: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    approved: bool = False


class OfferConfig(Section):
    """A way to pay that a message may carry."""

    offer_id: str
    kind: Literal["full", "settlement", "arrangement", "deferral"] = "full"
    discount_share: Share = 0.0
    n_instalments: int = Field(default=1, ge=1, le=120)
    frequency: Literal["daily", "weekly", "biweekly", "monthly"] = "monthly"
    valid_days: int = Field(default=14, ge=1, le=365)
    stages: tuple[str, ...] = ()
    books: tuple[str, ...] = ()


assert OfferConfig.model_fields["kind"].annotation.__args__ == OFFER_KINDS  # type: ignore[union-attr]  # one vocabulary
assert OfferConfig.model_fields["frequency"].annotation.__args__ == FREQUENCIES  # type: ignore[union-attr]  # one vocabulary


class RulesConfig(Section):
    """Which law is asked, how strictly, and what happens where no pack exists."""

    #: names of shipped packs or paths of packs; "auto" loads every shipped jurisdiction pack
    packs: tuple[str, ...] = ("auto",)
    profile: Literal["law", "strict", "policy"] = "law"
    #: a jurisdiction without a pack: refuse its customers, or treat them by the pack `cautious`
    fallback: Literal["refuse", "cautious"] = "refuse"
    guard_minutes: int = Field(default=5, ge=0, le=60)


class OrchestrationConfig(Section):
    """How channels take turns; these become parameters of the rule pack `house`."""

    promise_grace_days: int = Field(default=3, ge=0, le=60)
    single_active_channel: bool = False
    patience_days: int = Field(default=3, ge=0, le=60)
    fallback_chains: dict[str, str] = Field(default_factory=dict)


class ExplorationConfig(Section):
    """How much estimated value may be given up to learn."""

    method: Literal["log_barrier", "softmax"] = "log_barrier"
    #: share of the greedy plan's estimated value; floor, control group and inner choice included
    share: Share = 0.05
    money_per_batch: Money = 0.0
    #: least probability of every eligible arm and of waiting
    floor: Annotated[float, Field(ge=0, le=0.01)] = 1e-4
    #: dimensionless barrier weight at which nothing more is worth learning
    tau_learn: Annotated[float, Field(gt=0, le=1)] = 0.005


class ModelsConfig(Section):
    """How models are fitted."""

    num_threads: int = Field(default=1, ge=1, le=256)
    max_training_rows: int = Field(default=200_000, ge=100)
    #: days between the instants at which training rows are cut
    training_step_days: int = Field(default=7, ge=1, le=90)
    n_folds: int = Field(default=3, ge=2, le=10)


class SegmentsConfig(Section):
    """How customers are grouped by the stage of their arrears and the size of their balance."""

    #: last day past due of early, middle and late arrears
    stage_days: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        default=(30, 90, 180), min_length=3, max_length=3
    )
    #: bands of balance whose limits are learned at the fit; 1 is no band
    n_balance_bands: int = Field(default=3, ge=1, le=5)
    #: limits of the bands in ``currency``, ascending; they win over learned ones
    balance_limits: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        default=(), max_length=4
    )

    @field_validator("stage_days", "balance_limits")
    @classmethod
    def _ascend(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError("the numbers must ascend")
        return values


class TrackingConfig(Section):
    """Names in MLflow."""

    tracking_uri: str | None = None
    experiment: str = "contactopt"
    registered_name: str | None = None
