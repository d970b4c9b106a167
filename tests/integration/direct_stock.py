"""Each point of a sweep file on hummingbot's own engine, called directly: what rows are compared with.

Nothing of this project but the grid's order is used. Prints a JSON list of `results`.
"""

import asyncio
import csv
import itertools
import json
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import yaml


async def main(file: Path) -> None:
    from hummingbot.connector.trading_rule import TradingRule
    from hummingbot.data_feed.market_data_provider import MarketDataProvider
    from hummingbot.strategy_v2.backtesting.backtesting_engine_base import BacktestingEngineBase

    MarketDataProvider.initialize_rate_sources = lambda *_: None  # it starts a network task
    sweep = yaml.safe_load(file.read_text())
    folder = file.parent
    sys.path.insert(0, str(Path(folder, sweep["controllers"]).parent))
    with next((folder / sweep["candles"]).glob("*BTC-USDT_1m.csv")).open() as source:
        candles = pd.DataFrame([{name: float(text) for name, text in row.items()} for row in csv.DictReader(source)])
    rules = json.loads((folder / sweep["candles"] / "trading_rules" / "binance_perpetual.json").read_text())
    grouped = candles.groupby(candles["timestamp"] // 180 * 180)
    coarse = grouped.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    coarse = coarse[grouped.size() == 3].reset_index()
    start, end = sweep["period"]["start"], sweep["period"]["end"]
    answers = []
    for values in itertools.product(*sweep["grid"].values()):
        config = {**sweep["controller"], **dict(zip(sweep["grid"], values, strict=True)), "id": "direct"}
        engine = BacktestingEngineBase()
        provider = engine.backtesting_data_provider
        provider.trading_rules["binance_perpetual"] = {
            pair: TradingRule(pair, **{name: Decimal(text) for name, text in fields.items()})
            for pair, fields in rules.items()
        }
        provider.candles_feeds = {
            "binance_perpetual_BTC-USDT_1m": candles,
            # one candle more, opening at `end`, so that upstream takes the feed as covering the period
            "binance_perpetual_BTC-USDT_3m": coarse,
        }
        controller = BacktestingEngineBase.get_controller_config_instance_from_dict(config, "controllers")
        outcome = await engine.run_backtesting(controller, start, end, "1m", sweep.get("trade_cost", 0.0006))
        results = outcome["results"]
        answers.append({**results, "close_types": results["close_types"] or {}})
    print(json.dumps(answers))


asyncio.run(main(Path(sys.argv[1])))
