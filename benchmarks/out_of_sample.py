"""Does a walk-forward tell luck from an edge? Seeded markets without and with one, and what the windows cost.

    python benchmarks/out_of_sample.py --markets 20 --out /tmp/out-of-sample

What was found is kept in OUT/found.jsonl, a line a market: the same command goes on where it stopped.

Random walks (fat tails, volatility that clusters) have nothing to find: the joined Sharpe ratio should have 0 within
its interval in 19 of 20, and the efficiency lie around 0. Reverting markets (the same walk plus a deviation that decays
within hours) have an edge that the bands of the example controller find: it should be there in the tests. No costs in
either, so that what is left is luck or edge.

`--cheat` walks forward over one random walk with eight controllers that each know one training window by heart
(benchmarks/controllers/directional_trading/by_heart.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import ujson

from orchestrator.cluster import broker
from orchestrator.commands.walk import walk_lines
from orchestrator.execution.operations import run_sweep
from orchestrator.report.folds_words import closing_lines
from orchestrator.sweepfile.sweep import Sweep
from tasks.settings import Settings

#: 2024-01-01 00:00 UTC
START = 1_704_067_200
STEP_S = 300
DAYS = 60
LEAD = 400
RULES = {
    "BTC-USDT": {
        "min_order_size": "0.0001",
        "min_price_increment": "0.01",
        "min_base_amount_increment": "0.0001",
        "min_notional_size": "1",
    }
}
#: The controllers of the benchmarks, with the one that cheats.
CONTROLLERS = Path(__file__).resolve().parent / "controllers"
GRID = {"bb_length": [10, 20, 40, 60, 100, 140], "bb_std": [1.0, 1.5, 1.75, 2.0, 2.5, 3.0]}


def write_market(folder: Path, seed: int, edge: float) -> None:
    """5m candles of a seeded walk; `edge`: deviation of the reverting part in per cent, 0 for none."""
    rng = np.random.default_rng(seed)
    steps = (LEAD * STEP_S + DAYS * 86400) // STEP_S + 1
    inner = 10  # moves inside a candle, for its high and low
    calm = np.exp(np.cumsum(rng.normal(0, 0.05, steps)) * 0.2)
    calm /= calm.mean()
    moves = rng.standard_t(4, (steps, inner)) / np.sqrt(2) * 0.0015 / np.sqrt(inner) * calm[:, None]
    log_price = np.cumsum(moves.ravel())
    if edge:
        decay = np.exp(-1 / (8 * inner))  # eight candles
        noise = rng.normal(0, edge / 100 * np.sqrt(1 - decay**2), steps * inner)
        deviation = np.empty(steps * inner)
        level = 0.0
        for place, step in enumerate(noise):
            level = decay * level + step
            deviation[place] = level
        log_price = log_price + deviation
    price = 40_000 * np.exp(log_price).reshape(steps, inner)
    opened = np.concatenate([[price[0, 0]], price[:-1, -1]])
    high, low = np.maximum(price.max(axis=1), opened), np.minimum(price.min(axis=1), opened)
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        f"{START - (LEAD - row) * STEP_S},{opened[row]:.2f},{high[row]:.2f},{low[row]:.2f},{price[row, -1]:.2f},10.0"
        for row in range(steps)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "candles_binance_perpetual_BTC-USDT_5m.csv").write_text("\n".join(lines) + "\n")
    (folder / "trading_rules").mkdir(exist_ok=True)
    (folder / "trading_rules" / "binance_perpetual.json").write_text(ujson.dumps(RULES))


def sweep_of(folder: Path, controllers: Path) -> Sweep:
    """36 points of the example's band reversion over 60 days, in folds of 20 and 5 days."""
    return Sweep.from_mapping(sweep_keys(folder, controllers), folder / "sweep.yml")


def sweep_keys(folder: Path, controllers: Path) -> dict[str, Any]:
    """The keys of that sweep's file."""
    return {
        "name": "market",
        "controller": {
            "controller_type": "directional_trading",
            "controller_name": "band_reversion",
            "connector_name": "binance_perpetual",
            "trading_pair": "BTC-USDT",
            "interval": "5m",
            "total_amount_quote": 1000,
            "max_executors_per_side": 1,
            "cooldown_time": 300,
            "time_limit": 7200,
            "take_profit": 0.01,
            "stop_loss": 0.02,
            "leverage": 1,
        },
        "grid": GRID,
        "period": {"start": START, "end": START + DAYS * 86400},
        "resolution": "5m",
        "trade_cost": 0.0,
        "fills": "honest",
        "candles": str(folder),
        "controllers": str(controllers),
        "validate": {"walk_forward": {"train": "20d", "test": "5d"}},
    }


