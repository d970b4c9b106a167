"""The node's mirror: slices as uncompressed Arrow IPC files in RAM-backed storage, mapped by all children.

    <digest>.arrow      one slice; appears whole, by rename, and never changes; behind it _MARK and the SHA-256 of it
    .<digest>.*.tmp     being written; its writer holds a lock on it, so that one left by a dead child is told from it
    .lock-00 ... -ff    whoever holds a digest's lock fetches it, the others wait and find the file
    .lock               held while room is made

Every process checks a file when it maps it first, and when it was written since (its time of change says so; the time
of its last use is kept as that of its last access). One that is not what was written is fetched again. The files are
read-only, so that a program that opens one for writing by mistake is refused.

Locks are flock: the system releases them when their holder dies. What was not used for longest is deleted when room is
needed; a file that is still mapped somewhere stays readable there (POSIX keeps the pages until the last map goes), only
its name is gone. When there is no room at all the slice lives in the child's own memory, with a warning.

A frame is mapped copy-on-write (MAP_PRIVATE): nothing is copied until a controller writes into it, and what it writes
it alone sees.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import mmap
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.errors import CandlesError, HummingsweepError

if TYPE_CHECKING:
    import pandas as pd

#: What a slice's table lies in.
Memory = mmap.mmap | bytes | bytearray

_log = logging.getLogger(__name__)

#: A /dev/shm smaller than this (containers get 64 MB) is no place for slices; the page cache serves as well.
_MIN_SHM_BYTES = 256 << 20
#: Where a RAM disk named so is mounted on macOS:
#: diskutil erasevolume APFS hummingsweep $(hdiutil attach -nomount ram://8388608)
_RAM_DISK = Path("/Volumes/hummingsweep")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)
#: Between a slice and its SHA-256, at the end of its file.
_MARK = b"\0sha256\0"
TRAILER_BYTES = len(_MARK) + hashlib.sha256().digest_size
_DIGEST = re.compile(r"[0-9A-Za-z]{1,128}")


def mirror_folder() -> Path:
    """This machine's folder for the mirror."""
    shm = Path("/dev/shm")
    usable = shm.is_dir() and os.access(shm, os.W_OK)
    facts = os.statvfs(shm) if usable else None
    shm_bytes = facts.f_frsize * facts.f_blocks if facts else 0
    ram_disk = _RAM_DISK if _RAM_DISK.is_mount() else None
    return choose_folder(platform.system(), os.getuid(), shm_bytes, ram_disk, Path(tempfile.gettempdir()))


def choose_folder(system: str, uid: int, shm_bytes: int, ram_disk: Path | None, temporary: Path) -> Path:
    """Linux: /dev/shm when it is large enough. macOS: a RAM disk when one is mounted. Otherwise a temporary folder,
    whose files the page cache keeps in memory."""
    name = f"hummingsweep-{uid}"
    if system == "Linux" and shm_bytes >= _MIN_SHM_BYTES:
        return Path("/dev/shm") / name
    if system == "Darwin" and ram_disk:
        return ram_disk / name
    return temporary / f"{name}-mirror"


@dataclass(frozen=True)
class HeldSlice:
    """One slice in the mirror."""

    digest: str
    bytes: int
    #: when it was opened last, seconds since the epoch
    used: float


@dataclass(frozen=True)
class MirrorStatus:
    """What a mirror holds, the last used first."""

    folder: Path
    limit_bytes: int
    held: tuple[HeldSlice, ...]

    @property
    def bytes(self) -> int:
        """Sum over the slices."""
        return sum(one.bytes for one in self.held)


