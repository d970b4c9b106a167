"""The Python API on a real broker and real children: the example, a notebook's running loop, a notebook's bar."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml

import hummingsweep
from hummingsweep import Sweep
from orchestrator.api import NotebookBar, bar
from orchestrator.progress.watcher import PlainLines, Progress
from tasks.errors import StoreError, UnknownKey
from tests.integration.conftest import Cluster, Place


@pytest.fixture
def in_cluster(session_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the orchestrator of the session's cluster."""
    for name, value in session_cluster.environment.items():
        if name.startswith("HUMMINGSWEEP_"):
            monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("in_cluster")
def test_the_example_runs(tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic = [sys.executable, str(repository / "examples" / "synthetic.py"), "--to", str(tmp_path / "data")]
    subprocess.run([*synthetic, "--pairs", "BTC-USDT"], check=True, capture_output=True)
    spec = importlib.util.spec_from_file_location("python_api", repository / "examples" / "python_api.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(out=tmp_path / "out", candles=tmp_path / "data")
    said = capsys.readouterr().out
    assert "<Sweep quickstart: 12 points" in said
    assert "bb_length" in said
    assert "audit: clean" in said
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.usefixtures("in_cluster")
def test_rows_come_best_first_and_a_second_run_finds_nothing_to_do(place: Place) -> None:
    sweep = Sweep.from_file(
        place.file, out=place.folder / "out", where="total_positions >= 1", rank_by="-total_fees_quote"
    )
    rows = sweep.run(progress=False, audit=False, report=False)
    stored = {row["point"]: row for row in place.rows("out")}
    assert sorted(rows.index) == list(range(12))
    for point, row in rows.iterrows():
        assert row["net_pnl"] == stored[point]["net_pnl"]
        assert row["close_types"] == stored[point]["close_types"]
    ranked = rows[rows["rank"].notna()]
    assert rows.index[: len(ranked)].tolist() == ranked.index.tolist()
    assert ranked["rank"].is_monotonic_increasing
    assert ranked["total_fees_quote"].is_monotonic_increasing
    assert ranked["total_positions"].min() >= 1
    assert rows.attrs["interrupted"] is False
    assert rows.attrs["out"] == str(place.folder / "out")
    again = sweep.run(progress=False, audit=False, report=False)
    pd.testing.assert_frame_equal(rows, again)
    assert sweep.ranking().rows[0]["point"] == rows.index[0]


@pytest.mark.usefixtures("in_cluster")
def test_it_runs_in_a_cell_whose_kernel_runs_a_loop(place: Place) -> None:
    """A kernel calls a cell's code from inside its running event loop."""

    async def cell() -> pd.DataFrame:
        return Sweep.from_file(place.file, out=place.folder / "out", grid={"length": [5, 10]}).run(
            progress=False, audit=False
        )

    rows = asyncio.run(cell())
    assert rows["status"].tolist() == ["ok", "ok"]
    assert Path(rows.attrs["report"]).is_file()


@pytest.mark.usefixtures("in_cluster")
def test_failed_points_come_last_and_without_a_rank(place: Place) -> None:
    sweep = Sweep.from_file(place.file, out=place.folder / "out", grid={"length": [5, -1, 10]})
    rows = sweep.run(progress=False, audit=False, report=False)
    assert rows.index[-1] == 1
    assert rows.loc[1, "status"] == "error"
    assert rows["rank"].isna().tolist() == [False, False, True]
    assert rows.attrs["failed"] == 1
    written = sweep.promote(place.folder / "bot", anyway=True)
    assert yaml.safe_load(written[0].read_text())["length"] == rows["length"].iloc[0]
    page = sweep.report(points=[2], to=place.folder / "other.html").read_text()
    assert 'data-chart="curves"' in page


def test_an_override_is_checked_like_the_file(place: Place) -> None:
    with pytest.raises(UnknownKey, match="the nearest valid key is `grid`"):
        Sweep.from_file(place.file, gird={"length": [1]})


def test_rows_before_a_run_are_one_sentence(place: Place) -> None:
    with pytest.raises(StoreError, match="holds no results"):
        Sweep.from_file(place.file, out=place.folder / "nothing").rows()


def test_the_default_folder_is_the_commands(place: Place) -> None:
    assert Sweep.from_file(place.file).out == Path("runs/test")
    assert repr(Sweep.from_file(place.file)) == "<Sweep test: 12 points, out runs/test>"


def test_the_package_gives_its_names_and_no_other() -> None:
    assert hummingsweep.__all__ == ["HummingsweepError", "Ranking", "Sweep", "__version__"]
    with pytest.raises(AttributeError, match="no attribute 'Swep'"):
        _ = hummingsweep.Swep


class Display:
    """What IPython.display gives back for a display id."""

    def __init__(self, shown: list[Any]):
        self.shown = shown

    def update(self, what: Any) -> None:
        self.shown.append(what)


def test_a_notebook_has_one_bar_that_moves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[Any] = []

    def display(what: Any, display_id: bool) -> Display:
        assert display_id
        shown.append(what)
        return Display(shown)

    module = ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    watcher = bar()
    assert isinstance(watcher, NotebookBar)
    watcher.say("ready")
    for done in (0, 40, 40, 160):
        watcher.update(Progress(160, done, 1, 12.5, 10.0, 2))
    watcher.close()
    assert capsys.readouterr().out == "ready\n"
    assert len(shown) == 3  # nothing is drawn twice
    assert 'value="160"' in shown[-1]._repr_html_()
    assert repr(shown[-1]) == "160 of 160 points, 12.5 points/s, 10 s left, 1 failed, 2 children"


def test_outside_a_notebook_it_is_the_commands_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert isinstance(bar(), PlainLines)
