"""Changes inputs of a corpus at random and keeps those that reach lines of ours which none before them reached."""

from __future__ import annotations

import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from tests.conftest import REPOSITORY
from tests.fuzz.doors import Door

#: Inputs that come with the repository, and where those go that a run of the tests finds.
CORPUS = Path(__file__).with_name("corpus")
FOUND = REPOSITORY / ".pytest_cache" / "fuzz-corpus"
#: Inputs of a door that are kept, and bytes of one at most.
MAX_KEPT = 200
MAX_BYTES = 64 << 10
_TOOL = sys.monitoring.COVERAGE_ID
_OURS = (str(REPOSITORY / "tasks"), str(REPOSITORY / "orchestrator"))
_WORDS = [b"null", b"NaN", b"-1", b"1e999", b"0", b"\xff", b"\x00", b"\n", b"\r", b",", b'"', b"{", b"[", b"}", b"]",
          b":", b"../", b"\\ud800", b"9" * 30, b"\xef\xbb\xbf", b"=", b"-", b"&a *a", b"<<", b"!!", b"true", b"@", b"%",
          b"#",          b"\xe2\x80\xae", b"\x1b[2J", b"1e-320", b"'", b"(" * 200, b"[" * 2000, b"  "]  # fmt: skip


@dataclass
class Exploration:
    """What was found at one door."""

    door: str
    tried: int = 0
    #: inputs that reached new lines
    kept: list[bytes] = field(default_factory=list)
    #: an input and what it raised that it should not; one for each place
    failures: list[tuple[bytes, BaseException]] = field(default_factory=list)


def corpus(door: Door) -> list[bytes]:
    """What to begin with: good inputs, those of the repository, and those that earlier runs found."""
    files = [file for folder in (CORPUS / door.name, FOUND / door.name) for file in sorted(folder.glob("*"))]
    return list(dict.fromkeys([*door.seeds(), *(file.read_bytes() for file in files)]))


def explore(door: Door, *, seconds: float = 0.0, tries: int = 0, seed: int = 0) -> Exploration:
    """So long, or so many inputs; every input of the corpus first."""
    rng, found = random.Random(f"{door.name} {seed}"), Exploration(door.name)
    pool, end, places = corpus(door), time.monotonic() + seconds, set[tuple[str, int]]()
    with _new_lines() as reached:
        for data in pool:
            _try(door, data, found, places)
        reached()
        while found.tried < tries or time.monotonic() < end:
            data = changed(rng.choice(pool), rng, pool)[:MAX_BYTES]
            _try(door, data, found, places)
            if reached() and len(pool) < MAX_KEPT:
                pool.append(data)
                found.kept.append(data)
    return found


def changed(data: bytes, rng: random.Random, pool: list[bytes]) -> bytes:
    """One to eight changes at random places."""
    out = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 1 if out:
                out[at % len(out)] = rng.randrange(256)
            case 2:
                out[at:at] = rng.choice(_WORDS)
            case 3:
                length = rng.randrange(1, 32)
                out[at : at + length] = rng.choice(_WORDS)
            case 4:
                del out[at : at + rng.randrange(1, 64)]
            case 5:
                del out[at:]
            case 6:
                begin = rng.randrange(len(out) + 1)
                out[at:at] = out[begin : begin + rng.randrange(1, 200)]
            case _:
                other = rng.choice(pool)
                begin = rng.randrange(len(other) + 1)
                out[at : at + rng.randrange(64)] = other[begin : begin + rng.randrange(1, 64)]
    return bytes(out)


def keep(exploration: Exploration, folder: Path) -> None:
    """Write what was found into a folder, a file an input, named by its content."""
    for data in (*exploration.kept, *(data for data, _ in exploration.failures)):
        file = folder / exploration.door / hashlib.sha256(data).hexdigest()[:16]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _try(door: Door, data: bytes, found: Exploration, places: set[tuple[str, int]]) -> None:
    found.tried += 1
    try:
        door.enter(data)
    except door.may_raise as error:
        assert "\n" not in str(error)[:1] and str(error), "an error without a word"
    except Exception as error:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        place = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno) if traceback else ("", 0)
        if place not in places:
            places.add(place)
            found.failures.append((data, error))


@contextmanager
def _new_lines() -> Iterator[Callable[[], bool]]:
    """A function that says whether lines of ours ran since it was asked last that never ran before.

    Each line is watched until it has run once: the watching costs nothing afterwards.
    """
    seen = 0
    asked = 0

    def line(code: CodeType, _: int) -> object:
        nonlocal seen
        if code.co_filename.startswith(_OURS):
            seen += 1
        return sys.monitoring.DISABLE

    def reached() -> bool:
        nonlocal asked
        new, asked = seen > asked, seen
        return new

    sys.monitoring.use_tool_id(_TOOL, "fuzz")
    sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, line)
    sys.monitoring.set_events(_TOOL, sys.monitoring.events.LINE)
    try:
        sys.monitoring.restart_events()
        yield reached
    finally:
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)
