"""The report's part on unseen data: folds, joined curve, hold-out, matrix and markets, from what a run noted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ujson

from orchestrator.commands.walk import walk_lines
from orchestrator.report.folds_page import folds_part
from orchestrator.report.folds_words import between, closing_lines
from orchestrator.report.page import write_report
from orchestrator.results.store_reader import StoreReader
from orchestrator.validation import holdout
from orchestrator.validation.folds import Fold, Window
from orchestrator.validation.joined import Piece
from orchestrator.validation.robustness import Check, matrix
from orchestrator.validation.walk import Chosen, WindowResult, walk
from tasks.engine import regimes
from tasks.grid import Grid
from tests import made

DAY = 86400
GRID = Grid.from_mapping(made.GRID)


def result(window: Window, daily: float, seed: int = 0) -> WindowResult:
    days = round((window.end - window.start) / DAY)
    returns = daily + np.random.default_rng(seed).normal(0, 0.002, days)
    return WindowResult(
        Piece(window, DAY, returns, window.start + DAY * np.arange(1.0, days + 1)), daily * days, "ok", 9
    )


def noted() -> dict[str, Any]:
    """What a run with every part leaves in a sweep's notes."""
    folds = []
    for number in range(4):
        start = made.START + number * DAY
        fold = Fold(number, Window(start, start + 3 * DAY - 60), Window(start + 3 * DAY, start + 4 * DAY - 60))
        order, control = (10 + number, 20), (30, 31)
        points = (*order, *control)
        train = {point: result(fold.train, 0.004, point) for point in points}
        test = {point: result(fold.test, 0.004 if number % 2 else -0.003, point) for point in points}
        folds.append(Chosen(fold, order, control, 160, train, test))
    answer = walk(folds, GRID, ("best", 0), "net_pnl") | {"planned": 4, "left_over_s": 0}
    window = Window(made.START + 7 * DAY, made.START + 9 * DAY - 60)
    seen = {point: result(window, 0.001, point) for point in (11, 30)}
    checks = [Check("costs", "costs x2", {"cost": 2.0}), Check("delay", "1 candle later", {"delay": 1})]
    changed = {("costs x2", 11): 0.09, ("1 candle later", 11): 0.01}
    robust = matrix([11], checks, {11: 0.1}, changed, {}, ascending=False)
    return {
        "rank_by": "net_pnl",
        "walk_forward": ujson.loads(ujson.dumps(answer)),
        "holdout": holdout.answer(window, [11], [30], {11: 0.1, 30: 0.0}, seen, 2, ascending=False),
        "robustness": {"rank_by": "net_pnl", **robust},
    }


def detail() -> dict[str, Any]:
    row = made.detail_row(11)
    curve = row["detail"]["curve"]
    arrays = [np.array(curve[name]) for name in ("time", "close", "equity")]
    row["detail"]["regimes"] = regimes.table(*arrays)
    return row


def page(tmp_path: Path, meta: dict[str, Any], details: list[dict[str, Any]]) -> str:
    name = made.store(tmp_path, points=range(40), meta=meta)
    with StoreReader.open(tmp_path) as store:
        return write_report(store, name, tmp_path / "page.html", details=details).read_text()


def data_of(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert found
    return ujson.loads(found[1])


def test_every_part_is_in_the_page(tmp_path: Path) -> None:
    html = page(tmp_path, noted(), [detail()])
    for title in (
        "On data the choice never saw",
        "Test windows joined",
        "Under changed conditions",
        "In which markets",
    ):
        assert title in html
    assert "looked at 2 times" in html
    assert "point 11: fragile: 1 candle later" in html
    assert 'class="gone"' in html
    unseen = data_of(html)["unseen"]
    assert [fold["fold"] for fold in unseen["folds"]] == [0, 1, 2, 3]
    assert len(unseen["joined"]["time"]) == len(unseen["joined"]["growth"]) == 8
    assert {each["axis"] for each in unseen["parameters"]} == set(made.GRID)
    assert unseen["price"]["time"]
    assert html.index("hummingsweepCharts ||=") < html.index("of window.hummingsweepCharts || []")


def test_without_notes_there_is_no_such_part(tmp_path: Path) -> None:
    row = made.detail_row(11)
    del row["detail"]["regimes"]
    html = page(tmp_path, {}, [row])
    assert "On data the choice never saw" not in html
    assert data_of(html)["unseen"] == {}


def test_what_users_wrote_is_escaped(tmp_path: Path) -> None:
    meta = noted()
    meta["robustness"]["rows"][1]["label"] = "<script>alert(1)</script>"
    assert "<script>alert(1)" not in page(tmp_path, meta, [])


def test_a_fold_without_a_choice_is_a_row_that_says_so() -> None:
    fold = Fold(0, Window(made.START, made.START + DAY - 60), Window(made.START + DAY, made.START + 2 * DAY - 60))
    answer = walk([Chosen(fold, (), (), 0)], GRID, ("best", 0), "net_pnl") | {"planned": 1, "left_over_s": 0}
    part, _ = folds_part({"rank_by": "net_pnl", "walk_forward": answer}, [], made.definition("s-0123456789", made.GRID))
    assert part is not None
    assert [cell.text for cell in part.fold_rows[0]][3] == "none"
    assert part.sentences == ["out of sample: no fold has a point that could be tested"]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (made.START, made.START + DAY - 60, "2024-01-01 to 2024-01-01"),
        (made.START, made.START + DAY, "2024-01-01 to 2024-01-02"),
        (made.START + 3600, made.START + 7200, "2024-01-01 01:00 to 2024-01-01 02:00"),
    ],
)
def test_a_window_reads_in_days_where_it_is_made_of_days(start: int, end: int, said: str) -> None:
    assert between(start, end) == said


