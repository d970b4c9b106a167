"""Every error a user can meet, one sentence each.

HummingsweepError                 exit 2: bad input, one line, what to do
├── SweepFileError                the sweep file
│   ├── UnknownKey
│   └── BadAxis
├── CandlesError                  the candle folder
│   ├── CandlesMissing
│   ├── CandlesNotCovering
│   └── CandlesBroken
├── ControllerError               the user's controller
├── TradingRulesMissing
├── BrokerError
├── ExchangeError                 an exchange that cannot be reached, refuses, or sends what cannot be used
├── BlobError                     a blob that is too large, damaged or wrongly signed
│   └── ParcelMissing             and one that is not there: the orchestrator publishes it again
├── MessageError                  a message or a record on the broker that cannot be used
│   └── InvalidName               and a name in one, see tasks.protocol.names
├── VersionMismatch
├── StoreError                    the output folder
└── ExpressionError               rank_by or where

NetworkBlackout(ConnectionError)  raised inside a back-test that tries to connect
PointTimeout(BaseException)       raised inside a point that takes longer than point_timeout
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Self

#: Characters of an error that travel in a row.
LONGEST = 2000
#: Columns of a frame that are compared with one that is missing, and named where none is like it.
MAX_COLUMNS, NAMED_COLUMNS = 1000, 8
#: Fields that are named of those that pydantic refuses.
MAX_REFUSALS = 3

_QUOTED = re.compile(r"'([^']+)'")


class HummingsweepError(Exception):
    """Something the user gave cannot be used; the message says what, where and what to do."""

    #: what else is wrong, a sentence each; commands print them below the message
    others: tuple[str, ...] = ()

    def with_others(self, errors: Sequence[Exception]) -> Self:
        """The same error, which also says these."""
        more = [text for error in errors for text in (str(error), *getattr(error, "others", ()))]
        self.others = (*self.others, *(text for text in dict.fromkeys(more) if text != str(self)))
        return self


class SweepFileError(HummingsweepError):
    """The sweep file cannot be used."""


class UnknownKey(SweepFileError):
    """A key of the sweep file is not known."""


class BadAxis(SweepFileError):
    """An axis of the grid has no usable values."""


class CandlesError(HummingsweepError):
    """The candles cannot be used."""


class CandlesMissing(CandlesError):
    """There is no candle file for a feed."""


class CandlesNotCovering(CandlesError):
    """The candles that are there do not cover the period."""


class CandlesBroken(CandlesError):
    """A candle file is unsorted, holds duplicates or NaN, mixes units or is cut off."""


class ControllerError(HummingsweepError):
    """The controller cannot be found, imported or configured."""


class TradingRulesMissing(HummingsweepError):
    """There are no trading rules for a connector or a trading pair."""


class BrokerError(HummingsweepError):
    """The broker cannot be reached or must not be used."""


class ExchangeError(HummingsweepError):
    """The exchange cannot be reached, refuses, or sends what cannot be used."""


class BlobError(HummingsweepError):
    """A blob is too large or damaged, or its signature is wrong."""


class ParcelMissing(BlobError):
    """A blob is not on the broker (any more)."""


class MessageError(HummingsweepError):
    """A message, a record or a name in one cannot be used; the bytes are kept in `raw`."""

    def __init__(self, what: str, raw: bytes):
        super().__init__(f"{what}: {raw[:200]!r}")
        self.raw = raw


class VersionMismatch(HummingsweepError):
    """A node's versions differ from those of the sweep."""


class StoreError(HummingsweepError):
    """The output folder or its result store cannot be used."""


class ExpressionError(HummingsweepError):
    """An expression in rank_by or where cannot be used."""


class NetworkBlackout(ConnectionError):
    """A back-test tried to reach the network. Runs never do: `hummingsweep sync` downloads beforehand."""


class PointTimeout(BaseException):
    """A point took longer than point_timeout. Not an Exception, so that a controller's `except` cannot eat it."""


def describe(error: BaseException) -> str:
    """An error as one line: its type, what it says, and the last line of the user's own code it went through."""
    said = words(error)
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/controllers/" in frame.filename]
    if frames:
        where = frames[-1]
        file = "controllers/" + where.filename.rpartition("/controllers/")[2]
        text += f" ({file}, line {where.lineno})"
    return one_line(text)


def words(error: BaseException) -> str:
    """What an error says; a controller's own exception may fail at that, too."""
    try:
        if type(error).__name__ == "ValidationError" and hasattr(error, "errors") and hasattr(error, "title"):
            return f"{error.title}: {_refusals(error.errors())}"
        return str(error) + (_columns_there(error) if isinstance(error, KeyError) else "")
    except Exception as second:
        return f"(its __str__ raises {type(second).__name__})"


def _refusals(details: Sequence[Mapping[str, Any]]) -> str:
    """What pydantic refuses, without the values that it prints in full and the address of its documentation."""
    said = []
    for detail in details[:MAX_REFUSALS]:
        place = ".".join(map(str, detail["loc"]))
        said.append(": ".join(filter(None, [place, detail["msg"].removeprefix("Value error, ")])))
    more = len(details) - len(said)
    return "; ".join([*said, *([f"and {more} more"] if more else [])])


def _columns_there(error: KeyError) -> str:
    """Of a DataFrame that was asked for a column it does not have: those most like it; "" for any other KeyError.

    pandas names only the missing one. The frame is found on the way that the error took, without importing pandas.
    """
    frames = [
        frame.f_locals["self"]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if type(frame.f_locals.get("self")).__name__ == "DataFrame"
    ]
    if not frames:
        return ""
    there = [str(column) for column in list(frames[-1].columns)[:MAX_COLUMNS]]
    missing = _QUOTED.search(str(error))
    if missing is None or missing.group(1) in there:
        return ""
    alike = difflib.get_close_matches(missing.group(1), there, n=2)
    if alike:
        return f": no such column; the nearest there: {', '.join(alike)}"
    return f": no such column; there are: {', '.join(there[:NAMED_COLUMNS]) or 'none'}"


def one_line(text: str) -> str:
    """White space folded, what a terminal would obey or could not show written out, cut after LONGEST characters."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return text[:LONGEST]
