"""Pages in the part file: they survive a crash, a torn end and other versions, and belong to one process."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import HummingsweepError
from tasks.sync.journal import Journal
from tasks.sync.slots import Window

FEED = "venue_BTC-USDT_1m"


def rows_of(*slots, price=10.0):
    return np.array([[slot * 60.0, price, price, price, price, 1, 0, 0, 0, 0] for slot in slots]).reshape(-1, 10)


def opened(path):
    return Journal(path, FEED, "1m")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "candles.csv.part"


def test_what_was_added_is_there_again_sorted(path):
    journal = opened(path)
    journal.add(Window(5, 7), rows_of(5, 7, price=0.1 + 0.2))
    journal.add(Window(1, 2), rows_of(1, 2))
    journal.close()
    again = opened(path)
    assert again.slots.tolist() == [1, 2, 5, 7]
    assert again.kept == 4
    assert again.rows[2, 1] == 0.1 + 0.2


def test_of_two_candles_for_one_slot_the_later_counts(path):
    journal = opened(path)
    journal.add(Window(1, 2), rows_of(1, 2, price=1))
    journal.add(Window(2, 3), rows_of(2, 3, price=2))
    assert journal.rows[:, 1].tolist() == [1, 2, 2]


def test_only_a_second_question_makes_a_slot_absent(path):
    journal = opened(path)
    journal.add(Window(1, 4), rows_of(1, 4))
    assert journal.absent.tolist() == []
    journal.add(Window(2, 3), rows_of(3), again=True)
    assert journal.absent.tolist() == [2]
    journal.close()
    assert opened(path).absent.tolist() == [2]


@pytest.mark.parametrize("lost", [1, 40, 79, 80, 81, 100, 130])
def test_a_torn_end_costs_one_page_and_the_file_goes_on(path, lost):
    journal = opened(path)
    journal.add(Window(1, 2), rows_of(1, 2))
    journal.add(Window(3, 3), rows_of(3))
    journal.close()
    path.write_bytes(path.read_bytes()[:-lost])
    again = opened(path)
    assert again.slots.tolist() == [1, 2]
    again.add(Window(3, 4), rows_of(3, 4))
    again.close()
    assert opened(path).slots.tolist() == [1, 2, 3, 4]


def test_a_flipped_bit_is_found(path):
    journal = opened(path)
    journal.add(Window(1, 2), rows_of(1, 2))
    journal.add(Window(3, 3), rows_of(3))
    journal.close()
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert opened(path).slots.tolist() == [1, 2]


@pytest.mark.parametrize("content", [b"", b"garbage", b'{"what": "hummingsweep download", "version": 0}\nxxxx'])
def test_anything_else_is_begun_anew(path, content):
    path.write_bytes(content)
    journal = opened(path)
    assert len(journal.rows) == 0
    journal.add(Window(1, 1), rows_of(1))
    journal.close()
    assert opened(path).slots.tolist() == [1]


def test_one_process_at_a_time(path):
    first = opened(path)
    with pytest.raises(HummingsweepError, match="another `hummingsweep sync` downloads this feed"):
        opened(path)
    first.add(Window(1, 1), rows_of(1))
    first.close()
    opened(path).close()


def test_one_without_a_candle_does_not_stay(path):
    journal = opened(path)
    journal.add(Window(1, 4), rows_of(), again=True)
    journal.close()
    assert not path.exists()


def test_discard(path):
    journal = opened(path)
    journal.add(Window(1, 1), rows_of(1))
    journal.discard()
    assert not path.exists()
