"""Who looks at a running sweep: a progress bar on a terminal, plain lines elsewhere, silence for --json."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.progress.streams import tell, terminal_text
from tasks.times import span

if TYPE_CHECKING:
    from rich.progress import TaskID


#: Seconds between two plain lines.
PLAIN_EVERY_S = 5.0


@dataclass(frozen=True)
class NodeProgress:
    """What one node does for a sweep."""

    name: str
    children: int
    #: points it committed
    points: int
    #: points per second with all its children at work on this sweep, as measured; None before its first chunk
    points_per_s: float | None
    #: chunks its children run now
    running: int
    #: chunks it had when it went away
    lost: int
    #: seconds since the oldest of them began
    oldest_s: float

    def facts(self) -> str:
        """As words."""
        speed = f"{self.points_per_s:.1f} points/s" if self.points_per_s is not None else "not measured yet"
        lost = f", {self.lost} lost with it" if self.lost else ""
        oldest = f", the oldest since {span(self.oldest_s)}" if self.running else ""
        return f"{speed}, {self.children} children, {self.running} chunks running{oldest}{lost}"


@dataclass(frozen=True)
class Progress:
    """Where a sweep stands."""

    points: int
    done: int
    failed: int
    #: points this command has seen coming in, per second; 0 before the first
    points_per_s: float
    #: seconds to the end at this speed; None when not known
    left_s: float | None
    children: int
    #: each node's share, where it is known
    nodes: tuple[NodeProgress, ...] = ()
    #: what is computed beside the plain sweep, such as "walk-forward" or "live replay"; "" for the sweep itself
    stage: str = ""

    def speed(self) -> str:
        """Points per second as words; nobody's is none."""
        return f"{self.points_per_s:.1f} points/s" if self.children else "no node computes"

    def line(self) -> str:
        """As one line of text."""
        left = f", {span(self.left_s)} left" if self.left_s is not None else ""
        stage = f"{self.stage}: " if self.stage else ""
        return (
            f"{stage}{self.done}/{self.points} points, {self.speed()}{left}, "
            f"{self.failed} failed, {self.children} children"
        )


class Watcher(Protocol):
    """Is told what happens."""

    def say(self, text: str) -> None:
        """One line worth knowing."""

    def update(self, progress: Progress) -> None:
        """Called often."""

    def close(self) -> None:
        """Nothing follows."""


class Silent:
    """For --json, notebooks without a bar, and tests."""

    def say(self, text: str) -> None:
        """Nothing."""

    def update(self, progress: Progress) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class PlainLines:
    """For logs and pipes: a line every few seconds, on standard error."""

    def __init__(self) -> None:
        self._last = 0.0
        self._shown = -1

    def say(self, text: str) -> None:
        """One line."""
        tell(text)

    def update(self, progress: Progress) -> None:
        """One line, when it is time or all is done."""
        now = time.monotonic()
        finished = progress.done == progress.points and self._shown != progress.done
        if finished or now - self._last >= PLAIN_EVERY_S:
            self._last, self._shown = now, progress.done
            self.say(progress.line())
            for node in progress.nodes:
                self.say(f"  {node.name}: {node.points} points, {node.facts()}")

    def close(self) -> None:
        """Nothing to close."""


class Bar:
    """For a terminal: rich's progress bar."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._nodes: dict[str, TaskID] = {}
        self._bar.start()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._bar.console.print(terminal_text(text), markup=False, highlight=False)

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        left = (
            f"{span(progress.left_s)} left"
            if progress.left_s is not None
            else "measuring"
            if progress.children
            else "waiting"
        )
        failed = f"[red]{progress.failed} failed[/]" if progress.failed else "0 failed"
        facts = f"{progress.speed()}  {left}  {failed}  {progress.children} children"
        what = progress.stage or "points"
        if self._task is None:
            self._task = self._bar.add_task(what, total=progress.points, facts=facts)
        self._bar.update(self._task, description=what, completed=progress.done, total=progress.points, facts=facts)
        for node in progress.nodes:
            if node.name not in self._nodes:
                self._nodes[node.name] = self._bar.add_task(node.name, total=progress.points, facts="")
            self._bar.update(self._nodes[node.name], completed=node.points, facts=node.facts())

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def watcher_for(json: bool) -> Watcher:
    """The one that fits this process's output."""
    if json:
        return Silent()
    return Bar() if sys.stderr.isatty() else PlainLines()
