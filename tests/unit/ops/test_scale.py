"""The simulation behind benchmarks/scale.py against what can be said without one."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def scale() -> Iterator[SimpleNamespace]:
    """The rooms of the simulation, as the benchmark sees them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        costs, simulation = (importlib.import_module(f"scaling.{name}") for name in ("costs", "simulation"))
        yield SimpleNamespace(**(vars(costs) | vars(simulation)))


def outcome(scale: SimpleNamespace, case: dict[str, Any], **costs: float) -> Any:
    """What comes of a cluster where everything but `costs` (seconds a chunk) is free."""
    numbers = {"row_message_bytes": 1.0, "row_store_bytes": 1.0, "start_cpu_s": 1.0, "start_wall_s": 1.0}
    free: dict[str, Any] = {field.name: scale.Cost(0.0) for field in dataclasses.fields(scale.Costs)}
    free |= {**numbers, "example_point_s": 1.0, **{name: scale.Cost(cost) for name, cost in costs.items()}}
    given = {"nodes": 4, "children": 8, "point_s": 0.1, "chunk_s": 1.0, "rtt_s": 0.0, **case}
    return scale.Simulation(scale.Case(**given), scale.Costs(**free), rounds=60).run()


def test_nothing_holds_back_a_cluster_where_all_is_free(scale: SimpleNamespace) -> None:
    found = outcome(scale, {})
    assert found.use > 0.999
    assert found.limit == ""
    assert found.points_per_s == pytest.approx(320, rel=0.05)  # 32 children, 10 points a second each


@pytest.mark.parametrize(
    ("name", "limit", "chunks_per_s"),
    [
        ("send", "orchestrator", 5),
        ("collect", "orchestrator", 5),
        ("broker_turn", "broker", 5),
        ("broker_commit", "broker", 5),
        ("node", "node", 4 * 5),
    ],
)
def test_who_works_one_after_the_other_is_the_limit(
    scale: SimpleNamespace, name: str, limit: str, chunks_per_s: float
) -> None:
    found = outcome(scale, {}, **{name: 0.2})
    assert found.limit == limit
    assert found.points_per_s == pytest.approx(chunks_per_s * 10, rel=0.05)
    assert {"orchestrator": found.orchestrator_busy, "broker": found.broker_busy, "node": found.node_busy}[limit] > 0.9


def test_larger_chunks_move_the_limit_of_the_orchestrator_in_proportion(scale: SimpleNamespace) -> None:
    small, large = (outcome(scale, {"chunk_s": seconds}, send=0.5) for seconds in (1.0, 4.0))
    assert large.points_per_s == pytest.approx(4 * small.points_per_s, rel=0.05)


def test_more_nodes_move_no_limit_of_the_orchestrator(scale: SimpleNamespace) -> None:
    few, many = (outcome(scale, {"nodes": nodes}, send=0.2) for nodes in (4, 16))
    assert many.points_per_s == pytest.approx(few.points_per_s, rel=0.05)


def test_what_a_child_waits_between_chunks_is_lost(scale: SimpleNamespace) -> None:
    assert outcome(scale, {}, turn=0.25).use == pytest.approx(1 / 1.25, rel=0.02)
    # four round trips to begin, one to end; few children, so that the orchestrator's own round trips hold nobody back
    assert outcome(scale, {"rtt_s": 0.05, "nodes": 1, "children": 3}).use == pytest.approx(1 / 1.25, rel=0.02)


def test_costs_grow_along_a_line(scale: SimpleNamespace) -> None:
    cost = scale.Cost.through(100.0 + 10 * 2, 100.0 + 1000 * 2)
    assert (cost.fixed, cost.per_row) == (pytest.approx(100), pytest.approx(2))
    assert cost(50) == pytest.approx(200)
    assert scale.Cost.through(5.0, 4.0).per_row == 0.0
