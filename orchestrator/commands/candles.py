"""candles list|check|import, mirror status|clear: what data is there, is it sound, what lies in memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.commands._shared import Exit, Json, answer_json, register, say, settings_for
from orchestrator.commands.tables import table
from orchestrator.data import catalogue
from tasks.named_types import JsonObject
from tasks.suggest import command

candles_app = typer.Typer(
    no_args_is_help=True,
    help="What candles are there, are they sound, and how do others come in?",
    epilog="Example: hummingsweep candles check data/candles",
)
mirror_app = typer.Typer(no_args_is_help=True, help="The slices this machine's nodes keep in memory.")

Source = Annotated[Path, typer.Argument(help="Folder of candle files, or one file.", show_default=False)]


def list_candles(source: Source, json: Json = False) -> None:
    """Connector, pair, interval, period, rows, gaps and size of every candle file in a folder, and whether it is sound.

    Examples:
      hummingsweep candles list data/candles
    """
    files = catalogue.examine_all(source)
    if json:
        answer_json([catalogue.summary(one) for one in files])
        return
    rows = [_cells(catalogue.summary(one)) for one in files]
    columns = ("connector", "pair", "interval", "from", "to", "rows", "gaps", "missing", "size", "file")
    _lines(table(f"candles in {source}", columns, rows))
    if not all(one.sound for one in files):
        say(f"not all of them are sound: {command('candles', 'check', source)}")


def check_candles(source: Source, json: Json = False) -> None:
    """Look at every candle: order, duplicates, gaps, NaN, prices, high and low, units, flat stretches, jumps.

    Exit code 1 when a file has an error. Warnings (gaps, flat stretches, jumps) may be true of the market.

    Examples:
      hummingsweep candles check data/candles
      hummingsweep candles check data/candles --json
    """
    files = catalogue.examine_all(source)
    errors = catalogue.errors_in(files)
    if json:
        answer_json({"sound": errors == 0, "errors": errors, "files": [catalogue.details(one) for one in files]})
    else:
        for one in files:
            verdict = "sound" if one.sound else "NOT SOUND"
            say(f"{one.file.path}: {verdict}, {one.rows} candles")
            _lines([f"  {finding}" for finding in one.findings])
        say(f"{len(files)} files, {errors} errors")
    if errors:
        raise typer.Exit(Exit.FAILED)


def import_candles(
    source: Annotated[Path, typer.Argument(help="A candle file, or a folder of them.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="Candle folder to write into.", show_default=False)],
    connector: Annotated[str, typer.Option("--connector", help="Where the name does not say it.")] = "",
    pair: Annotated[str, typer.Option("--pair", help="As BTC-USDT; where the name does not say it.")] = "",
    interval: Annotated[str, typer.Option("--interval", help="As 1m; where the name does not say it.")] = "",
    json: Json = False,
) -> None:
    """Bring candles of any layout into one Parquet file per feed, joined with what is there already.

    Understands Hummingbot's, quants-lab's and the dashboard's files, Binance's public klines in their folders however
    deep, Kraken's OHLCVT, CryptoDataDownload, MetaTrader, freqtrade, JSON as ccxt and the exchanges give it, feather,
    Parquet, and text with any delimiter, order, header and notation of times. What such a file does not say itself is
    asked for: --connector always, --pair where the symbol is unknown or could be read in two ways. How a file was read
    is said; what could mean two things (day or month first) is refused. What contradicts an option is left out, with a
    word. Columns are never lost: a feed with volumes of takers does not take candles without.

    Examples:
      hummingsweep candles import downloads --to data/candles --connector binance
      hummingsweep candles import btc.csv --to data/candles --connector kraken --pair BTC-USD --interval 1m
    """
    taken = catalogue.import_candles(source, to, connector, pair, interval, _progress)
    if json:
        answer_json([{**_entry(one), "gaps": [str(gap) for gap in one.gaps]} for one in taken])
        return
    for one in taken:
        gaps = f", {len(one.gaps)} gaps, the first after {one.gaps[0]}" if one.gaps else ""
        say(f"{one.path}: {one.rows} candles{gaps}")


def mirror_status(json: Json = False) -> None:
    """Folder, size and slices of the mirror.

    Examples:
      hummingsweep mirror status
    """
    status = catalogue.mirror_summary(catalogue.mirror(settings_for()).status())
    if json:
        answer_json(status)
        return
    rows = [(one["digest"][:16], _size(one["bytes"]), one["last_used"]) for one in status["slices"]]
    title = f"{status['folder']}: {_size(status['bytes'])} of {_size(status['limit_bytes'])}"
    _lines(table(title, ("slice", "size", "last used"), rows))


def mirror_clear(json: Json = False) -> None:
    """Delete every slice. Running back-tests keep what they have mapped; others fetch again.

    Examples:
      hummingsweep mirror clear
    """
    before = catalogue.mirror(settings_for()).clear()
    if json:
        answer_json({"folder": str(before.folder), "slices": len(before.held), "bytes": before.bytes})
        return
    say(f"{before.folder}: {len(before.held)} slices deleted, {_size(before.bytes)}")


def _entry(taken: Any) -> JsonObject:
    names = ("connector", "pair", "interval", "path", "rows", "first", "last")
    return {name: getattr(taken, name) for name in names}


def _cells(one: JsonObject) -> tuple[str, ...]:
    shown = {name: "" if value is None else str(value) for name, value in one.items()}
    places = ("connector", "pair", "interval", "from", "to", "rows", "gaps", "missing")
    return (*(shown[name] for name in places), _size(one["bytes"]), Path(one["path"]).name)


def _size(count: int) -> str:
    for unit, least in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count} B"


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _lines(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


register(candles_app, list_candles, "list")
register(candles_app, check_candles, "check")
register(candles_app, import_candles, "import")
register(mirror_app, mirror_status, "status")
register(mirror_app, mirror_clear, "clear")
