"""A world with known truth: what the library is measured in before real money is at stake."""

from contactopt.simulation.presets import PRESETS, TYPES, WORLD_CHANNELS, Preset, preset_hash
from contactopt.simulation.strategy_file import (
    capacity_table,
    simulate,
    strategy_mapping,
    write_strategy,
)
from contactopt.simulation.world import World

__all__ = [
    "PRESETS",
    "TYPES",
    "WORLD_CHANNELS",
    "Preset",
    "World",
    "capacity_table",
    "preset_hash",
    "simulate",
    "strategy_mapping",
    "write_strategy",
]
