"""No network while a back-test runs.

    install     once per child, before hummingbot is imported: puts the guard in place, open
    guard       around one back-test: any attempt to connect raises NetworkBlackout that names the caller, in every
                thread of the process, however the attempt is made: Python's audit events come from the C level that
                socket, asyncio, requests, httpx and aiohttp all end in
    sweep_up    after it: what the controller left in the event loop is cancelled, so that the next point starts clean

Connections that exist already go on working, so a child keeps its Redis; a thread of ours that may have to connect
while a back-test runs says `allow_this_thread`. A thread that a controller started stays shut for good.
"""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from tasks.errors import NetworkBlackout
from tasks.isolation.after_import import after_import

#: Audit event -> where the attempt goes, from the event's arguments. See docs.python.org/3/library/audit_events.html.
_ATTEMPTS: dict[str, Callable[[Any], Any]] = {
    "socket.connect": lambda arguments: arguments[1],
    "socket.sendto": lambda arguments: arguments[1],
    "socket.sendmsg": lambda arguments: arguments[1],
    "socket.getaddrinfo": lambda arguments: arguments[:2],
    "socket.gethostbyname": lambda arguments: arguments[0],
    "socket.gethostbyaddr": lambda arguments: arguments[0],
    "socket.getnameinfo": lambda arguments: arguments[0],
}


#: How often a task is told to end before the chunk goes on without it.
_ROUNDS = 10
#: Cancelled timers that stay in the loop's heap until it is given a turn: to look through them costs, too.
_TIMERS = 50


class _Guard:
    """The process's one guard."""

    def __init__(self) -> None:
        self.installed = False
        #: back-tests under way; 0: the network is open but to `left_behind`
        self.depth = 0
        self.attempts: list[NetworkBlackout] = []
        self.allowed: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.left_behind: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    @property
    def shut(self) -> bool:
        """Whether this thread must not connect."""
        if self.depth:
            return threading.current_thread() not in self.allowed
        return bool(self.left_behind) and threading.current_thread() in self.left_behind

    def check(self, target: Any) -> None:
        """Raises NetworkBlackout where this thread must not connect."""
        if self.shut:
            blackout = NetworkBlackout(
                f"{_caller()} tried to connect to {_written(target)}: a back-test never reaches the network; "
                "`hummingsweep sync` downloads candles and trading rules beforehand"
            )
            self.attempts.append(blackout)
            raise blackout


_guard = _Guard()


def install() -> None:
    """Put the guard in place, open. Imports nothing heavy.

    Once is enough: an audit hook cannot be taken out again. Outside `guard` it costs under a microsecond per event.
    """
    if _guard.installed:
        return
    _guard.installed = True

    # Python reports every id() as well, hundreds a point: the first test is all that those may cost.
    def hook(event: str, arguments: tuple[Any, ...], attempts: dict[str, Callable[[Any], Any]] = _ATTEMPTS) -> None:
        if event in attempts and (_guard.depth or _guard.left_behind):
            _guard.check(attempts[event](arguments))

    sys.addaudithook(hook)
    _guard_name_lookup()
    after_import("aiohttp.client", _guard_aiohttp)


@contextmanager
def guard() -> Iterator[None]:
    """No thread of this process connects while the body runs, but those that called `allow_this_thread`.

    Raises NetworkBlackout at the end also when the controller caught it, or a network library wrapped it: a back-test
    that wanted the network is not the strategy that would trade. Not installed is a RuntimeError.
    """
    if not _guard.installed:
        raise RuntimeError("tasks.isolation.blackout.install() has not run")
    before = set(threading.enumerate())
    known = len(_guard.attempts)
    _guard.depth += 1
    try:
        yield
    except Exception as error:
        if len(_guard.attempts) > known and error is not _guard.attempts[known]:
            raise _guard.attempts[known] from error
        raise
    else:
        if len(_guard.attempts) > known:
            raise _guard.attempts[known]
    finally:
        _guard.depth -= 1
        del _guard.attempts[known:]
        _guard.left_behind.update(set(threading.enumerate()) - before)


def allow_this_thread() -> None:
    """Let the current thread connect while a back-test runs: for a thread of ours that talks to the broker."""
    _guard.allowed.add(threading.current_thread())


