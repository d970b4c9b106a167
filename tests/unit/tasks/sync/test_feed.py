"""One feed from what is missing to its file, against an exchange made of numbers."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.candles.check import examine
from tasks.candles.formats import COLUMNS, candle_file
from tasks.errors import CandlesBroken, CandlesError, ExchangeError, HummingsweepError
from tasks.sync.feed import Place, download
from tasks.sync.journal import Journal
from tasks.sync.orders import FeedAnswer, FeedOrder, Status
from tasks.sync.retry import Gate, GaveUp, RetryPolicy
from tasks.upstream.live.refusals import Refused, Unreachable

#: 2024-01-01 00:00 UTC
START = 1_704_067_200
MINUTE = 60
NAME = "candles_venue_BTC-USDT_1m"


def rows_for(times):
    """The candles that open then: every value follows from the time."""
    times = np.asarray(times, dtype=np.float64)
    number = times / MINUTE % 1000
    price = 100 + number
    return np.column_stack(
        [times, price, price + 1, price - 1, price + 0.5, number % 7 + 1, number, number % 3, number % 2, number % 5]
    )


@dataclass
class Venue:
    """A source that knows every candle and misbehaves on demand."""

    longest_page: int = 50
    step: int = MINUTE
    #: seconds since the epoch
    now: float = START + 10 * 86_400
    lacking: set[int] = field(default_factory=set)
    listed: int = 0
    #: gets (rows, number of the call, end, limit), may raise
    twist: object = None
    #: windows as they were asked for: (first open, last open)
    asked: list = field(default_factory=list)

    async def prepare(self):
        pass

    async def page(self, end, limit):
        first = end - limit * self.step
        self.asked.append((first, end))
        number = len(self.asked)
        await asyncio.sleep(0)
        begin = max(first, self.listed)
        times = [
            time
            for time in range(-(-begin // self.step) * self.step, min(end, int(self.now)) + 1, self.step)
            if time not in self.lacking
        ]
        rows = rows_for(times)[: self.longest_page]
        if self.twist is not None:
            rows = self.twist(rows, number, first, end)
        return rows, self.now

    def asked_for(self, time):
        return sum(first <= time <= end for first, end in self.asked)


async def no_wait(seconds):
    await asyncio.sleep(0)


def run(folder, venue, minutes=200, *, start=START, interval="1m", end=None, encoding="", again=False, attempts=6, **k):
    """Download; (answer, raised)."""
    order = FeedOrder("venue", "BTC-USDT", interval, start, start + minutes * 60 if end is None else end)
    answer = FeedAnswer("venue", "BTC-USDT", interval, Status.INTERRUPTED)
    gate = Gate("venue", RetryPolicy(attempts=attempts), sleep=no_wait, chance=random.Random(0))
    place = Place(folder, encoding, again, clock=lambda: venue.now, **k)
    try:
        asyncio.run(download(order, venue, gate, place, answer))
    except HummingsweepError as error:
        return answer, error
    return answer, None


def read(path):
    """A CSV as rows."""
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)


def minutes_of(path):
    return ((read(path)[:, 0] - START) / MINUTE).astype(int).tolist()


def write(folder, minutes, name=f"{NAME}.csv"):
    """A file that holds these minutes already, with a mark in n_trades."""
    folder.mkdir(exist_ok=True)
    rows = rows_for([START + minute * MINUTE for minute in minutes])
    rows[:, 7] = 777
    text = "\n".join(",".join(repr(float(value)) for value in row) for row in rows)
    (folder / name).write_text(",".join(COLUMNS) + "\n" + text + "\n")
    return folder / name


def test_a_whole_feed(tmp_path):
    venue = Venue()
    answer, error = run(tmp_path, venue)
    assert error is None
    path = tmp_path / f"{NAME}.csv"
    assert answer.path == str(path)
    assert path.read_text().startswith(",".join(COLUMNS) + "\n1704067200,")
    assert np.array_equal(read(path), rows_for(START + MINUTE * np.arange(201)))
    assert (answer.status, answer.rows, answer.downloaded) == (Status.DOWNLOADED, 201, 201)
    assert (answer.first, answer.last, answer.gaps) == (START, START + 200 * MINUTE, [])
    assert examine(candle_file(path)).findings == ()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    # 47 new candles a page
    assert len(venue.asked) == 5


def test_the_second_time_nothing_is_asked_for(tmp_path):
    run(tmp_path, Venue())
    venue = Venue()
    before = (tmp_path / f"{NAME}.csv").stat().st_mtime_ns
    answer, _ = run(tmp_path, venue)
    assert venue.asked == []
    assert (answer.status, answer.rows, answer.downloaded) == (Status.COMPLETE, 201, 0)
    assert (tmp_path / f"{NAME}.csv").stat().st_mtime_ns == before


def test_only_what_is_missing_is_asked_for(tmp_path):
    there = [*range(60, 100), *range(105, 125), *range(128, 170)]
    path = write(tmp_path, there)
    venue = Venue()
    run(tmp_path, venue)
    assert minutes_of(path) == list(range(201))
    # what was there is as it was
    marked = read(path)[:, 7] == 777
    assert np.flatnonzero(marked).tolist() == there
    # nothing in the middle of what was there was asked for
    assert venue.asked_for(START + 80 * MINUTE) == venue.asked_for(START + 120 * MINUTE) == 0
    assert venue.asked_for(START + 102 * MINUTE) == venue.asked_for(START + 126 * MINUTE) == 1


def test_pages_that_overlap_come_unsorted_or_twice(tmp_path):
    def more(rows, number, first, end):
        early = rows_for(np.arange(first - 10 * MINUTE, first, MINUTE))
        return np.concatenate([rows, early, rows[5:20]])[::-1]

    answer, error = run(tmp_path, Venue(twist=more))
    assert error is None
    assert np.array_equal(read(answer.path), rows_for(START + MINUTE * np.arange(201)))


@pytest.mark.parametrize("times", [1, 2])
def test_a_page_that_was_missing_is_asked_for_again(tmp_path, times):
    lost = {}

    def lose(rows, number, first, end):
        if first <= START + 100 * MINUTE <= end and lost.setdefault("times", 0) < times:
            lost["times"] += 1
            return rows[:0]
        return rows

    answer, error = run(tmp_path, Venue(twist=lose))
    assert error is None
    assert minutes_of(answer.path) == list(range(201))
    assert answer.gaps == []
    assert lost["times"] == times


def test_a_page_of_which_half_was_missing_is_asked_for_again(tmp_path):
    answer, _ = run(tmp_path, Venue(twist=lambda rows, number, *_: rows[:10] if number == 2 else rows))
    assert minutes_of(answer.path) == list(range(201))


@pytest.mark.parametrize("side", ["first", "last"])
def test_an_exchange_that_leaves_out_an_end_of_every_page_is_no_exchange_with_gaps(tmp_path, side):
    cut = slice(1, None) if side == "first" else slice(None, -1)
    answer, error = run(tmp_path, Venue(twist=lambda rows, *_: rows[cut]))
    assert error is None
    # a page's first candle may be lost with the page's beginning, but only before the first candle of all
    assert minutes_of(answer.path)[-150:] == list(range(51, 201))
    assert answer.gaps == []


def test_a_gap_at_the_exchange_is_told_and_not_asked_for_again(tmp_path):
    lacking = {START + minute * MINUTE for minute in (30, 31, 32, 150)}
    venue = Venue(lacking=lacking)
    answer, error = run(tmp_path, venue)
    assert error is None
    assert answer.status is Status.DOWNLOADED
    assert answer.gaps == [[START + 29 * MINUTE, 3], [START + 149 * MINUTE, 1]]
    assert venue.asked_for(START + 31 * MINUTE) == 2
    venue = Venue(lacking=lacking)
    answer, _ = run(tmp_path, venue)
    assert venue.asked == []
    assert answer.gaps == [[START + 29 * MINUTE, 3], [START + 149 * MINUTE, 1]]
    # unless one says so: the exchange may have found them
    venue = Venue(lacking={START + 31 * MINUTE})
    answer, _ = run(tmp_path, venue, again=True)
    assert answer.gaps == [[START + 30 * MINUTE, 1]]
    assert answer.downloaded == 3


def test_what_is_forgotten_with_the_file_is_asked_for_again(tmp_path):
    answer, _ = run(tmp_path, Venue(lacking={START + 30 * MINUTE}))
    (tmp_path / f"{NAME}.csv").unlink()
    answer, _ = run(tmp_path, Venue())
    assert answer.rows == 201


def test_a_young_gap_may_still_be_filled_by_the_exchange(tmp_path):
    hole = START + 100 * MINUTE
    venue = Venue(lacking={hole}, now=START + 200 * MINUTE)
    answer, _ = run(tmp_path, venue)
    assert answer.gaps == [[hole - MINUTE, 1]]
    venue = Venue(now=START + 200 * MINUTE)
    answer, _ = run(tmp_path, venue)
    assert venue.asked_for(hole) == 1
    assert answer.gaps == []


def test_a_pair_that_was_listed_later(tmp_path):
    venue = Venue(listed=START + 70 * MINUTE)
    answer, error = run(tmp_path, venue)
    assert error is None
    assert minutes_of(answer.path) == list(range(70, 201))
    assert "opens at 2024-01-01T01:10:00Z, 70 candles after the start asked for" in answer.warnings[0]
    venue = Venue(listed=START + 70 * MINUTE)
    run(tmp_path, venue)
    assert venue.asked == []


def test_no_candle_at_all(tmp_path):
    _answer, error = run(tmp_path, Venue(listed=START + 9 * 86_400))
    assert isinstance(error, ExchangeError)
    assert "venue has no finished 1m candle of BTC-USDT between 2024-01-01T00:00:00Z and 2024-01-01T03:20:00Z" in str(
        error
    )
    assert list(tmp_path.iterdir()) == []


def test_the_running_candle_is_not_stored(tmp_path):
    venue = Venue(now=START + 100 * MINUTE + 59)
    answer, _ = run(tmp_path, venue)
    assert minutes_of(answer.path) == list(range(100))  # that of minute 100 ends a second later
    venue.now += 3
    answer, _ = run(tmp_path, venue)
    assert minutes_of(answer.path) == list(range(101))
    assert answer.downloaded == 1


def test_the_servers_clock_decides_what_is_finished(tmp_path):
    venue = Venue(now=START + 100 * MINUTE + 30)
    late = Place(tmp_path, clock=lambda: venue.now + 3600)
    order = FeedOrder("venue", "BTC-USDT", "1m", START, START + 120 * MINUTE)
    answer = FeedAnswer("venue", "BTC-USDT", "1m", Status.INTERRUPTED)
    asyncio.run(download(order, venue, Gate("venue", sleep=no_wait), late, answer))
    assert minutes_of(answer.path) == list(range(100))
    # and what it did not have yet is not remembered as absent
    venue.now += 3600
    asyncio.run(download(order, venue, Gate("venue", sleep=no_wait), Place(tmp_path, clock=lambda: venue.now), answer))
    assert minutes_of(answer.path) == list(range(121))


def test_a_last_candle_stored_by_others_before_it_ended_is_replaced(tmp_path):
    import os

    path = write(tmp_path, range(101))
    os.utime(path, (START + 100 * MINUTE + 20,) * 2)
    venue = Venue(now=START + 300 * MINUTE)
    run(tmp_path, venue, minutes=100)
    assert read(path)[-1, 7] != 777
    assert read(path)[-2, 7] == 777
    assert minutes_of(path) == list(range(101))


def test_trouble_on_the_way(tmp_path):
    troubles = {1: Unreachable("cut"), 3: Refused(502, ""), 4: Refused(429, "", 1.0), 6: Refused(503, "", 2.0)}

    def trouble(rows, number, *_):
        if number in troubles:
            raise troubles[number]
        return rows

    answer, error = run(tmp_path, Venue(twist=trouble))
    assert error is None
    assert np.array_equal(read(answer.path), rows_for(START + MINUTE * np.arange(201)))


def test_giving_up_keeps_what_came_and_the_next_time_asks_for_the_rest(tmp_path):
    def down(rows, number, first, end):
        if end > START + 100 * MINUTE:
            raise Refused(503, "maintenance")
        return rows

    answer, error = run(tmp_path, Venue(twist=down), attempts=2)
    assert isinstance(error, GaveUp)
    assert "HTTP 503 (maintenance)" in str(error)
    assert answer.status is Status.FAILED
    assert 40 < answer.downloaded < 101
    assert not (tmp_path / f"{NAME}.csv").exists()
    assert (tmp_path / f"{NAME}.csv.part").exists()
    venue = Venue()
    answer, error = run(tmp_path, venue)
    assert error is None
    assert venue.asked_for(START + 20 * MINUTE) == 0
    assert minutes_of(answer.path) == list(range(201))
    assert not (tmp_path / f"{NAME}.csv.part").exists()


def test_an_interruption_keeps_what_came(tmp_path):
    async def main():
        def stop(rows, number, first, end):
            if number == 3:
                work.cancel()
            return rows

        venue = Venue(twist=stop)
        order = FeedOrder("venue", "BTC-USDT", "1m", START, START + 1000 * MINUTE)
        place = Place(tmp_path, clock=lambda: venue.now)
        work = asyncio.create_task(download(order, venue, Gate("venue"), place, answer))
        with pytest.raises(asyncio.CancelledError):
            await work

    answer = FeedAnswer("venue", "BTC-USDT", "1m", Status.COMPLETE)
    asyncio.run(main())
    assert answer.status is Status.INTERRUPTED
    assert answer.downloaded >= 47
    venue = Venue()
    finished, _ = run(tmp_path, venue, minutes=1000)
    assert finished.rows == 1001
    assert len(venue.asked) <= -(-(1001 - answer.downloaded) // 47)


def test_an_existing_file_is_left_alone_until_the_new_one_is_whole(tmp_path):
    path = write(tmp_path, range(60))
    before = path.read_bytes()

    def down(rows, number, first, end):
        if end > START + 150 * MINUTE:
            raise Refused(451, "not here")
        return rows

    _, error = run(tmp_path, Venue(twist=down))
    assert "venue refuses: HTTP 451 (not here)" in str(error)
    assert path.read_bytes() == before


@pytest.mark.parametrize("place, value", [(1, np.nan), (2, -1.0), (0, START + 5.0), (5, -3.0)])
def test_impossible_candles_are_asked_for_again_and_then_left_out(tmp_path, place, value):
    def spoil(rows, number, first, end):
        if number <= times:
            rows[rows[:, 0] == START + 3 * MINUTE, place] = value
        return rows

    times = 2
    answer, error = run(tmp_path / "passing", Venue(twist=spoil, longest_page=500))
    assert error is None
    assert answer.rows == 201
    assert answer.warnings == []
    times = 99
    answer, error = run(tmp_path / "lasting", Venue(twist=spoil, longest_page=500))
    assert error is None
    assert minutes_of(answer.path) == [*range(3), *range(4, 201)]
    assert "that cannot be" in answer.warnings[0]
    assert answer.gaps == [[START + 2 * MINUTE, 1]]


def test_high_and_low_are_stored_as_published_with_a_warning(tmp_path):
    def odd(rows, *_):
        rows[:, 2] = rows[:, 1] - 0.25
        return rows

    answer, error = run(tmp_path, Venue(twist=odd))
    assert error is None
    assert answer.rows == 201
    assert "as the exchange sent it: high too low (201 times)" in answer.warnings[0]


def test_nothing_is_replaced_by_a_file_that_would_be_unsound(tmp_path, monkeypatch):
    path = write(tmp_path, range(60))
    before = path.read_bytes()

    def wrong(columns, beside):
        beside.write_text("timestamp,open,high,low,close,volume\n60,1,1,1,1,1\n60,1,1,1,1,1\n")

    monkeypatch.setattr("tasks.sync.candle_file._write", wrong)
    answer, error = run(tmp_path, Venue())
    assert isinstance(error, CandlesBroken)
    assert "not replaced" in str(error)
    assert path.read_bytes() == before
    assert answer.downloaded == 141
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{NAME}.csv", f"{NAME}.csv.part"]
    monkeypatch.undo()
    venue = Venue()
    answer, _ = run(tmp_path, venue)
    assert venue.asked == []
    assert answer.rows == 201


def test_a_broken_file_is_not_touched(tmp_path):
    path = write(tmp_path, [0, 1, 3, 2])
    before = path.read_bytes()
    venue = Venue()
    _, error = run(tmp_path, venue)
    assert isinstance(error, CandlesBroken)
    assert "move it elsewhere to download all anew" in str(error)
    assert path.read_bytes() == before
    assert venue.asked == []


def test_parquet_and_going_on_with_what_is_there(tmp_path):
    answer, _ = run(tmp_path, Venue(), minutes=50, encoding="parquet")
    assert answer.path.endswith(f"{NAME}.parquet")
    answer, _ = run(tmp_path, Venue())
    assert answer.path.endswith(f"{NAME}.parquet")
    table = pq.read_table(answer.path)
    assert table.column_names == list(COLUMNS)
    assert np.array_equal(
        np.column_stack([table[name].to_numpy() for name in COLUMNS]), rows_for(START + MINUTE * np.arange(201))
    )
    _, error = run(tmp_path, Venue(), encoding="csv")
    assert isinstance(error, CandlesError)
    assert "leave --format away" in str(error)


def test_a_compressed_file_goes_on_compressed(tmp_path):
    import gzip

    plain = write(tmp_path, range(60))
    (tmp_path / f"{NAME}.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    answer, error = run(tmp_path, Venue())
    assert error is None
    assert answer.path.endswith(".csv.gz")
    with gzip.open(answer.path, "rt") as lines:
        assert sum(1 for _ in lines) == 202


def test_candles_under_another_name_are_not_asked_for(tmp_path):
    write(tmp_path, range(150), "venue_BTC-USDT_20240101_20240102.csv")
    venue = Venue()
    _answer, error = run(tmp_path, venue)
    assert error is None
    assert venue.asked_for(START + 100 * MINUTE) == 0
    assert minutes_of(tmp_path / f"{NAME}.csv") == list(range(201))


def test_a_file_of_six_columns_stays_one(tmp_path):
    path = write(tmp_path, range(60))
    lines = [",".join(line.split(",")[:6]) for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    answer, _ = run(tmp_path, Venue())
    assert path.read_text().splitlines()[0] == "timestamp,open,high,low,close,volume"
    assert answer.rows == 201
    assert "has no quote_asset_volume" in answer.warnings[0]


def test_days_that_open_at_another_hour(tmp_path):
    day, hour = 86_400, 3600

    class Asian(Venue):
        async def page(self, end, limit):
            _rows, now = await super().page(end, limit)
            times = np.arange(end - limit * day + 16 * hour - day, end + 1, day)
            times = times[(times >= end - limit * day) & (times <= end)]
            return rows_for(times), now

    venue = Asian(step=day, now=START + 40 * day)
    answer, error = run(tmp_path, venue, interval="1d", end=START + 30 * day)
    assert error is None
    assert answer.first == START + 16 * hour
    assert answer.gaps == []
    assert answer.rows == 31
    venue.asked.clear()
    run(tmp_path, venue, interval="1d", end=START + 30 * day)
    assert venue.asked == []


def test_months(tmp_path):
    class Monthly(Venue):
        async def page(self, end, limit):
            self.asked.append((end, limit))
            months = np.arange("2020-01", "2024-12", dtype="datetime64[M]").astype("datetime64[s]").astype(np.int64)
            return rows_for(months[(months >= end - limit * 30 * 86_400) & (months <= end)]), self.now

    venue = Monthly(now=START + 10 * 86_400)
    answer, error = run(tmp_path, venue, interval="1M", start=1_577_836_800, end=START)
    assert error is None
    # January 2024 still runs
    assert answer.rows == 48
    venue.asked.clear()
    run(tmp_path, venue, interval="1M", start=1_577_836_800, end=START)
    assert venue.asked == []


def test_another_download_of_the_same_feed(tmp_path):
    other = Journal(tmp_path / f"{NAME}.csv.part", "venue_BTC-USDT_1m", "1m")
    _, error = run(tmp_path, Venue())
    assert "another `hummingsweep sync` downloads this feed" in str(error)
    other.close()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        run(tmp_path / "file", Venue())


def test_progress_is_told_to_the_end(tmp_path):
    told = []
    run(tmp_path, Venue(lacking={START + 60 * MINUTE}), progress=lambda *what: told.append(what))
    assert told[0] == ("venue_BTC-USDT_1m", 0, 201)
    assert told[-1] == ("venue_BTC-USDT_1m", 201, 201)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
