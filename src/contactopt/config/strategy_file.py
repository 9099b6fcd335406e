"""The strategy file: YAML in, a frozen validated configuration out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from contactopt.config.channel_defaults import channel_root, resolved_channel
from contactopt.config.cross_checks import cross_faults, likely
from contactopt.config.sections import (
    ChannelConfig,
    ExplorationConfig,
    Hour,
    ModelsConfig,
    ObjectiveConfig,
    OfferConfig,
    OrchestrationConfig,
    PoolConfig,
    RulesConfig,
    SafetyConfig,
    Section,
    SegmentsConfig,
    Share,
    TemplateConfig,
    TrackingConfig,
)
from contactopt.config.unique_keys import yaml_value
from contactopt.contracts.action_space import ActionSpace
from contactopt.errors import ConfigError

__all__ = ["StrategyConfig", "example_strategy_text"]

#: keys of these sections may also stand at the top of the file
_HOISTED = ("objective", "rules")
_DEFAULT_CHANNELS = ("call_agent", "call_bot", "sms", "whatsapp", "email", "letter")


def example_strategy_text() -> str:
    """Return the annotated example strategy as YAML text."""
    return files("contactopt.config").joinpath("strategy.example.yaml").read_text("utf-8")


class StrategyConfig(Section):
    """Everything a strategy is told by its user; every key has a default.

    Examples
    --------
    >>> config = StrategyConfig.from_mapping({"fallback": "cautious", "slots": [9, 18]})
    >>> config.rules.fallback, len(config.action_space)
    ('cautious', 11)
    """

    objective: ObjectiveConfig = ObjectiveConfig()
    channels: dict[str, ChannelConfig] = Field(
        default_factory=lambda: {c: ChannelConfig() for c in _DEFAULT_CHANNELS}
    )
    pools: dict[str, PoolConfig] = Field(default_factory=dict)
    templates: tuple[TemplateConfig, ...] = ()
    offers: tuple[OfferConfig, ...] = ()
    slots: tuple[Hour, ...] = tuple(range(8, 20))
    rules: RulesConfig = RulesConfig()
    #: who we are: counted against caps "by collector"; null in touches means us
    collector: str = "us"
    orchestration: OrchestrationConfig = OrchestrationConfig()
    exploration: ExplorationConfig = ExplorationConfig()
    safety: SafetyConfig = SafetyConfig()
    holdout_share: Share = 0.02
    #: hours after the event at which rows of a table are known, where no `recorded_at` is given
    data_delay: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    max_staleness_hours: Annotated[float, Field(gt=0)] = 96.0
    lead_minutes: int = Field(default=30, ge=0, le=24 * 60)
    max_quarantined_share: Share = 0.0
    models: ModelsConfig = ModelsConfig()
    segments: SegmentsConfig = SegmentsConfig()
    tracking: TrackingConfig = TrackingConfig()
    random_state: int = Field(default=0, ge=0)

    # ---- reading -------------------------------------------------------------------------

    @classmethod
    def from_yaml(cls, path: str | Path) -> StrategyConfig:
        """Read a strategy file.

        Parameters
        ----------
        path : str or Path
            A YAML file, UTF-8.

        Returns
        -------
        StrategyConfig

        Raises
        ------
        ConfigError
            If the file is missing, is not YAML, or any key or value is not understood; all
            faults are named at once, misspelt keys with the likely word.
        """
        path = Path(path)
        if not path.is_file():
            raise ConfigError(
                f"no strategy file at {path}",
                hint="`contactopt init DIR` writes an annotated strategy.yaml",
            )
        try:
            data = yaml_value(path.read_text("utf-8-sig"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path.name} is not readable as YAML: {error}",
                hint="save it as UTF-8 and check the indentation at the line named above",
            ) from None
        return cls.from_mapping(data or {}, source=path.name)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, source: str = "strategy") -> StrategyConfig:
        """Build from a mapping of the same keys as the file; raises like `from_yaml`."""
        if not isinstance(data, Mapping):
            raise ConfigError(f"{source}: the strategy must be a mapping of keys to values")
        try:
            return cls.model_validate(_lists_to_mappings(_hoist(dict(data))))
        except ValidationError as error:
            faults = _explain(error)
            raise ConfigError(
                f"{source}: {len(faults)} fault(s)\n" + "\n".join(faults),
                hint="`contactopt init DIR` writes an annotated strategy.yaml that shows every key",
            ) from None

    # ---- cross checks --------------------------------------------------------------------

    @model_validator(mode="after")
    def _parts_agree(self) -> StrategyConfig:
        faults = cross_faults(self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    # ---- what the rest of the house asks ----------------------------------------------------

    @property
    def action_space(self) -> ActionSpace:
        """The arms: every channel at its local hours, in the file's order."""
        hours: dict[str, tuple[int | None, ...]] = {}
        for name in self.channels:
            slots = self.channel(name).slots
            hours[name] = (self.slots if slots is None else slots) or (None,)
        return ActionSpace.from_channels(hours)

    def channel(self, name: str) -> ChannelConfig:
        """Return a channel's settings with defaults of its root word filled in."""
        return resolved_channel(name, self.channels.get(name, ChannelConfig()))

    def channel_root(self, name: str) -> str:
        """Return the contract's word whose rules and priors apply to a channel (`like`)."""
        return channel_root(name, self.channels.get(name, ChannelConfig()))

    def rate_of(self, currency: str) -> float:
        """Return the value of one unit of ``currency`` in the strategy's currency."""
        if currency == self.objective.currency:
            return 1.0
        try:
            return self.objective.exchange_rates[currency]
        except KeyError:
            raise ConfigError(
                f"no exchange rate for {currency} into {self.objective.currency}",
                hint=f"add `exchange_rates: {{{currency}: <rate>}}` under `objective`: the "
                f"value of one {currency} in {self.objective.currency}",
            ) from None

    def to_mapping(self) -> dict[str, Any]:
        """Return plain JSON-ready values; `from_mapping` of it gives an equal object."""
        return self.model_dump(mode="json")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the settings, independent of the file's layout."""
        text = json.dumps(self.to_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _hoist(data: dict[str, Any]) -> dict[str, Any]:
    """Move keys of the objective and the rules that stand at the top into their section."""
    sections = {"objective": ObjectiveConfig, "rules": RulesConfig}
    for name in _HOISTED:
        own = {k: data.pop(k) for k in list(data) if k in sections[name].model_fields}
        if not own:
            continue
        given = data.get(name) or {}
        twice = set(own) & set(given)
        if twice:
            raise ConfigError(f"{', '.join(sorted(twice))} stands twice: at the top and in {name}")
        data[name] = {**given, **own}
    return data


def _lists_to_mappings(data: dict[str, Any]) -> dict[str, Any]:
    """Accept `channels: [sms, email]` and pools as a list with a `pool` key each."""
    channels = data.get("channels")
    if isinstance(channels, list):
        data["channels"] = {c: {} for c in channels}
    elif isinstance(channels, Mapping):
        data["channels"] = {k: v or {} for k, v in channels.items()}
    pools = data.get("pools")
    if isinstance(pools, list) and all(isinstance(p, Mapping) and "pool" in p for p in pools):
        names = [p["pool"] for p in pools]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"pool {twice!r} stands twice", hint="give each pool once")
        data["pools"] = {p["pool"]: {k: v for k, v in p.items() if k != "pool"} for p in pools}
    return data


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        where = ".".join(str(p) for p in fault["loc"])
        if fault["type"] == "extra_forbidden":
            key = str(fault["loc"][-1])
            lines.append(f"  {where}: unknown key{likely(key, _keys_at(fault['loc'][:-1]))}")
        else:
            told = fault["msg"].removeprefix("Value error, ").splitlines()
            lines += [f"  {where or 'strategy'}: {one}" for one in told]
    return lines


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that exist at a place of the file, for the typo hint."""
    sections: dict[str, type[Section]] = {
        "objective": ObjectiveConfig,
        "channels": ChannelConfig,
        "pools": PoolConfig,
        "templates": TemplateConfig,
        "offers": OfferConfig,
        "rules": RulesConfig,
        "orchestration": OrchestrationConfig,
        "exploration": ExplorationConfig,
        "safety": SafetyConfig,
        "models": ModelsConfig,
        "segments": SegmentsConfig,
        "tracking": TrackingConfig,
    }
    if not location:
        hoisted = [k for s in _HOISTED for k in sections[s].model_fields]
        return [*StrategyConfig.model_fields, *hoisted]
    section = sections.get(str(location[0]))
    return list(section.model_fields) if section else []
