"""The verdict: its word, its sentence, and what each kind of sweep gets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import ujson

from orchestrator.analysis.other_parts import OtherParts
from orchestrator.analysis.trust import Figures, SweepReturns, figures
from orchestrator.analysis.verdict import Verdict, document, judge

DAY = 86400


def noise(points: int = 200, periods: int = 180, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(periods, points)) * 0.01).astype(np.float32)


def with_edge(points: int = 200, seed: int = 0) -> np.ndarray:
    returns = noise(points, seed=seed)
    returns[:, 17] += 0.005
    return returns


def figures_of(returns: np.ndarray, rank_by: str = "sharpe", best: int | None = -1, **more: Any) -> Figures:
    if best == -1:
        best = int(np.nanargmax(np.nanmean(returns, 0) / np.maximum(np.nanstd(returns, 0), 1e-9)))
    return figures(SweepReturns(returns, more.pop("interval_s", DAY), best, rank_by, **more), draws=300)


def test_the_best_of_many_worthless_points_is_luck() -> None:
    word, sentence = judge(figures_of(noise(seed=1)))
    assert word is Verdict.LUCK
    assert "The best of 200 points has a Sharpe ratio of" in sentence
    assert "without any skill has" in sentence


def test_a_point_far_above_luck_is_evidence_and_says_what_was_not_tested() -> None:
    word, sentence = judge(figures_of(with_edge()))
    assert word is Verdict.EVIDENCE
    assert "Not tested: sweeps on shuffled candles, data the choice had not seen, a live replay" in sentence


def test_losing_points_are_luck_whatever_their_p() -> None:
    assert judge(figures_of(noise() - 0.01))[0] is Verdict.LUCK


def test_fewer_than_thirty_returns_are_untested_with_the_days_it_takes() -> None:
    word, sentence = judge(figures_of(noise(periods=20)))
    assert word is Verdict.UNTESTED
    assert "20 returns of 1d are too few" in sentence
    assert "it takes at least 30.0 days" in sentence
    assert document(figures_of(noise(periods=20)))["sharpe"]["best"] is None
    assert "it takes at least 2.5 hours" in judge(figures_of(noise(periods=20), interval_s=300))[1]


def test_a_handful_of_trades_is_untested() -> None:
    returns = np.zeros((180, 50), dtype=np.float32)
    returns[::40] = np.abs(noise(50, 5)) + 0.001
    word, sentence = judge(figures_of(returns))
    assert word is Verdict.UNTESTED
    assert "moved in 5 of 180 periods only" in sentence


@pytest.mark.parametrize(
    ("returns", "best", "why"),
    [
        (np.zeros((180, 20)), 3, "nothing was traded"),
        (np.full((180, 4), np.nan), 0, "no returns to judge"),
        (noise(), None, "no point is ranked"),
    ],
)
def test_what_carries_nothing_is_untested_with_the_reason(returns: np.ndarray, best: int | None, why: str) -> None:
    word, sentence = judge(figures_of(returns, best=best))
    assert word is Verdict.UNTESTED
    assert why in sentence


def test_without_stored_returns_it_is_untested() -> None:
    word, sentence = judge(None)
    assert word is Verdict.UNTESTED
    assert "No returns are stored" in sentence
    assert judge(None, ranked=False) == (Verdict.UNTESTED, "No point is ranked, so there is nothing to judge.")


def test_one_point_is_judged_without_an_overfitting_test() -> None:
    found = figures_of(with_edge()[:, 17:18])
    assert found.overfitting is None
    assert any("nothing was chosen" in note for note in found.notes)
    word, sentence = judge(found)
    assert word is Verdict.EVIDENCE
    assert sentence.startswith("The one point tried has a Sharpe ratio of")
    assert "; a point without any skill has" in sentence


def test_points_that_never_traded_are_said_to_be_no_trials() -> None:
    returns = noise()
    returns[:, :15] = 0
    found = figures_of(returns)
    assert found.trials is not None
    assert found.trials.raw == 185
    assert "15 of 200 points never traded: they are no trials" in found.notes


def test_points_that_lost_their_account_count_as_trials_and_are_left_out() -> None:
    returns = with_edge()
    returns[100:, :5] = np.nan
    returns[99, 5] = -1.2
    found = figures_of(returns, best=17)
    assert (found.ruined, found.points) == (6, 200)
    assert found.trials is not None
    assert found.trials.raw == 200
    assert "6 points lost their whole account" in found.notes[0]
    assert judge(found)[0] is Verdict.EVIDENCE


def test_a_best_point_that_lost_its_account_is_said_to_have() -> None:
    returns = noise()
    returns[100:, 7] = np.nan
    word, sentence = judge(figures_of(returns, best=7))
    assert word is Verdict.UNTESTED
    assert "lost its whole account" in sentence


def test_all_points_equal_leave_nothing_to_choose() -> None:
    found = figures_of(np.repeat(noise(1), 30, axis=1), best=0)
    assert any("the same returns" in note for note in found.notes)
    assert judge(found)[0] in set(Verdict)


def test_earlier_trials_raise_the_raw_number() -> None:
    found = figures_of(noise(), tried_beside=1000)
    assert found.trials is not None
    assert found.trials.raw == 1200


def test_an_objective_that_returns_cannot_give_is_said_to_be_tested_by_sharpe() -> None:
    assert any("ranks by the Sharpe ratio: calmar" in note for note in figures_of(noise(), "calmar").notes)
    assert not figures_of(noise(), "net_pnl").notes


@pytest.mark.parametrize(
    ("parts", "word", "said"),
    [
        ({"noise_worlds": {"worlds": 99, "p": 0.5}}, Verdict.LUCK, "49 of 99 sweeps on shuffled candles"),
        ({"noise_worlds": {"worlds": 99, "p": 0.1}}, Verdict.WEAK, "9 of 99 sweeps on shuffled candles"),
        ({"noise_worlds": {"worlds": 99, "p": 0.01}}, Verdict.EVIDENCE, "Not tested: data"),
        ({"noise_worlds": {"worlds": 9, "p": 0.9}}, Verdict.EVIDENCE, "Not tested: data"),
        ({"out_of_sample": {"sharpe": -0.2}}, Verdict.WEAK, "the chosen points lost"),
        ({"out_of_sample": {"sharpe": 1.0, "holdout": {"sharpe": -1.0}}}, Verdict.WEAK, "On the hold-out it lost"),
        ({"out_of_sample": {"sharpe": None, "return": -0.02}}, Verdict.WEAK, "the chosen points lost"),
        ({"out_of_sample": {"sharpe": None, "return": 0.0}}, Verdict.WEAK, "the chosen points earned nothing"),
        ({"out_of_sample": {"holdout": {"sharpe": None, "return": -0.01}}}, Verdict.WEAK, "On the hold-out it lost"),
        ({"out_of_sample": {"holdout": {"sharpe": 1.0, "looks": 1}}}, Verdict.EVIDENCE, "Not tested: sweeps"),
        ({"out_of_sample": {"holdout": {"sharpe": 1.0, "looks": 3}}}, Verdict.EVIDENCE, "looked at 3 times"),
        (
            {"out_of_sample": {"holdout": {"sharpe": 1.0, "looks": 20}}},
            Verdict.WEAK,
            "looked at 20 times with this controller: one of so many sweeps does as well in up to 7% of cases",
        ),
        (
            {"out_of_sample": {"folds": 0, "sharpe": None, "return": None}},
            Verdict.EVIDENCE,
            "data the choice had not seen",
        ),
        ({"live": {"pnl": 0.02, "backtest_pnl": 0.1}}, Verdict.WEAK, "it earns 2% where the back-test has 10%"),
        ({"live": {"pnl": 0.08, "backtest_pnl": 0.1}}, Verdict.EVIDENCE, "Not tested: sweeps"),
        ({"audit": {"verdict": "look_ahead"}}, Verdict.UNTESTED, "had not happened yet"),
        ({"audit": {"verdict": "clean"}}, Verdict.EVIDENCE, "Not tested: sweeps on shuffled candles"),
    ],
)
def test_what_else_was_tested_takes_part(parts: dict[str, Any], word: Verdict, said: str) -> None:
    found, sentence = judge(figures_of(with_edge()), OtherParts(**parts))
    assert found is word
    assert said in sentence


def test_the_document_is_json_with_every_part_of_the_design() -> None:
    made = document(figures_of(with_edge(), "net_pnl"), OtherParts(audit={"verdict": "clean"}))
    assert ujson.loads(ujson.dumps(made, allow_nan=False)) == made
    assert made["returns"] == {"interval": "1d", "periods": 180}
    assert made["trials"] == 200
    assert set(made["effective_trials"]) == {"rank", "participation"}
    assert {"best", "expected_by_luck", "psr", "dsr", "min_track_record"} <= set(made["sharpe"])
    assert set(made["sharpe"]["dsr"]) == {"raw", "rank", "participation"}
    assert made["pbo"]["blocks"] == 10
    assert made["spa"]["draws"] == 300
    assert made["spa"]["survivors"] == 1
    assert made["noise_worlds"] is None
    assert made["audit"] == {"verdict": "clean"}


def test_the_document_of_nothing_is_json_too() -> None:
    for made in (document(None), document(figures_of(np.zeros((180, 3)), best=0))):
        assert ujson.loads(ujson.dumps(made, allow_nan=False)) == made
        assert made["verdict"] == "untested"


def test_dsr_falls_with_the_number_of_trials() -> None:
    best = figures_of(with_edge()).best
    assert best is not None
    values = [best.dsr[name] for name in ("participation", "rank", "raw")]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]  # none of them is None
    assert math.isfinite(best.p)
