"""The presets are frozen: results of different days must mean the same world."""

import dataclasses

import pytest

from contactopt.errors import ConfigError
from contactopt.simulation import PRESETS, TYPES, WORLD_CHANNELS, World, preset_hash
from contactopt.simulation.latent import perturbed

# a change of any parameter changes every comparison ever printed: it needs an issue
HASHES = {
    "mixed": "6e9a3b3e09620c9c6102f13b3f248440a000ec8eb47539e52707f01018b45ff8",
    "early": "3b81c28b19bad23b0fe639cee0347d6ac45d38ad149c0a7cb1ea7d9153cad39b",
    "mid": "cd404e06951cb2c37c0aa347dc308385388f2959dd12885fc92fbb052bc4829d",
    "late": "8184bd8f7af224e443e9981f8f2adaa9e2616fc19dd4f70ee46d1c64b5d5448e",
    "charged_off": "3d4aeb9f5f83b71447859b153b901f503208d326742cb2e8c8d149cc6d33daa8",
}


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_are_frozen(name):
    assert preset_hash(PRESETS[name]) == HASHES[name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS[name].payday_factor = 2.0


@pytest.mark.parametrize("name", PRESETS)
def test_tuples_have_one_entry_per_type_and_channel(name):
    preset = PRESETS[name]
    for field in ("taste", "strength"):
        table = getattr(preset, field)
        assert len(table) == len(TYPES)
        assert {len(row) for row in table} == {len(WORLD_CHANNELS)}
    for field in ("read_rate", "half_life_days", "complaint", "opt_out", "unit_cost"):
        assert len(getattr(preset, field)) == len(WORLD_CHANNELS)
    assert sum(preset.type_shares) == pytest.approx(1)
    assert sum(preset.incumbent_channels) == pytest.approx(1)


def test_redrawn_parameters_differ_and_repeat():
    mixed = PRESETS["mixed"]
    redrawn = perturbed(mixed, 1)
    assert redrawn == perturbed(mixed, 1)
    assert redrawn != perturbed(mixed, 2)
    for name in ("strength", "taste", "hour_peaks", "self_cure", "promise_share", "payday_factor"):
        assert getattr(redrawn, name) != getattr(mixed, name)
    # what describes the portfolio, the costs and the incumbent stays
    for name in ("stage_shares", "unit_cost", "incumbent_channels", "refractory_days"):
        assert getattr(redrawn, name) == getattr(mixed, name)
    assert all(0 <= p <= 0.97 for _, p in redrawn.self_cure)


def test_unknown_preset_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match="charged_off"):
        World("medium", n_customers=1)
