"""What passes between orchestrator and node: messages and their states. Keys on the broker: tasks.protocol.keys.

Everything is encoded with ujson (floats, NaN and infinities come back exact). Nothing here knows hummingbot or pandas.

    orchestrator -> Redis   SweepDefinition            once a sweep, as a blob
    orchestrator -> child   (sweep id, chunk id, limit)  one Celery message a chunk; the chunk id says which points
    child -> orchestrator   Rows                       one entry of the sweep's stream a chunk, columnar
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import ujson

from tasks.errors import MessageError
from tasks.market_names import feed_key
from tasks.named_types import JsonObject, Row
from tasks.protocol import names
from tasks.protocol.returns import RETURNS, PackedReturns, pack
from tasks.protocol.typed import check_types

#: Celery's name of THE task; the orchestrator sends by name and never imports the task's module.
CHUNK_TASK = "hummingsweep.chunk"
#: The last moment a period may have, seconds since epoch: the end of the year 9999.
MAX_MOMENT = 253_402_300_799


class Status(StrEnum):
    """How a point ended."""

    #: the back-test ran; the row holds its results
    OK = "ok"
    #: the config was refused or the controller raised; `error` says what
    ERROR = "error"
    #: the point killed its child every time it was tried
    CRASHED = "crashed"
    #: the point took longer than point_timeout
    TIMEOUT = "timeout"
    #: the point was left out on purpose
    SKIPPED = "skipped"


class Kind(StrEnum):
    """What a child does with the points of a chunk."""

    #: back-test them
    RUN = "run"
    #: build their configs and say which feeds they need
    PROBE = "probe"
    #: back-test them on the stock and the jump-ahead engine and compare
    VERIFY = "verify"
    #: back-test them on cut data and compare every decision before the cut
    AUDIT = "audit"
    #: back-test them and return the curves and trades a report draws
    DETAIL = "detail"
    #: back-test them, replay them on the live engine and compare
    LIVE = "live"
    #: back-test them and return every executor and fill
    TRADES = "trades"


@dataclass(frozen=True)
class FeedNeed:
    """A feed that a controller asks for."""

    connector: str
    trading_pair: str
    #: as Hummingbot writes it: 1s, 1m, 3m, 1h, 1d
    interval: str
    #: candles before the period that its indicators want
    max_records: int

    @property
    def key(self) -> str:
        """The engine's name of the feed."""
        return feed_key(self.connector, self.trading_pair, self.interval)


