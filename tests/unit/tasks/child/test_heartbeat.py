"""A child that stands still is found; one that rests, or whose whole machine slept, is not taken for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tasks.child.heartbeat import SLACK_S, Sign, Watchdog, signs

CHILD = """
import sys
from pathlib import Path
from tasks.child import heartbeat as life
life.begin(Path(sys.argv[1]))
for number in range(3):
    life.sign(7.5)
print(flush=True)
sys.stdin.read()
"""


def test_a_silent_child_is_late_after_what_was_allowed_and_some_slack() -> None:
    lookout = Watchdog(longest_s=4.0)
    signs = {1: Sign(5, 10.0), 2: Sign(5, 0.0)}
    looks = [lookout.look(signs, 2.0) for _ in range(14)]
    assert looks[:13] == [{}] * 13  # the first look is where the silence begins
    assert looks[13] == {1: 26.0}
    assert SLACK_S == 15


def test_a_sign_is_a_new_beginning() -> None:
    lookout = Watchdog(longest_s=4.0)
    assert not any(lookout.look({1: Sign(number // 10, 10.0)}, 2.0) for number in range(50))


def test_a_look_after_a_long_sleep_counts_for_little() -> None:
    lookout = Watchdog(longest_s=4.0)
    lookout.look({1: Sign(1, 10.0)}, 2.0)
    assert lookout.look({1: Sign(1, 10.0)}, 3600.0) == {}


def test_a_child_that_is_replaced_is_forgotten() -> None:
    lookout = Watchdog(longest_s=4.0)
    for _ in range(12):
        lookout.look({1: Sign(1, 10.0)}, 2.0)
    lookout.look({}, 2.0)
    assert lookout.look({1: Sign(1, 10.0)}, 4.0) == {}


def test_a_node_reads_the_signs_of_its_own_children(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert signs(tmp_path) == {child.pid: Sign(3, 7.5)}
    child.communicate()
    assert signs(tmp_path) == {}
    assert list((tmp_path / "lives").iterdir()) == []
