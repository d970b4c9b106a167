"""Combinations that are left out before anything runs."""

import random
from itertools import pairwise

import pytest

from orchestrator.sweepfile.skip import Skip, points_of, spread_kept
from orchestrator.sweepfile.sweep import Sweep, parse
from tasks.grid import Grid
from tests.unit.orchestrator.sweepfile.test_sweep import SWEEP


def grid(**axes):
    return Grid.from_mapping(axes)


def slowly(one: Grid, condition) -> set[int]:
    return {point for point in range(one.size) if condition(**one.values(point))}


def test_the_condition_decides_every_point_as_python_would():
    one = grid(fast=[5, 10, 20], other=[1, 2], slow=[10, 20], kind=["a", "b"])
    skip = Skip.of(one, {}, 'fast >= slow or (kind == "b" and slow > 10)')
    left_out = slowly(one, lambda fast, other, slow, kind: fast >= slow or (kind == "b" and slow > 10))
    assert {point for point in range(one.size) if skip(point)} == left_out
    assert (skip.count, skip.kept) == (len(left_out), one.size - len(left_out))
    kept = [point for first, last in skip.runs(0, one.size - 1) for point in range(first, last + 1)]
    assert kept == sorted(set(range(one.size)) - left_out)


def test_runs_within_any_range_are_the_kept_points(monkeypatch):
    monkeypatch.setattr("orchestrator.sweepfile.skip._BLOCK", 7)
    rng = random.Random(1)
    one = grid(a=list(range(6)), b=list(range(5)), c=list(range(4)))
    skip = Skip.of(one, {}, "a * 3 % 4 == b % 3 or c == 2")
    for _ in range(50):
        first = rng.randrange(one.size)
        last = rng.randrange(first, one.size)
        runs = list(skip.runs(first, last))
        assert [p for a, b in runs for p in range(a, b + 1)] == [p for p in range(first, last + 1) if not skip(p)]
        assert all(before[1] + 1 < after[0] for before, after in pairwise(runs))


def test_a_thousand_million_points_are_counted_by_the_axes_the_condition_reads():
    one = grid(a=list(range(1000)), fast=list(range(1, 101)), b=list(range(100)), slow=list(range(1, 101)))
    assert one.size == 10**9
    skip = Skip.of(one, {}, "fast >= slow")
    assert skip.kept == 10**9 * 4950 // 10_000
    point = 987_654_321
    assert skip(point) == (one.values(point)["fast"] >= one.values(point)["slow"])
    assert next(iter(skip.runs(0, one.size - 1))) == (1, 99)


def test_config_keys_and_nested_axes_are_read_and_numeric_text_is_a_number():
    one = grid(**{"barrier.take_profit": ["0.01", "0.05"], "x": [1, None]})
    skip = Skip.of(
        one, {"limit": "0.02", "barrier": {"stop": 0.3}}, "barrier.take_profit > limit and barrier.stop > 0.2"
    )
    assert [skip(point) for point in range(4)] == [False, False, True, True]
    assert [Skip.of(one, {}, "isnan(x)")(point) for point in range(4)] == [False, True, False, True]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("fats > 1", "reads none of the axes"),
        ("fast > slwo", "neither grid nor controller has slwo; the nearest is `slow`"),
        ("fast > kind", "compares or computes what does not go together"),
        ("fast >", "invalid syntax"),
        ("(fast > 1) & (slow > 1)", "write `and` and `or`"),
    ],
)
def test_what_cannot_be_decided_is_said(condition, words):
    with pytest.raises(ValueError, match=words):
        Skip.of(grid(fast=[1], slow=[2], kind=["a"]), {}, condition)


def test_a_sample_has_only_points_that_are_run():
    one = grid(fast=[1, 2, 3, 4], slow=[1, 2, 3, 4])
    skip = Skip.of(one, {}, "fast >= slow")
    assert spread_kept(one, 4, skip) == [1, 6, 11]
    assert spread_kept(one, 4, None) == [0, 5, 10, 15]


def test_the_sweep_file_says_what_skip_does_wrong_and_the_definition_carries_it():
    made = Sweep.from_mapping({**SWEEP, "grid": {"a": [1, 2], "b": [1, 2]}, "skip": "a >= b"})
    assert made.definition().skip == "a >= b"
    assert points_of(made.definition()) == 1
    for condition, words in [
        ("a > 0", "leaves out all 4 points"),
        ("a > c", "skip: .*neither grid"),
        ("5", "reads no axis"),
    ]:
        keys = {**SWEEP, "grid": {"a": [1, 2], "b": [1, 2]}, "skip": condition}
        with pytest.raises(Exception, match=words):
            Sweep.from_mapping(keys)
    assert parse(made.text, made.file).skip == "a >= b"
