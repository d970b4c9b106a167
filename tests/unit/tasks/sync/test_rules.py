"""Trading rules into their file."""

from __future__ import annotations

import json

import pytest

from tasks.errors import HummingsweepError
from tasks.sync.rules import chosen, write

BTC = {"min_order_size": "0.001", "min_notional_size": "5"}
ETH = {"min_order_size": "0.01", "supports_market_orders": False}


def test_pairs_that_were_not_asked_for_stay(tmp_path):
    path = tmp_path / "rules" / "venue.json"
    write(path, {"ETH-USDT": ETH, "BTC-USDT": {"min_order_size": "1"}})
    write(path, {"BTC-USDT": BTC})
    assert json.loads(path.read_text()) == {"BTC-USDT": BTC, "ETH-USDT": ETH}
    assert path.read_text().splitlines()[1] == '  "BTC-USDT": {"min_order_size": "0.001", "min_notional_size": "5"},'
    assert [file.name for file in path.parent.iterdir()] == ["venue.json"]


@pytest.mark.parametrize("content", ["nonsense", "[]", '{"BTC-USDT": 5}'])
def test_a_file_that_is_none_is_not_written_over(tmp_path, content):
    path = tmp_path / "venue.json"
    path.write_text(content)
    with pytest.raises(HummingsweepError, match="mend it or move it elsewhere"):
        write(path, {"BTC-USDT": BTC})
    assert path.read_text() == content


def test_which_pairs():
    found = {"BTC-USDT": BTC, "ETH-USDT": ETH}
    assert chosen(found, (), "venue") == found
    assert chosen(found, ("ETH-USDT",), "venue") == {"ETH-USDT": ETH}
    with pytest.raises(HummingsweepError, match="venue has no pair BTC-USDX; the nearest are BTC-USDT"):
        chosen(found, ("BTC-USDX",), "venue")
    with pytest.raises(HummingsweepError, match="venue has no pair ZZZ; the nearest are BTC-USDT, ETH-USDT"):
        chosen(found, ("ZZZ",), "venue")
