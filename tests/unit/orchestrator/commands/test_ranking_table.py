"""The ranking in the terminal: the columns that are asked about, units, and what tells rows apart."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.analysis.rank import rank
from orchestrator.commands.tables import ranking_table
from orchestrator.results.readable import currency
from orchestrator.results.store import Store
from tasks.grid import Grid
from tests.unit.orchestrator.stores import fill, ok

GRID: dict[str, list[Any]] = {"length": [10, 20, 30]}


def lines(
    folder: Path, results: list[dict[str, Any]], width: int | None = None, rank_by: str = "net_pnl", **keys: Any
) -> list[str]:
    sweep = SimpleNamespace(
        rank_by=rank_by,
        where=keys.get("where"),
        fills=keys.get("fills", "honest"),
        controller={"trading_pair": keys.get("pair", "BTC-USDT")},
        grid=Grid.from_mapping(GRID),
    )
    with Store.create(folder) as store:
        table = store.table(fill(store, [ok(place, **row) for place, row in enumerate(results)], GRID))
    ranking = rank(table, rank_by, sweep.where, grid=sweep.grid)
    return ranking_table(ranking, sweep, width)  # type: ignore[arg-type]


def results(**changes: list[Any]) -> list[dict[str, Any]]:
    usual = {"net_pnl": [0.012345, -0.5, 0.000012], "net_pnl_quote": [12.3, -500.0, 0.01], "accuracy": [0.5, 0.6, 0.7]}
    columns = usual | changes
    return [{name: values[place] for name, values in columns.items()} for place in range(3)]


def test_fractions_are_percent_and_money_says_its_currency(tmp_path: Path) -> None:
    found = lines(tmp_path, results())
    assert found[0] == "best by net_pnl (money in USDT)"
    assert found[2].split() == ["1", "0", "10", "1.23%", "12.3", "50.00%"]
    assert found[3].split() == ["2", "2", "30", "0.0012%", "0.01", "70.00%"]


def test_the_columns_of_where_and_of_an_expression_are_shown(tmp_path: Path) -> None:
    rows = results(turnover=[1.0, 2.0, 3.0], total_fees_quote=[0.1, 0.2, 0.3])
    found = lines(tmp_path, rows, rank_by="net_pnl_quote - total_fees_quote", where="turnover > 0")
    assert found[1].split()[:7] == [
        "rank", "point", "length", "objective", "net_pnl_quote", "total_fees_quote", "turnover",
    ]  # fmt: skip


def test_with_both_fills_the_honest_result_stands_beside_the_stock_one(tmp_path: Path) -> None:
    rows = results(honest_net_pnl=[0.01, -0.6, -0.1], honest_accuracy=[0.4, 0.5, 0.6])
    found = lines(tmp_path, rows, fills="both")
    heads = found[1].split()
    assert heads[3:5] == ["net_pnl", "honest_net_pnl"]
    assert heads[heads.index("accuracy") + 1] == "honest_accuracy"


def test_what_is_the_same_in_every_row_is_told_once_below(tmp_path: Path) -> None:
    found = lines(tmp_path, results(accuracy=[0.5, 0.5, 0.5], total_positions=[None, None, None]))
    assert "accuracy" not in found[1] and "total_positions" not in found[1]
    assert "the same in all of these: accuracy 50.00%" in found


def test_a_narrow_terminal_leaves_out_what_nobody_asked_for_and_says_so(tmp_path: Path) -> None:
    found = lines(tmp_path, results(), width=48, where="accuracy > 0")
    assert found[1].split() == ["rank", "point", "length", "net_pnl", "accuracy"]
    assert any(line.startswith("left out, for the terminal is too narrow: net_pnl_quote") for line in found)


def test_ours_and_the_stock_figure_of_nearly_the_same_name_are_told_apart(tmp_path: Path) -> None:
    rows = results(sharpe=[1.0, 2.0, 3.0], sharpe_ratio=[0.1, 0.2, 0.3])
    found = lines(tmp_path, rows, rank_by="sharpe_ratio")
    (told,) = [line for line in found if line.startswith("sharpe is hummingsweep's")]
    assert "sharpe_ratio is the stock engine's" in told


@pytest.mark.parametrize(("pair", "money"), [("BTC-EUR", "EUR"), (None, "quote")])
def test_the_currency_is_the_quote_of_the_pair(tmp_path: Path, pair: str | None, money: str) -> None:
    assert lines(tmp_path, results(), pair=pair)[0].endswith(f"(money in {money})")


@pytest.mark.parametrize(
    ("controller", "money"),
    [
        ({"pair_a": "BTC-USDT", "pair_b": "ETH-USDT", "connector_name": "binance_perpetual"}, "USDT"),
        ({"pair_a": "BTC-USDT", "pair_b": "ETH-EUR"}, "quote"),
        ({"trading_pair": "BTC-EUR", "hedge_pair": "BTC-USDT"}, "EUR"),
        ({"trading_pair": "xyz:TSLA-USD"}, "USD"),
    ],
)
def test_without_a_trading_pair_the_currency_is_that_of_all_that_look_like_one(
    controller: dict[str, str], money: str
) -> None:
    assert currency(controller, Grid.from_mapping({"length": [5, 10]})) == money


def test_a_warning_that_rows_share_is_told_once_below_the_table(tmp_path: Path) -> None:
    found = lines(tmp_path, results(warning=["nothing is annualised"] * 2 + ["nothing is annualised; liquidated"]))
    assert "warning" not in found[1]
    assert [line for line in found if line.startswith("warning")] == [
        "warning (all 3 rows shown): nothing is annualised",
        "warning (point 2): liquidated",
    ]
