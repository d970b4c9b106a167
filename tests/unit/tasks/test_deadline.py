"""What a child that ends inside a point leaves behind."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.deadline import deadline, hung
from tasks.errors import PointTimeout

BODY = """
import asyncio, os, signal, sys, time
from pathlib import Path
from tasks import deadline
deadline.HARD_GRACE_S = 0.3

async def point():
    async with deadline.deadline(0.1, Path(sys.argv[1])):
        {what}

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])  # as native code that never looks at signals
asyncio.run(point())
"""


def ended(witness: Path, what: str) -> int:
    body = BODY.format(what=what)
    return subprocess.run([sys.executable, "-c", body, witness], timeout=60, check=False).returncode


def test_a_child_ended_by_the_deadline_is_told_from_one_that_died_of_itself(tmp_path: Path) -> None:
    witness = tmp_path / "witnesses" / "one"
    assert ended(witness, "time.sleep(30)") == 1
    assert hung(witness) is True
    assert ended(witness, "os.kill(os.getpid(), signal.SIGKILL)") == -9
    assert hung(witness) is False
    assert hung(witness) is None  # taken away


def test_a_point_that_comes_back_leaves_nothing(tmp_path: Path) -> None:
    async def point(seconds: float) -> None:
        async with deadline(0.05, tmp_path / "one"):
            await asyncio.sleep(seconds)

    asyncio.run(point(0))
    with pytest.raises(PointTimeout):
        asyncio.run(point(5))
    assert hung(tmp_path / "one") is None


def test_without_room_for_a_witness_the_deadline_holds_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def point() -> None:
        async with deadline(0.05, tmp_path / "file" / "one"):
            await asyncio.sleep(5)

    with pytest.raises(PointTimeout):
        asyncio.run(point())
