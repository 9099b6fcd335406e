"""The strategy file: defaults, hints, cross checks, and a faithful round trip."""

from __future__ import annotations

import pytest
import yaml

from contactopt.config import StrategyConfig, example_strategy_text
from contactopt.errors import ConfigError


def test_annotated_example_is_valid_and_survives_the_round_trip() -> None:  # 004-07
    config = StrategyConfig.from_mapping(yaml.safe_load(example_strategy_text()))
    assert config.pools["agents"].unit == "minutes"
    assert StrategyConfig.from_mapping(config.to_mapping()) == config
    assert StrategyConfig.from_mapping(config.to_mapping()).content_hash == config.content_hash


def test_example_names_every_section_and_top_level_key() -> None:
    assert set(yaml.safe_load(example_strategy_text())) == set(StrategyConfig.model_fields)


def test_defaults_give_sixty_one_actions() -> None:
    config = StrategyConfig()
    assert len(config.action_space) == 5 * 12 + 1
    assert config.action_space.action_ids[-1] == "letter"
    assert config.channel("sms").contact_point_kinds == ("mobile",)


def test_keys_of_objective_and_rules_may_stand_at_the_top() -> None:
    config = StrategyConfig.from_mapping({"fallback": "cautious", "currency": "EUR"})
    assert config.rules.fallback == "cautious"
    assert config.objective.currency == "EUR"
    with pytest.raises(ConfigError, match="stands twice"):
        StrategyConfig.from_mapping({"fallback": "refuse", "rules": {"fallback": "cautious"}})


def test_all_faults_at_once_with_typo_hints() -> None:  # 000-01
    with pytest.raises(ConfigError) as caught:
        StrategyConfig.from_mapping(
            {"fallbak": "cautious", "objective": {"horzon_days": 3}, "holdout_share": 2}
        )
    text = str(caught.value)
    assert "did you mean 'fallback'" in text
    assert "did you mean 'horizon_days'" in text
    assert "holdout_share" in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"channels": {"smss": {}}}, "did you mean 'sms'"),
        ({"channels": ["portal"]}, "can only come in"),
        ({"pools": {"a": {"time_zone": "Mars/Base"}}}, "unknown time zone"),
        ({"pools": {"a": {"serves": {"channels": ["fax"]}}}}, "unknown channel 'fax'"),
        ({"slots": [25]}, "slots"),
        ({"data_delay": {"payment": 24}}, "unknown table 'payment' .did you mean 'payments'"),
        ({"exchange_rates": {"euro": 1.1}}, "'euro' is no ISO 4217 code"),
        ({"pools": [{"pool": "a"}, {"pool": "a"}]}, "pool 'a' stands twice"),
        (
            {"templates": [{"template_id": "t", "channel": "sms"}] * 2},
            "template_id is used twice: 't'",
        ),
    ],
)
def test_bad_values_are_refused(data: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        StrategyConfig.from_mapping(data)


def test_faults_between_sections_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        StrategyConfig.from_mapping(
            {
                "pools": {"a": {"time_zone": "Mars/Base", "serves": {"channels": ["fax"]}}},
                "templates": [{"template_id": "t", "channel": "sms", "offers": ["gone"]}] * 2,
                "data_delay": {"touchs": 4},
            }
        )
    text = str(caught.value)
    assert "strategy: 6 fault(s)" in text
    for words in ("'fax'", "'touchs'", "'Mars/Base'", "'gone'", "twice: 't'"):
        assert words in text
    assert text.count("'gone'") == 2  # once per template that names it


def test_horizons_go_by_stage_and_others_take_the_one() -> None:
    config = StrategyConfig.from_mapping(
        {"horizon_days": 20, "horizon_days_by_stage": {"early": 10, "charged_off": 90}}
    )
    horizons = config.objective.horizons
    stages = ["early", "mid", "charged off", "current", "unknown", "", "early"]
    assert horizons.of(stages).tolist() == [10, 20, 90, 20, 20, 20, 10]
    assert horizons.of([]).shape == (0,)
    assert (horizons.longest, horizons.differ) == (90, True)
    assert str(horizons) == "20 days (early 10, charged off 90)"
    assert StrategyConfig.from_mapping(config.to_mapping()) == config
    one = StrategyConfig.from_mapping({"horizon_days": 20}).objective.horizons
    assert (one.longest, one.differ, str(one)) == (20, False, "20 days")


def test_a_stage_named_at_the_one_horizon_is_not_named() -> None:
    plain = StrategyConfig.from_mapping({"horizon_days": 45})
    named = {"current": 45, "early": 45, "mid": 45, "late": 45, "charged_off": 45, "unknown": 45}
    same = StrategyConfig.from_mapping({"horizon_days": 45, "horizon_days_by_stage": named})
    assert same == plain and same.content_hash == plain.content_hash
    # 30 days are another horizon here, and the default elsewhere
    other = StrategyConfig.from_mapping({"horizon_days": 45, "horizon_days_by_stage": {"mid": 30}})
    assert other.objective.horizon_days_by_stage == {"mid": 30}


def test_unknown_stages_of_horizons_are_refused_among_all_other_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        StrategyConfig.from_mapping(
            {
                "horizon_days": 30,
                "horizon_days_by_stage": {"erly": 10, "legal": 30},
                "data_delay": {"touchs": 4},
            }
        )
    text = str(caught.value)
    assert "strategy: 3 fault(s)" in text and "'touchs'" in text and "'legal'" in text
    assert "unknown stage 'erly' (did you mean 'early'?)" in text
    assert text.count("there are current, early, mid, late, charged off, unknown") == 2


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"early": 0, "late": 366}, ("2 fault(s)", "by_stage.early", "by_stage.late")),
        ({"early": 7.5}, ("1 fault(s)", "by_stage.early")),
        ({"charged off": 60, "charged_off": 90}, ("1 fault(s)", "stands twice")),
    ],
)
def test_windows_have_whole_days_up_to_a_year(named, words) -> None:
    with pytest.raises(ConfigError) as caught:
        StrategyConfig.from_mapping({"horizon_days_by_stage": named})
    assert all(word in str(caught.value) for word in words)


