"""`hummingsweep serve`: all sweeps of a folder, the running ones live, on one local page.

    GET /                        the page; it asks /api/sweeps every two seconds
    GET /api/sweeps              {"sweeps": [...]}: what each sweep is, how far it is, where its report is
    GET /report/FOLDER/SWEEP     the report of a sweep, written when it is asked for

Names in an address are looked up among the output folders and sweeps that are there; no part of an address becomes a
path. The server listens on loopback unless told otherwise, and then answers only to addresses that name loopback, so
that no web page elsewhere can read it through a name that points here.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import ujson

from orchestrator.analysis.across import of_meta
from orchestrator.analysis.judgement import TRUST
from orchestrator.analysis.rank import rank
from orchestrator.report.hosts import asks_loopback, is_loopback
from orchestrator.report.page import render_sweeps, shows, write_report
from orchestrator.report.text import Objective
from orchestrator.results.database import FILE, LOCK
from orchestrator.results.layout import StoredSweep
from orchestrator.results.store_reader import StoreReader
from orchestrator.sweepfile.skip import points_of
from tasks.errors import ExpressionError, HummingsweepError, StoreError
from tasks.protocol.messages import Status
from tasks.times import utc_day

#: `hummingsweep serve` without --port.
PORT = 8765
#: Written by `hummingsweep run` and `report`, with the curves of the best points.
REPORT = "report.html"
#: Seconds between two looks for the best value of a running sweep.
BEST_S = 5.0


@dataclass(frozen=True)
class Line:
    """What the page says of one sweep."""

    #: output folder's name
    folder: str
    #: id, empty when the store cannot be read
    sweep: str
    name: str
    #: running, done, stopped, or broken
    state: str
    points: int = 0
    done: int = 0
    failed: int = 0
    controller: str = ""
    period: str = ""
    #: address of the report
    report: str = ""
    error: str = ""
    #: the word and the sentence of `orchestrator.analysis.verdict` on a finished sweep; "" before
    verdict: str = ""
    sentence: str = ""
    #: folds of its walk-forward that have their rows, and how many there will be; 0 without one
    folds: int = 0
    planned_folds: int = 0
    #: the best value so far in words, such as "net_pnl 1.23% at point 7"; "" where nothing is ranked
    best: str = ""


class Sweeps:
    """The sweeps of a folder: either of output folders, or an output folder itself. Used by several threads."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._reports = tempfile.TemporaryDirectory(prefix="hummingsweep-reports-")
        self._writing = threading.Lock()
        self._written: dict[tuple[str, str], tuple[Any, Path]] = {}
        self._looked: dict[str, tuple[Any, list[Line]]] = {}
        #: (folder, sweep) -> (when to look again, the best value in words)
        self._bests: dict[tuple[Path, str], tuple[float, str]] = {}

    def close(self) -> None:
        """Delete the reports that were written for this server."""
        self._reports.cleanup()

    def folders(self) -> dict[str, Path]:
        """Output folders by name, the latest written first."""
        if (self.folder / FILE).is_file():
            return {self.folder.resolve().name: self.folder}
        try:
            found = [each for each in self.folder.iterdir() if (each / FILE).is_file()]
        except OSError:
            return {}
        return {each.name: each for each in sorted(found, key=lambda each: -(each / FILE).stat().st_mtime)}

    def lines(self) -> list[Line]:
        """Every sweep, those of the latest written folder first."""
        return [line for name, folder in self.folders().items() for line in self._lines(name, folder)]

    def report(self, folder_name: str, sweep: str) -> Path | None:
        """The report of a sweep as it is now; None when there is no such sweep. Raises HummingsweepError."""
        folder = self.folders().get(folder_name)
        if folder is None:
            return None
        stamp = _stamp(folder)
        with StoreReader.open(folder) as store:
            stored = next((each for each in store.sweeps() if each.sweep == sweep), None)
            if stored is None:
                return None
            # the one that `run` wrote has the curves of the best points as well
            if shows(folder / REPORT, sweep, sum(store.counts(sweep).values()), stored.meta):
                return folder / REPORT
            with self._writing:
                before = self._written.get((folder_name, sweep))
                if before and before[0] == stamp:
                    return before[1]
                to = Path(self._reports.name) / f"{len(self._written)}.html"
                to = before[1] if before else to
                meta = stored.meta
                write_report(store, sweep, to, rank_by=meta["rank_by"], where=meta["where"])
                self._written[folder_name, sweep] = (stamp, to)
                return to

    def _best_of(self, store: StoreReader, stored: StoredSweep) -> tuple[str, bool]:
        """The best value, and whether it was looked for now. That reads every row, so while rows keep coming in it is
        done every few seconds only, and more seldom where it takes long."""
        key = (store.folder, stored.sweep)
        known = self._bests.get(key)
        if known and time.monotonic() < known[0]:
            return known[1], False
        started = time.monotonic()
        best = _best(store, stored)
        now = time.monotonic()
        self._bests[key] = (now + BEST_S + 10 * (now - started), best)
        return best, True

    def _lines(self, name: str, folder: Path) -> list[Line]:
        """The sweeps of one folder; counted again only when something was written."""
        stamp = (_stamp(folder), _writer(folder))
        known = self._looked.get(name)
        if known and known[0] == stamp:
            return known[1]
        try:
            with StoreReader.open(folder) as store:
                sweeps = store.sweeps()
                bests = [self._best_of(store, each) for each in sweeps]
                lines = [
                    _line(name, each, store.counts(each.sweep), running=place == 0 and stamp[1], best=bests[place][0])
                    for place, each in enumerate(sweeps)
                ]
                is_current = all(fresh for _, fresh in bests)
        except HummingsweepError as error:
            lines, is_current = [Line(name, "", name, "broken", error=str(error))], True
        if is_current:
            self._looked[name] = (stamp, lines)
        return lines


