"""Which trading rules a sweep takes along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.sweepfile.rules import load
from tasks.errors import TradingRulesMissing

RULES = {pair: {"min_order_size": "0.001"} for pair in ("BTC-USDT", "ETH-USDT", "SOL-USDT")}
BITCOIN = ("binance_perpetual", "BTC-USDT")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "binance_perpetual.json").write_text(json.dumps(RULES))
    return tmp_path


def test_of_the_markets_that_are_named_and_no_others(folder: Path) -> None:
    assert load(folder, {BITCOIN}) == {"binance_perpetual": {"BTC-USDT": RULES["BTC-USDT"]}}


def test_a_market_without_rules_is_refused(folder: Path) -> None:
    with pytest.raises(TradingRulesMissing, match="no trading rules for ADA-USDT"):
        load(folder, {("binance_perpetual", "ADA-USDT")})


def test_of_pairs_whose_candles_are_asked_for_where_there_are_some(folder: Path) -> None:
    """A controller that names its pairs in fields of its own trades on those whose candles it asks for."""
    perhaps = [("binance_perpetual", "ETH-USDT"), ("binance_perpetual", "ADA-USDT"), ("kraken", "ETH-USDT"), BITCOIN]
    taken = load(folder, set(), perhaps)
    assert taken == {"binance_perpetual": {pair: RULES[pair] for pair in ("BTC-USDT", "ETH-USDT")}}
    assert load({"kraken": RULES}, {("kraken", "SOL-USDT")}, perhaps) == {
        "kraken": {pair: RULES[pair] for pair in ("ETH-USDT", "SOL-USDT")}
    }


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]"])
def test_a_file_that_holds_no_rules_is_refused_by_name(folder: Path, text: str) -> None:
    (folder / "binance_perpetual.json").write_text(text)
    with pytest.raises(TradingRulesMissing, match=r"binance_perpetual\.json: "):
        load(folder, {BITCOIN})
