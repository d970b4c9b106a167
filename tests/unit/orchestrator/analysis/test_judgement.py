"""The verdict on a stored sweep: whose trials count, and what other tests of it say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.analysis.judgement import judge_sweep, parts_of
from orchestrator.commands.trust import trust_lines
from orchestrator.results.store import Store
from tasks.protocol.messages import Rows
from tasks.protocol.returns import RETURNS, encode_row
from tests import made

#: Returns of a sweep of seven days are of 1h.
PERIODS, INTERVAL_S = 168, 3600


def swept(store: Store, name: str, points: int, seed: int, **changes: Any) -> str:
    """A sweep of `points` points without skill, with its returns."""
    definition = made.definition(name, {"a": list(range(points))}, end=made.START + 7 * 86_400 - 60, **changes)
    store.add_sweep(definition, "", {"rank_by": "net_pnl", "where": None})
    values = np.random.default_rng(seed).normal(size=(points, PERIODS)).astype(np.float32) * 0.001
    rows = [
        {"point": point, "status": "ok", "net_pnl": float(each.sum()), RETURNS: encode_row(each, INTERVAL_S)}
        for point, each in enumerate(values)
    ]
    store.insert(name, Rows.from_dicts(f"1:0-{points - 1}", "node/0", 1.0, rows))
    return name


def test_points_of_earlier_sweeps_that_asked_the_same_count_as_trials(tmp_path: Path) -> None:
    with Store.create(tmp_path / "out") as store:
        swept(store, "first-0123456789", 30, 1)
        alone = judge_sweep(store, "first-0123456789", "net_pnl").document
        swept(store, "second-0123456789", 50, 2)
        found = judge_sweep(store, "second-0123456789", "net_pnl").document
    assert alone["trials"] == 30
    assert found["trials"] == 80
    assert "30 points of the earlier sweep first-0123456789 in this folder count as trials" in found["notes"][0]


def test_points_that_several_sweeps_ran_on_the_same_candles_were_tried_once(tmp_path: Path) -> None:
    """As those whose rows a sweep took from another; that one of the sweeps holds something out changes nothing."""
    held_out = made.START + 9 * 86_400
    with Store.create(tmp_path / "out") as store:
        swept(store, "first-0123456789", 30, 1)
        alone = judge_sweep(store, "first-0123456789", "net_pnl").document
        swept(store, "second-0123456789", 30, 1, candles_end=held_out)
        for name in ("first-0123456789", "second-0123456789"):
            assert judge_sweep(store, name, "net_pnl").document == alone
        swept(store, "third-0123456789", 30, 1, trade_cost=0.5)
        found = judge_sweep(store, "second-0123456789", "net_pnl").document
        third = judge_sweep(store, "third-0123456789", "net_pnl").document
        swept(store, "fourth-0123456789", 30, 2, candles_end=held_out + 60)
        other_candles = judge_sweep(store, "fourth-0123456789", "net_pnl").document
    assert found["trials"] == third["trials"] == 60
    assert other_candles["trials"] == 90


def test_sweeps_of_other_markets_and_periods_are_no_trials_of_this_one(tmp_path: Path) -> None:
    other = {**made.definition("x-0", {"a": [1]}).controller, "trading_pair": "ETH-USDT"}
    with Store.create(tmp_path / "out") as store:
        swept(store, "other-0123456789", 30, 1, controller=other)
        swept(store, "later-0123456789", 30, 2, start=made.START + 60)
        swept(store, "mine-0123456789", 40, 3)
        found = judge_sweep(store, "mine-0123456789", "net_pnl").document
    assert found["trials"] == 40
    assert not any("earlier sweep" in note for note in found["notes"])


def test_what_the_stages_of_a_run_found_stands_in_the_document(tmp_path: Path) -> None:
    meta: dict[str, Any] = {
        "walk_forward": {"folds": [{}, {}], "joined": {"efficiency": 0.4, "sharpe": None, "return": 0.02}},
        "holdout": {"sharpe": None, "return": -0.01, "looks": 2, "points": []},
        "noise_worlds": {"worlds": 99, "points": 20, "p": 0.3, "objective": "net_pnl", "best": 0.1, "bests": []},
        "audit": {"state": "clean", "verdict": "clean: ...", "point": 3},
    }
    parts = parts_of(meta)
    assert parts.looks == 2
    assert parts.objections() == ["29 of 99 sweeps on shuffled candles did as well or better."]
    assert parts.doubts() == ["On the hold-out it lost."]
    assert parts.not_tested() == "Not tested: a live replay."
    with Store.create(tmp_path / "out") as store:
        name = swept(store, "mine-0123456789", 40, 3)
        for key, value in meta.items():
            store.set_meta(name, key, value)
        found = judge_sweep(store, name, "net_pnl").document
    assert found["out_of_sample"] == {
        "folds": 2,
        "efficiency": 0.4,
        "sharpe": None,
        "return": 0.02,
        "holdout": {"sharpe": None, "return": -0.01, "looks": 2},
    }
    assert found["audit"] == {"verdict": "clean", "point": 3}
    assert found["verdict"] == "luck"


def test_where_no_point_has_a_number_to_rank_by_nothing_is_judged_and_the_reason_is_said(tmp_path: Path) -> None:
    with Store.create(tmp_path / "out") as store:
        found = judge_sweep(store, swept(store, "mine-0123456789", 30, 1), "net_pnl * (0 / 0)").document
        none_matches = judge_sweep(store, "mine-0123456789", "net_pnl", "net_pnl > 100").document
    assert found["verdict"] == none_matches["verdict"] == "untested"
    assert found["sentence"].startswith("Nothing can be judged: net_pnl * (0 / 0) is empty in all 30 rows")
    assert "none of the 30 points that ran to their end meets where: net_pnl > 100" in none_matches["sentence"]
    assert found["sharpe"] is None
    said = trust_lines(found)
    assert said[0] == f"verdict: untested. {found['sentence']}"
    assert "\n".join(said).count("is empty in all 30 rows") == 1


def test_what_noise_worlds_do_with_series_is_said(tmp_path: Path) -> None:
    with Store.create(tmp_path / "out") as store:
        name = swept(store, "mine-0123456789", 30, 1, series={"mood": "0" * 64})
        alone = judge_sweep(store, name, "net_pnl").document
        store.set_meta(
            name, "noise_worlds", {"worlds": 19, "points": 30, "p": 0.4, "objective": "net_pnl", "best": 1.0}
        )
        found = judge_sweep(store, name, "net_pnl").document
    assert not any("series" in note for note in alone["notes"])
    assert any(
        note.startswith("in the noise worlds the rows of `series` (mood) come in another order")
        for note in found["notes"]
    )
