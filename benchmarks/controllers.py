"""What each controller of a folder does here: `python benchmarks/controllers.py FOLDER... --candles DATA`.

    FOLDER      a controllers folder or a project that holds one; nothing in it is changed. Of several, one table
    DATA        a folder of candle files; the first pair in it is traded unless --pair says otherwise

Each controller gets its config's own defaults, the market, and what --set gives, and is back-tested over --days from
the first candle on, with shift 1 and warm-up: on the stock engine and on the jump-ahead engine with stock fills, and,
where it needs to be called at every candle or trades several pairs, on the live engine with honest fills, as a sweep
with its defaults does. The table says, per controller:

    loads       whether its module imports and its config is accepted
    executors   how many the back-test opened
    engine      which way the jump-ahead engine took ("jump", "step"), or "live" where the live engine is taken
    equal       whether results, ledger and time series equal the stock engine's
    ratio       CPU seconds of the stock engine over those of the jump-ahead engine
    said        the one line that a row would carry: its error, its warning, or what the controller logged or swallowed

The last line sums up: how many load, open executors, say instead what they need or what is wrong, only had no reason to
trade, are silent; and how many of those that both engines ran are equal.

A folder is packed and unpacked as a sweep sends it to a node, with the folders of --import-path beside it. Every
controller runs in a process of its own (forked: Linux), with at most --timeout seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

DAY_S = 86_400
#: Characters of the last column.
MAX_SAID = 280
#: What is said of a controller that only had no reason to trade.
NO_EXECUTOR = "no executor in this period with the config's defaults"
#: Files of a controllers folder that are none.
_NAMES = frozenset({"id", "controller_type", "controller_name"})
_NO_CONTROLLERS = {"__init__", "setup", "conftest"}


@dataclass
class Found:
    """A line of the table."""

    controller: str
    loads: bool = False
    executors: int | None = None
    engine: str = ""
    equal: bool | None = None
    ratio: float | None = None
    said: str = ""


@dataclass(frozen=True)
class Task:
    """What a process of its own is asked."""

    #: the unpacked bundle, which holds `controllers/`
    controllers: str
    controller_type: str
    name: str
    #: how the table names it
    label: str
    candles: str
    connector: str
    pair: str
    start: int
    end: int
    #: config keys for all controllers
    values: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    arguments = _arguments()
    from tasks.candles.formats import demand_folder, find
    from tasks.child.process import begin
    from tasks.errors import HummingsweepError
    from tasks.settings import Settings

    try:
        demand_folder(arguments.candles)
        files = [file for file in find(arguments.candles) if arguments.pair in (None, file.pair)]
    except HummingsweepError as error:
        print(error, file=sys.stderr)
        return 2
    if not files:
        print(f"{arguments.candles}: no candles of {arguments.pair or 'any pair'}", file=sys.stderr)
        return 2
    begin(Settings())
    rows: list[Found] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for task in _tasks(arguments, files[0], Path(scratch)):
                rows.append(_in_a_process(task, arguments.timeout))
                print(f"{len(rows)}: {rows[-1].controller}: {rows[-1].said}", file=sys.stderr)
        except HummingsweepError as error:
            print(error, file=sys.stderr)
            return 2
    for line in table(rows):
        print(line)
    return 0


def _tasks(arguments: argparse.Namespace, file: Any, scratch: Path) -> Iterator[Task]:
    """One for each controller of each folder. `file`: the candle file of the pair. Raises HummingsweepError."""
    from orchestrator.execution.controllers import controllers_folder
    from tasks.protocol.blobs import pack_controllers, unpack_controllers

    start = arguments.start or _first_day(file)
    for folder in arguments.folder:
        beside = [place for place in (folder / named for named in arguments.import_path) if place.is_dir()]
        bundle = unpack_controllers(pack_controllers(controllers_folder(folder), beside), scratch)
        before = f"{folder.name}: " if len(arguments.folder) > 1 else ""
        for kind, name in controllers_in(bundle / "controllers"):
            yield Task(
                str(bundle), kind, name, f"{before}{kind}/{name}", str(arguments.candles), file.connector, file.pair,
                start, start + int(arguments.days * DAY_S), dict(pair.split("=", 1) for pair in arguments.set),
            )  # fmt: skip


def controllers_in(folder: Path) -> Iterator[tuple[str, str]]:
    """(type, name) of each file of a controllers folder that defines a controller's config class, in name order."""
    for file in sorted(folder.glob("*/**/*.py")):
        text = file.read_text(errors="replace")
        parts = file.relative_to(folder).with_suffix("").parts
        if file.stem not in _NO_CONTROLLERS and "class " in text and "ConfigBase" in text:
            yield parts[0], ".".join(parts[1:])