def test_sentences_say_what_random_choices_did() -> None:
    lines = closing_lines(noted())
    assert any(line.startswith("choosing at random: return") for line in lines)
    assert any(line.startswith("efficiency:") for line in lines)
    assert any(line.startswith("hold-out 2024-01-08 to 2024-01-09: best point 11") for line in lines)


def test_results_that_are_fractions_read_as_percent() -> None:
    part, _ = folds_part({**noted(), "rank_by": "net_pnl"}, [], made.definition("x-0123456789", made.GRID))
    assert part is not None
    assert [cell.text for cell in part.holdout_rows[0]][:4] == ["rank 1", "11", "10.00%", "0.20%"]
    assert [cell.text for cell in part.robustness.rows[0].cells] == ["10.00%"]
    sharpe, _ = folds_part({**noted(), "rank_by": "sharpe"}, [], made.definition("x-0123456789", made.GRID))
    assert sharpe is not None
    assert sharpe.holdout_rows[0][2].text == "0.1"
    looked = {**noted()["holdout"], "rank_by": "net_pnl"}
    assert "best point 11 net_pnl 0.20% (in sample 10.00%)" in closing_lines({"holdout": looked})[0]


def test_without_curves_folds_are_drawn_alone_and_no_price_is_spoken_of() -> None:
    definition = made.definition("x-0123456789", made.GRID)
    part, data = folds_part(noted(), [], definition)
    assert part is not None
    assert data["price"]["time"] == []
    assert part.folds_alt.startswith("One line a fold")
    with_price, _ = folds_part(noted(), [detail()], definition)
    assert with_price is not None
    assert with_price.folds_alt.startswith("Price over the period")


def test_a_holdout_without_returns_enough_has_no_column_of_ratios() -> None:
    definition = made.definition("x-0123456789", made.GRID)
    short, _ = folds_part(noted(), [], definition)
    assert short is not None
    assert not short.holdout_ratios  # two days
    assert {len(row) for row in short.holdout_rows} == {5}
    notes = noted()
    notes["holdout"]["points"][0]["sharpe"] = 1.5
    whole, _ = folds_part(notes, [], definition)
    assert whole is not None
    assert {len(row) for row in whole.holdout_rows} == {6}


def test_columns_in_which_no_fold_and_no_point_has_a_number_are_left_out() -> None:
    notes = noted()
    folds = notes["walk_forward"]["folds"]
    for fold in folds:
        fold["objective_out"] = None
    notes["holdout"]["by_return"] = True
    part, _ = folds_part(notes, [], made.definition("x-0123456789", made.GRID))
    assert part is not None
    assert part.fold_heads[4:8] == ["return in", "return out", "random out", "net_pnl in"]
    assert "net_pnl out" not in part.fold_heads
    assert {len(row) for row in part.fold_rows} == {len(part.fold_heads)}
    assert {len(row) for row in part.holdout_rows} == {4}
    lines = walk_lines(notes["walk_forward"])
    assert "net_pnl out" not in lines[1]
    assert "net_pnl in" in lines[1]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-2.0, 9.0, "in 40 days a true ratio of 8.5 shows in 8 of 10 cases"),
        (-9.0, -2.0, "the whole range of that Sharpe ratio is below 0: what was chosen loses"),
        (0.5, 9.0, None),
        (None, None, None),
    ],
)
def test_tests_that_show_no_edge_say_how_strong_one_would_have_to_be(
    low: float | None, high: float | None, said: str | None
) -> None:
    walked = noted()["walk_forward"]
    walked["joined"] |= {
        "sharpe": low and 3.5,
        "sharpe_low": low,
        "sharpe_high": high,
        "days": 40,
        "sharpe_shown": 8.46,
    }
    text = "\n".join(closing_lines({"walk_forward": walked}))
    assert ("range of that Sharpe ratio" in text) == (said is not None)
    assert said is None or said in text


def test_tests_of_a_day_and_a_half_are_told_in_hours() -> None:
    walked = noted()["walk_forward"]
    walked["joined"]["days"] = 1.5
    assert "test windows, 36 hours, return" in closing_lines({"walk_forward": walked})[0]
