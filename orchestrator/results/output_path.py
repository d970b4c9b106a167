"""The file an answer is written into (`--to`): what must not be written over, and what must be there already."""

from __future__ import annotations

from pathlib import Path

from orchestrator.results.database import FILE, LOCK
from tasks.errors import StoreError


def check_target(path: Path) -> None:
    """Raises StoreError for a file of a result store, also by way of a link, and for a folder that is not there."""
    # some file systems do not tell large letters from small ones
    names = {path.name.lower(), path.resolve().name.lower()}
    if any(name == LOCK or name.startswith(FILE) for name in names):
        raise StoreError(f"{path}: is a file of the result store and would be lost; name another file with --to")
    if not path.parent.is_dir():
        raise StoreError(
            f"{path}: cannot be written: there is no folder {path.parent}; make it, or name another file with --to"
        )
