"""Make SYNTHETIC candles: a seeded random market, not the past of any exchange.

    python examples/synthetic.py --to examples/data --days 3

Writes, in Hummingbot's own layout, `candles_{connector}_{PAIR}_1m.csv` (all ten columns, open time in seconds),
`trading_rules/{connector}.json` and a README that says what the files are. The same arguments give the same bytes.

The market has moods. It drifts up, drifts down or swings around a level, and stays in a mood for some hours; beside
that its volatility comes and goes in clusters. A strategy can find something in it, and what it finds means nothing
for a real market.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

CONNECTOR = "binance_perpetual"
COLUMNS = (
    "timestamp,open,high,low,close,volume,quote_asset_volume,n_trades,taker_buy_base_volume,taker_buy_quote_volume"
)
#: pair -> first price, tick, and the exchange's usual rules
MARKETS = {
    "BTC-USDT": (42_000.0, 0.1, {"min_order_size": "0.001", "min_base_amount_increment": "0.001"}),
    "ETH-USDT": (2_300.0, 0.01, {"min_order_size": "0.001", "min_base_amount_increment": "0.001"}),
    "SOL-USDT": (100.0, 0.01, {"min_order_size": "0.1", "min_base_amount_increment": "0.1"}),
}
#: Prices drawn within a minute; its open, high, low and close are taken from them.
STEPS = 12
#: Standard deviation of a minute's return when nothing special is on.
QUIET = 0.0006
#: Mean minutes a mood lasts, and its drift per minute in units of QUIET (swinging has a pull to its level instead).
MOODS = {"up": (240, 0.06), "down": (200, -0.06), "swing": (420, 0.0)}
PULL = 0.02


def walk(minutes: int, rng: np.random.Generator) -> np.ndarray:
    """Log price relative to the start at STEPS moments of every minute, float64, shape (minutes, STEPS)."""
    noise = rng.standard_normal((minutes, STEPS))
    shocks = rng.standard_normal(minutes)
    names = list(MOODS)
    mood, left, level = "swing", 60, 0.0
    log_volatility = log_price = 0.0
    path = np.empty((minutes, STEPS))
    for minute in range(minutes):
        if left <= 0:
            mood = names[rng.integers(len(names))]
            left = int(rng.exponential(MOODS[mood][0])) + 30
            level = log_price
        left -= 1
        log_volatility = 0.99 * log_volatility + 0.09 * shocks[minute]
        step = QUIET * np.exp(log_volatility) / np.sqrt(STEPS)
        drift = MOODS[mood][1] * QUIET
        if mood == "swing":
            drift = PULL * (level - log_price)
        path[minute] = log_price + np.cumsum(drift / STEPS + step * noise[minute])
        log_price = path[minute, -1]
    return path


def candles(pair: str, start: int, minutes: int, seed: int) -> np.ndarray:
    """1m candles of a pair from `start` (seconds) on: float64, shape (minutes, 10), columns as COLUMNS."""
    first_price, tick, _ = MARKETS[pair]
    rng = np.random.default_rng([seed, sorted(MARKETS).index(pair)])
    path = first_price * np.exp(walk(minutes, rng))
    path = np.maximum(np.round(path / tick), 1) * tick
    open_ = np.concatenate([[first_price], path[:-1, -1]])
    high, low = np.maximum(open_, path.max(axis=1)), np.minimum(open_, path.min(axis=1))
    volume = np.round(rng.lognormal(3, 0.5, minutes) * (1 + 400 * (high - low) / open_), 3)
    quote = volume * (high + low) / 2
    share = np.clip(0.5 + 30 * (path[:, -1] / open_ - 1) + 0.05 * rng.standard_normal(minutes), 0.1, 0.9)
    timestamp = start + 60 * np.arange(minutes)
    trades = np.maximum(volume * 8, 1).astype(int)
    return np.column_stack(
        [timestamp, open_, high, low, path[:, -1], volume, quote, trades, volume * share, quote * share]
    )


def write(folder: Path, pairs: list[str], start: int, days: int, seed: int) -> list[Path]:
    """Write candle files, trading rules and the README into a folder, and return the candle files."""
    (folder / "trading_rules").mkdir(parents=True, exist_ok=True)
    files = []
    for pair in pairs:
        table = candles(pair, start, days * 1440, seed)
        decimals = max(0, -int(np.floor(np.log10(MARKETS[pair][1]))))
        price = f"%.{decimals}f"
        file = folder / f"candles_{CONNECTOR}_{pair}_1m.csv"
        formats = ["%d", price, price, price, price, "%.3f", "%.3f", "%d", "%.3f", "%.3f"]
        np.savetxt(file, table, fmt=formats, delimiter=",", header=COLUMNS, comments="")
        files.append(file)
    rules = {
        pair: {**MARKETS[pair][2], "min_price_increment": str(MARKETS[pair][1]), "min_notional_size": "5"}
        for pair in pairs
    }
    (folder / "trading_rules" / f"{CONNECTOR}.json").write_text(json.dumps(rules, indent=2) + "\n")
    (folder / "README.md").write_text(
        "# Synthetic candles\n\n"
        f"Made by `examples/synthetic.py` with seed {seed}: a random market, not the past of any exchange. The "
        f"connector in the file names ({CONNECTOR}) is a label that Hummingbot needs. Delete the folder at any time.\n"
    )
    return files


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make synthetic candles (a seeded random market, no real data).")
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).parent / "data", help="folder; default: examples/data"
    )
    parser.add_argument("--days", type=int, default=3, help="days of 1m candles per pair; default: 3")
    parser.add_argument("--start", default="2024-01-01", help="first day, UTC; default: 2024-01-01")
    parser.add_argument("--pairs", nargs="+", choices=sorted(MARKETS), default=["BTC-USDT", "ETH-USDT"], metavar="PAIR")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    start = int(datetime.fromisoformat(chosen.start).replace(tzinfo=UTC).timestamp())
    for file in write(chosen.to, chosen.pairs, start, chosen.days, chosen.seed):
        print(f"{file}: {chosen.days} days of synthetic 1m candles")


if __name__ == "__main__":
    main()
