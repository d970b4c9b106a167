"""What tune decides and writes, with measurements that are made up."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.execution.tune import Choice, Timed, Tuned, part, search, settings_text, shown, write
from orchestrator.progress.watcher import Silent
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import HummingsweepError
from tasks.settings import Settings

DEFAULT = Choice(children=4)


def searched(
    speed: Callable[[Choice], float], *, costs_s: float = 1.0, budget_s: float = 100.0
) -> tuple[Tuned, list[Choice]]:
    """Search on a machine of 4 cores that does `speed(choice)` points a second; a measurement takes `costs_s`."""
    asked: list[Choice] = []

    def measure(choice: Choice) -> Timed:
        asked.append(choice)
        return Timed(choice, 100, 100 / speed(choice))

    return search(measure, 4, Silent(), left_s=lambda: budget_s - costs_s * len(asked)), asked


def test_equal_speeds_leave_the_defaults() -> None:
    tuned, asked = searched(lambda _: 50.0)
    assert (tuned.chosen, tuned.gain) == (DEFAULT, 1.0)
    assert {choice.children for choice in asked} == {3, 4, 5}
    assert {choice.threads for choice in asked} == {1, 2}
    assert len({choice.chunk_seconds for choice in asked}) > 1


def test_a_gain_within_the_noise_is_none() -> None:
    tuned, _ = searched(lambda choice: 51.0 if choice.children == 5 else 50.0)
    assert tuned.chosen == DEFAULT


def test_what_is_faster_is_chosen_and_its_gain_is_against_the_defaults() -> None:
    def speed(choice: Choice) -> float:
        return 50.0 * (1.2 if choice.children == 5 else 1.0) * (1.5 if choice.chunk_seconds == 2.0 else 1.0)

    tuned, _ = searched(speed)
    assert (tuned.chosen.children, tuned.chosen.chunk_seconds, tuned.chosen.threads) == (5, 2.0, 1)
    assert tuned.gain == pytest.approx(1.8)


def test_a_lucky_first_figure_does_not_stand_when_it_is_measured_again() -> None:
    seen: list[Choice] = []

    def speed(choice: Choice) -> float:
        seen.append(choice)
        return 80.0 if choice.children == 5 and seen.count(choice) == 1 else 50.0

    tuned, _ = searched(speed)
    assert (tuned.chosen, tuned.gain) == (DEFAULT, 1.0)


def test_what_there_is_no_time_for_is_left_out_and_said() -> None:
    tuned, asked = searched(lambda _: 50.0, costs_s=40.0, budget_s=100.0)
    assert len(asked) == 2
    assert len(tuned.skipped) == 4
    assert tuned.chosen == DEFAULT


def test_one_core_is_never_tuned_to_no_child() -> None:
    asked: list[Choice] = []

    def measure(choice: Choice) -> Timed:
        asked.append(choice)
        return Timed(choice, 10, 1.0)

    search(measure, 1, Silent(), left_s=lambda: 100.0)
    assert min(choice.children for choice in asked) == 1


@pytest.mark.parametrize(("points", "least"), [(1, 1), (10, 3), (100, 26), (10_000, 1000)])
def test_a_part_of_the_sweep_keeps_the_ends_of_its_axes(points: int, least: int) -> None:
    sweep = Sweep.from_mapping(
        {
            "controller": {
                "controller_type": "generic",
                "controller_name": "x",
                "connector_name": "c",
                "trading_pair": "A-B",
            },
            "grid": {
                "a": list(range(50)),
                "b": [1, 2, 3, 4],
                "c": ["x", "y", "z", "u", "v"],
            },
            "period": {"start": 0, "end": 60},
        }
    )
    few = part(sweep, points)
    assert least <= few.grid.size <= points
    for name, values in few.grid.to_mapping().items():
        whole = sweep.grid.to_mapping()[name]
        assert set(values) <= set(whole)
        if len(values) > 1:
            assert (values[0], values[-1]) == (whole[0], whole[-1])


def test_a_part_without_a_pair_is_without_its_funding() -> None:
    pairs = [f"P{number}-USDT" for number in range(8)]
    sweep = Sweep.from_mapping(
        {
            "controller": {"controller_type": "x", "controller_name": "y", "connector_name": "z"},
            "grid": {"trading_pair": pairs},
            "period": {"start": "2024-01-01", "end": "2024-01-02"},
            "fills": "honest",
            "funding": {pair: [[1704096000, 0.0001]] for pair in pairs},
        }
    )
    few = part(sweep, 2)
    assert list(few.funding) == few.grid.to_mapping()["trading_pair"]


def test_the_settings_file_keeps_its_other_lines_and_is_what_the_worker_reads(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "settings.toml"
    file.parent.mkdir()
    file.write_text('# mine\nmirror_mb = 100\nchildren = 1\nbroker = "redis://localhost:1/0"\n')
    hidden = write(file, Choice(7, 2.5, 2), {"HUMMINGSWEEP_THREADS": "1"})
    assert hidden == ["HUMMINGSWEEP_THREADS"]
    assert file.read_text().startswith("# mine\n")
    settings = Settings.read({"HUMMINGSWEEP_SETTINGS": str(file)})
    assert (settings.children, settings.chunk_seconds, settings.threads) == (7, 2.5, 2)
    assert (settings.mirror_mb, settings.broker) == (100, "redis://localhost:1/0")
    assert file.stat().st_mode & 0o077 == 0
    assert list(file.parent.iterdir()) == [file]


def test_a_new_settings_file_is_made_with_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "none" / "yet" / "settings.toml"
    assert write(file, DEFAULT, {}) == []
    assert tomllib.loads(file.read_text()) == {"children": 4, "chunk_seconds": 5.0, "threads": 1}


def test_a_file_that_is_no_toml_is_refused_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("children\nnot toml at all =\n")
    with pytest.raises(HummingsweepError, match="mend it"):
        write(file, DEFAULT, {})
    assert "not toml at all" in file.read_text()
    with pytest.raises(HummingsweepError):
        settings_text("[", DEFAULT)


def test_a_choice_is_said_in_words() -> None:
    assert shown(Choice(3, 2.0, 1)) == "3 children, chunks of 2 s, 1 native threads a child"
