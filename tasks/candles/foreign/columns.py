"""Which column of a foreign table is which: by its name, or by its place where there is no header."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Our name -> what others call it, the first that is there is taken; written as `normal` writes names.
_CALLED: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "timestamp", "unix", "unix_timestamp", "unixtime", "epoch", "ts", "open_time", "opentime", "time_open",
        "start_time", "starttime", "start", "datetime", "date_time", "gmt_time", "time_utc", "date_utc", "utc",
        "time_period_start", "candle_begin_time", "begin", "time", "date", "t", "id", "snapped_at",
    ),
    "open": ("open", "o", "open_price", "price_open", "opening_price", "openprice"),
    "high": ("high", "h", "high_price", "price_high", "highprice", "max"),
    "low": ("low", "l", "low_price", "price_low", "lowprice", "min"),
    "close": ("close", "c", "close_price", "price_close", "closeprice", "last", "close_last", "price", "trade_price"),
    "volume": (
        "volume", "v", "vol", "base_volume", "volume_base", "basevolume", "volume_traded", "amount", "tick_volume",
        "tickvol", "volume_from", "volumefrom", "candle_acc_trade_volume",
    ),
    "quote_asset_volume": (
        "quote_asset_volume", "quote_volume", "volume_quote", "quotevolume", "turnover", "value", "volume_to",
        "volumeto", "volccyquote",
    ),
    "n_trades": (
        "n_trades", "count", "trades", "tradecount", "trade_count", "number_of_trades", "num_trades", "trades_count",
        "numberoftrades", "transactions",
    ),
    "taker_buy_base_volume": (
        "taker_buy_base_volume", "taker_buy_volume", "taker_buy_base_asset_volume", "takerbuybasevolume",
    ),
    "taker_buy_quote_volume": (
        "taker_buy_quote_volume", "taker_buy_quote_asset_volume", "takerbuyquotevolume",
    ),
}  # fmt: skip
#: Columns that may name the market.
_SYMBOLS = ("symbol", "pair", "ticker", "market", "instrument", "product_id", "inst_id", "instid", "name")
#: Orders of columns without a header, per number of columns, the commonest first; "" is passed over.
_ORDERS: dict[int, tuple[str, ...]] = {
    5: ("tohlc",),
    6: ("tohlcv", "tlhocv", "tochlv"),  # ccxt and most; Coinbase; Bitfinex
    7: ("tohlcvx", "tochlvq"),  # Kraken's trades or a turnover; KuCoin
    8: ("tohlc_vn", "tqchlov_"),  # Kraken's REST with its average price; Gate
    9: ("tohlcv_q_",),  # OKX
    10: ("tohlcvqnbB",),  # Hummingbot's own order
    11: ("tohlcv_qnbB",),
    12: ("tohlcv_qnbB_",),  # Binance
}
_LETTERS = {
    "t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "q": "quote_asset_volume",
    "n": "n_trades", "b": "taker_buy_base_volume", "B": "taker_buy_quote_volume",
}  # fmt: skip
#: Of all rows so many must have the highest price under high and the lowest under low: exchanges sent a few odd ones.
_SHARE = 0.999


def normal(name: str) -> str:
    """A column's name in small letters, words joined by underscores: Open Time (UTC) is open_time_utc."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def by_names(names: Sequence[str], base: str = "") -> dict[str, int]:
    """Our name -> place, for the columns that are there. `base`: the pair's base asset, for columns like Volume BTC."""
    plain = [normal(name) for name in names]
    found: dict[str, int] = {}
    for ours, called in _CALLED.items():
        place = next((plain.index(name) for name in called if name in plain), None)
        if place is not None and place not in found.values():
            found[ours] = place
    volumes = [place for place, name in enumerate(plain) if re.fullmatch(r"(volume|vol)_\w+", name)]
    volumes = [place for place in volumes if place not in found.values()]
    if "volume" not in found and volumes:
        named = [place for place in volumes if base and plain[place].rpartition("_")[2] == base.lower()]
        found["volume"] = (named or volumes)[0]
        others = [place for place in volumes if place != found["volume"]]
        if len(others) == 1 and "quote_asset_volume" not in found:
            found["quote_asset_volume"] = others[0]
    return found


def symbol_column(names: Sequence[str]) -> int | None:
    """The column that names the market."""
    return next((place for place, name in enumerate(map(normal, names)) if name in _SYMBOLS), None)


def by_order(numbers: Sequence[Floats]) -> dict[str, int]:
    """Our name -> place where nothing names the columns: the order in which high is the highest and low the lowest.

    `numbers`: the columns as numbers, the time first. Raises ValueError with a sentence.
    """
    width = len(numbers)
    orders = _ORDERS.get(width, ("tohlcv" + "_" * (width - 6),) if width > 6 else ())
    for order in orders:
        places = {letter: place for place, letter in enumerate(order)}
        prices = np.stack([numbers[places[letter]] for letter in "ohlc"])
        fits = (prices[1] >= prices.max(axis=0)) & (prices[2] <= prices.min(axis=0)) & (prices > 0).all(axis=0)
        if fits.mean() >= _SHARE:
            found = {_LETTERS[letter]: place for letter, place in places.items() if letter in _LETTERS}
            if "x" in places:  # whole numbers are trades, others a turnover
                last = numbers[places["x"]]
                found["n_trades" if (last == np.floor(last)).all() else "quote_asset_volume"] = places["x"]
            return found
    raise ValueError(
        f"no header, and its {width} columns are in no order that is known (time, open, high, low, close, volume); let "
        "the first line name them"
    )
