"""What passes between the orchestrator and the process that downloads: one order in, a line of JSON for every event
out.

    orchestrator -> process   stdin    Order, one line; then silence. When the pipe closes, the process leaves.
    process -> orchestrator   stdout   Event, one line each; the last is DONE, or WRONG and nothing was done

Light: no hummingbot.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum

import ujson

from tasks.errors import HummingsweepError
from tasks.market_names import feed_key
from tasks.named_types import JsonObject


@dataclass(frozen=True)
class FeedOrder:
    """Candles of one feed."""

    connector: str
    pair: str
    #: as Hummingbot writes it: 1s, 1m, 3m, 1h, 1d
    interval: str
    #: first and last moment, seconds since the epoch, UTC; candles that open in between are asked for
    start: int
    #: None: up to the last candle that is finished
    end: int | None = None

    @property
    def key(self) -> str:
        """The engine's name of the feed."""
        return feed_key(self.connector, self.pair, self.interval)


@dataclass(frozen=True)
class RulesOrder:
    """Trading rules of one connector."""

    connector: str
    #: folder of <connector>.json
    folder: str
    #: empty: of every pair
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """Everything one `hummingsweep sync` asks for."""

    #: the candle folder
    to: str
    feeds: tuple[FeedOrder, ...] = ()
    rules: tuple[RulesOrder, ...] = ()
    #: a sweep's definition (see tasks.protocol.messages) whose feeds are asked for besides; empty: none
    sweep: str = ""
    #: the controllers folder of that sweep
    controllers: str = ""
    #: "csv", "parquet", or empty: as the file that is there, csv for a new one
    encoding: str = ""
    #: address to ask instead of the exchange's; empty: the exchange's own
    base_url: str = ""
    #: candles that the exchange said it does not have are asked for again
    again: bool = False

    def encode(self) -> str:
        """As one line."""
        return ujson.dumps(dataclasses.asdict(self), escape_forward_slashes=False)

    @classmethod
    def decode(cls, line: str) -> Order:
        """The inverse of `encode`. Raises HummingsweepError."""
        try:
            fields = ujson.loads(line)
            feeds = tuple(FeedOrder(**feed) for feed in fields.pop("feeds"))
            rules = tuple(RulesOrder(**{**one, "pairs": tuple(one["pairs"])}) for one in fields.pop("rules"))
            return cls(feeds=feeds, rules=rules, **fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HummingsweepError(f"not an order of `hummingsweep sync` ({error}): {line[:200]!r}") from error


class Status(StrEnum):
    """How a feed or a set of rules ended."""

    #: something was downloaded and is in its file
    DOWNLOADED = "downloaded"
    #: everything asked for was there already
    COMPLETE = "complete"
    #: it could not be downloaded; what came before it failed is kept
    FAILED = "failed"
    #: it was interrupted; what was downloaded is kept
    INTERRUPTED = "interrupted"


@dataclass
class FeedAnswer:
    """How one feed ended."""

    connector: str
    pair: str
    interval: str
    status: Status
    #: the candle file, and how many candles it holds now
    path: str = ""
    rows: int = 0
    #: open times of its first and last candle, seconds
    first: int | None = None
    last: int | None = None
    #: new candles of this command, in the file or (failed, interrupted) kept beside it
    downloaded: int = 0
    #: [open time of the last candle before, how many are missing]: not at the exchange either
    gaps: list[list[int]] = field(default_factory=list)
    #: one sentence each
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    #: True: nothing but another command line can help (exit code 2)
    bad_input: bool = False


@dataclass
class RulesAnswer:
    """How the trading rules of one connector ended."""

    connector: str
    status: Status
    path: str = ""
    #: pairs whose rules were written
    pairs: list[str] = field(default_factory=list)
    error: str = ""
    bad_input: bool = False


class Kind(StrEnum):
    """What an event tells."""

    #: `text` for whoever watches
    SAY = "say"
    #: of feed `feed`, `done` of `total` candles that were missing have been answered
    PROGRESS = "progress"
    #: `feeds` and `rules`: how everything ended; `requests` sent; `interrupted`
    DONE = "done"
    #: `text` says why the order cannot be carried out at all
    WRONG = "wrong"


@dataclass(frozen=True)
class Event:
    """One line from the process."""

    kind: Kind
    text: str = ""
    feed: str = ""
    done: int = 0
    total: int = 0
    feeds: list[FeedAnswer] = field(default_factory=list)
    rules: list[RulesAnswer] = field(default_factory=list)
    requests: int = 0
    interrupted: bool = False

    def encode(self) -> str:
        """As one line."""
        return ujson.dumps(dataclasses.asdict(self), escape_forward_slashes=False)

    @classmethod
    def decode(cls, line: str) -> Event:
        """The inverse of `encode`. Raises HummingsweepError."""
        try:
            fields: JsonObject = ujson.loads(line)
            feeds = [FeedAnswer(**{**feed, "status": Status(feed["status"])}) for feed in fields.pop("feeds")]
            rules = [RulesAnswer(**{**one, "status": Status(one["status"])}) for one in fields.pop("rules")]
            return cls(kind=Kind(fields.pop("kind")), feeds=feeds, rules=rules, **fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HummingsweepError(f"not an event of the download ({error}): {line[:200]!r}") from error
