"""No network while a back-test runs.

    install         once per child, before hummingbot is imported: puts the guard in place, open
    shut_for_good   once per child: from then on no thread of this process connects, but those that called
                    `allow_this_thread`; on Linux the kernel sees to it (tasks.isolation.network_filter)
    guard           around one back-test: any attempt to connect raises NetworkBlackout that names the caller, in every
                    thread of the process, however the attempt is made: Python's audit events come from the C level that
                    socket, asyncio, requests, httpx and aiohttp all end in
    sweep_up        after it: what the controller left in the event loop is ended with the network shut, so that the
                    next point starts clean

Connections that exist already go on working; a child closes its own before a back-test (Child.hang_up). Where the
kernel does not help (macOS), programs that user code starts, `ctypes` on the C library, and pyarrow's remote file
systems are refused as well, since what those do is not seen here. Other native code that opens sockets by itself is not
seen then.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NoReturn

from tasks.errors import NetworkBlackout
from tasks.isolation import network_filter
from tasks.isolation.after_import import after_import
from tasks.isolation.callers import is_of_python, is_users_frame, place

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

#: What the NetworkBlackout's sentence ends with.
_REMEDY = (
    "`hummingsweep sync` downloads candles and trading rules beforehand, and `series:` of the sweep file serves other "
    "data (funding rates, open interest, sentiment) from files"
)
_NETWORK_FAMILIES = (socket.AF_INET, socket.AF_INET6)
#: Events behind which something may connect unseen; see `_refuse_unseen`.
_UNSEEN = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn", "ctypes.dlopen"}
)
#: Functions of Python's socket module that make an object for a descriptor that is there.
_OF_A_CONNECTION = frozenset({"accept", "dup", "fromfd"})
#: Programs that look at this machine; Python's own platform module starts some of them.
_HARMLESS = frozenset({"uname", "lscpu", "nproc", "sysctl", "sw_vers", "ldconfig", "getconf"})
#: Libraries that open sockets for who loads them through ctypes; None is the process itself.
_NETWORK_LIBRARIES = ("libc.", "libSystem", "libcurl", "libssl", "libnetwork")
#: Module -> its classes that read from other machines by themselves.
_REMOTE_FILE_SYSTEMS = {
    "pyarrow._s3fs": ("S3FileSystem",),
    "pyarrow._gcsfs": ("GcsFileSystem",),
    "pyarrow._azurefs": ("AzureFileSystem",),
    "pyarrow._hdfs": ("HadoopFileSystem",),
    "pyarrow.fs": ("S3FileSystem", "GcsFileSystem", "AzureFileSystem", "HadoopFileSystem"),
}


class _Guard:
    """The process's one guard."""

    def __init__(self) -> None:
        self.installed = False
        #: whether the network is shut between back-tests, too
        self.for_good = False
        #: whether the kernel refuses what is not seen here
        self.by_kernel = False
        #: back-tests under way; 0: the network is open but to `left_behind`, unless it is shut for good
        self.depth = 0
        self.attempts: list[NetworkBlackout] = []
        self.allowed: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.left_behind: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    @property
    def shut(self) -> bool:
        """Whether this thread must not connect."""
        if self.depth or self.for_good:
            return threading.current_thread() not in self.allowed
        return bool(self.left_behind) and threading.current_thread() in self.left_behind

    def check(self, target: Any) -> None:
        """Raises NetworkBlackout where this thread must not connect."""
        if self.shut:
            self.refuse(f"tried to connect to {_written(target)}")

    def refuse(self, what: str) -> NoReturn:
        """Raises NetworkBlackout, and remembers it for the back-test under way."""
        blackout = NetworkBlackout(f"{_caller()} {what}: a back-test never reaches the network; {_REMEDY}")
        if self.depth:
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
        if event in attempts and (_guard.depth or _guard.for_good or _guard.left_behind):
            _guard.check(attempts[event](arguments))
        elif event in _UNSEEN and _guard.depth and not _guard.by_kernel:
            _refuse_unseen(event, arguments)
        elif event == "socket.__new__" and _guard.by_kernel and _guard.shut and arguments[1] in _NETWORK_FAMILIES:
            _refuse_socket(sys._getframe(2).f_code.co_name)

    sys.addaudithook(hook)
    _guard_name_lookup()
    after_import("aiohttp.client", _guard_aiohttp)
    for module, names in _REMOTE_FILE_SYSTEMS.items():
        after_import(module, partial(_guard_file_systems, names=names))


