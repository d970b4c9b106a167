"""Make REALISTIC candles: synthetic ones with the features of real markets, for the examples named real_*.

    python examples/realistic.py

Writes `examples/realistic/`: 1m candles of BTC-USDT (2022-01-09 to 2022-01-17) and DOGE-USDT (2025-06-01 to 2025-06-09)
as Parquet, trading rules, and a README that says what they are. They are a seeded random market and NOT the past of any
exchange; the same seed gives the same candles. What they have in common with real 1m candles, measured on a month of
each (`facts` computes the same figures):

    fat tails           excess kurtosis of 1m returns of 10 to 60 (a normal distribution has 0)
    volatility clusters the size of returns is correlated over hours, and follows the hours of the day
    trends and ranges   days of drift, days around a level
    jumps               a few times a week, with more volatility behind them
    a spread            closes bounce between bid and ask, so neighbouring returns are slightly anticorrelated

For the real candles of these days: `hummingsweep sync examples/real_directional.yml --to DIR`, and `candles: DIR`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

CONNECTOR = "binance_perpetual"
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "quote_asset_volume", "n_trades")
#: Prices drawn within a minute.
STEPS = 12
#: Degrees of freedom of the shocks: the fewer, the fatter the tails.
FREEDOM = 6.0
DAY = 1440


@dataclass(frozen=True)
class Market:
    """One made-up market; volatility is the standard deviation of a quiet minute's return."""

    price: float
    tick: float
    volatility: float
    #: contracts or coins that trade in a quiet minute
    volume: float
    start: str
    rules: dict[str, str]


MARKETS = {
    "BTC-USDT": Market(
        41_700.0, 0.1, 0.0009, 40.0, "2022-01-09", {"min_order_size": "0.001", "min_base_amount_increment": "0.001"}
    ),
    "DOGE-USDT": Market(
        0.192, 0.00001, 0.001, 180_000.0, "2025-06-01", {"min_order_size": "1", "min_base_amount_increment": "1"}
    ),
}
DAYS = 8


def volatility(minutes: int, rng: np.random.Generator) -> np.ndarray:
    """Factor on the quiet volatility in every minute, float64, shape (minutes,): slow and fast waves, hours, jumps."""
    slow, fast = np.zeros(minutes), np.zeros(minutes)
    shocks = rng.standard_normal((2, minutes))
    for minute in range(1, minutes):
        slow[minute] = 0.9995 * slow[minute - 1] + 0.013 * shocks[0, minute]
        fast[minute] = 0.985 * fast[minute - 1] + 0.09 * shocks[1, minute]
    hour = np.arange(minutes) % DAY / 60
    # Europe and America are awake between 13 and 17 UTC
    hours = 0.3 * np.exp(-(((hour - 15) / 3.5) ** 2)) - 0.2 * np.exp(-(((hour - 4) / 3) ** 2))
    return np.exp(slow + fast + hours - 0.25)


