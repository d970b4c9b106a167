"""The executors and fills of points, computed again in a child, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.cluster import broker
from orchestrator.execution import publish
from orchestrator.execution.planner import check_points
from orchestrator.execution.precheck import precheck
from orchestrator.execution.session import ask, known_feeds, stored_sweep
from orchestrator.results.store_reader import StoreReader
from tasks.errors import HummingsweepError
from tasks.named_types import Row
from tasks.protocol.messages import Kind, Status
from tasks.suggest import command

if TYPE_CHECKING:
    import pandas as pd

    from orchestrator.progress.watcher import Watcher
    from tasks.settings import Settings

#: Columns that hold moments: seconds since epoch as children send them, times with a time zone (UTC) in a table.
MOMENTS = ("created", "filled", "closed", "time")
#: Fills that a sweep with `fills: both` has side by side.
SIDES = ("stock", "honest")


class Trades(NamedTuple):
    """Two tables; the first column of both is `point`. See docs/results.md for the columns."""

    #: one row an executor, in the order in which they ended
    executors: pd.DataFrame
    #: one row a trade, in order of time; `executor` is the number of its executor
    fills: pd.DataFrame


def trades(folder: Path, settings: Settings, watcher: Watcher, points: Sequence[int], side: str = "") -> Trades:
    """The executors and fills of some points of a stored sweep, with its engine and fills.

    `side`: of a sweep with `fills: both`, "stock" (also when empty) or "honest".

    Raises StoreError (no such sweep or point), HummingsweepError for a side that the sweep does not have, for a point
    whose back-test fails or where candles, controllers or versions are others by now, and what publishing raises where
    they are gone.
    """
    with StoreReader.open(folder) as store:
        name, sweep, known = store.latest(), stored_sweep(store), known_feeds(store)
        check_points(name, points, store.sweep(name).grid.size)
    if side and (side not in SIDES or sweep.fills != "both"):
        raise HummingsweepError(f"--fills {side}: a sweep with `fills: both` has {' and '.join(SIDES)}, one with "
                                f"`fills: {sweep.fills}` has those alone")  # fmt: skip
    precheck(sweep)
    with broker.session(settings, say=watcher.say) as cluster:
        definition = publish.publish(sweep, cluster, watcher, known=known)
        if definition.sweep != name:
            raise HummingsweepError(
                f"{folder}: candles, controllers, trading rules or versions changed since sweep {name} ran, so these "
                f"would be other trades than those of its rows: `{command('run', sweep.file, '--out', folder)}` "
                "computes it anew"
            )
        rows = ask(cluster, definition, Kind.TRADES, points, watcher, fills=side)
    for row in rows:
        if row["status"] != Status.OK:
            raise HummingsweepError(f"point {row['point']}: {row['error'] or row['status']}")
    return Trades(_table(rows, "executors"), _table(rows, "fills"))


def _table(rows: Sequence[Row], name: str) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for row in rows:
        part = pd.DataFrame(row["trades"][name])
        part.insert(0, "point", row["point"])
        parts.append(part)
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)
    for column in set(MOMENTS) & set(table.columns):
        table[column] = pd.to_datetime(table[column].astype("float64"), unit="s", utc=True)
    for column in ("amount", "entry_price", "exit_price", "pnl_quote", "fees_quote", "volume_quote", "price"):
        if column in table.columns:
            table[column] = table[column].astype("float64")
    if name == "fills":
        table["level"] = table["level"].astype("Int64")
    return table