def _best(store: StoreReader, stored: StoredSweep) -> str:
    """The best value of a sweep in words; "" where nothing is ranked or its columns do not fit."""
    meta = stored.meta
    rank_by = meta["rank_by"]
    try:
        table = store.table(stored.sweep)
        found = rank(table, rank_by, meta.get("where"), grid=stored.grid, top=1, across=of_meta(meta)).rows
    except ExpressionError:
        return ""
    if not found or found[0]["objective"] != found[0]["objective"]:
        return ""
    objective = Objective.of(rank_by)
    return f"{objective.name} {objective.text(found[0]['objective'])} at point {found[0]['point']}"


def _line(folder: str, stored: StoredSweep, counts: dict[Status, int], *, running: bool, best: str = "") -> Line:
    definition = stored.definition
    points, done = points_of(definition), sum(counts.values())
    start, end = map(utc_day, (definition.start, definition.end))
    about = [definition.controller.get(key) for key in ("controller_name", "connector_name", "trading_pair")]
    state = "running" if running else "done" if done >= points else "stopped"
    # rows that come in now may change the verdict that is stored
    trust = (stored.meta.get(TRUST) or {}) if state == "done" else {}
    walk = stored.meta.get("walk_forward") or {}
    return Line(
        folder=folder,
        sweep=stored.sweep,
        name=stored.sweep.rpartition("-")[0] or stored.sweep,
        state=state,
        points=points,
        done=done,
        failed=done - counts.get(Status.OK, 0),
        controller=" · ".join(str(each) for each in about if each),
        period=f"{start} to {end}",
        report=f"/report/{quote(folder, safe='')}/{quote(stored.sweep, safe='')}",
        verdict=str(trust.get("verdict", "")),
        sentence=str(trust.get("sentence", "")),
        folds=len(walk.get("folds") or []),
        planned_folds=int(walk.get("planned") or 0),
        best=best,
    )


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes when the store is written."""
    files = [folder / FILE, folder / f"{FILE}-wal"]
    return tuple(file.stat().st_mtime_ns for file in files if file.exists())


def _writer(folder: Path) -> bool:
    """Whether a process of this machine writes here. The lock itself is not tried: that could turn a writer away."""
    try:
        pid = int((folder / LOCK).read_text().removeprefix("process "))
        if pid <= 0:  # would mean every process, or this one's group
            return False
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD of the addresses above; everything else is 404 or 501."""

    server: Server
    server_version = "hummingsweep"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    #: seconds a silent connection is kept
    timeout = 60

    def do_GET(self) -> None:
        if not self._is_for_us():
            self._answer(HTTPStatus.FORBIDDEN, b"this server answers on loopback only\n")
            return
        try:
            parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        except ValueError:  # such as //[, which is no address
            self._answer(HTTPStatus.BAD_REQUEST, b"this is no address\n")
            return
        try:
            match parts:
                case [""]:
                    page = render_sweeps(self.server.sweeps.folder)
                    self._answer(HTTPStatus.OK, page, "text/html; charset=utf-8", _PAGE_POLICY)
                case ["api", "sweeps"]:
                    answer = {"sweeps": [asdict(line) for line in self.server.sweeps.lines()]}
                    self._answer(HTTPStatus.OK, ujson.dumps(answer).encode(), "application/json")
                case ["report", folder, sweep]:
                    found = self.server.sweeps.report(folder, sweep)
                    if found is None:
                        self._answer(HTTPStatus.NOT_FOUND, b"there is no such sweep\n")
                    else:
                        self._answer(HTTPStatus.OK, found.read_bytes(), "text/html; charset=utf-8", _REPORT_POLICY)
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, b"there is no such page\n")
        except HummingsweepError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n".encode())
        except BrokenPipeError:  # the reader went away
            self.close_connection = True

    do_HEAD = do_GET

    def _is_for_us(self) -> bool:
        """A page elsewhere can make a browser ask this server under a name of its own (DNS rebinding)."""
        if not self.server.loopback:
            return True
        return asks_loopback(self.headers.get_all("Host", []), self.path)

    def _answer(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8", policy: str = ""
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": policy or "default-src 'none'",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the page asks every two seconds."""


_REPORT_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_PAGE_POLICY = f"{_REPORT_POLICY}; connect-src 'self'"


class Server(ThreadingHTTPServer):
    """The server, listening; `serve_forever` answers."""

    daemon_threads = True
    #: a second server on a port that is taken is an error, not a quiet share
    allow_reuse_port = False

    def __init__(self, sweeps: Sweeps, host: str, port: int):
        self.sweeps = sweeps
        self.loopback = is_loopback(host)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def listening(folder: Path, host: str = "127.0.0.1", port: int = PORT) -> Iterator[Server]:
    """A server that listens (port 0: any free one) and is closed in the end. Raises StoreError."""
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such folder; name the folder that holds the output folders (default runs)")
    sweeps = Sweeps(folder)
    try:
        try:
            server = Server(sweeps, host, port)
        except OverflowError:
            raise StoreError(f"--port {port}: give a port from 1 to 65535, or 0 for any that is free") from None
        except OSError as error:
            raise StoreError(f"cannot listen on {host}:{port} ({error.strerror}); give another --port") from None
        with server:
            yield server
    finally:
        sweeps.close()


def serve(folder: Path, host: str = "127.0.0.1", port: int = PORT) -> None:
    """Answer until interrupted (KeyboardInterrupt). Raises StoreError."""
    with listening(folder, host, port) as server:
        server.serve_forever()
