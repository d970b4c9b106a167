"""What can go wrong in a user's controller, by name. A helper module: it travels with the controllers."""

import asyncio
import contextlib
import ctypes
import decimal
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import billiard.process


async def make(trouble: str) -> None:
    kind, _, rest = trouble.partition(":")
    if kind == "raise":
        raise ValueError("no luck today")
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "descriptors":
        os.closerange(0, 256)
    if kind == "leak":
        sys.leaked = []  # type: ignore[attr-defined]
        try:
            while True:
                sys.leaked.append(os.open(os.devnull, os.O_RDONLY))  # type: ignore[attr-defined]
        except OSError:
            pass
    if kind == "precision":
        decimal.getcontext().prec = 4
    if kind == "client":  # the child's own client of the broker
        from tasks.child.process import child

        child().redis.set(f"hs:{rest}", "written by a controller")
    if kind == "write":  # into every connection of the child
        for descriptor in range(256):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
                if copy.family == socket.AF_INET:
                    copy.send(f"SET hs:{rest} written\r\n".encode())
    if kind == "stop":
        asyncio.get_running_loop().stop()
        await asyncio.sleep(1)
    if kind == "unpack":  # what the child needs after the point
        from tasks.protocol.messages import Rows

        Rows.encode = None
    if kind == "start" and not Path(rest).exists():  # a process that would outlive everything
        Path(rest).write_text(str(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid))
    if kind == "exit":
        raise SystemExit(7)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "slow-once" and not Path(rest).exists():
        Path(rest).write_text("slow")
        time.sleep(60)
    if kind == "log-and-sleep":
        file, _, seconds = rest.rpartition(":")
        with Path(file).open("a") as log:
            log.write(f"{os.getpid()}\n")
        time.sleep(float(seconds))
    if kind == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(64 << 20))
    if kind == "loop":
        while True:
            pass
    if kind == "wait":
        await asyncio.sleep(3600)
    if kind == "native":
        ctypes.PyDLL(None).sleep(3600)  # holds the interpreter's lock
    if kind == "tell":
        process = billiard.process.current_process()
        about = {
            "method": "spawn" if "billiard.spawn" in sys.modules else "fork",
            "inherited": [name for name in ("celery.bin.worker", "tasks.node.worker") if name in sys.modules],
            "name": process.name,
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "hash": hash("a"),
            "collects": gc.isenabled(),
            "parent": os.getppid(),
            "pid": os.getpid(),
        }
        with Path(rest).open("a") as told:
            told.write(json.dumps(about) + "\n")
    if kind == "noise":
        for number in range(20_000):
            print("a line a candle, and it says what everybody knows already", number)
    if kind == "sleep":  # not any more when the file is there that it may name
        seconds, _, awake = rest.partition(":")
        if not (awake and Path(awake).exists()):
            time.sleep(float(seconds))
    if kind == "aiohttp":
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get("http://192.0.2.1/") as answer:
            await answer.text()
    if kind == "requests":
        import requests

        requests.get("http://192.0.2.1/", timeout=5)
    if kind == "socket":
        socket.create_connection(("192.0.2.1", 80), timeout=5)
    if kind == "task":
        asyncio.get_running_loop().create_task(asyncio.sleep(3600))
