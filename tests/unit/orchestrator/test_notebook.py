"""What a notebook shows: HTML of a sweep, its ranking and its verdict, and figures from the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hummingsweep import Sweep
from orchestrator.analysis.html import VerdictDict, ranking_html
from orchestrator.analysis.rank import rank
from orchestrator.notebook import plot
from orchestrator.results.store_reader import StoreReader
from tasks.errors import HummingsweepError, StoreError
from tests import made

HOSTILE = "</td><script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("notebook")
    made.store(found)
    return found


def test_a_map_has_a_cell_per_pair_of_values_and_the_mean_of_its_points(folder: Path) -> None:
    (trace,) = plot(folder, "map", axes=("bb_std", "bb_length")).data
    assert (list(trace.x), list(trace.y)) == (["20", "40", "60", "80", "100"], ["1.5", "2", "2.5", "3"])
    with StoreReader.open(folder) as store:
        rows = [row for row in store.rows(store.latest()) if row["bb_std"] == 2.0 and row["bb_length"] == 60]
    assert trace.z[1][2] == pytest.approx(np.mean([row["net_pnl"] for row in rows]))
    assert trace.customdata[1][2] == len(rows)
    assert trace.zmin == -trace.zmax  # 0 is the middle of the colours


def test_a_distribution_counts_every_ranked_point(folder: Path) -> None:
    (trace,) = plot(folder, "distribution").data
    assert sum(trace.y) == 160


@pytest.mark.parametrize(
    ("kind", "axes", "words"),
    [("mpa", (), "map"), ("map", ("bb_lenght",), "bb_length")],
)
def test_a_slip_names_what_is_there(folder: Path, kind: str, axes: tuple[str, ...], words: str) -> None:
    with pytest.raises(HummingsweepError, match=words):
        plot(folder, kind, axes=axes)


def test_equity_without_stored_returns_says_so(folder: Path) -> None:
    with pytest.raises(StoreError, match="no returns are stored"):
        plot(folder, "equity")


def test_one_axis_gives_no_map(tmp_path: Path) -> None:
    made.store(tmp_path, grid={"bb_length": [1, 2], "bb_std": [2.0]})
    with pytest.raises(StoreError, match="two axes"):
        plot(tmp_path, "map")


def test_a_ranking_is_a_table_with_percent_and_what_users_wrote_is_escaped(tmp_path: Path) -> None:
    sweep = made.store(tmp_path, grid={HOSTILE: [HOSTILE, "b"], "c": [1, 2]})
    with StoreReader.open(tmp_path) as store:
        found = rank(store.table(sweep), "net_pnl", grid=store.sweep(sweep).grid)
    shown: Any = found._repr_html_()
    assert shown == ranking_html(found)
    assert "<script>" not in shown
    assert shown.count("<tr>") == 1 + 4
    assert "%</td>" in shown


def test_a_verdict_is_a_dict_that_shows_its_word() -> None:
    verdict = VerdictDict(verdict="luck", sentence="a < b")
    assert verdict["verdict"] == "luck"
    assert ">luck</b> a &lt; b" in verdict._repr_html_()


def test_a_sweep_says_its_axes_and_how_far_it_is(tmp_path: Path) -> None:
    keys = {
        "name": "mine",
        "controller": {
            "controller_type": "directional_trading",
            "controller_name": "band_reversion",
            "connector_name": "binance_perpetual",
            "trading_pair": "BTC-USDT",
        },
        "grid": {"bb_std": list(range(1, 20))},
        "period": {"start": "2024-01-02", "end": "2024-01-04"},
    }
    sweep = Sweep.from_mapping(keys, out=tmp_path / "out")
    assert "not run yet" in sweep._repr_html_()
    assert "1, 2, 3, 4, …, 16, 17, 18, 19" in sweep._repr_html_()
    made.store(tmp_path / "out")
    assert "160 points have a row" in sweep._repr_html_()
