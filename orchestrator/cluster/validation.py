"""What a message of rows must be before anything of it is stored.

A node that is broken, or not ours, can commit anything. Rows are checked against the chunk that
their message names and against the sweep: what is stored can be read, ranked and resumed. Checked are form and place,
not the numbers: `hummingsweep verify` computes points again.

    size        at most MAX_ROWS_BYTES, looked at before the message is decoded
    message     chunk, node, seconds, memory, feature axes: of the right types, in their ranges
    columns     lists of one length, at least one row; names that can be shown, and that no other column of a row has
    point       whole numbers of the chunk and of the grid, each once; none that the sweep's `skip` leaves out
    status      one of tasks.protocol.messages.Status
    values      null, true, false, numbers of at most 64 bits, text, or lists and mappings of those
    returns     of the interval and the number of periods that the sweep's returns have
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.sweepfile.skip import skip_of
from tasks.errors import HummingsweepError, MessageError
from tasks.grid import Grid
from tasks.intervals import interval_seconds
from tasks.protocol import names
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Kind, Rows, Status, SweepDefinition
from tasks.protocol.returns import decoded, period_ends, returns_interval, unpack
from tasks.protocol.scenario import Scenario

#: The largest message of rows. 2,000 points with 100 columns are some 4 MB.
MAX_ROWS_BYTES = 32 << 20
#: Columns of a message, and characters of a column's name.
MAX_COLUMNS = 5_000
MAX_NAME = 200
#: Characters of the text columns that every row has: status, error, engine. An error is cut at tasks.errors.LONGEST.
MAX_TEXT = 20_000
#: Columns of a back-test's row that are text wherever they are shown.
_TEXTS = ("warning", "engine_note", "controller_log")
#: Columns that a table of rows has for the whole sweep (orchestrator.results.layout.decided_by): no child sends one.
DECIDED = frozenset(
    {
        "period_start", "period_end", "resolution", "shift", "fills", "warmup", "trade_cost", "maker_cost",
        "taker_cost", "slippage_bps", "seed", "hummingbot_version", "hummingsweep_version", "candles_digest",
        "trading_rules_digest", "funding_digest", "controllers_digest",
    }
)  # fmt: skip
#: What an axis is called where a result has its name (orchestrator.results.columns.axis_columns).
_AXIS = "axis_"
#: Bytes that the returns of a chunk may take in memory.
MAX_RETURNS_BYTES = 256 << 20

_WHOLE = range(-(2**63), 2**63)


class RowsRefused(MessageError):
    """A message of rows that does not fit the chunk it names.

    `node` and `chunk` are what the message says of itself, where it can be read that far; "" otherwise.
    """

    def __init__(self, why: str, raw: bytes, node: str = "", chunk: str = ""):
        super().__init__(why, raw)
        self.why, self.node, self.chunk = why, node, chunk


@dataclass(frozen=True)
class ExpectedRows:
    """What the rows of one sweep must fit."""

    definition: SweepDefinition

    @functools.cached_property
    def points(self) -> int:
        """Points of the grid."""
        return Grid.from_mapping(self.definition.grid).size

    def check(self, raw: bytes) -> Rows:
        """The rows of a message. Raises RowsRefused."""
        if len(raw) > MAX_ROWS_BYTES:
            raise RowsRefused(f"{len(raw) >> 20} MB, more than {MAX_ROWS_BYTES >> 20} MB", raw[:1000])
        rows = None
        try:
            rows = Rows.decode(raw)
            if b"\\ud" in raw or b"\\uD" in raw:  # perhaps half a character, which nothing can store
                rows = _mended(rows)
            _check_message(rows)
            chunk = Chunk.parse(rows.chunk)
            self._check_window(chunk.scenario)
            _check_columns(rows.columns)
            if self.definition.kind is Kind.RUN:
                _check_results(rows.columns)
            self._check_points(chunk, rows.columns["point"])
            self._check_returns(chunk.scenario, rows)
        except (HummingsweepError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
            node, chunk_id = (_shown(rows.node), _shown(rows.chunk)) if rows is not None else ("", "")
            why = f"not rows ({type(error).__name__})" if rows is None else str(error)
            raise RowsRefused(why[:300], raw[:1000], node, chunk_id) from error
        return rows

    def _check_window(self, scenario: Scenario) -> None:
        """The window of a scenario lies in the sweep's candles: nobody asks for another, and some would be endless."""
        plain, applied = self.definition, scenario.applied(self.definition)
        if not plain.start <= applied.start <= applied.end <= max(plain.end, plain.candles_end):
            raise ValueError(f"the window of scenario {str(scenario)[:80]} is not in the sweep's period")

    def _check_points(self, chunk: Chunk, points: Sequence[Any]) -> None:
        if set(map(type, points)) != {int}:
            raise ValueError("a point is no whole number")
        if len(set(points)) != len(points):
            raise ValueError("a point comes twice")
        if strange := set(points) - set(chunk.points):
            raise ValueError(f"point {min(strange)} is not of chunk {_shown(chunk.id)[:80]}")
        if max(points) >= self.points:
            raise ValueError(f"point {max(points)} is not of the grid, which has {self.points}")
        skip = skip_of(self.definition) if self.definition.kind is Kind.RUN else None
        if skip is not None and (left_out := [point for point in points if skip(point)]):
            # stored, it would count as one of the points that the sweep waits for
            raise ValueError(
                f"point {min(left_out)} is one that the sweep leaves out (skip: {self.definition.skip[:80]})"
            )

    def _check_returns(self, scenario: Scenario, rows: Rows) -> None:
        packed = rows.returns
        if packed is None:
            return
        applied = scenario.applied(self.definition)
        interval_s, periods = _returns_of(applied.start, applied.end, applied.resolution)
        if (packed.interval_s, packed.periods) != (interval_s, periods):
            raise ValueError(
                f"{packed.periods!r} returns per {packed.interval_s!r} s; its period has {periods} per {interval_s} s"
            )
        if len(rows) * periods * 4 > MAX_RETURNS_BYTES:
            raise ValueError("more returns than fit into memory")
        unpack(decoded(packed.data), len(rows), periods)


