"""The sections of a strategy file; units stand in the names.

Money is in the strategy's ``currency``, shares lie in [0, 1], hours are the customer's local
clock hours unless a name says otherwise.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from contactopt.config.horizons import Horizons, stage_word
from contactopt.contracts.vocabulary import ARREARS_STAGES, FREQUENCIES, OFFER_KINDS, POINT_KINDS

Share = Annotated[float, Field(ge=0, le=1)]
WindowDays = Annotated[int, Field(ge=1, le=365)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hour = Annotated[int, Field(ge=0, le=23)]
PointKind = Literal["mobile", "landline", "email", "postal", "app"]
assert PointKind.__args__ == POINT_KINDS  # type: ignore[attr-defined]  # one vocabulary


class Section(BaseModel):
    """A part of the strategy file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectiveConfig(Section):
    """What is maximised: margin on money that contact adds, net of cost and harm."""

    #: payments within so many days after a moment count
    horizon_days: WindowDays = 30
    #: the same for customers who are in a stage at that moment; other stages take horizon_days
    horizon_days_by_stage: dict[str, WindowDays] = Field(default_factory=dict)
    margin_share: Share = 1.0
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    #: value of one unit of another currency in ``currency``
    exchange_rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    cost_per_complaint: Money = 25.0
    cost_per_opt_out: Money = 2.0
    #: yearly rate at which money to come is discounted
    discount_rate_yearly: Share = 0.10

    @field_validator("horizon_days_by_stage")
    @classmethod
    def _as_stages_are_called(cls, given: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        called = {stage_word(name): days for name, days in given.items()}
        if len(called) < len(given):
            raise ValueError("a stage stands twice: with a blank and with an underscore")
        # named at horizon_days is not named: the same settings, hash and plan
        same = {n for n, days in called.items() if days == info.data.get("horizon_days")}
        return {n: days for n, days in called.items() if n not in same & set(ARREARS_STAGES)}

    @property
    def horizons(self) -> Horizons:
        """How long payments count, by the stage at the moment."""
        return Horizons(self.horizon_days, self.horizon_days_by_stage)


class ChannelConfig(Section):
    """How a channel is used: cost, the points it needs, limits."""

    unit_cost: Money | None = None
    contact_point_kinds: tuple[PointKind, ...] | None = None
    like: str | None = None
    #: tries that one contact may take; it is planned only where all of them fit under the caps
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
    #: what the message is like, in words and numbers of your own, e.g. {tone: warm, length: 140}
    features: dict[str, bool | Annotated[float, Field(allow_inf_nan=False)] | str] = Field(
        default_factory=dict
    )
    #: offers that it can carry; null: any that fits the debt, an empty list: none
    offers: tuple[str, ...] | None = None


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


class OverrideConfig(Section):
    """One change to the rules, or one rule of the user's own, for all or for part of the debts.

    With ``rule`` it changes parameters of that rule, with ``kind`` and ``id`` it adds one. What is
    not provably stricter than the rule must name who approved it.
    """

    rule: str | None = None
    id: str | None = None
    kind: str | None = None
    #: merged into the parameters of ``rule``, or all parameters of the new rule
    parameters: dict[str, Any] = Field(default_factory=dict)
    #: parts it is limited to; an empty list is the whole
    creditors: tuple[str, ...] = ()
    books: tuple[str, ...] = ()
    #: channels of the strategy, or words of the rules
    channels: tuple[str, ...] = ()
    jurisdiction: str = "*"
    #: True: ``rule`` does not bind there at all
    disable: bool = False
    approved_by: str | None = Field(default=None, min_length=1)
    summary: str = ""


class RulesConfig(Section):
    """Which law is asked, how strictly, and what happens where no pack exists."""

    #: names of shipped packs or paths of packs; "auto" loads every shipped jurisdiction pack
    packs: tuple[str, ...] = ("auto",)
    profile: Literal["law", "strict", "policy"] = "law"
    #: a jurisdiction without a pack: refuse its customers, or treat them by the pack `cautious`
    fallback: Literal["refuse", "cautious"] = "refuse"
    guard_minutes: int = Field(default=5, ge=0, le=60)
    #: rules less surely known do not bind: legal_text, summary, memory (all)
    min_confidence: Literal["legal_text", "summary", "memory"] = "memory"
    #: ids of proposed rules that shall deny as if they were law
    adopt: tuple[str, ...] = ()
    overrides: tuple[OverrideConfig, ...] = ()


class TreatmentConfig(Section):
    """What may still be done for customers in a protected state; nothing, unless named."""

    #: channels of the strategy that stay open
    channels: tuple[str, ...] = ()
    #: where such a channel has templates, only these may go; an empty list: any that fits
    templates: tuple[str, ...] = ()


class TreatmentsConfig(Section):
    """Allowed treatments by state of the customer."""

    hardship: TreatmentConfig = TreatmentConfig()
    vulnerable: TreatmentConfig = TreatmentConfig()
    #: an arrangement is kept, or the latest snapshot says `in_plan`
    in_plan: TreatmentConfig = TreatmentConfig()


Days = Annotated[int, Field(ge=0, le=365)]


class OrchestrationConfig(Section):
    """How channels take turns; these become parameters of the rule pack `house`.

    Days are the customer's local civil days. The defaults protect the customer where that costs
    little value, and leave what decides between channels (one active channel, bot before agent,
    fallback chains) to the strategy, because it depends on the channels that a user has.
    """

    #: silence until the due day of a promise, or of an instalment, and these days are over
    promise_grace_days: int = Field(default=3, ge=0, le=60)
    #: silence after an outcome that promises or claims payment while no row of it is on record
    outcome_silence_days: Days = 7
    #: days after an outcome `callback` without a hold on which only calls by agents may follow
    callback_days: Days = 2
    #: one outbound attempt per local day, over all channels, debts, vendors and open plans
    one_attempt_per_day: bool = True
    #: an agent may follow on the day on which the bot failed (nobody reached, nothing said)
    agent_after_failed_bot: bool = True
    #: nothing more on a day with a conversation or a reply
    quiet_after_contact: bool = True
    #: the channel of the latest attempt keeps the customer; others wait
    single_active_channel: bool = False
    #: full days without an answer after which another channel may take over
    patience_days: int = Field(default=3, ge=0, le=60)
    #: full days for which an answer keeps the customer with the active channel
    answer_keeps_days: Days = 10
    #: vendor that executes a channel, as in touches.vendor: then the vendor owns the customer, too
    vendors: dict[str, str] = Field(default_factory=dict)
    #: agents are denied until a bot failed, where a bot may be used at all
    bot_before_agent: bool = False
    #: channel -> channel that may only follow once the first one failed, e.g. {email: letter}
    fallback_chains: dict[str, str] = Field(default_factory=dict)
    #: days for which a failure opens the channel that follows
    failure_opens_days: Days = 30
    #: so many attempts in a row without an answer or a payment ...
    futility_attempts: int = Field(default=8, ge=0, le=100)
    #: ... within so many days let the channel (or one contact point) rest ...
    futility_days: int = Field(default=30, ge=1, le=365)
    #: ... for so many days; 0 attempts or 0 days: never
    futility_rest_days: Days = 14
    #: the same template goes to a customer once in so many days; 0: as often as one likes
    template_rest_days: Days = 3
    treatments: TreatmentsConfig = TreatmentsConfig()

    @classmethod
    def law_only(cls) -> OrchestrationConfig:
        """Return settings under which orchestration denies nothing but open promises and plans."""
        return cls(
            outcome_silence_days=0,
            callback_days=0,
            one_attempt_per_day=False,
            quiet_after_contact=False,
            futility_attempts=0,
            template_rest_days=0,
        )


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


class IncumbentShare(Section):
    """How often the regime in force contacts a customer of a stage by one action, per day."""

    #: stage of the arrears (early, middle, late, ...); null: every stage
    stage: str | None = None
    channel: str
    #: local hour; null: an action without an hour (letters)
    hour: Hour | None = None
    #: probability per customer and day
    share: Share


class SafetyConfig(Section):
    """Whether the learned policy must show that it is better before it leads.

    `safety: on` is short for ``{enabled: true}``.
    """

    enabled: bool = False
    #: policies that the learned one must beat
    rivals: tuple[Literal["constant", "incumbent"], ...] = ("constant", "incumbent")
    #: confidence level of the intervals of its advantages
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    #: most that the learned policy gets of the draw while another leads, and while nothing is known
    most_share: Annotated[float, Field(gt=0, le=0.9)] = 0.5
    pilot_share: Annotated[float, Field(gt=0, le=0.9)] = 0.1
    #: the incumbent as rules; empty: cloned from the touches of 28 days at the first fit
    incumbent: tuple[IncumbentShare, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_word(cls, given: Any) -> Any:
        given = {"on": True, "off": False}.get(given, given) if isinstance(given, str) else given
        return {"enabled": given} if isinstance(given, bool) else given


class BoostingConfig(Section):
    """LightGBM's settings of one model; null leaves the model's own default."""

    max_rounds: Annotated[int, Field(ge=1, le=10_000)] | None = None
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    num_leaves: Annotated[int, Field(ge=2, le=1024)] | None = None
    min_child_samples: Annotated[int, Field(ge=1, le=100_000)] | None = None
    feature_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    lambda_l2: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @property
    def given(self) -> dict[str, int | float]:
        """The settings that are not left at their default."""
        return {name: value for name, value in self if value is not None}


class ModelsConfig(Section):
    """How models are fitted."""

    num_threads: int = Field(default=1, ge=1, le=256)
    max_training_rows: int = Field(default=200_000, ge=100)
    #: days between the instants at which training rows are cut
    training_step_days: int = Field(default=7, ge=1, le=90)
    n_folds: int = Field(default=3, ge=2, le=10)
    #: weight of a decision in `update` is this to the power of its age in days
    forgetting_per_day: float = Field(default=0.99, gt=0, le=1)
    #: what `contactopt tune` found for the trees of single models
    payment: BoostingConfig = BoostingConfig()
    amount: BoostingConfig = BoostingConfig()


class SegmentsConfig(Section):
    """How customers are grouped: by stage of the arrears and size of the balance, by behaviour."""

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
    #: whether a fit also groups customers by what they owe and did
    behaviour: bool = True
    #: most groups by behaviour, and the share of customers that the smallest must hold
    max_behaviours: int = Field(default=8, ge=1, le=20)
    min_behaviour_share: float = Field(default=0.03, ge=0, lt=0.5)

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
