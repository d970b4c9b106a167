"""Windows too short for annual figures: their points have an order by such a figure, and show none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.untraded import unranked
from orchestrator.commands.walk import walk_lines
from orchestrator.report.folds_words import closing_lines
from orchestrator.results.store import Store
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.answer import walk_answer
from orchestrator.validation.folds import Window, windows_of
from orchestrator.validation.window_order import ANNUAL, order_note, order_table
from tasks.metrics import formulas
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows, SweepDefinition
from tasks.protocol.returns import RETURNS, encode_row, period_ends, returns_interval
from tests.unit.orchestrator.sweepfile.test_validate import sweep

POINTS = 6
HOUR = 3600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "out") as made:
        yield made


def asked(**keys: Any) -> Sweep:
    """Folds of five days and two days of a month, every point on every test, ranked by an annual figure."""
    return sweep(
        **{
            "grid": {"a": list(range(POINTS))},
            "period": {"start": "2024-01-01", "end": "2024-01-21"},
            "rank_by": "sharpe",
            "validate": {"embargo": 0, "walk_forward": {"train": "5d", "test": "2d", "all": True}},
            **keys,
        }
    )


def filled(store: Store, about: Sweep) -> SweepDefinition:
    """Rows of every window, with no annual figure: the higher a point, the higher its Sharpe ratio."""
    definition = dataclasses.replace(about.definition(), sweep="test-0123456789")
    store.add_sweep(definition, about.text, {})
    for fold in windows_of(about).folds:
        for window in (fold.train, fold.test):
            insert(store, definition, window, fold.number)
    return definition


def insert(store: Store, definition: SweepDefinition, window: Window, seed: int) -> None:
    interval = returns_interval(window.start, window.end, 60)
    count = len(period_ends(window.start, window.end, 60, interval))
    noise = np.random.default_rng(seed).normal(0, 0.004, count)
    rows = []
    for point in range(POINTS):
        returns = (noise - noise.mean() + 0.0005 * (point - 2)).astype(np.float32)
        row = {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.1, "max_drawdown": -0.1}
        rows.append({**row, **dict.fromkeys(ANNUAL), "total_positions": 7, RETURNS: encode_row(returns, interval)})
    store.insert(definition.sweep, Rows.from_dicts(Chunk.of(1, range(POINTS), window.scenario).id, "here/1", 1.0, rows))


def test_a_walk_forward_of_short_windows_ranked_by_a_yearly_figure_chooses_and_says_how(store: Store) -> None:
    about = asked()
    answer = walk_answer(store, filled(store, about).sweep, about)
    assert answer is not None
    assert [fold["point"] for fold in answer["folds"]] == [POINTS - 1] * len(answer["folds"])
    assert {fold["objective_in"] for fold in answer["folds"]} == {None}
    assert answer["joined"]["windows"] == answer["planned"] > 2
    assert answer["rank_correlation"] == pytest.approx([1.0] * len(answer["folds"]))
    assert answer["paths"]["losing"] == 0
    said = "\n".join(closing_lines({"walk_forward": answer}))
    assert "training windows of 5d and test windows of 2d are too short for a yearly figure" in said
    assert "put in order by sharpe" in said


@pytest.mark.parametrize(("rank_by", "best"), [("-sharpe", 0), ("cagr", POINTS - 1), ("calmar + sortino", POINTS - 1)])
def test_every_yearly_figure_and_expressions_of_them_order_short_windows(store: Store, rank_by: str, best: int) -> None:
    about = asked(rank_by=rank_by)
    answer = walk_answer(store, filled(store, about).sweep, about)
    assert answer is not None
    assert {fold["point"] for fold in answer["folds"]} == {best}


def test_the_figures_are_those_of_the_rows_formulas_and_long_windows_keep_their_own(store: Store) -> None:
    about = asked()
    definition = filled(store, about)
    window = windows_of(about).folds[0].test
    table = order_table(store, definition.sweep, about, window)
    returns = store.returns(definition.sweep, str(window.scenario))
    assert returns is not None
    values = returns.values[:, 4].astype(np.float64)
    assert table.column("sharpe")[4].as_py() == formulas.sharpe(values, 365 * 86400 / returns.interval_s)
    assert table.column("calmar")[4].as_py() == pytest.approx(table.column("cagr")[4].as_py() / 0.1)
    long = Window(definition.start, definition.start + 8 * 24 * HOUR - 60)
    insert(store, definition, long, 1)
    assert all(order_table(store, definition.sweep, about, long).column(name)[4].as_py() is None for name in ANNUAL)


def test_where_no_point_can_be_chosen_the_reason_is_said(store: Store) -> None:
    about = asked(where="total_positions >= 10")
    definition = filled(store, about)
    answer = walk_answer(store, definition.sweep, about)
    assert answer is not None
    assert answer["joined"] is None
    why = "none of the 6 points that ran to their end meets where: total_positions >= 10"
    assert unranked(
        order_table(store, definition.sweep, about, windows_of(about).folds[0].train), "sharpe", about.where
    )[1]
    assert why in closing_lines({"walk_forward": answer})[0]
    (line,) = [line for line in walk_lines(answer) if "no point could be ranked in training" in line]
    assert line.startswith("folds 1, 2, 3, ")
    assert why in line


def test_honest_figures_beside_stock_fills_have_no_returns_to_be_made_of_and_nothing_else_is_said(store: Store) -> None:
    about = asked(rank_by="honest_net_pnl", fills="both")
    assert order_note(about, windows_of(about).folds) == ""
    assert order_note(asked(rank_by="honest_sharpe", fills="both"), windows_of(about).folds) == ""
    assert "by sharpe and calmar" in order_note(asked(where="calmar > 1"), windows_of(about).folds)
    answer = walk_answer(store, filled(store, asked(fills="both")).sweep, asked(fills="both"))
    said = "\n".join(closing_lines({"walk_forward": answer}))
    assert "are those of the stock fills (`fills: both`)" in said