def drift(minutes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Drift a minute in units of the volatility, and whether the market swings around a level; shapes (minutes,)."""
    slope, ranging = np.zeros(minutes), np.zeros(minutes, bool)
    minute = 0
    while minute < minutes:
        length = int(rng.exponential(0.7 * DAY)) + 240
        kind = rng.integers(3)
        slope[minute : minute + length] = (0.03, -0.03, 0.0)[kind]
        ranging[minute : minute + length] = kind == 2
        minute += length
    return slope, ranging


def walk(minutes: int, quiet: float, rng: np.random.Generator) -> np.ndarray:
    """Log price relative to the start at STEPS moments of every minute, float64, shape (minutes, STEPS)."""
    scale = quiet * volatility(minutes, rng)
    slope, ranging = drift(minutes, rng)
    # tails of a minute come from its own factor, so that the steps within it share them
    tails = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, minutes)) / np.sqrt(FREEDOM / (FREEDOM - 2))
    noise = rng.standard_normal((minutes, STEPS)) * (scale * tails / np.sqrt(STEPS))[:, None]
    jumps = np.flatnonzero(rng.random(minutes) < 3 / (7 * DAY))
    for minute in jumps:
        noise[minute, rng.integers(STEPS)] += rng.choice([-1, 1]) * rng.uniform(6, 12) * quiet
        after = slice(minute, minute + 90)
        calm = np.exp(-np.arange(len(noise[after])) / 30)[:, None]
        noise[after] *= 1 + 1.5 * calm
    path = np.empty((minutes, STEPS))
    price = level = 0.0
    for minute in range(minutes):
        if minute == 0 or ranging[minute] != ranging[minute - 1]:
            level = price
        pull = 0.002 * (level - price) if ranging[minute] else slope[minute] * scale[minute]
        path[minute] = price + np.cumsum(pull / STEPS + noise[minute])
        price = path[minute, -1]
    return path


def candles(pair: str, seed: int) -> dict[str, np.ndarray]:
    """DAYS days of 1m candles: float64 columns as COLUMNS."""
    market = MARKETS[pair]
    minutes = DAYS * DAY
    rng = np.random.default_rng([seed, *pair.encode()])
    path = walk(minutes, market.volatility, rng)
    spread = market.price * market.volatility * 0.06
    traded = market.price * np.exp(path) + spread * rng.choice([-1, 1], path.shape)
    traded = np.maximum(np.round(traded / market.tick), 1) * market.tick
    open_ = np.concatenate([[market.price], traded[:-1, -1]])
    high, low = np.maximum(open_, traded.max(axis=1)), np.minimum(open_, traded.min(axis=1))
    close = traded[:, -1]
    busy = (high - low) / open_ / market.volatility
    volume = np.round(market.volume * (0.2 + busy) * rng.lognormal(-0.2, 0.6, minutes), 3 if market.tick > 0.01 else 0)
    quote = np.round(volume * (high + low + close) / 3, 2)
    start = datetime.fromisoformat(market.start).replace(tzinfo=UTC).timestamp()
    digits = max(0, -int(np.floor(np.log10(market.tick))))
    prices = {name: np.round(values, digits) for name, values in zip("ohlc", (open_, high, low, close), strict=True)}
    trades = np.maximum(np.round(25 * (0.2 + busy) * rng.lognormal(0, 0.3, minutes)), 1)
    found = [start + 60.0 * np.arange(minutes), *prices.values(), volume, quote, trades]
    return dict(zip(COLUMNS, found, strict=True))


def facts(close: np.ndarray) -> dict[str, float]:
    """What real 1m closes are known for: kurtosis, correlation of sizes after an hour, of neighbouring returns."""
    returns = np.diff(np.log(close))
    sizes = np.abs(returns)
    return {
        "volatility": float(returns.std()),
        "kurtosis": float(((returns - returns.mean()) ** 4).mean() / returns.var() ** 2 - 3),
        "clusters": float(np.corrcoef(sizes[:-60], sizes[60:])[0, 1]),
        "bounce": float(np.corrcoef(returns[:-1], returns[1:])[0, 1]),
    }


def write(folder: Path, seed: int) -> list[Path]:
    """Write candles, trading rules and the README into a folder, and return the candle files."""
    (folder / "trading_rules").mkdir(parents=True, exist_ok=True)
    files = []
    for pair in MARKETS:
        table = pa.table(candles(pair, seed))
        files.append(folder / f"candles_{CONNECTOR}_{pair}_1m.parquet")
        parquet.write_table(table, files[-1], row_group_size=1 << 14, compression="zstd")
    rules = {
        pair: {**market.rules, "min_price_increment": f"{market.tick:f}".rstrip("0"), "min_notional_size": "5"}
        for pair, market in MARKETS.items()
    }
    (folder / "trading_rules" / f"{CONNECTOR}.json").write_text(json.dumps(rules, indent=2) + "\n")
    (folder / "README.md").write_text(
        "# Realistic candles, made up\n\n"
        f"Made by `examples/realistic.py` with seed {seed}: a random market with the tails, volatility clusters,\n"
        "trends and jumps of real ones. They are NOT the past of any exchange, whatever connector and days the files\n"
        "say, and what a strategy earns on them means nothing for a real market. No licence is needed to use them.\n"
    )
    return files


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make realistic synthetic candles (seeded, no real data).")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "realistic", help="folder to write into")
    parser.add_argument("--seed", type=int, default=13)
    chosen = parser.parse_args()
    for file in write(chosen.to, chosen.seed):
        print(f"wrote {file}: realistic, but synthetic: no real data")


if __name__ == "__main__":
    main()
