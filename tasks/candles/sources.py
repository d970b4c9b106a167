"""What an import takes: the files of a folder that hold candles, what each of them holds, and a word about the others.

A file's name is believed. What the options say is for what names leave open; where the two contradict each other the
file is of another market or another interval, and would be joined with the wrong candles.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.candles import binance, foreign, symbols
from tasks.candles.foreign import names, sheet
from tasks.candles.formats import CandleFile, Layout, candle_file
from tasks.errors import CandlesBroken, CandlesError, CandlesMissing
from tasks.intervals import interval_of, interval_seconds, is_regular

#: Endings of what can be read.
_ENDINGS = tuple(ending + packed for ending in sheet.ENDINGS for packed in ("", ".gz"))
#: What looks like a table, so that leaving it out deserves a word.
_TABLE = re.compile(r".+\.(csv|tsv|txt|json|parquet|pq|feather|arrow|xlsx?|gz|zip)", re.IGNORECASE)
#: Folders of Binance's tree whose klines are not those of trades, and what they hold.
_NOT_TRADES = {
    "markPriceKlines": "mark prices",
    "indexPriceKlines": "prices of an index",
    "premiumIndexKlines": "a premium",
}
_CONNECTOR = re.compile(r"[a-z0-9_]+")
# Some names hold small letters (kPEPE-USD, stETH-USDT, USDe-USDT), but none has no others.
_PAIR = re.compile(r"(?=.*[A-Z0-9])[^\s_|/\\-]+-[^\s_|/\\-]+")


@dataclass(frozen=True)
class Given:
    """What the user says of the files; empty where nothing is said."""

    connector: str = ""
    pair: str = ""
    interval: str = ""

    def check(self) -> None:
        """Raises CandlesError for what no name of a candle file can hold, or no sweep would ask for."""
        if self.connector and not _CONNECTOR.fullmatch(self.connector):
            raise CandlesError(
                f"--connector {self.connector!r} is no connector; write it as Hummingbot does, in small letters, "
                "digits and underscores: binance_perpetual"
            )
        if self.pair and not _PAIR.fullmatch(self.pair):
            raise CandlesError(f"--pair {self.pair!r} is no pair; write base and quote asset in capitals: BTC-USDT")
        if self.interval:
            seconds = interval_seconds(self.interval)
            usual = interval_of(seconds) if is_regular(self.interval) else f"{seconds // interval_seconds('1M')}M"
            if self.interval != usual:
                raise CandlesError(f"--interval {self.interval!r} is not how intervals are named; write {usual}")


class _LeftOut(Exception):
    """Why a file is not taken; among others a word, alone an error."""


def sources(source: Path, given: Given, say: Callable[[str], None]) -> list[CandleFile]:
    """The candle files that `source` is or holds, by name. `say` is called with a sentence for each that is left out.

    Raises CandlesMissing (nothing to import), CandlesError (an option, or a name, does not say what it must).
    """
    given.check()
    if source.is_file():
        try:
            return [_identify(source, given, alone=True)]
        except _LeftOut as reason:
            raise CandlesError(f"{source}: {reason}") from None
    if not source.is_dir():
        raise CandlesMissing(f"{source}: no such file or folder")
    files = []
    for path in sorted(source.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if hidden or not _TABLE.fullmatch(path.name) or not path.is_file():
            continue
        try:
            files.append(_identify(path, given, alone=False))
        except _LeftOut as reason:
            say(f"{path}: left out: {reason}")
    if not files:
        raise CandlesMissing(
            f"{source}: no candle files in it that can be taken; `hummingsweep candles import --help` lists the names"
        )
    return files


def _identify(path: Path, given: Given, *, alone: bool) -> CandleFile:
    """What a file holds. Raises CandlesError, _LeftOut."""
    if not path.name.endswith(_ENDINGS) and path.name.lower().endswith(_ENDINGS):
        raise _LeftOut("its ending is not in small letters; rename it")
    if klines := binance.named(path):
        return _of_binance(path, klines, given, alone=alone)
    file = candle_file(path)
    if file is None:
        if not path.name.endswith(_ENDINGS):
            raise _LeftOut(f"not one of {', '.join(sheet.ENDINGS)}; convert it first")
        return _of_others(path, given)
    _demand_same("connector", file.connector, given.connector)
    _demand_same("pair", file.pair, given.pair)
    if file.interval:
        _demand_same("interval", file.interval, given.interval)
    file = replace(
        file,
        connector=given.connector or file.connector,
        pair=given.pair or file.pair,
        interval=given.interval or file.interval,
    )
    if not file.interval:
        raise CandlesError(f"{path}: cannot tell the interval from the distance of its candles; give --interval")
    interval_seconds(file.interval)
    return file


def _of_others(path: Path, given: Given) -> CandleFile:
    """A file whose name follows no layout of ours: name, columns and distances say what the options leave open."""
    if not given.connector:
        raise _LeftOut("its name does not say what it is; give --connector, --pair and --interval")
    stem = path.name[: -len(next(ending for ending in sorted(_ENDINGS, key=len)[::-1] if path.name.endswith(ending)))]
    try:
        seen = foreign.peek(path)
    except CandlesBroken as error:
        raise _LeftOut(str(error).removeprefix(f"{path}: ")) from None
    ways = symbols.readings(seen.symbol) or names.symbols_in(stem)
    if given.pair and ways and given.pair.upper() not in map(str.upper, ways):
        _refuse("pair", seen.symbol or ways[0], given.pair)
    if not given.pair and len(ways) != 1:
        raise _LeftOut(symbols.ask_for_pair(seen.symbol or stem, ways))
    interval = given.interval or seen.interval or names.interval_in(stem)
    if not interval:
        raise _LeftOut("cannot tell the interval from the distance of its candles; give --interval")
    return CandleFile(given.connector, given.pair or ways[0], interval, path, Layout.HUMMINGBOT)


def _of_binance(path: Path, klines: binance.Named, given: Given, *, alone: bool) -> CandleFile:
    folders = path.parts[:-1]
    if other := next((_NOT_TRADES[part] for part in folders if part in _NOT_TRADES), ""):
        raise _LeftOut(f"holds {other}, not candles of trades")
    perpetual = given.connector.endswith("_perpetual")
    if given.connector and (("spot" in folders and perpetual) or ("futures" in folders and not perpetual)):
        market = "spot" if perpetual else "futures"
        raise _LeftOut(f"its folder says that it is of {market}, --connector says {given.connector}")
    if not given.connector:
        raise CandlesError(
            f"{path.name}: Binance's files do not say their market; give it, --connector binance or "
            "--connector binance_perpetual"
        )
    if klines.delivered and not (alone and given.pair):
        raise _LeftOut(
            f"{klines.symbol} is a future with a day of delivery, whose prices are not those of the perpetual; import "
            "it alone, with --pair, into a folder of its own"
        )
    if given.pair and not klines.is_of(given.pair):
        _refuse("pair", klines.symbol, given.pair)
    _demand_same("interval", klines.interval, given.interval)
    pair = given.pair or binance.binance_pair(klines.symbol)
    return CandleFile(given.connector, pair, klines.interval, path, Layout.HUMMINGBOT)


def _demand_same(option: str, named: str, given: str) -> None:
    # small and capital letters make an interval (1m, 1M), but no market
    same = named == given if option == "interval" else named.lower() == given.lower()
    if given and not same:
        _refuse(option, named, given)


def _refuse(option: str, named: str, given: str) -> None:
    raise _LeftOut(f"its name says {named}, --{option} says {given}; leave --{option} out, or rename the file")