def table(rows: list[Found]) -> list[str]:
    """As Markdown, with the sums in a line below."""
    lines = [
        "| controller | loads | executors | engine | equal to stock | ratio | said |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row.controller,
            "yes" if row.loads else "no",
            "" if row.executors is None else str(row.executors),
            row.engine,
            "" if row.equal is None else ("yes" if row.equal else "**no**"),
            "" if row.ratio is None else f"{row.ratio:.1f}",
            row.said.replace("|", "\\|"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    idle = [row for row in rows if not row.executors]
    no_reason = sum(row.said.startswith(NO_EXECUTOR) for row in idle)
    silent = sum(not row.said for row in idle)
    compared = [row for row in rows if row.equal is not None]
    lines += [
        "",
        f"{len(rows)} controllers: {sum(row.loads for row in rows)} load, {len(rows) - len(idle)} open executors, "
        f"{len(idle) - no_reason - silent} say instead what they need or what is wrong, {no_reason} had no reason to "
        f"trade in this period, {silent} neither trade nor say why; {sum(bool(row.equal) for row in compared)} of "
        f"{len(compared)} that both engines ran are equal.",
    ]
    return lines


def _in_a_process(task: Task, timeout_s: float) -> Found:
    """In a process of its own, forked from this one, which has imported the engine: that takes seconds each time."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(task, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(timeout_s):
            return Found(task.label, said=f"took longer than {timeout_s:g} s")
        answer: Found = receiver.recv()
        return answer
    except EOFError:
        process.join()
        return Found(task.label, said=f"its process ended with code {process.exitcode}")
    finally:
        process.kill()
        process.join()


def _send(task: Task, sender: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what controllers print is not the table
    sender.send(asyncio.run(_run(task)))


async def _run(task: Task) -> Found:
    from tasks.errors import describe
    from tasks.isolation.clock import clock
    from tasks.isolation.notes import notes
    from tasks.upstream.backtest.build import controller_config

    found = Found(task.label)
    notes.clear()
    try:
        with clock.simulated(task.start):
            values = _values(task)
            controller_config(values, Path(task.controllers))
            found.loads = True
            await _compare(task, values, found)
    except BaseException as error:
        said = str(error) if type(error).__module__.startswith("tasks.") else describe(error)
        found.said = "; ".join(filter(None, [said, *notes.warnings(), *_other_lines(notes.controller_log(), said)]))
    found.said = " ".join((found.said or "; ".join(notes.warnings()) or notes.controller_log()).split())
    if found.loads and not found.executors and not found.said:
        found.said = NO_EXECUTOR
    found.said = found.said if len(found.said) <= MAX_SAID else found.said[: MAX_SAID - 3] + "..."
    return found


def _other_lines(log: str, said: str) -> list[str]:
    """The lines of a controller's log that are not the error which is said, caught on its way."""
    behind_type = re.compile(r"^(?:caught )?(?:\w+: )?")
    return [line for line in log.split(" | ") if line and behind_type.sub("", line)[:100] not in said]


def _values(task: Task) -> dict[str, Any]:
    """The config's values: the market under every name that the class has for it, and what was given."""
    from tasks.upstream.backtest.build import load_controller_module
    from tasks.upstream.names import ControllerConfigBase

    module = load_controller_module(Path(task.controllers), task.controller_type, task.name)
    known: dict[str, Any] = {}
    for member in vars(module).values():
        if isinstance(member, type) and issubclass(member, ControllerConfigBase):
            known.update({name: field.default for name, field in member.model_fields.items()})
    market = {
        "connector_name": task.connector, "trading_pair": task.pair, "candles_connector": task.connector,
        "candles_trading_pair": task.pair, "total_amount_quote": 1000,
        # without a value their validators, which Hummingbot's own prompt would run, do not run
        "buy_amounts_pct": "", "sell_amounts_pct": "",
    }  # fmt: skip
    # a default is not validated: a text such as "0.01,0.02" would stay one, which in a config file becomes a list
    texts = {name: default for name, default in known.items() if isinstance(default, str) and name not in _NAMES}
    given = {name: value for name, value in {**texts, **market, **task.values}.items() if name in known}
    return {**given, "controller_type": task.controller_type, "controller_name": task.name}


async def _compare(task: Task, values: dict[str, Any], found: Found) -> None:
    from tasks.engine.compare import compare
    from tasks.engine.fills import FillRules
    from tasks.engine.jump.engine import JumpEngine
    from tasks.engine.live.engine import LiveEngine
    from tasks.engine.live.need import why_live
    from tasks.engine.stock import StockEngine
    from tasks.isolation.notes import notes
    from tasks.isolation.seeding import seed_rng
    from tasks.upstream.backtest.markets import has_one_market

    market = await _market(task, values)

    async def run(engine: Any) -> tuple[Any, float]:
        config = _config(task, values)
        seed_rng(0, 0)
        began = time.process_time()
        outcome = await engine.run(config, market, curves=False)
        return outcome, time.process_time() - began

    async def attempt(engine: Any) -> tuple[Any, float]:
        """The outcome or, of an engine that raised, the error."""
        try:
            return await run(engine)
        except Exception as error:
            return error, 0.0

    with notes.aside():
        why = await why_live(lambda: _config(task, values), market)
    if has_one_market(_config(task, values)):
        with notes.aside() if why else nullcontext():  # what is said is that of the engine that a sweep takes
            jump, jump_s = await attempt(JumpEngine())
            stock, stock_s = await attempt(StockEngine())
        failed = [outcome for outcome in (jump, stock) if isinstance(outcome, Exception)]
        if len(failed) == 1 or (failed and str(jump) != str(stock)):
            found.equal, found.said = False, f"one engine alone: {failed[0]}"
            return
        if failed and not why:
            raise failed[0]
        if not failed:
            found.engine, found.executors = jump.engine, len(jump.executors)
            found.equal = compare(stock, jump) == []
            found.ratio = stock_s / jump_s if jump_s else None
            found.said = "; ".join(jump.warnings)
    if why or not found.engine:
        found.engine, found.executors = "live", None
        live, _ = await run(LiveEngine(FillRules()))
        found.executors = len(live.executors)
        warned = [*live.warnings, *notes.warnings()]
        quiet = [] if live.executors or warned else [notes.controller_log() or NO_EXECUTOR]
        found.said = "; ".join([*warned, *quiet, f"live engine: {why}"])


def _config(task: Task, values: dict[str, Any]) -> Any:
    from tasks.upstream.backtest.build import controller_config

    return controller_config(values, Path(task.controllers), "one")


async def _market(task: Task, values: dict[str, Any]) -> Any:
    """Candles and rules of the feeds that the controller wants."""
    import io

    import pyarrow as pa

    from orchestrator.sweepfile import rules
    from tasks.candles.formats import find
    from tasks.candles.resample import slice_for
    from tasks.engine._base import Market
    from tasks.upstream.backtest.build import feed_needs
    from tasks.upstream.backtest.rules import trading_rules

    files = find(Path(task.candles))
    feeds = {}
    for need in feed_needs(_config(task, values), "1m", 1):
        cut = slice_for(need, files, task.start, task.end)
        feeds[need.key] = pa.ipc.open_file(io.BytesIO(cut.ipc())).read_all().to_pandas()
    known = rules.load(Path(task.candles) / "trading_rules", {(task.connector, task.pair)})
    return Market(
        feeds=feeds, trading_rules=trading_rules(known), start=task.start, end=task.end, resolution="1m",
        trade_cost=0.0006, shift=1, warmup=True,
    )  # fmt: skip


def _first_day(file: Any) -> int:
    """The first midnight (UTC) that leaves room for indicators: ten days after the file's first candle."""
    from tasks.candles.check import examine

    return int((examine(file).first or 0.0) // DAY_S + 11) * DAY_S


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "folder", type=Path, nargs="*", default=[Path("controllers")], help="controllers or a project; several may be"
    )
    parser.add_argument(
        "--import-path", action="append", default=[], metavar="FOLDER",
        help="folder of modules that controllers import, relative to each FOLDER, as import_path of a sweep file",
    )  # fmt: skip
    parser.add_argument("--candles", type=Path, default=Path("data/candles"), help="folder of candle files")
    parser.add_argument("--pair", help="trading pair; default: that of the first candle file")
    parser.add_argument(
        "--start", type=int, default=0, help="first moment, seconds since epoch; default: from the file"
    )
    parser.add_argument("--days", type=float, default=2.0, help="length of the back-test")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds a controller may take")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a config key for all of them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
