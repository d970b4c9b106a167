"""The kernel's refusal, tried in a process of its own: it cannot be undone."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tasks.isolation import network_filter

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")

BEFORE = """
import ctypes, errno, queue, socket, subprocess, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
asked, answered = queue.Queue(), queue.Queue()
def dial():
    asked.get()
    answered.put(socket.create_connection(address, timeout=5))
threading.Thread(target=dial, daemon=True).start()
from tasks.isolation import network_filter
why = network_filter.install()
assert why == "", why
def refused(work):
    try:
        work()
    except OSError as error:
        return error.errno
    return 0
"""
WAYS = {
    "tcp": "assert refused(lambda: socket.socket()) == errno.EACCES",
    "udp 6": "assert refused(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) == errno.EACCES",
    "look-up": "assert refused(lambda: socket.getaddrinfo('example.invalid', 80)) != 0",
    "ctypes": "assert ctypes.CDLL(None, use_errno=True).socket(2, 1, 0) == -1 and ctypes.get_errno() == errno.EACCES",
    "a program it starts": "assert subprocess.run([sys.executable, '-c', 'import socket; socket.socket()'], "
    "capture_output=True).returncode == 1",
    "a shell it starts": "to = f'exec 3<>/dev/tcp/127.0.0.1/{address[1]}'; "
    "assert subprocess.run(['bash', '-c', to], capture_output=True).returncode != 0",
    "a raw thread": "import _thread; done = queue.Queue(); "
    "_thread.start_new_thread(lambda: done.put(refused(socket.socket)), ()); "
    "assert done.get(timeout=5) == errno.EACCES",
    "io_uring": "assert ctypes.CDLL(None, use_errno=True).syscall(425, 8, ctypes.create_string_buffer(120)) == -1",
    "what is local stays": "one, other = socket.socketpair(); one.send(b'x'); assert other.recv(1) == b'x'",
    "a thread from before": "asked.put(1); one = answered.get(timeout=5); one.send(b'x'); "
    "assert listener.accept()[0].recv(1) == b'x'",
}


@linux_only
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_way_out_but_for_threads_from_before(way: str) -> None:
    done = subprocess.run([sys.executable, "-c", BEFORE + textwrap.dedent(way)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@linux_only
def test_the_filter_as_text_has_no_family_but_local_ones() -> None:
    for machine, (architecture, number) in network_filter._MACHINES.items():
        code = network_filter._assembled(architecture, number)
        assert len(code) % 8 == 0, machine


def test_what_holds_here_is_said_in_one_object() -> None:
    text = subprocess.run([sys.executable, "-m", "tasks.isolation.network_filter"], capture_output=True, text=True)
    import json

    said = json.loads(text.stdout)
    assert set(said) == {"by", "why", "sentence"}
    assert (said["by"] == "seccomp") == (said["why"] == "")
