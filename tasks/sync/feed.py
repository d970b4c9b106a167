"""One feed, from what is missing to its file: the main story of a download.

look at the file and the part file -> missing slots -> windows, many at once -> part file, page by page
-> what is still missing is asked for once more -> part file -> the file, replaced whole
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.candles.formats import first_off_grid
from tasks.errors import ExchangeError, HummingsweepError, describe
from tasks.sync.candle_file import StoredFeed, gaps_in, look, read_absent, replace, write_absent
from tasks.sync.journal import Journal, Rows
from tasks.sync.orders import FeedAnswer, FeedOrder, Status
from tasks.sync.retry import Gate, GaveUp
from tasks.sync.slots import (
    Slots,
    Window,
    begin_of,
    ends_of,
    page_slots,
    request,
    slot_of,
    slots_of,
    wanted,
    windows,
    without,
)
from tasks.times import iso
from tasks.upstream.live.refusals import OutOfReach, Unintelligible

#: Pages of one feed that are asked for at one time; the gate bounds all feeds of an exchange together.
_WORKERS = 8
#: A candle that is missing is only taken for absent for good when it ended so long ago (s): exchanges fill in late.
_SETTLED_S = 86_400
#: Answers with candles that cannot be are refused so often before those candles are left out.
_IMPOSSIBLE_TRIES = 2


class Source(Protocol):
    """What pages come from. Any number of calls at one time. Raises ExchangeTrouble."""

    @property
    def longest_page(self) -> int:
        """Candles one request can bring."""

    async def prepare(self) -> None:
        """To be awaited before the first page."""

    async def page(self, end: int, limit: int) -> tuple[Rows, float]:
        """Candles up to the one that opens at `end` (s), `limit` intervals back, and the server's clock (s)."""


@dataclass(frozen=True)
class Place:
    """Where feeds are downloaded to, and how."""

    folder: Path
    #: see orders.Order
    encoding: str = ""
    again: bool = False
    #: told of (feed key, candles answered, candles that were missing)
    progress: Callable[[str, int, int], None] = lambda *_: None
    #: seconds since the epoch
    clock: Callable[[], float] = time.time


async def download(order: FeedOrder, source: Source, gate: Gate, place: Place, answer: FeedAnswer) -> None:
    """Bring a feed's file up to what was ordered; `answer` is filled in, also when this raises.

    Raises ExchangeError, CandlesError, HummingsweepError, OSError, CancelledError. What was downloaded is kept then.
    """
    held = await asyncio.to_thread(look, place.folder, order, place.encoding)
    answer.path, answer.warnings = str(held.path), list(held.warnings)
    _describe(answer, held.columns.get("timestamp", np.empty(0)))
    journal = Journal(held.path.with_name(held.path.name + ".part"), order.key, order.interval)
    try:
        known = np.empty(0, np.int64) if place.again else read_absent(held.path, order.interval)
        slots = wanted(
            order.start, order.end or place.clock(), order.interval, place.clock() - gate.retry_policy.settle_s
        )
        missing = without(slots, held.slots(order.interval), journal.slots, journal.absent, known)
        fetching = _Fetching(order, source, gate, journal, missing, place, held.slots(order.interval))
        await fetching.run()
        answer.warnings += fetching.notes()
        await asyncio.to_thread(_store, held, order, journal, known, slots, answer)
    except BaseException as error:
        answer.downloaded = len(journal.rows)
        answer.status = Status.INTERRUPTED if isinstance(error, asyncio.CancelledError) else Status.FAILED
        journal.close()
        raise
    journal.discard()


def _store(
    held: StoredFeed, order: FeedOrder, journal: Journal, known: Slots, slots: Slots, answer: FeedAnswer
) -> None:
    """The journal's candles into the file."""
    rows, columns = journal.rows, held.columns
    if len(rows):
        columns, warnings = replace(held, order, rows)
        answer.warnings += warnings
    elif not columns:
        until = order.end if order.end is not None else time.time()
        raise ExchangeError(
            f"{order.connector} has no finished {order.interval} candle of {order.pair} between {iso(order.start)} and "
            f"{iso(round(until))}; ask for another period"
        )
    have = slots_of(columns["timestamp"], order.interval)
    write_absent(held.path, order.interval, np.setdiff1d(np.union1d(known, journal.absent), have))
    answer.status = Status.DOWNLOADED if len(rows) else Status.COMPLETE
    answer.downloaded = len(rows)
    _describe(answer, columns["timestamp"])
    if len(slots):
        early, late = begin_of(int(slots[0]), order.interval), begin_of(int(slots[-1]) + 1, order.interval)
        answer.gaps = [
            [gap.after, gap.missing] for gap in gaps_in(columns, order.interval) if early <= gap.after < late
        ]
        inside = have[(have >= slots[0]) & (have <= slots[-1])]
        if not len(inside):
            answer.warnings.append(f"{order.connector} has no {order.interval} candle in the period asked for")
        elif inside[0] > slots[0]:
            first = begin_of(int(inside[0]), order.interval)
            answer.warnings.append(
                f"the first candle {order.connector} has opens at {iso(first)}, {int(inside[0] - slots[0])} candles "
                "after the start asked for"
            )