def cheating_sweep(folder: Path) -> Sweep:
    """Eight points, of which each knows the course of another training window, on the market of `folder`."""
    rows = np.loadtxt(next(folder.glob("*.csv")), delimiter=",", skiprows=1)
    inside = rows[rows[:, 0] >= START]
    hours = inside[: DAYS * 86400 // STEP_S].reshape(-1, 3600 // STEP_S, 6)
    course = "".join("+" if last > first else "-" for first, last in zip(hours[:, 0, 1], hours[:, -1, 4], strict=True))
    keys = sweep_keys(folder, CONTROLLERS)
    controller = {
        **keys["controller"],
        "controller_name": "by_heart",
        "time_limit": 3600,
        "course": course,
        "course_start": START,
        "known_days": 20,
    }
    keys |= {"name": "cheat", "controller": controller}
    return Sweep.from_mapping({**keys, "grid": {"known_from": list(range(0, 40, 5))}}, folder / "cheat.yml")


def one(settings: Settings, folder: Path, controllers: Path, seed: int, edge: float) -> dict[str, Any]:
    """Figures of one market; a run that was interrupted goes on, and its seconds are those of the last part."""
    if not (folder / "trading_rules").is_dir():
        write_market(folder, seed, edge)
    started = time.monotonic()
    answer = run_sweep(sweep_of(folder, controllers), folder / "run", settings, audit=False, report=False)
    walk = answer.findings["walk_forward"]
    joined, control = walk["joined"], walk["control"]
    best = answer.ranking.rows[0] if answer.ranking else {}
    return {
        "seed": seed,
        "edge": edge,
        "best_in_sample": best.get("sharpe"),
        "efficiency": joined["efficiency"],
        "sharpe": joined["sharpe"],
        "low": joined["sharpe_low"],
        "high": joined["sharpe_high"],
        "return": joined["return"],
        "beaten": control["beaten"],
        "control_sharpe": control["sharpe"],
        "seconds": time.monotonic() - started,
        "walk_seconds": walk["seconds"],
        "plain_seconds": answer.summary.seconds,
        "cost": walk["cost"],
    }


def cheat(out: Path) -> None:
    """Print the walk-forward of the controllers that know their training windows."""
    folder = out / "cheat"
    write_market(folder, 1000, 0.0)
    with broker.session(Settings.read(), say=lambda text: None) as cluster:
        answer = run_sweep(cheating_sweep(folder), folder / "run", cluster.settings, audit=False, report=False)
    walked = answer.findings["walk_forward"]
    sys.stdout.write("\n".join([*walk_lines(walked), *closing_lines({"walk_forward": walked})]) + "\n")


def known(file: Path) -> list[dict[str, Any]]:
    """The figures of earlier calls with the same folder."""
    return [ujson.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def summary(edge: float, rows: list[dict[str, Any]]) -> list[str]:
    """The markets with this edge together."""
    lines = [f"edge {edge:g}%: {len(rows)} markets"]
    for name in ("best_in_sample", "sharpe", "efficiency", "return", "beaten", "control_sharpe"):
        values = [row[name] for row in rows if row[name] is not None]
        if len(values) > 1:
            low, middle, high = statistics.quantiles(values, n=4)
            lines.append(
                f"  {name}: median {middle:.3f}, quartiles {low:.3f} to {high:.3f}, mean {statistics.fmean(values):.3f}"
            )
    holds = sum(row["low"] <= 0 <= row["high"] for row in rows)
    lines.append(f"  0 in the 95 % interval of {holds}, above 0 in {sum(row['low'] > 0 for row in rows)}")
    plain, walked = (sum(row[name] for row in rows) for name in ("plain_seconds", "walk_seconds"))
    cost = {name: sum(row["cost"][name] for row in rows) for name in rows[0]["cost"]}
    lines.append(f"  seconds: plain sweep {plain:.1f}, walk-forward {walked:.1f}; candles: {cost}")
    return lines


def main() -> None:
    """Print a line per market and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=20)
    parser.add_argument("--edges", type=float, nargs="*", default=[0.0, 0.15, 0.3])
    parser.add_argument("--edge-markets", type=int, default=5)
    parser.add_argument("--most", type=int, default=1000, help="markets of this call; the next one goes on")
    parser.add_argument("--cheat", action="store_true", help="one market with controllers that know it by heart")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    controllers = Path(__file__).resolve().parents[1] / "examples" / "controllers"
    options.out.mkdir(parents=True, exist_ok=True)
    if options.cheat:
        cheat(options.out)
        return
    file = options.out / "found.jsonl"
    found = known(file)
    there = {(row["edge"], row["seed"]) for row in found}
    wanted = [
        (edge, 1000 + seed)
        for edge in options.edges
        for seed in range(options.edge_markets if edge else options.markets)
        if (edge, 1000 + seed) not in there
    ]
    with broker.session(Settings.read(), say=lambda text: None) as cluster:
        settings = dataclasses.replace(cluster.settings)
        for edge, seed in wanted[: options.most]:
            row = one(settings, options.out / f"{edge:g}-{seed}", controllers, seed, edge)
            found.append(row)
            with file.open("a") as lines:
                lines.write(ujson.dumps(row) + "\n")
            sys.stdout.write(ujson.dumps(row) + "\n")
            sys.stdout.flush()
    for edge in options.edges:
        if rows := [row for row in found if row["edge"] == edge]:
            sys.stdout.write("\n".join(summary(edge, rows)) + "\n")


if __name__ == "__main__":
    main()
