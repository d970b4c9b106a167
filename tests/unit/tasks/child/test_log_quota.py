"""What controllers print and log is bounded per sweep, in a process like a child."""

from __future__ import annotations

import subprocess
import sys
import textwrap

BEGIN = """
import logging, sys
from tasks.child.log_quota import LogQuota
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
chatter = LogQuota(allowance={allowance})
chatter.listen()
chatter.turn_to("a")
"""


def written(code: str, allowance: int = 1000) -> list[str]:
    """The lines that reach the log of a process that runs the code."""
    code = BEGIN.format(allowance=allowance) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_printed_is_a_line_logged() -> None:
    lines = written("""
        print("signal", 1.0, end="")
        print()
        print()
        sys.stderr.write("two\\nlines\\n")
        logging.getLogger("hummingbot.controller").error("an order of %s", 5)
    """)
    assert lines == [
        "WARNING stdout signal 1.0",
        "WARNING stderr two",
        "WARNING stderr lines",
        "ERROR hummingbot.controller an order of 5",
    ]


def test_the_beginning_of_it_is_written_and_that_more_is_left_out_is_said_once() -> None:
    lines = written("""
        for candle in range(1000):
            print("candle", candle)
            logging.getLogger("controller").warning("candle %s", candle)
    """)
    assert lines[:2] == ["WARNING stdout candle 0", "WARNING controller candle 0"]
    assert (
        lines[-1] == "WARNING tasks.child.log_quota sweep a: its controllers print and log much, the rest is left out"
    )
    assert len(lines) == 15  # each costs 68 characters


def test_another_sweep_has_an_allowance_of_its_own() -> None:
    lines = written("""
        print("x" * 2000)
        chatter.turn_to("b")
        print("b speaks")
        chatter.turn_to("a")
        print("a still does not")
    """)
    assert [line.split()[1] for line in lines] == ["tasks.child.log_quota", "stdout"]


def test_what_the_node_says_of_itself_is_always_written() -> None:
    lines = written("""
        import celery, kombu
        print("x" * 2000)
        exec(compile("import logging; logging.getLogger('celery.worker').warning('away')", celery.__file__, "exec"))
        logging.getLogger("celery.worker").warning("not celery's")
        logging.getLogger("tasks").warning("nor ours")
    """)
    assert lines[1:] == ["WARNING celery.worker away"]


def test_a_line_that_never_ends_takes_no_memory() -> None:
    lines = written("""
        for _ in range(1000):
            print("x" * 1000, end="")
        assert len(sys.stdout._line) < 600_000
    """)
    assert [line.split()[1] for line in lines] == ["tasks.child.log_quota"]


def test_streams_that_a_controller_closed_or_exchanged_are_back_for_the_next() -> None:
    lines = written("""
        import io
        sys.stdout.close()
        print("still")
        sys.stdout = io.StringIO()
        sys.stderr = None
        chatter.turn_to("b")
        print("here")
        sys.stderr.write("too\\n")
    """)
    assert lines == ["WARNING stdout still", "WARNING stdout here", "WARNING stderr too"]


def test_a_controllers_own_handler_on_the_stream_does_not_speak_to_itself() -> None:
    lines = written("""
        logging.getLogger("controller").addHandler(logging.StreamHandler(sys.stdout))
        logging.getLogger("controller").warning("once each")
        logging.getLogger("controller").warning("%s %s", "one argument for two")
    """)
    assert lines[:2] == ["WARNING stdout once each", "WARNING controller once each"]


def test_a_full_disk_is_not_the_controllers_error() -> None:
    lines = written("""
        class Full:
            def write(self, text): raise OSError(28, "No space left on device")
            def flush(self): pass
        logging.getLogger().handlers[0].stream = Full()
        print("nobody hears it")
    """)
    assert lines == []


def test_it_takes_what_scripts_do_to_their_streams() -> None:
    lines = written("""
        import faulthandler, subprocess
        sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
        faulthandler.enable(sys.stderr)
        subprocess.run(["echo", "from another process"], stdout=sys.stderr, check=True)
        print("naïve → 数", flush=True)
        sys.stdout.buffer.write(b"bytes\\n")
        sys.__stderr__.write("underneath\\n")
    """)
    said = ["WARNING stdout naïve → 数", "WARNING stdout bytes", "WARNING stderr underneath"]
    assert lines == ["from another process", *said]
