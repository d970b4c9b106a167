"""Is the winner luck? `run`, `noise`, `promote` through real server and children; one sweep for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.integration.conftest import Cluster, Place, small_sweep

#: one sweep with its audit, live replay and noise worlds, and six commands on it
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, session_cluster: Cluster) -> Iterator[tuple[Place, dict[str, Any]]]:
    """A sweep of 12 points on a random walk of eight hours, with three noise worlds; and what `run --json` said."""
    place = small_sweep(tmp_path_factory.mktemp("trust"), session_cluster.environment)
    place.sweep["validate"] = {"noise_worlds": 3}
    finished = place.run("run", place.file, "--json")
    assert finished.code == 0, finished.err
    yield place, finished.document


def test_a_run_ends_with_a_verdict_and_its_figures(swept: tuple[Place, dict[str, Any]]) -> None:
    place, answer = swept
    trust = answer["trust"]
    assert trust["verdict"] in ("luck", "weak", "evidence", "untested")
    assert trust["returns"] == {"interval": "5m", "periods": 96}
    assert 0 < trust["trials"] <= 12
    assert trust["spa"]["draws"] == 1000
    assert trust["audit"]["verdict"] == "clean"
    assert trust["live"]["points"] == 1
    assert trust["noise_worlds"]["worlds"] == 3
    assert "Not tested: data the choice had not seen." in trust["sentence"]
    shown = place.run("run", place.file)
    assert f"verdict: {trust['verdict']}. {trust['sentence']}" in shown.out
    report = (place.folder / "runs/test/report.html").read_text()
    assert "Is it luck?" in report
    assert report.count('data-chart="trust_') == 4 if trust["sharpe"] and trust["sharpe"]["best"] is not None else True


def test_the_returns_of_a_point_make_its_result(swept: tuple[Place, dict[str, Any]]) -> None:
    place, _ = swept
    file = place.folder / "returns.npy"
    finished = place.run("rows", "runs/test", "--returns", "--format", "npy", "--to", file)
    assert finished.code == 0, finished.err
    returns = np.load(file)
    rows = place.rows()
    assert returns["point"].tolist() == [row["point"] for row in rows]
    grown = np.prod(1.0 + returns["returns"].astype(np.float64), axis=1) - 1
    np.testing.assert_allclose(grown, [row["net_pnl"] for row in rows], rtol=0, atol=1e-8)
    assert np.abs(grown).max() > 1e-4


def test_noise_computes_only_new_worlds_and_says_the_same_again(swept: tuple[Place, dict[str, Any]]) -> None:
    place, _ = swept
    before = place.stored()
    first = place.run("noise", "runs/test", "--worlds", 5, "--points", 12, "--json")
    assert first.code == 0, first.err
    found = first.document["noise_worlds"]
    assert (found["worlds"], found["points"], len(found["bests"])) == (5, 12, 5)
    assert found["p"] == (1 + sum(best >= found["best"] for best in found["bests"])) / 6
    assert len(set(found["bests"])) > 1
    assert place.stored() == before + 2 * 12  # three worlds were there
    assert first.document["trust"]["noise_worlds"]["worlds"] == 5
    again = place.run("noise", "runs/test", "--worlds", 5, "--points", 12)
    assert again.code == 0, again.err
    assert place.stored() == before + 2 * 12
    assert "noise worlds: of 5 sweeps of 12 points on shuffled candles" in again.out
    assert f"verdict: {first.document['trust']['verdict']}." in again.out


def test_a_point_whose_verdict_is_luck_is_promoted_only_with_anyway(swept: tuple[Place, dict[str, Any]]) -> None:
    place, _ = swept
    verdict = place.run("run", place.file, "--json").document["trust"]["verdict"]  # from the store
    refused = place.run("promote", "runs/test", "--to", "first")
    assert refused.code == (2 if verdict == "luck" else 0), refused.err
    assert ("--anyway" in refused.err) == (verdict == "luck")
    promoted = place.run("promote", "runs/test", "--to", "bot", "--anyway")
    assert promoted.code == 0, promoted.err
    (config,) = (place.folder / "bot" / "conf" / "controllers").iterdir()
    assert f"verdict on the sweep: {verdict}. " in config.read_text().replace("\n# ", " ")
