"""No way out of a back-test, a clear word for who tries, and a clean loop afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import inspect
import os
import platform
import socket
import subprocess
import sys
import threading

import aiohttp
import httpx
import pyarrow.fs
import pytest
import requests

from tasks.errors import NetworkBlackout
from tasks.isolation import blackout

HERE = __file__


@pytest.fixture(autouse=True)
def installed():
    blackout.install()


@pytest.fixture
def server():
    """Address of a real listener on loopback, so that an attempt that gets through succeeds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


def raw(address):
    with socket.socket() as client:
        client.connect(address)


def raw_ex(address):
    with socket.socket() as client:
        assert client.connect_ex(address) == 0


def datagram(address):
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"x", address)


def create_connection(address):
    socket.create_connection(address, timeout=2).close()


def below_the_socket_module(address):
    import _socket

    client = _socket.socket()
    client.connect(address)
    client.close()


def look_up(address):
    socket.getaddrinfo("localhost", address[1])


def streams(address):
    async def connect():
        _, writer = await asyncio.open_connection(*address)
        writer.close()

    asyncio.run(connect())


def streams_by_name(address):
    async def connect():
        _, writer = await asyncio.open_connection("localhost", address[1], family=socket.AF_INET)
        writer.close()

    asyncio.run(connect())


def sock_connect(address):
    async def connect():
        with socket.socket() as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, address)

    asyncio.run(connect())


WAYS = [
    raw,
    raw_ex,
    datagram,
    create_connection,
    below_the_socket_module,
    look_up,
    streams,
    streams_by_name,
    sock_connect,
]


def lines_of(function):
    source, first = inspect.getsourcelines(function)
    return range(first, first + len(source))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_open_outside_and_shut_inside(way, server):
    way(server)
    with pytest.raises(NetworkBlackout, match=f":{server[1]}: a back-test never") as caught, blackout.guard():
        way(server)
    file, _, line = str(caught.value).partition(" tried to connect")[0].rpartition(":")
    assert file == HERE and int(line) in lines_of(way)
    way(server)


def with_aiohttp(address):
    async def get():
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{address[1]}/"):
            pass

    asyncio.run(get())


def with_aiohttp_websocket(address):
    async def get():
        async with aiohttp.ClientSession() as session, session.ws_connect(f"ws://localhost:{address[1]}/"):
            pass

    asyncio.run(get())


def with_requests(address):
    requests.get(f"http://127.0.0.1:{address[1]}/", timeout=2)


def with_httpx(address):
    httpx.get(f"http://localhost:{address[1]}/", timeout=2)


def with_async_httpx(address):
    async def get():
        async with httpx.AsyncClient() as client:
            await client.get(f"http://127.0.0.1:{address[1]}/", timeout=2)

    asyncio.run(get())


@pytest.mark.parametrize("way", [with_aiohttp, with_aiohttp_websocket, with_requests, with_httpx, with_async_httpx])
def test_http_clients_get_the_blackouts_own_error(way, server):
    """Each of them wraps what the socket raises in an error of its own; the row has to say blackout."""
    with pytest.raises(NetworkBlackout, match=rf"tried to connect to .*{server[1]}") as caught, blackout.guard():
        way(server)
    file, _, line = str(caught.value).partition(" tried to connect")[0].rpartition(":")
    assert file == HERE and int(line) in lines_of(way)


def test_an_attempt_that_the_controller_swallows_counts(server):
    with pytest.raises(NetworkBlackout), blackout.guard(), contextlib.suppress(OSError):
        raw(server)


def test_another_error_after_an_attempt_gives_way_to_it(server):
    with pytest.raises(NetworkBlackout) as caught, blackout.guard():
        try:
            raw(server)
        except OSError:
            raise ValueError("no price") from None
    assert isinstance(caught.value.__cause__, ValueError)


def test_other_errors_pass_and_one_back_test_does_not_answer_for_the_last(server):
    with pytest.raises(NetworkBlackout), blackout.guard():
        raw(server)
    with pytest.raises(ValueError, match="plain"), blackout.guard():
        raise ValueError("plain")
    with blackout.guard():
        pass


def test_a_timeout_is_not_turned_into_a_blackout(server):
    class Stop(BaseException):
        pass

    with pytest.raises(Stop), blackout.guard():
        try:
            raw(server)
        except OSError:
            raise Stop from None


def test_a_connection_made_before_goes_on(server):
    with socket.create_connection(server) as client, blackout.guard():
        client.sendall(b"PING")


def test_threads_are_shut_too_and_stay_so(server):
    outcome, go_on = [], threading.Event()

    def work():
        try:
            raw(server)
        except OSError as error:
            outcome.append(error)
        go_on.wait(10)
        try:
            raw(server)
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    with pytest.raises(NetworkBlackout), blackout.guard():
        thread.start()
        while not outcome:
            thread.join(0.01)
    raw(server)  # this thread is open again, that one is not
    go_on.set()
    thread.join(10)
    assert [type(error) for error in outcome] == [NetworkBlackout] * 2


def test_a_thread_of_ours_may_connect(server):
    outcome = []

    def work():
        blackout.allow_this_thread()
        raw(server)
        outcome.append("connected")

    with blackout.guard():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert outcome == ["connected"]


def test_the_users_file_is_named_as_in_the_sweep(server, tmp_path):
    file = tmp_path / "controllers" / "generic" / "calls.py"
    file.parent.mkdir(parents=True)
    file.write_text("import socket\ndef call(address):\n    socket.create_connection(address)\n")
    names = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    with pytest.raises(NetworkBlackout, match=r"^controllers/generic/calls\.py:3 tried"), blackout.guard():
        names["call"](server)


