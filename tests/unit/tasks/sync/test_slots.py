"""Which candles are missing, and the requests that bring them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.sync.slots import (
    Window,
    begin_of,
    ends_of,
    from_runs,
    page_slots,
    request,
    runs,
    slot_of,
    slots_of,
    wanted,
    windows,
    without,
)

DAY = 86_400
#: 2024-01-01 00:00 UTC, a Monday
START = 1_704_067_200


@pytest.mark.parametrize("interval", ["1s", "1m", "3m", "4h", "1d", "3d", "1w", "1M"])
def test_every_moment_lies_in_the_slot_that_begins_at_or_before_it(interval):
    for moment in (START, START + 1, START + 12_345, START + 40 * DAY + 7):
        slot = slot_of(moment, interval)
        assert begin_of(slot, interval) <= moment < begin_of(slot + 1, interval)


def test_weeks_begin_on_mondays_and_months_on_their_first():
    assert begin_of(slot_of(START + 3 * DAY, "1w"), "1w") == START
    assert begin_of(slot_of(START + 35 * DAY, "1M"), "1M") == START + 31 * DAY  # 2024-02-01
    assert ends_of([START + 31 * DAY], "1M")[0] == START + 60 * DAY  # 2024-02-01 + 29 days


def test_a_candle_that_opens_inside_its_slot_counts_for_it():
    assert slot_of(START + 16 * 3600, "1d") == slot_of(START, "1d")


def test_wanted_reaches_from_the_candle_that_holds_the_start_to_the_last_finished_one():
    slots = wanted(START + 30, START + 600, "1m", now=START + 299)
    assert begin_of(int(slots[0]), "1m") == START
    assert begin_of(int(slots[-1]), "1m") == START + 180  # the one from 240 ends at 300
    assert begin_of(int(wanted(START, START + 600, "1m", now=START + 300)[-1]), "1m") == START + 240
    assert begin_of(int(wanted(START, START + 600, "1m", now=START + 9999)[-1]), "1m") == START + 600
    assert len(wanted(START, START + 600, "1m", now=START - 5)) == 0


@given(st.sets(st.integers(-50, 400)), st.integers(1, 60))
def test_windows_hold_every_missing_slot_once_and_are_never_longer(missing, longest):
    slots = np.array(sorted(missing), dtype=np.int64)
    found = windows(slots, longest)
    assert all(window.last - window.first < longest for window in found)
    assert all(earlier.last < later.first for earlier, later in itertools.pairwise(found))
    held = [slot for window in found for slot in slots[window.holds(slots)].tolist()]
    assert held == sorted(missing)
    for window in found:
        inside = slots[window.holds(slots)]
        assert np.diff(inside).max(initial=0) <= longest // 10 + 1
    assert all(window.first in missing and window.last in missing for window in found)


@given(st.sets(st.integers(-50, 400)))
def test_runs_and_back(slots):
    array = np.array(sorted(slots), dtype=np.int64)
    assert from_runs(runs(array)).tolist() == array.tolist()
    assert all(first <= last for first, last in runs(array))


def test_without_takes_away_what_is_there():
    assert without(np.arange(6), np.array([1, 2]), np.array([5, 9])).tolist() == [0, 3, 4]


@pytest.mark.parametrize("interval", ["1m", "1h", "1d", "1w", "1M"])
@pytest.mark.parametrize("longest_page", [100, 1500])
def test_a_request_spans_its_window_and_one_more_and_fits_into_a_page(interval, longest_page):
    first = slot_of(START, interval)
    window = Window(first, first + page_slots(longest_page) - 1)
    end, limit = request(window, interval, now=1e11)
    seconds = 30 * DAY if interval == "1M" else begin_of(1, interval) - begin_of(0, interval)
    assert end == begin_of(window.last + 1, interval)
    assert end - limit * seconds <= begin_of(window.first, interval)
    if interval != "1M":
        # both ends counted, and one interval on either side, as feeds of some exchanges add
        assert limit + 1 + 2 <= longest_page


def test_a_request_never_asks_for_the_future():
    window = Window(slot_of(START, "1m"), slot_of(START + 600, "1m"))
    assert request(window, "1m", now=START + 605)[0] == START + 600
    assert slots_of([START + 600], "1m")[0] == window.last


def test_a_page_of_one_candle_still_asks():
    assert page_slots(1) == 1
    assert request(Window(0, 0), "1m", now=1e9) == (60, 1)
