"""What a run computes: the grid without what is skipped, and points under scenarios, each without what is stored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from orchestrator.execution.agenda import Agenda, agenda_of, grid_item
from orchestrator.results.store import Store
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows
from tasks.protocol.scenario import PLAIN, Scenario
from tests.unit.orchestrator.stores import definition, ok

WINDOW = Scenario(start=1704067200, end=1704153600)


def handed_out(agenda: Agenda) -> dict[str, list[int]]:
    """Scenario -> points, of everything that the agenda hands out; every chunk takes a second a point."""
    points: dict[str, list[int]] = {}
    while following := agenda.next(1, 2):
        chunk, _ = following
        points.setdefault(str(chunk.scenario), []).extend(chunk.points)
        agenda.observe(Rows(chunk.id, "n/1", float(len(chunk)), {"point": chunk.points}), (), cold=False)
    return {scenario: sorted(each) for scenario, each in points.items()}


def test_skipped_points_are_neither_handed_out_nor_counted(tmp_path: Path) -> None:
    asked = dataclasses.replace(definition(), skip="length == 20")  # 4 of 12 points
    with Store.create(tmp_path) as store:
        store.add_sweep(asked, "", {})
        agenda = Agenda([grid_item(store, asked, target_s=5.0)])
        assert (agenda.size, handed_out(agenda)) == (8, {"": [0, 1, 2, 3, 8, 9, 10, 11]})


def test_each_scenario_gets_what_it_has_no_row_of(tmp_path: Path) -> None:
    asked = definition()
    with Store.create(tmp_path) as store:
        store.add_sweep(asked, "", {})
        store.insert(asked.sweep, Rows.from_dicts("1:0-1", "n/1", 1.0, [ok(0), ok(1)]))
        store.insert(asked.sweep, Rows.from_dicts(f"1:5-5@{WINDOW}", "n/1", 1.0, [ok(5)]))
        agenda = agenda_of(store, asked, {PLAIN: None, WINDOW: [3, 5, 7], Scenario(noise=1): [2]}, target_s=5.0)
        assert (agenda.size, agenda.counts.total()) == (16, 3)
        assert handed_out(agenda) == {"": list(range(2, 12)), str(WINDOW): [3, 7], "noise=1": [2]}


def test_rows_of_a_scenario_that_an_earlier_run_left_change_nothing(tmp_path: Path) -> None:
    asked = definition()
    with Store.create(tmp_path) as store:
        store.add_sweep(asked, "", {})
        agenda = agenda_of(store, asked, {WINDOW: [1]}, target_s=5.0)
        rows = Rows.from_dicts(Chunk.of(1, [4]).id, "n/1", 1.0, [ok(4)])
        agenda.observe(rows, (), cold=False)
        agenda.count(rows, store.insert(asked.sweep, rows), store, asked.sweep)
        assert (agenda.size, agenda.counts.total(), agenda.is_empty) == (1, 0, False)
