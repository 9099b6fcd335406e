"""A world with known truth: what the library is measured in before real money is at stake."""

from contactopt.simulation.presets import PRESETS, TYPES, WORLD_CHANNELS, Preset, preset_hash
from contactopt.simulation.world import World

__all__ = ["PRESETS", "TYPES", "WORLD_CHANNELS", "Preset", "World", "preset_hash"]
