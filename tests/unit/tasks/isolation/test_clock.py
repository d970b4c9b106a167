"""The clock that a controller asks, whichever way it imports and asks it."""

from __future__ import annotations

import datetime
import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from tasks.isolation import clock as module
from tasks.isolation.clock import ASKED_WALL_CLOCK, clock
from tasks.isolation.notes import notes
from tasks.upstream.backtest.folder import activate, deactivate

START = 1_704_067_200 + 9 * 3600  # 2024-01-01T09:00:00Z

ASKS = """
import time
import datetime as dt
from time import time as now, monotonic
from datetime import datetime, date

def every_way():
    import time as inner_time
    from datetime import datetime as inner_datetime
    return {
        "time.time": time.time(), "from time": now(), "time_ns": time.time_ns() / 1e9, "monotonic": monotonic(),
        "perf_counter": time.perf_counter(), "inner": inner_time.time(),
        "now": datetime.now(dt.timezone.utc).timestamp(),
        "utcnow": datetime.utcnow().replace(tzinfo=dt.timezone.utc).timestamp(),
        "module now": dt.datetime.now(dt.timezone.utc).timestamp(),
        "inner now": inner_datetime.now(dt.timezone.utc).timestamp(),
        "gmtime": time.gmtime().tm_hour * 3600 + 1704067200, "strftime": float(time.strftime("%Y")) - 2024 + START,
        "today": datetime(*date.today().timetuple()[:3], 9, tzinfo=dt.timezone.utc).timestamp(),
    }

def timestamps():
    import pandas as pd
    return [pd.Timestamp.now("UTC"), pd.Timestamp.utcnow(), pd.Timestamp.now(tz="UTC")]

def in_words():
    import numpy as np
    import pandas as pd
    from pandas import Timestamp as Moment
    return {
        "Timestamp": pd.Timestamp("now"), "alias": Moment('now'), "zone": pd.Timestamp("now", tz="UTC"),
        "to_datetime": pd.to_datetime("now", utc=True), "numpy": np.datetime64("now"),
        "numpy ms": np.datetime64("now", "ms"), "period": pd.Period.now("min").start_time,
    }

def other_words():
    import numpy as np
    import pandas as pd
    return np.datetime64("today"), "now".upper(), "a now".split("now"), dict(x="now"), pd.Timestamp("2024-05-01")
"""


@pytest.fixture
def asks(tmp_path: Path) -> Iterator[ModuleType]:
    """A module of a controllers folder that asks for the time in every way."""
    folder = tmp_path / "controllers"
    folder.mkdir()
    (folder / "asks.py").write_text(ASKS.replace("START", str(START)))
    activate(folder)
    import importlib

    notes.clear()
    yield importlib.import_module("controllers.asks")
    deactivate()


def test_every_way_of_asking_gives_the_time_of_the_back_test(asks: ModuleType) -> None:
    module.install()
    provider = SimpleNamespace(time=lambda: float(START))
    with clock.simulated(START - 60):
        assert asks.time.time() == START - 60
        clock.follow(provider)
        assert asks.every_way() == dict.fromkeys(asks.every_way(), START)
        assert {moment.timestamp() for moment in asks.timestamps()} == {START}
        assert abs(time.time() - START) > 3600  # the process's own clock goes on
    assert notes.warnings() == []


def test_now_as_a_word_is_the_time_of_the_back_test_too(asks: ModuleType) -> None:
    module.install()
    with clock.simulated(START):
        asked = asks.in_words()
        assert {name: pd.Timestamp(moment).timestamp() for name, moment in asked.items()} == dict.fromkeys(asked, START)
        assert (asked["Timestamp"].tz, str(asked["zone"].tz), asked["numpy"].dtype) == (None, "UTC", "datetime64[s]")
        day, upper, parts, named, stamp = asks.other_words()
        assert (day, day.dtype) == (np.datetime64("2024-01-01"), "datetime64[D]")
        assert (upper, parts, named, stamp) == ("NOW", ["a ", ""], {"x": "now"}, pd.Timestamp("2024-05-01"))
    assert notes.warnings() == []
    assert abs(pd.Timestamp(asks.in_words()["numpy"]).timestamp() - time.time()) < 60
    assert notes.warnings() == [ASKED_WALL_CLOCK]


def test_without_simulation_it_is_the_wall_clock_and_the_row_says_so(asks: ModuleType) -> None:
    before = time.time()
    assert before - 1 <= asks.every_way()["time.time"] <= time.time() + 1
    assert notes.warnings() == [ASKED_WALL_CLOCK]
    notes.clear()
    assert asks.datetime(2024, 1, 1).year == 2024  # to make a moment is not to ask for one
    assert notes.warnings() == []


def test_moments_are_pythons_own(asks: ModuleType) -> None:
    stand_in: Any = asks.datetime
    with clock.simulated(START):
        for moment in (stand_in(2024, 1, 2), stand_in.now(), stand_in.fromtimestamp(0), stand_in.strptime("7", "%d")):
            assert type(moment) is datetime.datetime
            assert isinstance(moment, stand_in)
            assert pickle.loads(pickle.dumps(moment)) == moment
    assert issubclass(datetime.datetime, stand_in)
    assert isinstance(datetime.date(2024, 1, 1), asks.date)
    assert not isinstance(datetime.date(2024, 1, 1), stand_in)


def test_pydantic_takes_it_for_the_real_class_in_a_config(asks: ModuleType) -> None:
    kind: Any = type("Config", (BaseModel,), {"__annotations__": {"since": asks.datetime, "day": asks.date}})
    made = kind(since="2024-01-01T00:00:00", day="2024-01-02")
    assert (made.since, made.day) == (datetime.datetime(2024, 1, 1), datetime.date(2024, 1, 2))


def test_a_class_that_a_controller_derives_makes_its_own(asks: ModuleType) -> None:
    base: Any = asks.datetime
    derived: Any = type("Mine", (base,), {})
    assert type(derived(2024, 1, 1)) is derived


def test_other_modules_keep_their_clock(asks: ModuleType) -> None:
    assert sys.modules["time"] is time
    assert sys.modules["datetime"] is datetime
    with clock.simulated(0):
        assert datetime.datetime.now(datetime.UTC).year > 2000
