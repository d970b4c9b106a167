"""What passes between orchestrator and node: messages and their states. Keys on the broker: tasks.protocol.keys.

Everything is encoded with ujson (floats, NaN and infinities come back exact). Nothing here knows hummingbot or pandas.

    orchestrator -> Redis   SweepDefinition            once a sweep, as a blob
    orchestrator -> child   (sweep id, chunk id, limit)  one Celery message a chunk; the chunk id says which points
    child -> orchestrator   Rows                       one entry of the sweep's stream a chunk, columnar
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import ujson

from tasks.errors import MessageError
from tasks.market_names import feed_key
from tasks.named_types import JsonObject, Row
from tasks.protocol import names
from tasks.protocol.returns import RETURNS, PackedReturns, pack
from tasks.protocol.scenario import PLAIN, Scenario
from tasks.protocol.typed import check_types

#: Celery's name of THE task; the orchestrator sends by name and never imports the task's module.
CHUNK_TASK = "hummingsweep.chunk"

#: Points of a chunk at most; the planner sends some thousand.
MAX_CHUNK_POINTS = 10_000
#: The last moment a period may have, seconds since epoch: the end of the year 9999.
MAX_MOMENT = 253_402_300_799
#: Characters of a chunk's id at most: that many points which share no pattern.
MAX_CHUNK_ID = 40 * MAX_CHUNK_POINTS


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
            if not 0 <= definition.start <= definition.end <= MAX_MOMENT:
                raise ValueError("its period is none")
            names.sweep_id(definition.sweep)
            for address in (*definition.slices.values(), *filter(None, [definition.controllers])):
                names.content_hash(address)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MessageError) as error:
            raise MessageError(f"not a sweep definition ({error})", raw) from error
        return definition


class Run(NamedTuple):
    """Closed ranges of points: the first, and how far apart and how often it comes again, the last repeat slowest."""

    first: int
    last: int
    #: (step, times) each, step > 0 and times > 1
    repeats: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" + "".join(f"+{step}x{times}" for step, times in self.repeats)

    @classmethod
    def parse(cls, text: str) -> Run:
        """The inverse of `str`. Raises ValueError."""
        found = _RUN.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no run of points")
        first, last, repeats = found.groups()
        pairs = (repeat.split("x") for repeat in repeats.split("+")[1:])
        return cls(int(first), int(last), tuple((int(step), int(times)) for step, times in pairs))

    @property
    def points(self) -> Iterator[int]:
        """Its points, in order."""
        offsets = [0]
        for step, times in self.repeats:
            offsets = [offset + time * step for time in range(times) for offset in offsets]
        for offset in offsets:
            yield from range(self.first + offset, self.last + offset + 1)

    @property
    def size(self) -> int:
        """How many points."""
        return (self.last - self.first + 1) * math.prod(times for _, times in self.repeats)


#: Numbers of at most 18 digits, and no run of runs deeper than a grid is ever cut.
_RUN = re.compile(r"(\d{1,18})-(\d{1,18})((?:\+\d{1,18}x\d{1,9}){0,24})", re.ASCII)


def runs_of(points: Iterable[int]) -> list[Run]:
    """Points, each once, as few runs, in the order in which they come."""
    runs: list[Run] = []
    first = last = -2
    for point in points:
        if point != last + 1:
            if first >= 0:
                runs.append(Run(first, last))
            first = point
        last = point
    if first >= 0:
        runs.append(Run(first, last))
    while len(fewer := _repeated(runs)) < len(runs):
        runs = fewer
    return runs


def _repeated(runs: list[Run]) -> list[Run]:
    """Neighbours of one shape that are equally far apart, as one."""
    found = []
    place = 0
    while place < len(runs):
        one, times = runs[place], 1
        step = runs[place + 1].first - one.first if place + 1 < len(runs) else 0
        while step > 0 and place + times < len(runs):
            expected = Run(one.first + times * step, one.last + times * step, one.repeats)
            if runs[place + times] != expected:
                break
            times += 1
        found.append(one._replace(repeats=(*one.repeats, (step, times))) if times > 1 else one)
        place += times
    return found


@dataclass(frozen=True)
class Chunk:
    """Points that one child computes in one task. Its id says which: `<generation>:<first>-<last>[@<scenario>]`.

    An explicit list of points is written as runs joined by commas, `1:3-5,9-9`, and a run that comes again and again
    with how far apart and how often: `1:0-3+20x5` are 0 to 3, 20 to 23, ... 80 to 83, `1:0-3+20x5+1000x2` those and
    1000 to 1003, ... 1080 to 1083.
    """

    #: which start of the orchestrator planned it; a chunk sent again gets a new id
    generation: int
    #: in the order in which the points are handed out
    runs: tuple[Run, ...]
    #: under which the points are run
    scenario: Scenario = PLAIN

    @classmethod
    def of(cls, generation: int, points: Iterable[int], scenario: Scenario = PLAIN) -> Chunk:
        """The chunk of these points, each once, written as runs."""
        return cls(generation, tuple(runs_of(points)), scenario)

    @classmethod
    def parse(cls, chunk_id: str) -> Chunk:
        """From the id. Raises MessageError, also where it is too large to be one of ours."""
        if not isinstance(chunk_id, str) or len(chunk_id) > MAX_CHUNK_ID:
            raise MessageError("not a chunk id", str(chunk_id)[:200].encode("utf-8", "backslashreplace"))
        try:
            generation, _, rest = chunk_id.partition(":")
            runs, _, scenario = rest.partition("@")
            chunk = cls(int(generation), tuple(Run.parse(run) for run in runs.split(",")), Scenario.parse(scenario))
            # looked at before the points are counted out: an id of twenty characters can name 10^11
            if not all(run.size > 0 for run in chunk.runs) or len(chunk) > MAX_CHUNK_POINTS or chunk.id != chunk_id:
                raise ValueError(chunk_id)
        except (ValueError, OverflowError) as error:
            raise MessageError("not a chunk id", chunk_id.encode("utf-8", "backslashreplace")) from error
        return chunk

    @property
    def id(self) -> str:
        """The id that travels."""
        scenario = f"@{self.scenario}" if self.scenario != PLAIN else ""
        return f"{self.generation}:" + ",".join(map(str, self.runs)) + scenario

    @property
    def points(self) -> list[int]:
        """The point indices, in the order in which they were handed out."""
        return [point for run in self.runs for point in run.points]

    def __len__(self) -> int:
        return sum(run.size for run in self.runs)


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
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise MessageError(f"not rows ({error})", raw) from error