@functools.lru_cache(maxsize=1024)
def _returns_of(start: int, end: int, resolution: str) -> tuple[int, int]:
    """Seconds of an interval of the returns of a sweep or window, and how many of them it has."""
    resolution_s = interval_seconds(resolution)
    interval_s = returns_interval(start, end, resolution_s)
    return interval_s, len(period_ends(start, end, resolution_s, interval_s))


def _check_message(rows: Rows) -> None:
    for name, value in (("chunk", rows.chunk), ("node", rows.node)):
        if not isinstance(value, str):
            raise TypeError(f"its {name} is no text")
    if len(rows.node) > MAX_NAME or not rows.node.isprintable():
        raise ValueError("the node's name is too long or cannot be shown")
    if type(rows.seconds) not in (int, float) or not (math.isfinite(rows.seconds) and rows.seconds >= 0):
        raise ValueError(f"{rows.seconds!r} are no seconds")
    if type(rows.memory_bytes) is not int or rows.memory_bytes not in _WHOLE or rows.memory_bytes < 0:
        raise ValueError("its memory is no number of bytes")
    axes = rows.feature_axes
    if not isinstance(axes, list | tuple) or not all(isinstance(axis, str) for axis in axes):
        raise TypeError("its feature axes are no names")


def _check_columns(columns: Any) -> None:
    if not isinstance(columns, dict) or not all(isinstance(values, list) for values in columns.values()):
        raise TypeError("its columns are no lists")
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"{len(columns)} columns, more than {MAX_COLUMNS}")
    for name in columns:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise ValueError(f"a column cannot have the name {name[:40]!r}")
    for name in ("point", "status"):
        if not columns.get(name):
            raise ValueError(f"it has no column `{name}`, or an empty one")
    if len(lengths := set(map(len, columns.values()))) > 1:
        raise ValueError(f"its columns are of different lengths ({min(lengths)} to {max(lengths)})")
    for status in set(map(_as_key, columns["status"])):
        Status(status)
    for name in ("error", "engine"):
        if not all(
            value is None or (isinstance(value, str) and len(value) <= MAX_TEXT) for value in columns.get(name, ())
        ):
            raise ValueError(f"a value of `{name}` is no text, or longer than {MAX_TEXT}")
    seconds = columns.get("seconds", ())
    if not all(value is None or type(value) in (int, float) for value in seconds):
        raise ValueError("a value of `seconds` is no number")
    for name, values in columns.items():
        if int in set(map(type, values)) and any(type(value) is int and value not in _WHOLE for value in values):
            raise ValueError(f"a value of `{name}` has more than 64 bits")


def _check_results(columns: dict[str, list[Any]]) -> None:
    """The columns of a back-test's rows: none that a table gets from elsewhere, and text where text is shown."""
    for name in columns:
        if name in DECIDED or name.startswith(_AXIS):
            raise ValueError(f"no child sends a column `{name}`: rows have it from the sweep")
    for name in _TEXTS:
        if not all(isinstance(value, str | None) for value in columns.get(name, ())):
            raise TypeError(f"a value of `{name}` is no text")


def _as_key(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a status is no text")
    return value


def _shown(text: Any) -> str:
    """A name out of a message that may be anything, as it may be shown."""
    return names.printable(text) if isinstance(text, str) else ""


def _mended(rows: Rows) -> Rows:
    """With every half of a surrogate pair replaced by U+FFFD: a controller may put one into its results."""

    def mend(value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(value, list):
            return [mend(each) for each in value]
        if isinstance(value, dict):
            return {mend(key): mend(each) for key, each in value.items()}
        return value

    return Rows(
        mend(rows.chunk),
        mend(rows.node),
        rows.seconds,
        mend(rows.columns),
        rows.memory_bytes,
        mend(rows.feature_axes),
        rows.returns,
    )
