"""What is to be said of a point beside its results: warnings of ours, and what its controller logged or swallowed.

    warn            a sentence of ours for the row's `warning`, such as that the controller asked the wall clock
    logged          warnings and errors that user code writes with `logging`
    swallowed       exceptions that user code catches: an `except` that says nothing hides a missing model file or
                    package, and then nothing trades and nobody knows why

Both kinds of the controller's own are kept in one list, the last MAX_LINES different lines of at most MAX_CHARACTERS
each, and become the row's `controller_log`.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tasks.errors import describe, one_line
from tasks.isolation.callers import is_users_file

MAX_LINES = 3
MAX_CHARACTERS = 300
#: From one place in the code more are not even looked at: a controller may raise and catch at every candle.
MAX_FROM_ONE_PLACE = 3
#: sys.monitoring's number of this tool; 0 to 3 and 5 are taken by convention (debugger, coverage, profiler, optimiser).
_TOOL = 4


class Note(NamedTuple):
    """One line."""

    text: str
    #: True: a warning of ours; False: the controller's own
    ours: bool


class Notes:
    """The notes of the point under way, in the order in which they came, each once."""

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}
        self._places: Counter[Hashable] = Counter()

    def clear(self) -> None:
        """Another point begins."""
        self._notes.clear()
        self._places.clear()

    def warn(self, text: str) -> None:
        """A sentence of ours."""
        self._notes.setdefault(Note(text, True))

    def add(self, notes: Sequence[Note]) -> None:
        """Notes that were taken before, of what is not done again for this point."""
        for note in notes:
            self._notes.pop(note, None)  # the last of equal lines counts
            self._notes[note] = None

    def taken(self) -> tuple[Note, ...]:
        """All of them."""
        return tuple(self._notes)

    def since(self, before: Sequence[Note]) -> tuple[Note, ...]:
        """Those that came after `before` was taken."""
        known = set(before)
        return tuple(note for note in self._notes if note not in known)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is noted inside is forgotten at the end: of a trial that is not the point's own run."""
        notes, places = dict(self._notes), Counter(self._places)
        try:
            yield
        finally:
            self._notes, self._places = notes, places

    def warnings(self) -> list[str]:
        """Our sentences."""
        return [note.text for note in self._notes if note.ours]

    def controller_log(self) -> str:
        """The controller's own last lines, oldest first, joined; "" when there are none."""
        return " | ".join([note.text for note in self._notes if not note.ours][-MAX_LINES:])

    def wants(self, place: Hashable) -> bool:
        """Whether a line from this place in the code is to be looked at; asked once for each."""
        self._places[place] += 1
        return self._places[place] <= MAX_FROM_ONE_PLACE

    def look(self, line: str) -> None:
        """Keep a line of the controller's."""
        self.add([Note(one_line(line)[:MAX_CHARACTERS], False)])


notes = Notes()


def install() -> None:
    """Listen to what user code logs and swallows, from now on; once per process."""
    logging.getLogger().addHandler(_Listener(logging.WARNING))
    try:
        sys.monitoring.use_tool_id(_TOOL, "hummingsweep notes")
    except ValueError:  # somebody has it: swallowed exceptions stay unknown
        return
    events = sys.monitoring.events
    sys.monitoring.register_callback(_TOOL, events.EXCEPTION_HANDLED, _handled)
    sys.monitoring.set_events(_TOOL, events.EXCEPTION_HANDLED)


class _Listener(logging.Handler):
    """Takes what user code logs. The log itself is the business of other handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        if not is_users_file(record.pathname) or not notes.wants((record.pathname, record.lineno)):
            return
        try:
            text = record.getMessage()
        except Exception:  # wrong arguments
            text = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        notes.look(f"{record.levelname}: {text}" + (f" ({describe(error)})" if error is not None else ""))


def _handled(code: Any, offset: int, error: BaseException) -> None:
    """An exception has reached an `except` (or a `finally`, or the end of a `with`) in some code."""
    if not is_users_file(code.co_filename) or isinstance(error, _COMMON):
        return
    if notes.wants((code, offset, type(error))):
        notes.look(f"caught {describe(error)}")


#: Ways of asking rather than errors.
_COMMON = (StopIteration, StopAsyncIteration, GeneratorExit)