async def sweep_up(loop: asyncio.AbstractEventLoop) -> int:
    """Cancel every task and timer in the loop but the caller's own task, and return how many there were.

    The network is shut while the tasks end. A task that swallows its cancellation is closed.
    """
    _guard.depth += 1
    known = len(_guard.attempts)
    try:
        count = await _end_tasks(loop)
        # BaseEventLoop's heap of timers; an event loop of another make has none, and its timers are its own business.
        heap = getattr(loop, "_scheduled", ())
        timers = [handle for handle in heap if not handle.cancelled()]
        for handle in timers:
            handle.cancel()
        if len(heap) > _TIMERS:  # the loop takes cancelled ones out of its heap when it gets to run
            await asyncio.sleep(0)
        return count + len(timers)
    finally:
        _guard.depth -= 1
        del _guard.attempts[known:]


async def _end_tasks(loop: asyncio.AbstractEventLoop) -> int:
    seen: set[asyncio.Task[Any]] = set()
    for _ in range(_ROUNDS):
        left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        if not left:
            break
        for task in left:
            if task in seen:  # it caught the cancellation and goes on: take its frame away
                with suppress(RuntimeError):  # it caught even that
                    task.get_coro().close()  # type: ignore[union-attr]  # None only for eager tasks that are done
            task.cancel()
        seen |= left
        done, _ = await asyncio.wait(left, timeout=0.1)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that the loop does not log it
    return len(seen)


def _guard_name_lookup() -> None:
    """Refuse asyncio's name lookups where they are asked for: the lookup itself runs in a thread without the caller."""
    loops: Any = asyncio.BaseEventLoop
    original = loops.getaddrinfo

    async def getaddrinfo(loop: Any, host: Any, port: Any, **kwargs: Any) -> Any:
        _guard.check((host, port))
        return await original(loop, host, port, **kwargs)

    loops.getaddrinfo = getaddrinfo


def _guard_aiohttp(module: ModuleType) -> None:
    """Refuse aiohttp's requests where they are made: it connects in a task of its own, without the caller."""
    session: Any = module.ClientSession
    request, ws_connect = session._request, session._ws_connect

    async def _request(self: Any, method: str, str_or_url: Any, **kwargs: Any) -> Any:
        _guard.check(str_or_url)
        return await request(self, method, str_or_url, **kwargs)

    async def _ws_connect(self: Any, url: Any, **kwargs: Any) -> Any:
        _guard.check(url)
        return await ws_connect(self, url, **kwargs)

    session._request, session._ws_connect = _request, _ws_connect


#: What is not the user's code: this package, Python's own library and what is installed beside it.
_NOT_THE_USERS = (
    "<frozen",
    f"{Path(__file__).parents[1]}{os.sep}",
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)


def _caller() -> str:
    """`file:line` of the innermost frame that is neither Python's, nor a package's, nor ours.

    Where this thread has none, that of the innermost coroutine waiting in this event loop: libraries connect in tasks
    of their own while the caller waits.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_users(frame):
            return _place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    try:
        waiting = asyncio.all_tasks()
    except RuntimeError:  # no loop runs in this thread
        waiting = set()
    for task in waiting:
        found = ""
        awaited: Any = task.get_coro()
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None)
            if frame is not None and _is_users(frame):
                found = _place(frame.f_code.co_filename, frame.f_lineno)
            awaited = getattr(awaited, "cr_await", None)
        if found:
            return found
    return f"thread {threading.current_thread().name}"


def _is_users(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith(_NOT_THE_USERS)


def _place(file: str, line: int) -> str:
    before, name, inner = file.rpartition("/controllers/")
    return f"controllers/{inner}:{line}" if name and before else f"{file}:{line}"


def _written(target: Any) -> str:
    """host:port where there are both."""
    if isinstance(target, tuple | list) and target:
        host, port = target[0], target[1] if len(target) > 1 else None
        host = host.decode(errors="replace") if isinstance(host, bytes) else host
        return f"{host}:{port}" if port else str(host)
    return target.decode(errors="replace") if isinstance(target, bytes) else str(target)
