"""What to write instead."""

import shlex

from tasks.suggest import command, nearest, nearest_few


def test_the_nearest_name_and_none_below_the_cutoff():
    assert nearest("shrape", ["sharpe", "sortino"]) == "sharpe"
    assert nearest("xyz", ["sharpe"], cutoff=0.6) == ""
    assert nearest("a", []) == ""
    assert nearest_few("BTC-USD", ["BTC-USDT", "ETH-USDT", "BTC-USDC"], 2)[0].startswith("BTC-USD")


def test_a_command_can_be_pasted_where_a_path_has_spaces():
    text = command("rows", "my runs/it's", "--format", "csv")
    assert shlex.split(text) == ["hummingsweep", "rows", "my runs/it's", "--format", "csv"]
    assert command("watch", "plain-1") == "hummingsweep watch plain-1"
