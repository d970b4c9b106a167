"""A small version of `make calibrate`: the verdict is rarely wrong on sweeps whose truth is known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.calibrate import interval, judged, tables
from benchmarks.workloads.nulls import RULES, null_sweep, with_edge
from orchestrator.analysis.statistics import expected_maximum

DAYS = 10


@pytest.mark.parametrize("ranked_by", ["sharpe", "net_pnl"])
def test_sweeps_without_an_edge_are_hardly_ever_evidence(ranked_by: str) -> None:
    words: Counter[str] = Counter()
    for seed in range(12):
        sweep = null_sweep(list(RULES)[seed % 4], 100, DAYS, seed)
        words[judged(sweep, sweep.returns, 0.0, None, ranked_by, seed).verdict] += 1
    assert words["evidence"] <= 1
    assert words["luck"] >= 6


def test_an_edge_of_twice_the_bar_of_luck_is_found() -> None:
    found = []
    for seed in range(8):
        sweep = null_sweep(list(RULES)[seed % 4], 100, DAYS, seed)
        bar = expected_maximum(sweep.returns.shape[1]) * np.sqrt(365 / DAYS)
        returns, fade = with_edge(sweep, 2 * bar, seed)
        found.append(judged(sweep, returns, 2.0, fade, "sharpe", seed))
    # of those whose best-ranked point is one that has the edge
    true = [one.verdict for one in found if one.true_best >= 1.5]
    assert len(true) >= 6
    assert true.count("evidence") >= 0.8 * len(true)
    assert any("| 1.5 to 2 |" in line or "| 2 to 4 |" in line for line in tables(found))


def test_the_interval_of_a_share_is_that_of_clopper_and_pearson() -> None:
    # of the verdict page: 31 of 1000 and 3 of 250
    assert interval(31, 1000) == pytest.approx((0.0212, 0.0437), abs=1e-4)
    assert interval(3, 250) == pytest.approx((0.0025, 0.0347), abs=1e-4)
    assert interval(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert interval(10, 10)[1] == 1.0


def test_the_same_seed_is_the_same_sweep() -> None:
    one, other = (null_sweep("dca", 100, DAYS, 3).returns for _ in range(2))
    np.testing.assert_array_equal(one, other)
