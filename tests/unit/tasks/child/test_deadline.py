"""A point that takes too long is stopped, and what a child that ends inside one leaves behind."""

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tasks.child import deadline
from tasks.child.deadline import Deadline, hung
from tasks.errors import PointTimeout

BODY = """
import asyncio, os, signal, sys, time
from pathlib import Path
from tasks.child import deadline
deadline.HARD_GRACE_S = deadline.SET_AGAIN_S = 0.3

async def points(hang_marker=None):
    points = deadline.Deadline(0.1)
    for number in range(10):
        async with points.point(hang_marker):
            time.sleep(0.08)
    async with points.point(hang_marker):
        {last}
    points.close()
    {after}

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])  # as native code that never looks at signals
asyncio.run(points(*map(Path, sys.argv[1:])))
"""


def ended(*hang_marker: Path, last: str = "pass", after: str = "pass") -> int:
    body = BODY.format(last=last, after=after)
    return subprocess.run([sys.executable, "-c", body, *hang_marker], timeout=60, check=False).returncode


def test_a_child_ended_by_the_deadline_is_told_from_one_that_died_of_itself(tmp_path: Path) -> None:
    hang_marker = tmp_path / "hang-markers" / "one"
    assert ended(hang_marker, last="time.sleep(30)") == 1
    assert hung(hang_marker) is True
    assert ended(hang_marker, last="os.kill(os.getpid(), signal.SIGKILL)") == -9
    assert hung(hang_marker) is False
    assert hung(hang_marker) is None  # taken away


def test_native_code_that_hangs_ends_the_child_also_after_points_that_did_not() -> None:
    assert ended(last="time.sleep(30)") == 1


def test_after_the_last_point_the_child_lives_on(tmp_path: Path) -> None:
    assert ended(after="time.sleep(1.5)") == 0
    assert ended(tmp_path / "one", after="time.sleep(1.5)") == 0


def test_the_clock_that_costs_a_thread_is_not_set_for_every_point(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []
    monkeypatch.setattr(deadline.faulthandler, "dump_traceback_later", lambda after_s, **_: times.append(after_s))

    async def points() -> None:
        with closing(Deadline(60)) as among:
            for _ in range(100):
                async with among.point():
                    pass

    asyncio.run(points())
    assert times == [60 + deadline.HARD_GRACE_S + deadline.SET_AGAIN_S]


def test_a_point_that_comes_back_leaves_nothing(tmp_path: Path) -> None:
    async def point(seconds: float) -> None:
        with closing(Deadline(0.05)) as alone:
            async with alone.point(tmp_path / "one"):
                await asyncio.sleep(seconds)

    asyncio.run(point(0))
    with pytest.raises(PointTimeout):
        asyncio.run(point(5))
    assert hung(tmp_path / "one") is None


def test_without_room_for_a_hang_marker_the_deadline_holds_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def point() -> None:
        with closing(Deadline(0.05)) as alone:
            async with alone.point(tmp_path / "file" / "one"):
                await asyncio.sleep(5)

    with pytest.raises(PointTimeout):
        asyncio.run(point())
