"""Random number generators are known, told apart and put back to the last bit, however they were left."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tasks.isolation import seeding
from tasks.isolation.seeding import RngState, seed_rng


@pytest.fixture(autouse=True)
def _dice_of_the_others() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    yield
    random.setstate(python)
    np.random.set_state(numpy)


def numbers() -> list[float]:
    return [random.random(), random.gauss(0, 1), *np.random.normal(size=3), *np.random.random(700)]


USES: list[Callable[[], Any]] = [
    random.random,
    np.random.random,
    np.random.normal,
    lambda: np.random.normal(size=2),
    lambda: np.random.randint(5),
    lambda: np.random.seed(3),
    lambda: np.random.shuffle([1, 2, 3]),
]


@pytest.mark.parametrize("layout_is_known", [True, False])
@pytest.mark.parametrize("before", [lambda: None, np.random.normal, random.random, lambda: np.random.seed(9)])
@pytest.mark.parametrize("use", USES)
def test_a_use_is_seen_and_taken_back(
    use: Callable[[], Any], before: Callable[[], Any], layout_is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "_layout_is_known", lambda: layout_is_known)
    seed_rng(1, 2)
    before()
    rng = RngState.now()
    assert rng.lie()
    use()
    assert not rng.lie()
    rng.put_back()
    assert rng.lie()
    once = numbers()
    rng.put_back()
    assert numbers() == once


def test_the_second_of_two_normal_numbers_is_no_free_one() -> None:
    seed_rng(1, 2)
    np.random.normal()
    rng = RngState.now()
    np.random.normal()  # moves no word: numpy had it ready
    assert not rng.lie()


def test_a_throw_in_between_is_seen() -> None:
    seed_rng(1, 2)
    rng = RngState.now()
    seed_rng(1, 3)
    assert not rng.lie()
    rng.put_back()
    once = numbers()
    seed_rng(1, 2)
    assert numbers() == once


def test_the_memory_of_numpys_generator_is_as_it_says() -> None:
    assert seeding._layout_is_known()  # where this numpy lays it otherwise, points take a little longer
    seed_rng(1, 2)
    assert RngState.now().numpy is None


def test_another_generator_of_numpys_is_kept_by_its_state() -> None:
    own = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        rng = RngState.now()
        once = numbers()
        assert not rng.lie()
        rng.put_back()
        assert numbers() == once
    finally:
        np.random.set_bit_generator(own)


def test_a_generator_that_a_controller_exchanged_is_taken_out_by_the_next_throw() -> None:
    seed_rng(1, 2)
    rng, once = RngState.now(), numbers()
    np.random.set_bit_generator(np.random.PCG64(3))
    rng.put_back()
    assert numbers() == once
    np.random.set_bit_generator(np.random.PCG64(3))
    seed_rng(1, 2)
    assert numbers() == once