@dataclass(frozen=True)
class SweepDefinition:
    """Everything a child needs to know of a sweep, fetched once per child."""

    #: name and digest; the key under which everything of the sweep lies
    sweep: str
    kind: Kind
    #: the controller config as Hummingbot's conf/controllers/*.yml holds it, without the axes' values
    controller: JsonObject
    #: {config key: values}, see tasks.grid
    grid: dict[str, list[Any]]
    #: first and last moment of the period, seconds since epoch, UTC
    start: int
    end: int
    #: interval of the candles the engine steps over
    resolution: str
    #: fraction of the traded quote amount, per side
    trade_cost: float
    #: "auto", "jump", "stock" or "live"; see tasks.child.engines
    engine: str
    #: candles by which signals are held back; 0 as the stock engine
    shift: int
    #: a kind of tasks.engine.fills.rules, or "both": stock and honest side by side
    fills: str
    warmup: bool
    #: seconds a point may take
    point_timeout_s: float
    seed: int
    #: feed key -> content hash of the slice's blob
    slices: dict[str, str] = field(default_factory=dict)
    #: feed key -> candles the slice has before `start` (warm-up that is really there)
    lead: dict[str, int] = field(default_factory=dict)
    #: feed key -> candles before a window that its points want; the slice may have fewer before `start`
    warmup_candles: dict[str, int] = field(default_factory=dict)
    #: content hash of the controllers bundle
    controllers: str = ""
    #: connector -> trading pair -> Hummingbot's TradingRule fields as strings or numbers
    trading_rules: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    #: "honest" or "stock": which clock a controller has; what else it means is in the other fields
    semantics: str = "honest"
    #: price increments beyond its own at which a candle must trade to fill a resting order
    fill_ticks: int = 1
    #: share of the volume traded beyond its price that the orders of a point get in a candle
    fill_volume_share: float = 0.1
    #: "worst", "best", "nearest", or "bracket": worst and best
    fill_path: str = "worst"
    #: interval of the finer candles that orders fill in; "": none
    fill_detail: str = ""
    #: basis points of the price lost on every taker fill (fills other than stock)
    slippage_bps: float = 0.0
    #: fraction of the traded quote amount per side (fills other than stock); None: trade_cost
    maker_cost: float | None = None
    taker_cost: float | None = None
    #: funding rates: [[seconds since epoch, rate as a fraction], ...] per trading pair
    funding: dict[str, list[list[float]]] = field(default_factory=dict)
    #: name -> content hash of the blob of a series: data beside candles, see tasks.candles.series
    series: dict[str, str] = field(default_factory=dict)
    #: combinations that are left out: an expression over axes and config keys; empty: none. Points keep their numbers
    skip: str = ""
    #: seconds between two calls of the controller on the live engine; 0: one at every candle
    live_every_s: int = 0
    #: distribution name -> version, of the orchestrator
    versions: dict[str, str] = field(default_factory=dict)
    #: last moment of which the slices hold candles, where that is later than `end` (a hold-out), seconds; 0: `end`
    candles_end: int = 0
    #: settings of a kind: sample seeds, number of cuts, ...
    options: JsonObject = field(default_factory=dict)

    @property
    def blobs(self) -> tuple[str, ...]:
        """Content hashes of all that its children fetch beside the definition itself."""
        return (*self.slices.values(), *self.series.values(), *filter(None, [self.controllers]))

    def encode(self) -> bytes:
        """As bytes; equal definitions give equal bytes. Keys stay in order: the grid's order numbers the points."""
        return ujson.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def decode(cls, raw: bytes) -> SweepDefinition:
        """The inverse of `encode`. Raises MessageError."""
        try:
            fields = ujson.loads(raw)
            definition = cls(**{**fields, "kind": Kind(fields["kind"])})
            check_types(definition)
            if not all(isinstance(values, list) and values for values in definition.grid.values()):
                raise ValueError("an axis of its grid has no list of values")
            if not 0 <= definition.start <= definition.end <= MAX_MOMENT:
                raise ValueError("its period is none")
            names.sweep_id(definition.sweep)
            for address in definition.blobs:
                names.content_hash(address)
        except (ValueError, OverflowError, TypeError, KeyError, AttributeError, RecursionError, MessageError) as error:
            raise MessageError(f"not a sweep definition ({error})", raw) from error
        return definition


@dataclass(frozen=True)
class Rows:
    """The rows of one chunk, columnar: one list per column, all of the same length.

    A column that a row is missing holds None there.
    """

    chunk: str
    #: who computed it: node name and child index, for watch and the planner
    node: str
    #: seconds of wall clock the chunk took in the child
    seconds: float
    columns: dict[str, list[Any]]
    #: most memory the child ever held, resident bytes; 0: not known
    memory_bytes: int = 0
    #: axes that the features of the points were seen to depend on; points that agree on them share their features
    feature_axes: Sequence[str] = ()
    #: the returns of the rows' points; None: no row has any
    returns: PackedReturns | None = None

    @classmethod
    def from_dicts(
        cls,
        chunk: str,
        node: str,
        seconds: float,
        rows: Sequence[Row],
        memory_bytes: int = 0,
        feature_axes: Sequence[str] = (),
    ) -> Rows:
        """From one dict a row; columns in order of first appearance.

        What rows hold under RETURNS (tasks.protocol.returns.encode_row) is no column: it is packed for the whole chunk.
        """
        names = dict.fromkeys(name for row in rows for name in row if name != RETURNS)
        columns = {name: [row.get(name) for row in rows] for name in names}
        returns = pack([row.get(RETURNS) for row in rows])
        return cls(chunk, node, seconds, columns, memory_bytes, feature_axes, returns)

    def to_dicts(self) -> list[Row]:
        """One dict a row."""
        names = list(self.columns)
        return [dict(zip(names, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def encode(self) -> bytes:
        """As bytes; floats keep every bit."""
        return ujson.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Rows:
        """The inverse of `encode`. Raises MessageError."""
        try:
            fields = ujson.loads(raw)
            returns = fields.get("returns")
            return cls(**{**fields, "returns": None if returns is None else PackedReturns(**returns)})
        except (ValueError, OverflowError, TypeError, AttributeError, RecursionError) as error:
            raise MessageError(f"not rows ({error})", raw) from error
