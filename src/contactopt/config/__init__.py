"""What the user wants: the strategy file, validated, with hints for misspelt keys."""

from contactopt.config.mapping_example import example_mapping_text
from contactopt.config.sections import (
    ChannelConfig,
    ExplorationConfig,
    ModelsConfig,
    ObjectiveConfig,
    OfferConfig,
    OrchestrationConfig,
    PoolConfig,
    RulesConfig,
    SafetyConfig,
    TemplateConfig,
    TrackingConfig,
    TreatmentConfig,
    TreatmentsConfig,
)
from contactopt.config.strategy_file import StrategyConfig, example_strategy_text

__all__ = [
    "ChannelConfig",
    "ExplorationConfig",
    "ModelsConfig",
    "ObjectiveConfig",
    "OfferConfig",
    "OrchestrationConfig",
    "PoolConfig",
    "RulesConfig",
    "SafetyConfig",
    "StrategyConfig",
    "TemplateConfig",
    "TrackingConfig",
    "TreatmentConfig",
    "TreatmentsConfig",
    "example_mapping_text",
    "example_strategy_text",
]
