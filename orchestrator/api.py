"""A sweep from Python: in a script, or in a notebook with a progress bar.

    from hummingsweep import Sweep

    sweep = Sweep.from_file("sweep.yml", grid={"bb_length": [20, 40, 60]})
    rows = sweep.run()                # a DataFrame, the best point first
    rows[["bb_length", "net_pnl"]]
    sweep.ranking(), sweep.trust()    # shown as tables in a notebook
    sweep.plot("map")                 # or "equity", "distribution": plotly figures
    sweep.report(points=[7])          # the HTML page, with the curves of point 7
    sweep.promote("hummingbot")       # the winner as a controller config

The calls are ordinary functions that take as long as the work takes; they start no event loop, so they work in a cell
whose kernel runs one. Everything lies in the same output folder as with `hummingsweep run`, and a second call of `run`
goes on where the first stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ujson

from orchestrator.progress.watcher import Progress, Silent, Watcher, watcher_for
from orchestrator.sweepfile import sweep as files
from tasks.errors import StoreError
from tasks.named_types import JsonObject
from tasks.settings import Settings
from tasks.times import span

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from plotly.graph_objects import Figure

    from orchestrator.analysis.rank import Ranking
    from orchestrator.execution.trades import Trades


class Sweep:
    """One sweep file and its output folder."""

    def __init__(self, sweep: files.Sweep, out: Path | None = None):
        #: the checked sweep file
        self.file = sweep
        #: the output folder
        self.out = out or Path("runs") / sweep.name
        self._settings = Settings.read()

    @classmethod
    def from_file(cls, path: str | Path, out: str | Path | None = None, **overrides: Any) -> Sweep:
        """Read a sweep file; `overrides` take the place of keys of the same name. Raises SweepFileError.

        `out`: output folder, default `runs/<name>` as with `hummingsweep run`. Relative paths in the file and in
        overrides (candles, controllers) start at the file.

        >>> Sweep.from_file("examples/quickstart.yml", out="runs/mine")
        <Sweep quickstart: 320 points, out runs/mine>
        """
        sweep = files.read(Path(path))
        return cls(sweep.changed(**overrides) if overrides else sweep, Path(out) if out else None)

    @classmethod
    def from_mapping(cls, keys: JsonObject, out: str | Path | None = None) -> Sweep:
        """A sweep file's keys as a dict; relative paths start at the working directory. Raises SweepFileError.

        >>> controller = {"controller_type": "directional_trading", "controller_name": "band_reversion",
        ...               "connector_name": "binance_perpetual", "trading_pair": "BTC-USDT"}
        >>> period = {"start": "2024-01-02", "end": "2024-01-04"}
        >>> keys = {"name": "mine", "controller": controller, "grid": {"bb_std": [1.5, 2.0]}, "period": period}
        >>> Sweep.from_mapping(keys)
        <Sweep mine: 2 points, out runs/mine>
        """
        return cls(files.Sweep.from_mapping(keys), Path(out) if out else None)

    def run(
        self,
        broker: str | None = None,
        out: str | Path | None = None,
        *,
        progress: bool = True,
        children: int = 0,
        retry: bool = False,
        audit: bool = True,
        report: bool = True,
    ) -> pd.DataFrame:
        """Compute every point that has no row yet; the rows, see `rows`.

        `broker`: redis:// address of a cluster, default HUMMINGSWEEP_BROKER, else an embedded server and a local node
        with `children` children (0: one a core). `out`: another output folder. `retry`: compute failed points again.
        `audit`, `report`: at the end, test the best point for look-ahead and write report.html into the folder.

        An interrupt (the stop button, Ctrl-C) ends the run after the running chunks; the rows so far are returned, and
        `attrs["interrupted"]` is True. Raises HummingsweepError for whatever the user can mend.
        """
        from orchestrator.execution.operations import run_sweep

        self.out = Path(out) if out else self.out
        changes: JsonObject = {"broker": broker, "children": children}
        self._settings = dataclasses.replace(
            self._settings, **{name: value for name, value in changes.items() if value}
        )
        watcher = bar() if progress else Silent()
        try:
            answer = run_sweep(self.file, self.out, self._settings, watcher, retry=retry, audit=audit, report=report)
        finally:
            watcher.close()
        rows = self.rows()
        rows.attrs |= {
            "interrupted": answer.summary.interrupted,
            "failed": answer.summary.failed,
            "audit": answer.audit,
            "report": str(answer.report) if answer.report else None,
            "trust": answer.trust,
        }
        return rows

    def rows(self) -> pd.DataFrame:
        """The stored rows as a DataFrame: index `point`, one column as in `hummingsweep rows`, and `rank`.

        Best first by the sweep's `rank_by`; `rank` (Int64) counts from 1, points with equal results share it, and it is
        <NA> for points that are not ranked (failed, or not meeting `where`), which come last. `attrs` says sweep and
        out. Raises StoreError when nothing was run, ExpressionError when `rank_by` does not fit the columns.
        """
        import pandas as pd

        from orchestrator.results.columns import JSON_FIELD
        from orchestrator.results.store_reader import StoreReader

        with StoreReader.open(self.out) as store:
            name = store.latest()
            table = store.table(name)
            ranking = self._ranking(table)
        frame: pd.DataFrame = table.to_pandas()
        for field in table.schema:
            if field.metadata == JSON_FIELD:
                frame[field.name] = [None if text is None else ujson.loads(text) for text in frame[field.name]]
        places = [ranking.place(point) for point in frame["point"]]
        frame.insert(1, "rank", pd.Series(places, index=frame.index, dtype="Int64"))
        frame = frame.sort_values(["rank", "point"], na_position="last").set_index("point")
        frame.attrs |= {"sweep": name, "out": str(self.out)}
        return frame

    def walk_forward(self) -> pd.DataFrame:
        """The walk-forward, one row a fold: index `fold` (from 1 on), the windows' first and last moments (UTC), the
        chosen point, its values, objective and return (fraction) in training and test, and what random points did.

        `attrs` has the rest of the answer as `hummingsweep walk --json` gives it: joined, choices, control, parameters,
        efficiency, holdout. Folds whose windows have no rows yet are left out. Raises StoreError when nothing was run
        or the sweep has no windows.
        """
        import pandas as pd

        from orchestrator.execution.windows import walk_forward

        document = walk_forward(self.out)
        answer = document["walk_forward"] or {"folds": []}
        folds = [{**fold, **(fold.get("values") or {}), "fold": fold["fold"] + 1} for fold in answer["folds"]]
        frame = pd.DataFrame([{name: item for name, item in fold.items() if name != "values"} for fold in folds])
        for name in ("train_start", "train_end", "test_start", "test_end"):
            if name in frame:
                frame[name] = pd.to_datetime(frame[name], unit="s", utc=True)
        frame.attrs |= {name: item for name, item in {**document, **answer}.items() if name != "folds"}
        return frame.set_index("fold") if len(frame) else frame

    def returns(self) -> pd.DataFrame:
        """The returns of every ok point: a row a period (index: the UTC moment at which it ends), a column a point.

        float32 fractions of the account; the product of (1 + return) is the end value over the start value. `attrs`
        says `interval` (1d, 6h, ...). Raises StoreError where none are stored.
        """
        import pandas as pd

        from orchestrator.results.store_reader import StoreReader

        with StoreReader.open(self.out) as store:
            returns = store.returns(store.latest())
        if returns is None:
            raise StoreError(f"{self.out}: no returns are stored; run the sweep with this version")
        ends = pd.to_datetime(returns.ends, unit="s", utc=True).rename("period_end")
        frame = pd.DataFrame(returns.values, index=ends, columns=pd.Index(returns.points, name="point"))
        frame.attrs["interval"] = returns.interval
        return frame

    def trust(self) -> JsonObject:
        """The verdict on the sweep with its figures, as under "trust" in `hummingsweep run --json`; a notebook shows
        its word and sentence. Raises StoreError, ExpressionError."""
        from orchestrator.analysis.html import VerdictDict
        from orchestrator.analysis.judgement import judge_sweep
        from orchestrator.results.store_reader import StoreReader

        with StoreReader.open(self.out) as store:
            return VerdictDict(judge_sweep(store, store.latest(), self.file.rank_by, self.file.where).document)

    def ranking(self, top: int | None = 10) -> Ranking:
        """The best points and what they stand on (edges, neighbours), see orchestrator.analysis.rank. Raises
        StoreError.
        """
        from orchestrator.results.store_reader import StoreReader

        with StoreReader.open(self.out) as store:
            return self._ranking(store.table(store.latest()), top)

    def plot(self, kind: str = "map", *, axes: Sequence[str] = (), points: Sequence[int] = (), best: int = 5) -> Figure:
        """A plotly figure from the stored rows: `map` (the mean objective over two `axes`, default the first two that
        vary), `equity` (of `points`, or of the `best` ranked ones), or `distribution` (of the objective).

        Raises StoreError when nothing was run or there is nothing to draw, HummingsweepError for another kind or
        axis.
        """
        from orchestrator.notebook import plot

        return plot(self.out, kind, axes=axes, points=points, best=best)

    def report(self, points: Sequence[int] = (), best: int = 3, to: str | Path | None = None) -> Path:
        """Write the HTML page with the curves of these and of the `best` points. Raises StoreError."""
        from orchestrator.execution import operations

        return operations.report(
            self.out, self._settings, Silent(), points=points, best=best, to=Path(to) if to else None
        )

    def trades(self, point: int | Sequence[int], fills: str = "") -> Trades:
        """The executors and the fills of a point, or of several, computed again with the sweep's engine and fills.

        `fills`: of a sweep with `fills: both`, "stock" (also when empty) or "honest".

        Two DataFrames, `executors` and `fills`, as `hummingsweep trades` writes them; times in UTC. Raises StoreError
        when nothing was run or there is no such point, HummingsweepError for a point whose back-test fails.
        """
        from orchestrator.execution.trades import trades

        points = [point] if isinstance(point, int) else list(point)
        return trades(self.out, self._settings, Silent(), points, fills)

    def promote(
        self,
        to: str | Path,
        rank: int = 1,
        point: int | None = None,
        *,
        force: bool = False,
        anyway: bool = False,
        with_code: bool = False,
    ) -> list[Path]:
        """Write a point as configs that Hummingbot loads, see orchestrator.execution.promote; the files written.

        `with_code`: the controller's source and the helpers it imports are copied too. Raises StoreError,
        ControllerError.
        """
        from orchestrator.execution.controller_code import code_of
        from orchestrator.execution.promote import promote
        from orchestrator.results.store_reader import StoreReader

        with StoreReader.open(self.out) as store:
            name = store.latest()
            code = code_of(store, name) if with_code else None
            return promote(store, name, Path(to), rank=rank, point=point, force=force, anyway=anyway, code=code)

    def _ranking(self, table: pa.Table, top: int | None = 1) -> Ranking:
        from orchestrator.analysis.rank import rank

        return rank(table, self.file.rank_by, self.file.where, grid=self.file.grid, top=top, across=self.file.across)

    def _repr_html_(self) -> str:
        """What a notebook shows: the grid, how far the sweep is, and its verdict where there is one."""
        from orchestrator.analysis.html import table_html, verdict_html
        from orchestrator.analysis.judgement import TRUST
        from orchestrator.results.store_reader import StoreReader

        done, verdict = "not run yet", ""
        with contextlib.suppress(StoreError), StoreReader.open(self.out) as store:
            name = store.latest()
            done = f"{sum(store.counts(name).values()):,} points have a row"
            found = store.meta(name).get(TRUST)
            verdict = verdict_html(found) if found else ""
        axes = [[axis.name, f"{len(axis):,}", _few(axis.values)] for axis in self.file.grid.axes]
        note = f"{self.file.name}: {self.file.grid.size:,} points, {done}, out {self.out}"
        return table_html(["axis", "values", ""], axes, note) + verdict

    def __repr__(self) -> str:
        return f"<Sweep {self.file.name}: {self.file.grid.size} points, out {self.out}>"


def _few(values: Sequence[Any]) -> str:
    """At most eight values of an axis, the middle left out."""
    texts = [str(value) for value in values]
    return ", ".join(texts if len(texts) <= 8 else [*texts[:4], "…", *texts[-4:]])


def bar() -> Watcher:
    """The progress bar that fits: a notebook's, a terminal's, or plain lines."""
    return NotebookBar() if "ipykernel" in sys.modules else watcher_for(json=False)


class NotebookBar:
    """For a notebook: one output that is replaced as the sweep goes on. Needs IPython, and no widgets."""

    def __init__(self) -> None:
        self._display: Any = None
        self._shown = ""

    def say(self, text: str) -> None:
        """A line of the cell's output."""
        print(text)  # noqa: T201 - a cell's output is what a notebook reads

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        left = f"{span(progress.left_s)} left" if progress.left_s is not None else "measuring"
        facts = (
            f"{progress.done:,} of {progress.points:,} points, {progress.points_per_s:.1f} points/s, {left}, "
            f"{progress.failed:,} failed, {progress.children} children"
        )
        if facts == self._shown:
            return
        self._shown = facts
        shown = _Output(
            text=facts,
            html=f'<progress max="{progress.points}" value="{progress.done}" style="width:100%"></progress><br>{facts}',
        )
        if self._display is None:
            from IPython.display import display

            self._display = display(shown, display_id=True)  # type: ignore[no-untyped-call]  # IPython gives it none
        else:
            self._display.update(shown)

    def close(self) -> None:
        """Leave the bar as it stands."""


@dataclasses.dataclass(frozen=True)
class _Output:
    """What IPython asks of an object that it shows."""

    text: str
    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text
