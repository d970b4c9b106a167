"""Files that are there whole or not at all: written beside their name and renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A file to write in the folder of `path` (made if missing), which takes its name when the block ends well.

    It has the extensions of `path`. `mode`: its permissions, else those of the file that is replaced, else rw-r--r--.
    The bytes are on the disk before the rename. When the block raises, nothing is left. Raises OSError, also where a
    folder, device or pipe has the name: to replace it would take it away from everybody who uses it.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "it is there, and is no file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    name, dot, extensions = path.name.lstrip(".").partition(".")
    handle, made = tempfile.mkstemp(prefix=f".{name}-", suffix=dot + extensions, dir=path.parent)
    os.close(handle)
    beside = Path(made)
    try:
        yield beside
        if mode is None:
            mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
        beside.chmod(mode)
        to_disk(beside)
        beside.replace(path)
        to_disk(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk, where the file system can do that."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot sync a folder
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """The content of a file, a device or a pipe. Raises OSError, with a sentence where there is more than the limit."""
    with path.open("rb") as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(errno.EFBIG, f"it has more than {limit_bytes >> 10:,} KB")
    return content
