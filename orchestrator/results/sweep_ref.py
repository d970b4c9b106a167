"""What a user means by SWEEP: an output folder, a name, a sweep id or a sweep file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orchestrator.results.database import FILE
from orchestrator.results.store_reader import StoreReader
from tasks.errors import StoreError

#: Bytes of a file's name at most, on every system.
MAX_FILE_NAME = 255


class SweepRef(NamedTuple):
    """A sweep and the folder it is stored in."""

    #: the output folder
    folder: Path
    #: the sweep's id
    sweep: str

    @classmethod
    def find(cls, text: str, runs: Path = Path("runs")) -> SweepRef:
        """From an output folder, a name under `runs`, a sweep id in a folder under `runs`, or a sweep file.

        Of a folder with several sweeps, the latest is meant unless the id is given. Raises StoreError.
        """
        path = Path(text)
        if "\0" in text or any(len(part.encode("utf-8", "surrogateescape")) > MAX_FILE_NAME for part in path.parts):
            raise StoreError(f"{text[:80]!r}...: no folder or sweep has such a name")
        if path.suffix in (".yml", ".yaml") and path.is_file():
            from orchestrator.sweepfile.sweep import read

            path = runs / read(path).name
        for folder in (path, path.parent if path.name == FILE else path, runs / text):
            if (folder / FILE).is_file():
                with StoreReader.open(folder) as store:
                    return cls(folder, store.latest())
        there = sorted(file.parent for file in runs.glob(f"*/{FILE}"))
        for folder in there:
            with StoreReader.open(folder) as store:
                if any(stored.sweep == text for stored in store.sweeps()):
                    return cls(folder, text)
        known = ", ".join(str(folder) for folder in there) or "none"
        raise StoreError(f"{text}: no output folder, sweep id or name under {runs}/ (there are: {known})")


def resolve(text: str, runs: Path = Path("runs")) -> Path:
    """The output folder that SWEEP means, see `SweepRef.find`. Raises StoreError."""
    return SweepRef.find(text, runs).folder
