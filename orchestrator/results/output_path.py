"""The file an answer is written into (`--to`): what must not be written over, what must be there, how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from orchestrator.results.database import FILE, LOCK
from tasks.errors import StoreError
from tasks.files import written_beside


def check_target(path: Path) -> None:
    """Raises StoreError for a file of a result store, also by way of a link, and for a folder that is not there."""
    # some file systems do not tell large letters from small ones
    names = {path.name.lower(), _behind_links(path).name.lower()}
    if any(name == LOCK or name.startswith(FILE) for name in names):
        raise StoreError(f"{path}: is a file of the result store and would be lost; name another file with --to")
    if not path.parent.is_dir():
        raise StoreError(
            f"{path}: cannot be written: there is no folder {path.parent}; make it, or name another file with --to"
        )


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when everything is written; links are followed, a device or pipe is written as it is.

    Raises StoreError when the folder or the disk refuses.
    """
    try:
        device = path.exists() and not path.is_file()
        target = nullcontext(path) if device else written_beside(_behind_links(path))
        with target as file, file.open("wb") as stream:
            yield stream
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); name another file with --to") from None


def _behind_links(path: Path) -> Path:
    """The path that a link leads to. Raises StoreError for a link that leads to itself."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise StoreError(
            f"{path}: cannot be written: it is a link that leads to itself, or its name is too long; name another "
            "file with --to"
        ) from None