def test_own_channel_follows_its_root() -> None:
    config = StrategyConfig.from_mapping({"channels": {"rcs": {"like": "sms"}}, "slots": [9]})
    assert config.channel_root("rcs") == "sms"
    assert config.channel("rcs").unit_cost == config.channel("sms").unit_cost
    assert config.action_space.action_ids == ("rcs@09",)


def test_missing_exchange_rate_names_the_currency() -> None:
    config = StrategyConfig.from_mapping({"exchange_rates": {"EUR": 1.08}})
    assert config.rate_of("USD") == 1.0
    assert config.rate_of("EUR") == 1.08
    with pytest.raises(ConfigError, match="no exchange rate for COP into USD"):
        config.rate_of("COP")


def test_file_errors(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no strategy file"):
        StrategyConfig.from_yaml(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1", encoding="utf-8")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        StrategyConfig.from_yaml(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a", encoding="utf-8")
    with pytest.raises(ConfigError, match="mapping"):
        StrategyConfig.from_yaml(tmp_path / "list.yaml")


@pytest.mark.parametrize("word", ["on", True])
def test_safety_is_one_word(word: object) -> None:
    assert StrategyConfig.from_mapping({"safety": word}).safety.enabled
    assert not StrategyConfig.from_mapping({"safety": "off"}).safety.enabled
    with pytest.raises(ConfigError, match="safety"):
        StrategyConfig.from_mapping({"safety": "perhaps"})


def test_a_key_that_stands_twice_is_refused_and_not_overridden(tmp_path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("holdout_share: 0.02\nslots: [9]\nholdout_share: 0.5\n", "utf-8-sig")
    with pytest.raises(ConfigError, match="'holdout_share' stands twice, in lines 1 and 3"):
        StrategyConfig.from_yaml(path)
    path.write_text("sms: &s {unit_cost: 0.1}\n", "utf-8")
    with pytest.raises(ConfigError, match="unknown key"):
        StrategyConfig.from_yaml(path)
