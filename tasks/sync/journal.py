"""The pages downloaded so far, in `<candle file>.part` beside the file they will become.

    {"what": "hummingsweep download", "version": 1, "feed": "binance_perpetual_BTC-USDT_1m"}\\n
    {"first": 28401120, "last": 28402616, "rows": 1497, "again": false, "crc": 1234}\\n  <rows * 10 float64>
    {"first": ...                                                                       one block a page

`first` and `last` are the slots that were asked for (slots.py), `again` says that they were asked for a second time:
what such a window is missing is not at the exchange. Rows hold the columns of formats.COLUMNS,
little endian. A block that a crash cut off
is recognised by its length or checksum and written anew. One process at a time (flock).
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import ujson
from numpy.typing import NDArray

from tasks.candles.formats import COLUMNS
from tasks.errors import HummingsweepError
from tasks.sync.slots import Slots, Window, from_runs, slots_of

Rows = NDArray[np.float64]

_VERSION = 1
_WIDTH = len(COLUMNS)


class Journal:
    """The part file of one feed, open for writing."""

    def __init__(self, path: Path, feed: str, interval: str):
        """Opens or makes it and reads what is there. Raises HummingsweepError when another process writes it."""
        self.path = path
        self._interval = interval
        self._rows: list[Rows] = []
        self._again: list[Window] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _locked(path)
        head = ujson.dumps({"what": "hummingsweep download", "version": _VERSION, "feed": feed}).encode() + b"\n"
        if self._file.readline() == head:
            self._read()
        else:  # new, or of another version
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
            self._file.flush()
        self._kept = len(self.rows)

    @property
    def rows(self) -> Rows:
        """Every candle in it, by open time, each once: of two for one slot the later one counts."""
        if not self._rows:
            return np.empty((0, _WIDTH))
        rows = np.concatenate(self._rows)[::-1]
        _, chosen = np.unique(slots_of(rows[:, 0], self._interval), return_index=True)
        return np.asarray(rows[chosen])

    @property
    def slots(self) -> Slots:
        """The slots of its candles."""
        return slots_of(self.rows[:, 0], self._interval)

    @property
    def absent(self) -> Slots:
        """Slots that were asked for twice and have no candle at the exchange."""
        asked = from_runs((window.first, window.last) for window in self._again)
        return np.setdiff1d(asked, self.slots)

    @property
    def kept(self) -> int:
        """Candles it held when it was opened."""
        return self._kept

    def add(self, window: Window, rows: Rows, *, again: bool = False) -> None:
        """One answered page; `rows` are its candles. It is with the operating system when this returns."""
        data = np.ascontiguousarray(rows, dtype="<f8").tobytes()
        head = {"first": window.first, "last": window.last, "rows": len(rows), "again": again, "crc": zlib.crc32(data)}
        self._file.write(ujson.dumps(head).encode() + b"\n" + data)
        self._file.flush()
        self._note(window, rows, again)

    def close(self) -> None:
        """Keeps it for the next time; one without a candle goes."""
        if not self._rows:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def discard(self) -> None:
        """Its candles are in the candle file now."""
        self.path.unlink(missing_ok=True)
        self._file.close()

    def _note(self, window: Window, rows: Rows, again: bool) -> None:
        if len(rows):
            self._rows.append(np.asarray(rows, dtype=np.float64))
        if again:
            self._again.append(window)

    def _read(self) -> None:
        """Every whole block; what follows the last one is cut off."""
        whole = self._file.tell()
        while (line := self._file.readline()).endswith(b"\n"):
            try:
                head = ujson.loads(line)
                window = Window(int(head["first"]), int(head["last"]))
                data = self._file.read(int(head["rows"]) * _WIDTH * 8)
                if zlib.crc32(data) != head["crc"] or len(data) != head["rows"] * _WIDTH * 8:
                    break
            except (ValueError, TypeError, KeyError):
                break
            self._note(window, np.frombuffer(data, dtype="<f8").reshape(-1, _WIDTH), bool(head["again"]))
            whole = self._file.tell()
        self._file.seek(whole)
        self._file.truncate()


def _locked(path: Path) -> IO[bytes]:
    """The file open for reading and writing at its beginning, locked until it is closed. Raises HummingsweepError."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise HummingsweepError(
                f"{path}: another `hummingsweep sync` downloads this feed; wait for it or stop it"
            ) from None
        # whoever held the lock before may have removed the file in between
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()