def shut_for_good() -> str:
    """From now on no thread connects, but those that called `allow_this_thread`.

    To be called before this process has other threads than those. "" where the kernel sees to it, else why it does not.
    """
    _guard.for_good = True
    why = network_filter.install()
    _guard.by_kernel = not why
    return why


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


def refuse_in_a_back_test() -> None:
    """Raises NetworkBlackout while a back-test runs: for what this process itself connects with between two."""
    if _guard.depth and threading.current_thread() not in _guard.allowed:
        _guard.refuse("asked for this process's own connection to the broker")


async def sweep_up(loop: asyncio.AbstractEventLoop) -> int:
    """Cancel every task and timer in the loop but the caller's own task, and return how many there were.

    The network is shut while the tasks end. A task that swallows its cancellation is closed.
    """
    _guard.depth += 1
    known = len(_guard.attempts)
    try:
        if getattr(loop, "_ready", ()):  # callbacks that were to run next
            await asyncio.sleep(0)
        count = await _end_tasks(loop)
        await _end_generators(loop)
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


async def _end_generators(loop: asyncio.AbstractEventLoop) -> None:
    """Run what asynchronous generators that were left half-way do at their end, now and not after their point."""
    left = list(getattr(loop, "_asyncgens", ()))
    for generator in left:
        with suppress(BaseException):
            await asyncio.wait_for(generator.aclose(), timeout=0.5)


def _refuse_socket(function: str) -> None:
    """Raises NetworkBlackout for a new network socket, which the kernel would refuse without a word.

    `function`: that made it; an object for a connection that is there is no new one.
    """
    if function not in _OF_A_CONNECTION:
        _guard.refuse("tried to open a network socket")


def _refuse_unseen(event: str, arguments: tuple[Any, ...]) -> None:
    """Raises NetworkBlackout for user code that starts a program or reaches into the C library.

    What Python's own library and packages start (to count cores, say) is let through: it is not after the network.
    """
    if threading.current_thread() in _guard.allowed or not _asked_by_user():
        return
    if event == "ctypes.dlopen":
        name = arguments[0]
        if name is None or any(part in str(name) for part in _NETWORK_LIBRARIES):
            _guard.refuse(f"loaded {name or 'the C library'} through ctypes, from where it could connect unseen")
        return
    program = arguments[0] if arguments else ""
    if Path(os.fsdecode(program)).name in _HARMLESS:
        return
    _guard.refuse(f"started the program {_written(program)}, which could connect unseen")


def _asked_by_user() -> bool:
    """Whether the innermost code that is not Python's own library's is the user's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and is_of_python(frame.f_code.co_filename):
        frame = frame.f_back
    return is_users_frame(frame)


def _guard_file_systems(module: ModuleType, names: tuple[str, ...]) -> None:
    """Refuse native file systems where they are made: they connect in native threads."""
    for name in names:
        kind: Any = getattr(module, name, None)
        if kind is not None and not hasattr(kind, "is_guarded"):
            setattr(module, name, _refusing(kind))


def _refusing(kind: Any) -> Any:
    """A subclass that cannot be made while the network is shut."""

    class Guarded(kind):  # type: ignore[misc]  # the class is a value
        is_guarded = True

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if _guard.shut:
                _guard.refuse(f"made a {kind.__name__}")
            super().__init__(*args, **kwargs)

    Guarded.__name__, Guarded.__qualname__, Guarded.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Guarded


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


def _caller() -> str:
    """`file:line` of the innermost frame that is neither Python's, nor a package's, nor ours.

    Where this thread has none, that of the innermost coroutine waiting in this event loop: libraries connect in tasks
    of their own while the caller waits.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users_frame(frame):
            return place(frame.f_code.co_filename, frame.f_lineno)
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
            if frame is not None and is_users_frame(frame):
                found = place(frame.f_code.co_filename, frame.f_lineno)
            awaited = getattr(awaited, "cr_await", None)
        if found:
            return found
    return f"thread {threading.current_thread().name}"


def _written(target: Any) -> str:
    """host:port where there are both."""
    if isinstance(target, tuple | list) and target:
        host, port = target[0], target[1] if len(target) > 1 else None
        host = host.decode(errors="replace") if isinstance(host, bytes) else host
        return f"{host}:{port}" if port else str(host)
    return target.decode(errors="replace") if isinstance(target, bytes) else str(target)
