"""What is said before a broker or a child is asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.execution.precheck import place_of_refusal, precheck
from orchestrator.sweepfile import config_source
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import CandlesMissing, HummingsweepError
from tests.made import CROSS, cross_inputs, flat_candles


@pytest.mark.parametrize(("there", "message"), [(False, "no such candle folder"), (True, "is a file")])
def test_a_candle_folder_that_is_none_is_named_itself(tmp_path: Path, there: bool, message: str) -> None:
    """Not the trading rules in it, which nobody has asked for."""
    folder = tmp_path / "candles"
    if there:
        folder.write_text("")
    sweep = Sweep.from_mapping(
        {
            "controller": {
                "controller_type": "directional_trading",
                "controller_name": "bollinger_v1",
                "connector_name": "binance_perpetual",
                "trading_pair": "BTC-USDT",
            },
            "grid": {"bb_std": [1.5, 2.0]},
            "period": {"start": "2024-01-01", "end": "2024-01-31"},
            "candles": str(folder),
        },
        str(tmp_path / "sweep.yml"),
    )
    with pytest.raises(CandlesMissing, match=f"^{folder}: {message}; set `candles:` in the sweep file"):
        precheck(sweep)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    """A sweep whose controller, candles and rules are there; relative paths start in tmp_path."""
    cross_inputs(tmp_path)
    flat_candles(tmp_path, 3 * 1440)
    return {
        "controller": {
            "controller_type": "directional_trading",
            "controller_name": "cross",
            "connector_name": "binance",
            "trading_pair": "BTC-USDT",
        },
        "grid": {"fast": [5, 10]},
        "period": {"start": "2024-01-01", "end": "2024-01-02"},
        "candles": "data",
    }


def told(keys: dict[str, Any], folder: Path) -> list[str]:
    """Everything that the check says."""
    try:
        precheck(Sweep.from_mapping(keys, folder / "sweep.yml"))
    except HummingsweepError as error:
        return [str(error), *error.others]
    return []


def test_a_sweep_that_is_right_is_not_told_anything(keys, tmp_path):
    assert told(keys, tmp_path) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"grid": {"fsat": [1]}},
            "grid.fsat: the config of this controller (CrossConfig) has no key fsat; the nearest is",
        ),
        ({"grid": {"triple.x": [1]}}, "has no key triple"),
        ({"rank_by": "shrape"}, "rank_by: rows have no column shrape; the nearest is `sharpe`"),
        (
            {"where": "total_position > 3"},
            "where: rows have no column total_position; the nearest is `total_p",
        ),
        ({"period": {"start": "2024-01-01", "end": "2024-02-01"}}, "does not cover the period"),
        ({"resolution": "1s"}, "no candles for binance BTC-USDT 1s"),
        ({"import_path": ["lib"]}, "import_path: "),
        ({"trading_rules": "rules"}, "rules/binance.json: no such file"),
        ({"controllers": "elsewhere"}, "no such controller"),
    ],
)
def test_one_mistake_is_one_sentence_before_anything_is_started(keys, tmp_path, change, words):
    said = told(keys | change, tmp_path)
    assert len(said) == 1 and words in said[0], said


def test_a_missing_rules_file_does_not_hide_the_other_mistakes(keys, tmp_path):
    wrong = {
        "trading_rules": "rules",
        "grid": {"fsat": [1]},
        "rank_by": "shrape",
        "period": {"start": "2024-01-01", "end": "2024-02-01"},
    }
    said = told(keys | wrong, tmp_path)
    for words in ("no such file", "no key fsat", "no column shrape", "does not cover"):
        assert any(words in text for text in said), (words, said)


def test_keys_are_left_to_the_child_where_the_source_does_not_say_them(keys, tmp_path):
    source = tmp_path / "controllers" / "directional_trading" / "cross.py"
    for text in (
        CROSS.replace("class CrossConfig(Dir", "class CrossConfig(make_base(), Dir"),
        CROSS.replace("    fast: int", "    model_config = {'extra': 'allow'}\n    fast: int"),
        CROSS.replace(
            "    slow: int", "    @model_validator(mode='before')\n    def renamed(cls, v): ...\n    slow: int"
        ),
        "class Nothing: pass\n",
    ):
        source.write_text(text)
        config_source._parsed.cache_clear()
        assert told(keys | {"grid": {"fsat": [1]}}, tmp_path) == []


def test_a_venue_without_candle_feed_is_not_sent_to_sync(keys, tmp_path):
    keys["controller"] |= {"connector_name": "xrpl", "trading_pair": "XRP-RLUSD"}
    [said] = told(keys | {"trading_rules": {"xrpl": {"XRP-RLUSD": {}}}}, tmp_path)
    assert "Hummingbot has no candle feed of xrpl" in said and "candles_xrpl_XRP-RLUSD_1m.csv" in said
    assert "hummingsweep sync" not in said


@pytest.mark.parametrize(
    ("error", "key"),
    [
        ("t/cross refuses its config: unknown key 'fast' (nearest: 'slow')", "grid.fast"),
        ("t/cross refuses its config: trading_pair = 3: must be text", "controller.trading_pair"),
        ("t/cross refuses its config: fast is missing", "grid.fast"),
        ("t/cross refuses its config: other = 1: no", ""),
        ("controllers/x.py, line 3: raises on import", ""),
    ],
)
def test_a_refusal_of_the_controller_names_file_line_and_key(keys, tmp_path, error, key):
    place = place_of_refusal(Sweep.from_mapping(keys, tmp_path / "sweep.yml"), error)
    assert place.endswith(key) and (not key or re.search(r"sweep.yml, line \d+: ", place))
    assert bool(place) == bool(key)