class Mirror:
    """Slices of one node by digest. Any number of processes may use one folder at the same time.

    `open` and `frame` call `fetch` only when no process of the node has fetched that digest before; it returns a slice
    as `Slice.ipc()` or `Slice.compressed()`. They raise what `fetch` raises, CandlesError when it returns no slice, and
    HummingsweepError when the folder cannot be used.
    """

    def __init__(self, folder: Path, limit_bytes: int):
        self.folder = folder
        self.limit_bytes = limit_bytes
        #: (name, inode, time of change in ns) of the files that this process has checked
        self._checked: set[tuple[str, int, int]] = set()

    def open(self, digest: str, fetch: Callable[[], bytes]) -> pa.Table:
        """The slice as a read-only pyarrow Table that lies in the mapped file."""
        return self._open(digest, fetch, mmap.ACCESS_READ)[1]

    def frame(self, digest: str, fetch: Callable[[], bytes]) -> pd.DataFrame:
        """The slice as a DataFrame over the mapped file: one float64 block, writable, private where it is written.

        Two calls give two frames that share memory until one of them is written into.
        """
        import pandas as pd

        memory, table = self._open(digest, fetch, mmap.ACCESS_COPY)
        block = _block(memory, table)
        if block is None:
            private: pd.DataFrame = table.to_pandas()
            return private
        return pd.DataFrame(block.T, columns=table.column_names, copy=False)

    def status(self) -> MirrorStatus:
        """What lies in the folder now."""
        held = [HeldSlice(path.stem, facts.st_size, facts.st_atime) for path, facts in self._files(".arrow")]
        return MirrorStatus(self.folder, self.limit_bytes, tuple(sorted(held, key=lambda one: -one.used)))

    def clear(self) -> MirrorStatus:
        """Delete every slice and what dead children left; returns what was there. Open maps stay readable."""
        before = self.status()
        if self.folder.is_dir():
            with self._locked(".lock"):
                self._sweep()
                for path, _ in self._files(".arrow"):
                    path.unlink(missing_ok=True)
        return before

    def _open(self, digest: str, fetch: Callable[[], bytes], access: int) -> tuple[Memory, pa.Table]:
        """(memory the table lies in, table)."""
        if not _DIGEST.fullmatch(digest):
            raise CandlesError(f"{digest[:80]!r} is not the address of a slice")
        path = self.folder / f"{digest}.arrow"
        found = self._map(path, access)
        if found is None:
            self._prepare()
            with self._locked(f".lock-{digest[:2].lower()}"):
                found = self._map(path, access)  # another child may have fetched it while this one waited
                if found is None:
                    data = _uncompressed(fetch())
                    if not self._lay(path, data):
                        memory = data if access == mmap.ACCESS_READ else bytearray(data)
                        return memory, _table(memory)
                    found = self._map(path, access)
        if found is None:
            raise HummingsweepError(f"{path}: was deleted as soon as it was written; give the mirror more room")
        return found

    def _map(self, path: Path, access: int) -> tuple[Memory, pa.Table] | None:
        """Map a slice that is there and note its use; one that is damaged is deleted."""
        try:
            with path.open("rb") as file:
                facts = os.fstat(file.fileno())
                os.utime(path, ns=(time.time_ns(), facts.st_mtime_ns))
                memory = mmap.mmap(file.fileno(), 0, access=access)
                mark = path.name, facts.st_ino, facts.st_mtime_ns
            if mark not in self._checked:
                _check(memory)
                self._checked.add(mark)
            return memory, _table(memory, len(memory) - TRAILER_BYTES)
        except FileNotFoundError:
            return None
        except (ValueError, CandlesError) as error:  # a crash of the machine, or another program wrote into it
            _log.warning("mirror: %s is damaged (%s) and is fetched again", path, error)
            path.unlink(missing_ok=True)
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def _lay(self, path: Path, data: bytes) -> bool:
        """Write a slice beside its name and rename it; False when there is no room for it."""
        if len(data) > self.limit_bytes:
            _log.warning("mirror: a slice of %d MB is over its size of %d MB", len(data) >> 20, self.limit_bytes >> 20)
            return False
        for room in (self.limit_bytes, len(data)):
            try:
                self._write(path, data, room)
                return True
            except OSError as error:
                if error.errno not in _FULL:
                    raise self._unusable(error) from error
        _log.warning("mirror: %s is full, a slice of %d MB stays in private memory", self.folder, len(data) >> 20)
        return False

    def _write(self, path: Path, data: bytes, room: int) -> None:
        """`room`: bytes the folder may hold with this slice."""
        with self._locked(".lock"):
            self._sweep()
            self._evict(room - len(data) - TRAILER_BYTES)
            handle, beside = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".tmp", dir=self.folder)
            fcntl.flock(handle, fcntl.LOCK_EX)
            os.ftruncate(handle, len(data) + TRAILER_BYTES)  # counted by others who make room meanwhile
        try:
            for part in (data, _MARK + hashlib.sha256(data).digest()):
                view = memoryview(part)
                while view:
                    view = view[os.write(handle, view) :]
            os.fchmod(handle, 0o400)
            os.fsync(handle)  # nothing in memory; on a disk the rename must not come before the bytes
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)
            os.close(handle)

    def _evict(self, most: int) -> None:
        """Delete slices, the least recently used first, until at most so many bytes are left. Under `.lock`."""
        files = sorted(self._files(".arrow"), key=lambda one: one[1].st_atime_ns)
        total = sum(facts.st_size for _, facts in files) + sum(facts.st_size for _, facts in self._files(".tmp"))
        for path, facts in files:
            if total <= most:
                return
            path.unlink(missing_ok=True)
            total -= facts.st_size

    def _sweep(self) -> None:
        """Delete what dead writers left: files whose lock can be had. Under `.lock`."""
        for path, _ in self._files(".tmp"):
            try:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
            except OSError:  # its writer lives, or has just renamed it
                continue

    def _files(self, suffix: str) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            paths = [Path(entry.path) for entry in os.scandir(self.folder) if entry.name.endswith(suffix)]
        except FileNotFoundError:
            return
        for path in paths:
            try:
                yield path, path.stat()
            except FileNotFoundError:  # renamed or deleted meanwhile
                continue

    def _prepare(self) -> None:
        """Make the folder, for this user only; refuse one that somebody else has made."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.folder.lstat().st_uid
        except OSError as error:
            raise self._unusable(error) from error
        if os.geteuid() not in (owner, 0):
            raise HummingsweepError(
                f"{self.folder}: belongs to another user; set HUMMINGSWEEP_MIRROR to a folder of your own"
            )

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        try:
            handle = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _unusable(self, error: OSError) -> HummingsweepError:
        return HummingsweepError(
            f"{self.folder}: cannot keep slices there ({error.strerror}); set HUMMINGSWEEP_MIRROR to a writable folder"
        )


def _check(memory: mmap.mmap) -> None:
    """Raises ValueError for a file that is not as it was written."""
    whole = memoryview(memory)
    content, trailer = whole[:-TRAILER_BYTES], whole[-TRAILER_BYTES:]
    if trailer != _MARK + hashlib.sha256(content).digest():
        raise ValueError("its checksum is another")


def _table(memory: Memory, size: int | None = None) -> pa.Table:
    """The table in an Arrow IPC file in memory, its first `size` bytes, without a copy. Raises CandlesError."""
    try:
        return pa.ipc.open_file(pa.py_buffer(memory).slice(0, size)).read_all()
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise CandlesError(f"not a slice: {error}") from error


def _uncompressed(data: bytes) -> bytes:
    """The same IPC file with its buffers lying in it as they are, in one batch."""
    table = _table(data)
    if _block(data, table) is not None or not table.num_rows:
        return data
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue().to_pybytes())


def _block(memory: Memory, table: pa.Table) -> npt.NDArray[np.float64] | None:
    """The columns as one array over `memory`, shape (columns, rows), float64; None where they do not lie so.

    An IPC file of one uncompressed batch holds them one after the other at equal distances.
    """
    whole = pa.py_buffer(memory)
    rows = table.num_rows
    if not rows or not all(
        column.num_chunks == 1 and column.type == pa.float64() and not column.null_count for column in table.columns
    ):
        return None
    offsets = [column.chunk(0).buffers()[1].address - whole.address for column in table.columns]
    distance = offsets[1] - offsets[0] if len(offsets) > 1 else rows * 8
    evenly = all(offset == offsets[0] + number * distance for number, offset in enumerate(offsets))
    inside = offsets[0] >= 0 and offsets[-1] + rows * 8 <= whole.size
    if not (evenly and inside and distance >= rows * 8):
        return None
    return np.ndarray((len(offsets), rows), np.float64, memory, offsets[0], (distance, 8))
