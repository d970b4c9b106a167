"""The verdict's part of the page: what is drawn, what is said, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import ujson

from orchestrator.analysis.judgement import Judgement
from orchestrator.analysis.trust import Figures, SweepReturns, figures
from orchestrator.analysis.verdict import document
from orchestrator.report import trust_figures, trust_words

DAY = 86400
NOISE = {"worlds": 3, "points": 20, "p": 0.25, "objective": "sharpe", "best": 2.0, "bests": [1.0, None, 1.5]}


def judged(periods: int = 180, edge: float = 0.0, rank_by: str = "sharpe", interval_s: int = DAY) -> Judgement:
    returns = np.random.default_rng(1).normal(size=(periods, 80)) * 0.01
    returns[:, 5] += edge
    best = int(np.argmax(returns.mean(0) / returns.std(0)))
    found: Figures = figures(SweepReturns(returns, interval_s, best, rank_by), draws=200)
    return Judgement(document(found), found, best, [interval_s * (place + 1) for place in range(periods)])


def test_every_chart_is_drawn_and_explained() -> None:
    one = judged()
    made = trust_figures.charts(one, NOISE)
    assert all(made.values())
    section = trust_words.section(one, made, NOISE)
    assert [figure.chart for figure in section.figures] == [
        "trust_sharpe", "trust_splits", "trust_noise", "trust_fan",
    ]  # fmt: skip
    assert all(len(figure.caption) > 80 for figure in section.figures)
    ujson.dumps(made, allow_nan=False)


def test_the_shares_of_both_distributions_are_whole() -> None:
    sharpe = trust_figures.charts(judged(), None)["sharpe"]
    assert sum(sharpe["points"]) == pytest.approx(1, abs=0.01)
    assert sum(sharpe["luck"]) == pytest.approx(1, abs=0.001)
    assert sharpe["edges"][0] <= sharpe["average"] <= sharpe["bar"] <= sharpe["edges"][-1]


def test_the_table_has_a_sentence_and_a_formula_for_every_figure() -> None:
    one = judged(edge=0.006)
    section = trust_words.section(one, trust_figures.charts(one, None), None)
    names = [row.name for row in section.rows]
    assert {"Returns", "Trials", "PSR", "Deflated Sharpe ratio", "Overfitting (PBO)", "Points above luck"} <= set(names)
    assert all(row.sentence and row.formula for row in section.rows)
    assert (section.verdict, section.level) == ("evidence", "good")


@pytest.mark.parametrize("rank_by", ["net_pnl", "sortino", "calmar"])
def test_the_picture_of_splits_says_what_it_measures(rank_by: str) -> None:
    splits = trust_figures.charts(judged(rank_by=rank_by), None)["splits"]
    expected = {"net_pnl": "log growth a year", "sortino": "Sortino ratio a year"}
    assert splits["measure"] == expected.get(rank_by, "Sharpe ratio a year")


def test_too_few_returns_draw_nothing_and_annualise_nothing() -> None:
    one = judged(20)
    made = trust_figures.charts(one, None)
    section = trust_words.section(one, made, None)
    assert not any(made.values())
    assert section.verdict == "untested"
    assert not any("a year" in row.value for row in section.rows)


def test_a_period_of_two_days_has_ratios_per_interval() -> None:
    """A Sharpe ratio of 30 a year over two days says nothing; the verdict stood beside "nothing is annualised"."""
    one = judged(96, interval_s=1800)
    section = trust_words.section(one, trust_figures.charts(one, None), None)
    values = [row.value for row in section.rows]
    assert one.document["sharpe"]["per"] == "30m"
    assert any(value.endswith("per 30m") for value in values)
    assert not any("a year" in value for value in values)
    assert "per 30m over 2 days, too short to annualise" in one.document["sentence"]


def test_a_sweep_without_returns_has_a_verdict_and_no_figures() -> None:
    one = Judgement(document(None), None, None, [])
    section = trust_words.section(one, trust_figures.charts(one, None), None)
    assert (section.verdict, section.rows, section.figures) == ("untested", [], [])


def test_noise_worlds_without_a_ranked_point_are_not_drawn() -> None:
    nothing: dict[str, Any] = {**NOISE, "best": None, "p": None}
    assert trust_figures.charts(judged(), nothing)["noise"] is None
