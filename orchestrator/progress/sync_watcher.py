"""Who looks at a download: a bar for each feed on a terminal, plain lines elsewhere, silence for --json."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

from orchestrator.progress.streams import tell
from orchestrator.progress.watcher import PLAIN_EVERY_S
from tasks.times import span

if TYPE_CHECKING:
    from rich.progress import TaskID


class Watcher(Protocol):
    """Is told how a download goes on."""

    def say(self, text: str) -> None:
        """One line worth knowing."""

    def progress(self, feed: str, done: int, total: int) -> None:
        """Of a feed's missing candles so many are answered."""

    def close(self) -> None:
        """Nothing follows."""


class Silent:
    """For --json."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, feed: str, done: int, total: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class PlainLines:
    """For logs and pipes: a line every few seconds, on standard error."""

    def __init__(self) -> None:
        #: when the first candles were asked for; None: not yet
        self._began: float | None = None
        self._last = 0.0
        self._feeds: dict[str, tuple[int, int]] = {}

    def say(self, text: str) -> None:
        """One line."""
        tell(text)

    def progress(self, feed: str, done: int, total: int) -> None:
        """One line for all feeds, when it is time."""
        self._feeds[feed] = (done, total)
        now = time.monotonic()
        if self._began is None:
            self._began = self._last = now
        elif now - self._last >= PLAIN_EVERY_S:
            self._last = now
            self.say(progress_line(self._feeds, now - self._began))

    def close(self) -> None:
        """Nothing to close."""


def progress_line(feeds: dict[str, tuple[int, int]], elapsed_s: float) -> str:
    """Where all feeds stand together."""
    done, total = (sum(one[place] for one in feeds.values()) for place in (0, 1))
    left = f", {span(elapsed_s * (total - done) / done)} left" if done else ""
    return f"{done}/{total} candles of {len(feeds)} feeds{left}"


class Bar:
    """For a terminal: one of rich's progress bars for each feed."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("candles"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._bar.start()

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._bar.console.print(text, markup=False, highlight=False)

    def progress(self, feed: str, done: int, total: int) -> None:
        """Move the feed's bar."""
        if feed not in self._tasks:
            self._tasks[feed] = self._bar.add_task(feed, total=total)
        self._bar.update(self._tasks[feed], completed=done, total=total)

    def close(self) -> None:
        """Leave the bars as they stand."""
        self._bar.stop()


def watcher_for(json: bool) -> Watcher:
    """The one that fits this process's output."""
    if json:
        return Silent()
    return Bar() if sys.stderr.isatty() else PlainLines()
