"""Trading pairs out of symbols that have nothing between base and quote: BTCUSDT is BTC-USDT.

The longest known quote at the end decides. What could be read in two ways (BTCAEUR is BTC-AEUR or BTCA-EUR, BTCBUSD
is BTC-BUSD or BTCB-USD) or ends in no known quote is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection

#: Quote assets of the large exchanges.
QUOTES = tuple(
    """
    USDT USDC FDUSD TUSD BUSD USDP USDE USD1 DAI USD EUR AEUR EURI EURC GBP TRY BRL ARS AUD JPY KRW RUB UAH NGN ZAR
    IDR IDRT BIDR INR MXN COP CZK PLN RON CAD CHF SGD HKD THB VND BTC ETH BNB SOL XRP DOGE TRX DOT
    """.split()  # noqa: SIM905  as a list it would be fifty lines
)
#: What exchanges write between base and quote.
_BETWEEN = re.compile(r"[-_/:]")
#: What exchanges write behind the pair of a contract.
_BEHIND = re.compile(r"([-_.]?PERP|[-_]SWAP|:[A-Z]+)$")
#: Assets that are well known: XBTUSD is not XB-TUSD, ARBUSD is not AR-BUSD.
_KNOWN = frozenset(
    "BTC XBT ETH BNB XRP SOL ADA DOGE DOT LTC BCH LINK UNI AVAX ATOM XLM TRX EOS BTT ARB SHIB SUI APT TON NEAR".split()  # noqa: SIM905  one line
)
#: Kraken's older symbols: X before a coin, Z before a currency.
_KRAKEN = re.compile(r"X([A-Z]{3})Z([A-Z]{3})")
_KRAKEN_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}


def split_symbol(symbol: str, quotes: Collection[str] = QUOTES) -> str:
    """BASE-QUOTE; empty when the symbol cannot be read or could be read in two ways."""
    found = readings(symbol, quotes)
    return found[0] if len(found) == 1 else ""


def readings(symbol: str, quotes: Collection[str] = QUOTES) -> list[str]:
    """Every way to read a symbol as BASE-QUOTE, the longest quote first; empty when it ends in no known quote."""
    text = _BEHIND.sub("", symbol.strip().upper())
    if _BETWEEN.search(text):
        base, quote, *more = _BETWEEN.split(text)
        return [] if more or not base or not quote else [_pair(base, quote)]
    if not re.fullmatch(r"[0-9A-Z.]+", text):
        return []
    if kraken := _KRAKEN.fullmatch(text):
        return [_pair(kraken[1], kraken[2])]
    ends = sorted((quote for quote in quotes if text.endswith(quote) and text != quote), key=len, reverse=True)
    # one letter more may as well end the base (TUSD, BUSD, AEUR); nobody's base ends in the FD of FDUSD
    kept = [quote for quote in ends if len(ends[0]) - len(quote) <= 1]
    known = [quote for quote in kept[1:] if text[: -len(quote)] in _KNOWN]
    return [_pair(text[: -len(quote)], quote) for quote in known[:1] or kept]


def ask_for_pair(symbol: str, found: list[str]) -> str:
    """The sentence for a symbol that is not read as one pair."""
    if not found:
        return f"{symbol}: ends in no quote asset that is known; give the pair, such as --pair BTC-USDT"
    return f"{symbol}: could be {' or '.join(found)}; give the one that it is with --pair"


def _pair(base: str, quote: str) -> str:
    return f"{_KRAKEN_ASSETS.get(base, base)}-{_KRAKEN_ASSETS.get(quote, quote)}"
