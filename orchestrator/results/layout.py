"""How the rows of one sweep are put together again: from the store's lists to dicts and Arrow columns."""

from __future__ import annotations

import functools
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import ujson

from orchestrator.results import columns as cols
from orchestrator.results.columns import LEADING
from orchestrator.results.database import sql
from orchestrator.results.sweep_notes import checked
from tasks.errors import MessageError, StoreError
from tasks.grid import Grid
from tasks.named_types import JsonObject, Row
from tasks.protocol.messages import Status, SweepDefinition
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    import pyarrow as pa


#: What to do about a store that holds what we never write.
DAMAGED = "move the folder away and run the sweep again, or restore the folder from a copy"


@dataclass(frozen=True)
class StoredSweep:
    """One sweep of a store."""

    #: the number that stands for it in the tables
    key: int
    sweep: str
    definition: SweepDefinition
    #: the sweep file's text
    sweep_file: str
    meta: JsonObject
    #: seconds since epoch
    created: float

    @classmethod
    def of(cls, found: tuple[Any, ...]) -> StoredSweep:
        """From what the queries `sweep` and `sweeps` give. Raises StoreError for what no version of ours wrote."""
        key, sweep, definition, sweep_file, meta, created = found
        try:
            noted = checked(ujson.loads(meta))
            return cls(key, sweep, SweepDefinition.decode(definition), sweep_file, noted, created)
        except (ValueError, TypeError, KeyError, MessageError) as error:
            raise StoreError(f"sweep {sweep!s:.80} of the store is damaged ({error!s:.200}); {DAMAGED}") from None

    @functools.cached_property
    def grid(self) -> Grid:
        """The grid its points are numbered in."""
        return Grid.from_mapping(self.definition.grid)


class Layout:
    """How the rows of one sweep under one scenario are put together again."""

    def __init__(self, connection: sqlite3.Connection, stored: StoredSweep, scope: int, scenario: str = ""):
        """`scope`: the number of the sweep under the scenario in the tables."""
        self.stored = stored
        self.scope = scope
        self._kinds: dict[str, str] = dict(connection.execute(sql("columns"), {"scope": scope}).fetchall())
        self._results = cols.in_order(self._kinds)
        self._decided = decided_by(Scenario.parse(scenario).applied(stored.definition))
        self._axes = cols.axis_columns(stored.grid.names, [*self._kinds, *self._decided])
        try:
            self._shapes = {shape: ujson.loads(names) for shape, names in connection.execute(sql("shapes"))}
        except (ValueError, TypeError) as error:
            raise StoreError(f"the names of results in the store are damaged ({error!s:.200}); {DAMAGED}") from None

    @property
    def names(self) -> list[str]:
        """All columns in order."""
        return [*LEADING, *self._axes.values(), *self._results, *self._decided]

    def row(self, found: tuple[Any, ...]) -> Row:
        """One dict, every column in order."""
        *leading, shape, document = found
        row = dict(zip(LEADING, leading, strict=True))
        for name, value in self.stored.grid.values(row["point"]).items():
            row[self._axes[name]] = value
        row.update(dict.fromkeys(self._results))
        try:
            row.update(zip(self._shapes[shape], ujson.loads(document), strict=True))
        except (ValueError, TypeError, KeyError) as error:
            raise _damaged_row(row["point"], error) from None
        row.update(self._decided)
        return row

    def columnar(self, page: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
        """One list a column."""
        *leading, _, _ = zip(*page, strict=True)
        values: dict[str, list[Any]] = {name: list(column) for name, column in zip(LEADING, leading, strict=True)}
        digits = zip(*(self.stored.grid.digits(point) for point in values["point"]), strict=True)
        for axis, places in zip(self.stored.grid.axes, digits, strict=True):
            values[self._axes[axis.name]] = [axis.values[place] for place in places]
        for name in self._results:
            values[name] = []
        for shape, rows in groupby(page, key=lambda row: row[-2]):
            page_part = list(rows)
            try:
                documents = [ujson.loads(row[-1]) for row in page_part]
                there = dict(zip(self._shapes[shape], zip(*documents, strict=True), strict=True))
            except (ValueError, TypeError, KeyError) as error:
                raise _damaged_row(page_part[0][0], error) from None
            for name in self._results:
                values[name].extend(there.get(name) or [None] * len(documents))
        for name, value in self._decided.items():
            values[name] = [value] * len(page)
        return values

    def schema(self) -> pa.Schema:
        """Of the columns of `names`."""
        import pyarrow as pa

        fixed = [pa.int64(), pa.string(), pa.string(), pa.string(), pa.float64()]
        return pa.schema(
            [
                *(pa.field(name, kind) for name, kind in zip(LEADING, fixed, strict=True)),
                *(cols.field(self._axes[axis.name], cols.kinds(axis.values)) for axis in self.stored.grid.axes),
                *(cols.field(name, self._kinds[name]) for name in self._results),
                *(cols.field(name, cols.kinds([value])) for name, value in self._decided.items()),
            ]
        )


def _damaged_row(point: int, error: Exception) -> StoreError:
    return StoreError(f"the results of point {point}, or of one after it, are damaged ({error!s:.200}); {DAMAGED}")


def decided_by(definition: SweepDefinition) -> JsonObject:
    """What decides a row beside its axes and is the same for the whole sweep; the last columns of every row."""
    return {
        "period_start": definition.start,
        "period_end": definition.end,
        "resolution": definition.resolution,
        "shift": definition.shift,
        "fills": definition.fills,
        "warmup": definition.warmup,
        "trade_cost": definition.trade_cost,
        "maker_cost": definition.trade_cost if definition.maker_cost is None else definition.maker_cost,
        "taker_cost": definition.trade_cost if definition.taker_cost is None else definition.taker_cost,
        "slippage_bps": definition.slippage_bps,
        "seed": definition.seed,
        "hummingbot_version": definition.versions.get("hummingbot", ""),
        "hummingsweep_version": definition.versions.get("hummingsweep", ""),
        "candles_digest": _digest(definition.slices),
        "trading_rules_digest": _digest(definition.trading_rules),
        "funding_digest": _digest(definition.funding),
        "controllers_digest": definition.controllers[:16],
    }


def _digest(value: Any) -> str:
    """Sixteen hex digits of a nested mapping's content; "" for an empty one."""
    return hashlib.sha256(ujson.dumps(value, sort_keys=True).encode()).hexdigest()[:16] if value else ""


def found(
    connection: sqlite3.Connection, scope: int, last: int, points: Iterable[int] | None, status: Status | str | None
) -> Iterator[tuple[Any, ...]]:
    """Rows as they lie in the store, ascending by point, or the given points as they come; none beyond `last`."""
    wanted = {"scope": scope, "last": last, "status": None if status is None else Status(status).value}
    if points is None:
        yield from connection.execute(sql("rows"), wanted)
        return
    for point in points:
        if 0 <= point <= last:
            yield from connection.execute(sql("row"), {**wanted, "point": point})