def test_guard_without_install_is_a_mistake(monkeypatch):
    monkeypatch.setattr(blackout, "_guard", blackout._Guard())
    with pytest.raises(RuntimeError, match="install"), blackout.guard():
        pass


# the loop afterwards


def run_and_sweep(leave):
    async def main():
        leave()
        await asyncio.sleep(0)
        count = await blackout.sweep_up(asyncio.get_running_loop())
        loop = asyncio.get_running_loop()
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]
        return count, len(asyncio.all_tasks()), len(timers)

    return asyncio.run(main())


def test_a_clean_loop_stays_alone():
    assert run_and_sweep(lambda: None) == (0, 1, 0)


def test_cancelled_timers_do_not_pile_up_where_nothing_waits():
    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(300):
            async with asyncio.timeout(3600):
                pass
            await blackout.sweep_up(loop)
        return len(loop._scheduled)

    assert asyncio.run(main()) <= 51


def test_tasks_and_timers_are_cancelled_and_counted():
    def leave():
        for _ in range(3):
            asyncio.ensure_future(asyncio.sleep(3600))  # noqa: RUF006  # left behind on purpose
        asyncio.get_running_loop().call_later(3600, print)

    assert run_and_sweep(leave) == (4, 1, 0)


def test_a_task_that_will_not_be_cancelled_is_closed():
    async def stubborn():
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    assert run_and_sweep(lambda: asyncio.ensure_future(stubborn())) == (1, 1, 0)


def test_a_task_that_starts_another_while_it_ends():
    async def hydra():
        try:
            await asyncio.sleep(3600)
        finally:
            asyncio.ensure_future(asyncio.sleep(3600))  # noqa: RUF006  # left behind on purpose

    assert run_and_sweep(lambda: asyncio.ensure_future(hydra())) == (2, 1, 0)


def test_a_task_cannot_connect_on_its_way_out(server):
    outcome = []

    async def last_words():
        try:
            await asyncio.sleep(3600)
        finally:
            try:
                raw(server)
            except OSError as error:
                outcome.append(error)

    run_and_sweep(lambda: asyncio.ensure_future(last_words()))
    assert isinstance(outcome[0], NetworkBlackout)


def test_an_error_in_a_cancelled_task_is_not_logged(caplog):
    async def fails():
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("too late")

    assert run_and_sweep(lambda: asyncio.ensure_future(fails())) == (1, 1, 0)
    import gc

    gc.collect()
    assert caplog.text == ""


def test_the_hook_is_put_in_once(monkeypatch):
    hooks = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    blackout.install()
    assert hooks == []


UNSEEN = {
    "subprocess": lambda: subprocess.run(["true"], check=False),
    "os.system": lambda: os.system("true"),
    "ctypes": lambda: ctypes.CDLL(None),
    "s3": lambda: pyarrow.fs.S3FileSystem(anonymous=True, region="eu-west-1"),
}


@pytest.mark.parametrize("way", UNSEEN.values(), ids=UNSEEN)
def test_what_could_connect_unseen_is_refused_where_the_kernel_does_not_help(way):
    with pytest.raises(NetworkBlackout, match=rf"{HERE}:\d+ (started|loaded|made)"), blackout.guard():
        way()
    if way is not UNSEEN["s3"]:  # that one looks for credentials
        way()


def test_a_package_may_start_a_program_to_count_cores():
    with blackout.guard():
        platform.processor()


def test_an_asynchronous_generator_ends_with_its_point(server):
    ended = []

    async def ticks():
        try:
            yield 1
        finally:
            with contextlib.suppress(NetworkBlackout):
                raw(server)
                ended.append("connected")
            ended.append("ended")

    async def point():
        loop = asyncio.get_running_loop()
        left = ticks()
        await anext(left)
        loop.call_soon(lambda: ended.append("called"))
        await blackout.sweep_up(loop)
        assert sorted(ended) == ["called", "ended"]

    asyncio.run(point())


SHUT_FOR_GOOD = """
import socket, sys, threading, _thread, queue
from tasks.broker.dialer import Dialer
from tasks.isolation import blackout, network_filter
from tasks.errors import NetworkBlackout
{without_filter}
listener = socket.create_server(("127.0.0.1", 0))
blackout.install()
dialer = Dialer(blackout.allow_this_thread)
blackout.shut_for_good()
class Plain:
    def _connect(self):
        return socket.create_connection(listener.getsockname(), timeout=5)
dialer.connection_class(Plain)()._connect().send(b"x")
assert listener.accept()[0].recv(1) == b"x"
said = queue.Queue()
def attempt(depth):
    if depth:
        threading.Thread(target=attempt, args=(depth - 1,)).start()
        return
    try:
        Plain()._connect()
        said.put("connected")
    except (NetworkBlackout, OSError) as error:
        said.put(type(error).__name__)
attempt(0)
attempt(2)
_thread.start_new_thread(attempt, (0,))
class AtEnd:
    def __del__(self):
        attempt(0)
AtEnd()
answers = {{said.get(timeout=10) for _ in range(4)}}
assert answers == {{"NetworkBlackout"}}, answers
"""


@pytest.mark.parametrize("without_filter", ["", "network_filter.install = lambda: 'for the test'"])
def test_between_two_points_only_the_dialer_connects(without_filter):
    code = SHUT_FOR_GOOD.format(without_filter=without_filter)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