def _describe(answer: FeedAnswer, times: NDArray[np.float64]) -> None:
    answer.rows = len(times)
    if len(times):
        answer.first, answer.last = int(times[0]), int(times[-1])


class _Fetching:
    """Pages into the journal until nothing that the exchange has is missing."""

    def __init__(
        self,
        order: FeedOrder,
        source: Source,
        gate: Gate,
        journal: Journal,
        missing: Slots,
        place: Place,
        held: Slots,
    ):
        self._order, self._source, self._gate, self._journal = order, source, gate, journal
        self._missing, self._place, self._held = missing, place, held
        self._answered = 0
        self._impossible = 0
        #: slots with a candle, after the first round
        self._known: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Two rounds. Raises GaveUp."""
        self._tell(0)
        if not len(self._missing):
            return
        await self._gate.patiently(self._source.prepare)
        longest = page_slots(self._source.longest_page)
        await self._all(windows(self._missing, longest), again=False)
        still = without(self._missing, self._journal.slots)
        if len(still):
            self._known = frozenset(np.union1d(self._held, self._journal.slots).tolist())
        # a second time three candles more are asked for: see _ask
        await self._all(windows(still, max(1, longest - 3)), again=True)

    def notes(self) -> list[str]:
        """Sentences about what had to be left out."""
        if not self._impossible:
            return []
        return [f"{self._impossible} candles that cannot be (NaN, price not above 0, off the grid) were left out"]

    async def _all(self, pages: Sequence[Window], *, again: bool) -> None:
        todo: Iterator[Window] = iter(pages)

        async def work() -> None:
            for window in todo:
                await self._page(window, again=again)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(_WORKERS, len(pages))):
                    workers.create_task(work())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _page(self, window: Window, *, again: bool) -> None:
        tries = 0

        async def ask() -> tuple[Rows, float]:
            nonlocal tries
            tries += 1
            return await self._ask(window, again=again, patient=tries > _IMPOSSIBLE_TRIES)

        try:
            rows, answered_at = await self._gate.patiently(ask)
        except GaveUp as gave_up:
            if again and isinstance(gave_up.trouble, OutOfReach):  # by the candles beside the window: nothing is known
                return
            raise
        slots = slots_of(rows[:, 0], self._order.interval)
        inside = rows[window.holds(slots) & np.isin(slots, self._missing)]
        if not again:
            self._journal.add(window, inside)
            self._tell(int(window.holds(self._missing).sum()))
            return
        settled = slot_of(answered_at - _SETTLED_S, self._order.interval) - 1
        if settled < window.first:
            self._journal.add(window, inside)
        else:
            self._journal.add(Window(window.first, min(window.last, settled)), inside, again=True)

    async def _ask(self, window: Window, *, again: bool, patient: bool) -> tuple[Rows, float]:
        """Finished candles around a window, rising, each slot once.

        The second time, candles next to the window that are known to exist are asked for with it: an answer that
        is missing one of them says nothing about what is in between.
        """
        interval = self._order.interval
        asked = Window(window.first - 2, window.last + 1) if again else window
        rows, answered_at = await self._source.page(*request(asked, interval, self._place.clock()))
        rows = self._possible(rows, patient)
        rows = rows[ends_of(rows[:, 0], interval) <= answered_at - self._gate.retry_policy.settle_s]
        slots, chosen = np.unique(slots_of(rows[:, 0], interval), return_index=True)
        if again:
            beside = [slot for slot in (window.first - 1, window.last + 1) if slot in self._known]
            if not np.isin(beside, slots).all():
                raise Unintelligible("its answer is missing candles it has sent before")
        return rows[chosen], answered_at

    def _possible(self, rows: Rows, patient: bool) -> Rows:
        """Rows that can be candles; unless `patient`, others make the whole answer one to be asked for again."""
        prices = rows[:, 1:5]
        good = np.isfinite(rows[:, :6]).all(axis=1) & (prices > 0).all(axis=1) & (rows[:, 5] >= 0)
        rows[:, 6:] = np.nan_to_num(rows[:, 6:], nan=0.0)
        while (off := first_off_grid(rows[good][:, 0], self._order.interval)) is not None:
            good[np.flatnonzero(good)[off]] = False
        if not good.all():
            if not patient:
                raise Unintelligible("its answer holds candles that cannot be")
            self._impossible += int((~good).sum())
        return rows[good]

    def _tell(self, answered: int) -> None:
        self._answered += answered
        self._place.progress(self._order.key, self._answered, len(self._missing))


def failed(answer: FeedAnswer, error: BaseException) -> None:
    """Say in the answer why it failed, and that what came before is kept."""
    answer.error = str(error) if isinstance(error, HummingsweepError) else in_words(error)
    if answer.downloaded:
        answer.error += f"; {answer.downloaded} candles are kept in {answer.path}.part"


def in_words(error: BaseException) -> str:
    """An error that is none of ours as one line; of the system's, what and where."""
    if not isinstance(error, OSError) or not error.strerror:
        return describe(error)
    where = f"{error.filename2 or error.filename}: " if error.filename else ""
    todo = "; free some space and run the same command again" if error.errno == errno.ENOSPC else ""
    return f"{where}{error.strerror}{todo}"
