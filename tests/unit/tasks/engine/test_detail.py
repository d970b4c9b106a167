"""Curves keep their extremes, trades are read off the ledger, grids round by round."""

import json
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine import detail as module
from tasks.engine._base import Outcome
from tasks.engine.detail import TRADE_COLUMNS, detail, keep_extremes


class Side(Enum):
    BUY = 1
    SELL = 2


class CloseType(Enum):
    STOP_LOSS = 2
    TAKE_PROFIT = 3
    EARLY_STOP = 5
    POSITION_HOLD = 10


def info(**changes: Any) -> Any:
    """An ExecutorInfo, as the ledger holds it: bought at 100 at time 60, sold at 110 at time 180."""
    fields: dict[str, Any] = {
        "type": "position_executor",
        "side": Side.BUY,
        "filled_amount_quote": Decimal("200"),
        "net_pnl_quote": Decimal("9.5"),
        "close_timestamp": 180.0,
        "close_type": CloseType.TAKE_PROFIT,
        "custom_info": {
            "close_price": 110.0,
            "current_position_average_price": 100.0,
            "open_order_last_update": 60.0,
            "level_id": "buy_0",
        },
    }
    return SimpleNamespace(**(fields | changes))


def outcome(equity: list[float] | np.ndarray[Any, Any], executors: list[Any] | None = None) -> Outcome:
    n = len(equity)
    return Outcome(
        results={},
        executors=executors or [],
        pnl_timeseries=[],
        position_held_timeseries=[],
        position_holds=[],
        processed_data={"features": pd.DataFrame({"close": np.linspace(100.0, 110.0, n)})},
        engine="stock",
        timestamps=60.0 * np.arange(n),
        equity=np.asarray(equity, dtype=np.float64),
    )


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(TRADE_COLUMNS, values, strict=True)) for values in zip(*found["trades"].values(), strict=True)]


def test_drawdown_is_measured_from_the_highest_equity_and_from_the_start() -> None:
    curve = detail(outcome([-2.0, 5.0, 1.0, 6.0, 5.5]))["curve"]
    assert curve["drawdown"] == [-2.0, 0.0, -4.0, 0.0, -0.5]
    assert curve["time"] == [0.0, 60.0, 120.0, 180.0, 240.0]
    assert curve["close"][-1] == 110.0


def test_long_curve_is_thinned_and_keeps_every_spike() -> None:
    equity = np.random.default_rng(7).normal(0, 1, 50_000).cumsum()
    equity[12_345] = 1e6  # a single candle
    equity[40_001] = -1e6
    found = detail(outcome(equity))["curve"]
    assert 1000 < len(found["time"]) <= module.MAX_POINTS
    assert found["time"] == sorted(set(found["time"]))
    assert max(found["equity"]) == 1e6
    assert min(found["equity"]) == -1e6
    assert min(found["drawdown"]) == pytest.approx(-2e6)
    assert (found["time"][0], found["time"][-1]) == (0.0, 60.0 * 49_999)


@pytest.mark.parametrize("n", [1, 19, 20, 21, 1000])
def test_thinning_never_exceeds_its_bound(n: int) -> None:
    values = np.sin(np.arange(n, dtype=np.float64))
    kept = keep_extremes((values, -values), 20, also=[n // 2])
    assert len(kept) <= 20
    assert n // 2 in kept
    assert {0, n - 1} <= set(kept.tolist())
    assert values[kept].max() == values.max()


def test_a_closed_trade_and_one_that_never_filled() -> None:
    found = detail(outcome([0.0, 9.5], [info(), info(filled_amount_quote=Decimal(0))]))
    assert rows(found) == [
        {
            "opened": 60.0,
            "entry_price": 100.0,
            "closed": 180.0,
            "exit_price": 110.0,
            "side": "BUY",
            "close_type": "TAKE_PROFIT",
            "pnl": 9.5,
            "executor": "position_executor",
            "level": "buy_0",
        }
    ]
    assert (found["trades_total"], found["unfilled"]) == (1, 1)


def test_a_held_position_has_no_exit() -> None:
    (trade,) = rows(detail(outcome([0.0], [info(close_type=CloseType.POSITION_HOLD)])))
    assert (trade["closed"], trade["exit_price"], trade["pnl"]) == (None, None, None)


def grid(side: Side, **changes: Any) -> Any:
    def event(time: float, price: float, kind: str, level: int) -> dict[str, Any]:
        return {"timestamp": time, "price": price, "side": kind, "level_idx": level, "amount_quote": 100.0}

    fills = [event(60, 100.0, "entry", 0), event(120, 98.0, "entry", 1), event(180, 102.0, "tp", 0)]
    fills.append(event(600, 100.0, "tp", 1))
    about = {**info().custom_info, "fill_events": fills, "close_price": 97.0}
    fields: dict[str, Any] = {"type": "grid_executor", "side": side, "close_timestamp": 240.0, "custom_info": about}
    return info(**(fields | {"close_type": CloseType.EARLY_STOP} | changes))


def test_a_grid_gives_its_rounds_and_ends_open_levels_at_its_end() -> None:
    first, second = rows(detail(outcome([0.0], [grid(Side.BUY)])))
    assert (first["opened"], first["closed"], first["exit_price"], first["close_type"]) == (60, 180, 102, "TAKE_PROFIT")
    assert first["pnl"] == pytest.approx(2.0)
    assert (second["level"], second["closed"], second["exit_price"]) == ("L1", 240, 97)
    assert second["close_type"] == "EARLY_STOP"  # the fill at 600 came after the stop
    assert second["pnl"] == pytest.approx(-100 / 98)


def test_a_sold_grid_wins_when_the_price_falls() -> None:
    trades = rows(detail(outcome([0.0], [grid(Side.SELL)])))
    assert [trade["pnl"] for trade in trades] == [pytest.approx(-2.0), pytest.approx(100 / 98)]


def test_a_grid_that_keeps_its_position_has_open_levels() -> None:
    trades = rows(detail(outcome([0.0], [grid(Side.BUY, close_type=CloseType.POSITION_HOLD)])))
    assert [trade["closed"] for trade in trades] == [180, None]


def test_a_long_ledger_is_sampled_evenly_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRADES", 5)
    ledger = [info(net_pnl_quote=Decimal(place)) for place in range(101)]
    found = detail(outcome([0.0], ledger))
    assert [trade["pnl"] for trade in rows(found)] == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert found["trades_total"] == 101


def test_it_is_json() -> None:
    found = detail(outcome([0.0, 1.0], [info(), grid(Side.BUY)]))
    assert json.loads(json.dumps(found)) == found


def test_without_curves_it_says_so() -> None:
    bare = outcome([0.0])
    bare.equity = None
    with pytest.raises(ValueError, match="curves=True"):
        detail(bare)
