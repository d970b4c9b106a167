"""Axes that reach into a config."""

import pytest

from tasks.nested import config_values, root_key

CONFIG = {
    "spread": 1,
    "triple_barrier_config": {"stop_loss": 0.1, "trailing_stop": {"delta": 2}},
    "candles_config": [{"interval": "1m"}, {"interval": "1h"}],
    "amounts": "1,2",
}


def test_a_dot_leads_into_mappings_and_lists_and_what_stands_beside_stays():
    values = {
        "spread": 2,
        "triple_barrier_config.take_profit": 0.02,
        "triple_barrier_config.trailing_stop.delta": 3,
        "candles_config.1.interval": "4h",
    }
    made = config_values(CONFIG, values)
    assert made["triple_barrier_config"] == {"stop_loss": 0.1, "trailing_stop": {"delta": 3}, "take_profit": 0.02}
    assert made["candles_config"] == [{"interval": "1m"}, {"interval": "4h"}]
    assert made["spread"] == 2
    assert CONFIG["candles_config"] == [{"interval": "1m"}, {"interval": "1h"}]
    assert CONFIG["triple_barrier_config"] == {"stop_loss": 0.1, "trailing_stop": {"delta": 2}}


def test_a_mapping_that_is_missing_is_made():
    assert config_values({"a": None}, {"a.b": 1, "c.d": 2}) == {"a": {"b": 1}, "c": {"d": 2}}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("candles_config.2.interval", "candles_config is a list and has no item 2; its items are 0 to 1"),
        ("candles_config.x", "has no item x"),
        ("amounts.0", "amounts is '1,2', and nothing lies in it"),
        ("triple_barrier_config..x", "has an empty part"),
    ],
)
def test_a_name_that_leads_nowhere_is_said(name, words):
    with pytest.raises(ValueError, match=words):
        config_values(CONFIG, {name: 1})


def test_the_root_is_the_config_key_that_changes():
    assert [root_key("a.0.b"), root_key("a")] == ["a", "a"]
