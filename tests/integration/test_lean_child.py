"""Lean children: the same rows as with stock imports, and every deferred module still there for who needs it.

Each test asks fresh interpreters, since a process imports the engine once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ENTER = """
import asyncio, json, sys
from pathlib import Path
from tasks.isolation import blackout
from tasks.upstream.imports import lean, patches, stubs
blackout.install()
stubs.cut_network()
if sys.argv[1] == "lean":
    stubs.install_lean_imports()
patches.apply()
at_entry = len(sys.modules)

import numpy as np
import pandas as pd
from tasks.engine._base import Market
from tasks.engine.stock import StockEngine
from tasks.upstream.backtest.build import controller_config
from tasks.upstream.backtest.rules import trading_rules

FEED, START, HOURS = ("binance_perpetual", "BTC-USDT"), 1_704_067_200, 2

def market():
    rows = (HOURS + 4) * 60
    chance = np.random.default_rng(5)
    close = 40_000 * np.exp(np.cumsum(chance.normal(0, 0.001, rows)))
    minutes = pd.DataFrame({"timestamp": START - 4 * 3600 + 60.0 * np.arange(rows), "close": close, "volume": 10.0,
                            "open": np.append(40_000, close[:-1])})
    minutes["high"] = minutes[["open", "close"]].max(axis=1) * 1.0003
    minutes["low"] = minutes[["open", "close"]].min(axis=1) * 0.9997
    how = {"timestamp": "first", "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    feeds = {"_".join(FEED) + "_1m": minutes}
    for interval, seconds in {"3m": 180, "15m": 900}.items():
        grouped = minutes.groupby(minutes["timestamp"] // seconds * seconds).agg(how)
        feeds["_".join(FEED) + "_" + interval] = grouped.reset_index(drop=True)
    rules = {FEED[0]: {FEED[1]: {"min_order_size": "0.001", "min_base_amount_increment": "0.001",
                                 "min_price_increment": "0.1", "min_notional_size": "5"}}}
    return Market(feeds, trading_rules(rules), START, START + HOURS * 3600, "1m", 0.0006, 1, True)

def run(folder, **values):
    common = {"id": "x", "connector_name": FEED[0], "trading_pair": FEED[1], "total_amount_quote": 1000}
    with blackout.guard():
        return asyncio.run(StockEngine().run(controller_config({**common, **values}, Path(folder)), market()))
"""


def ask(repository: Path, kind: str, script: str) -> Any:
    """What a fresh child answers: the JSON it prints last."""
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENTER + textwrap.dedent(script), kind],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout.splitlines()[-1])


def test_the_rows_are_the_same_and_nothing_deferred_is_needed(repository):
    script = """
    CONFIGS = [
        {"controller_type": "directional_trading", "controller_name": "band_reversion", "bb_length": 20, "bb_std": 1.5,
         "trailing_stop": "0.002,0.001"},
        {"controller_type": "directional_trading", "controller_name": "dca_reversion", "bb_length": 20, "bb_std": 1.5,
         "dca_spreads": "0,0.001,0.003", "take_profit": 0.003},
        {"controller_type": "market_making", "controller_name": "pmm_plain", "buy_spreads": "0.0005,0.002",
         "sell_spreads": "0.0005,0.002", "buy_amounts_pct": "", "sell_amounts_pct": ""},
        {"controller_type": "market_making", "controller_name": "pmm_natr", "buy_spreads": [1, 2], "natr_length": 10,
         "sell_spreads": [1, 2], "buy_amounts_pct": "", "sell_amounts_pct": ""},
        {"controller_type": "generic", "controller_name": "range_grid", "range_length": 4, "grid_share": 0.3},
    ]
    rows = []
    for values in CONFIGS:
        outcome = run("examples/controllers", **values)
        ledger = [{**info.model_dump(exclude={"id", "config"}), "amount": getattr(info.config, "amount", None)}
                  for info in outcome.executors]
        rows.append([outcome.results, repr(ledger), outcome.equity.tolist(), outcome.position_value.tolist()])
    print(json.dumps([rows, lean.awake(), at_entry]))
    """
    (stock, _, stock_modules), (lean, awake, lean_modules) = (
        ask(repository, kind, script) for kind in ("stock", "lean")
    )
    assert lean == stock
    assert all(row[0]["total_executors"] > 3 for row in stock), "rows of idle controllers show nothing"
    assert awake == []
    assert lean_modules < stock_modules / 2


IMPORTS = {
    # what controllers import for an annotation or a status line
    "names_only": """
        from hummingbot.client.ui.interface_utils import format_df_for_printout
        from hummingbot.connector.connector_base import ConnectorBase
        from hummingbot.core.rate_oracle.rate_oracle import RateOracle
        from hummingbot.data_feed.candles_feed.candles_factory import CandlesFactory
        import aiohttp

        Connectors = dict[str, ConnectorBase]

        def pick(connector: ConnectorBase | None, other: "Optional[RateOracle]" = None) -> ConnectorBase | None:
            return None if isinstance(connector, int) else connector

        def use(self):
            return format_df_for_printout(pd.DataFrame({"price": [1.0, 2.0]}), table_format="psql")
        """,
    "indicators": """
        import pandas_ta as ta
        import scipy.stats
        from numba import njit
        from scipy.optimize import minimize_scalar
        try:
            import talib
        except ImportError:
            talib = None

        @njit
        def double(x):
            return 2 * x

        def use(self):
            frame = pd.DataFrame({"high": range(2, 42), "low": range(40), "close": range(1, 41)}, dtype=float)
            frame.ta.bbands(length=5, append=True)
            lowest = minimize_scalar(lambda x: (x - 3) ** 2).x
            average = float(ta.sma(frame["close"], 4).iloc[-1])
            return [double(21), round(lowest, 6), scipy.stats.norm.cdf(0.0), frame.shape[1], average]
        """,
    "the_real_thing": """
        import aiohttp
        import aiohttp.web
        from aiohttp import ClientSession, ClientTimeout
        from hummingbot.connector.connector_base import ConnectorBase
        from hummingbot.client.config.config_helpers import ClientConfigAdapter, get_connector_class
        from hummingbot.core.gateway.gateway_http_client import GatewayHttpClient
        from hummingbot.data_feed.candles_feed.candles_base import CandlesBase

        class Paper(ConnectorBase):
            pass

        class Timeouts(ClientTimeout):
            pass

        def use(self):
            return [isinstance(3, ConnectorBase), ConnectorBase.__name__, Paper.__mro__[1].__module__,
                    issubclass(Paper, ConnectorBase), inspect.isclass(ClientSession), aiohttp.web.Application.__name__,
                    CandlesBase.interval_to_seconds["1h"], get_connector_class("kraken").__name__]
        """,
}
CONTROLLER = """
import inspect
import pandas as pd
from typing import Optional
from hummingbot.strategy_v2.controllers.market_making_controller_base import (
    MarketMakingControllerBase, MarketMakingControllerConfigBase)
{imports}
class Config(MarketMakingControllerConfigBase):
    controller_name: str = "{name}"

class Controller(MarketMakingControllerBase):
    use = use
    def determine_executor_actions(self):
        return []
"""
USE = """
answers = {}
for name in NAMES:
    run(FOLDER, controller_type="market_making", controller_name=name, buy_amounts_pct="", sell_amounts_pct="")
    after_run = lean.awake()
    used = sys.modules["controllers.market_making." + name].Controller.use(None)
    answers[name] = [used, after_run, lean.awake()]
print(json.dumps(answers))
"""


@pytest.fixture
def use(repository, tmp_path):
    """`use(*names)`: in one lean child back-test controllers with these imports, then call what they imported.

    {name: [what it answered, deferred modules needed by the back-test, deferred modules needed in the end]}
    """

    def ask_lean(*names: str) -> dict[str, list[Any]]:
        for name in names:
            file = tmp_path / "controllers" / "market_making" / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(CONTROLLER.format(name=name, imports=textwrap.dedent(IMPORTS[name])))
        return ask(repository, "lean", f"NAMES, FOLDER = {names!r}, {str(tmp_path)!r}\n{USE}")

    return ask_lean


def test_libraries_are_untouched_and_names_cost_nothing_until_they_are_used(use):
    answers = use("indicators", "names_only")
    used, after_run, _ = answers["indicators"]
    assert used == [42, 3.0, 0.5, 8, 38.5]
    assert after_run == []
    printed, after_run, in_the_end = answers["names_only"]
    assert after_run == []
    assert "2" in printed and "+--" in printed
    assert "hummingbot.client.ui.interface_utils" in in_the_end


def test_who_needs_a_deferred_module_gets_the_real_one(use):
    used, after_run, _ = use("the_real_thing")["the_real_thing"]
    expected = [False, "ConnectorBase", "hummingbot.connector.connector_base", True, True, "Application", 3600]
    assert used == [*expected, "KrakenExchange"]
    assert {"aiohttp", "hummingbot.connector.connector_base"} <= set(after_run)


@pytest.mark.long
def test_every_deferred_module_can_be_the_first_that_is_needed(repository):
    """Each in a copy of a lean child: an import order the stock engine never takes must not end in a circle."""
    script = """
    import importlib, os
    failed = []
    for name in lean.DEFERRED:
        here, there = os.pipe()
        if os.fork() == 0:
            try:
                module = importlib.import_module(name)
                ok = len(dir(module)) > 3 and type(sys.modules[name]) is not lean.LazyModule and name in lean.awake()
                os.write(there, b"ok" if ok else b"not real")
            except BaseException as error:
                os.write(there, repr(error).encode()[:500])
            os._exit(0)
        os.close(there)
        answer = os.read(here, 1000)
        os.wait()
        if answer != b"ok":
            failed.append([name, answer.decode()])
    print(json.dumps(failed))
    """
    assert ask(repository, "lean", script) == []
