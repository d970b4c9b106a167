"""The mirror: shared by processes, bounded, never half written."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.candles import mirror as mirrors
from tasks.candles.mirror import TRAILER_BYTES, Mirror, choose_folder
from tasks.candles.slices import Slice
from tasks.errors import BlobError, CandlesError, HummingsweepError

from .conftest import MONDAY, candles

MANY = 1 << 30


def piece(seed: int = 0, rows: int = 1000, columns: int = 10) -> Slice:
    return Slice.of(candles(rows, seed=seed, columns=columns), "1m", MONDAY)


def never() -> bytes:
    raise AssertionError("fetched again")


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror", MANY)


def test_a_slice_is_fetched_once(mirror: Mirror) -> None:
    one = piece()
    assert mirror.open(one.digest, one.ipc).equals(one.table)
    assert mirror.open(one.digest, never).equals(one.table)
    assert Mirror(mirror.folder, MANY).open(one.digest, never).equals(one.table)
    assert [held.digest for held in mirror.status().held] == [one.digest]


def test_a_compressed_slice_lies_there_uncompressed(mirror: Mirror) -> None:
    one = piece()
    assert mirror.open(one.digest, one.compressed).equals(one.table)
    assert mirror.status().bytes >= one.table.nbytes


@pytest.mark.parametrize("rows", [0, 1, 7, 1000])
@pytest.mark.parametrize("columns", [6, 10])
def test_a_frame_is_the_slice(mirror: Mirror, rows: int, columns: int) -> None:
    one = piece(rows=rows, columns=columns)
    frame = mirror.frame(one.digest, one.ipc)
    assert frame.equals(one.table.to_pandas())
    assert list(frame.dtypes) == [np.dtype("float64")] * columns


def test_a_frame_adds_no_private_copy(mirror: Mirror) -> None:
    one = piece()
    frame = mirror.frame(one.digest, one.ipc)
    values = frame["close"].to_numpy()
    base = frame.to_numpy(copy=False)
    assert np.shares_memory(values, base)
    while isinstance(base, np.ndarray):
        assert not base.flags.owndata
        base = base.base
    assert type(base).__name__ == "mmap"


@pytest.mark.parametrize("copy_on_write", [False, True], ids=["plain", "copy on write"])
def test_what_is_written_into_a_frame_stays_there(mirror: Mirror, copy_on_write: bool) -> None:
    """pandas_ta turns copy-on-write on for the whole process; then the frame's array is shown read-only."""
    with pd.option_context("mode.copy_on_write", copy_on_write):
        _write_into_a_frame(mirror, copy_on_write)


def _write_into_a_frame(mirror: Mirror, copy_on_write: bool) -> None:
    one = piece()
    file = mirror.folder / f"{one.digest}.arrow"
    frame, other = mirror.frame(one.digest, one.ipc), mirror.frame(one.digest, never)
    before = file.read_bytes()
    if copy_on_write:
        frame.iloc[5, 1] = 9.0
    else:
        frame.to_numpy(copy=False)[5, 1] = 9.0
    frame.loc[:, "close"] = -1.0
    frame.iloc[3, 0] = 7.0
    frame["volume"] *= 2
    assert (frame["close"] == -1).all()
    assert frame.iloc[5, 1] == 9.0
    assert other.equals(one.table.to_pandas())
    assert file.read_bytes() == before


def test_frames_behave_as_any_frame_does(mirror: Mirror) -> None:
    one = piece()
    frame, plain = mirror.frame(one.digest, one.ipc), one.table.to_pandas()
    for df in (frame, plain):
        df["sma"] = df["close"].rolling(20).mean()
        df.dropna(inplace=True)
        df.index = df["timestamp"]
        df.sort_index(inplace=True)
    assert frame.equals(plain)


def test_opened_tables_cannot_be_written_into(mirror: Mirror) -> None:
    one = piece()
    with pytest.raises(ValueError, match="read-only"):
        mirror.open(one.digest, one.ipc)["close"].to_numpy()[0] = 1


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    pieces = [piece(seed) for seed in range(4)]
    size = len(pieces[0].ipc()) + TRAILER_BYTES
    mirror = Mirror(tmp_path, 3 * size + 100)
    for number, one in enumerate(pieces[:3]):
        mirror.open(one.digest, one.ipc)
        os.utime(tmp_path / f"{one.digest}.arrow", (1000 + number, 1000 + number))
    mirror.open(pieces[0].digest, never)  # used now: the second is the oldest
    held = mirror.frame(pieces[1].digest, never)
    os.utime(tmp_path / f"{pieces[1].digest}.arrow", (1000, 1000))
    mirror.open(pieces[3].digest, pieces[3].ipc)
    assert {one.digest for one in mirror.status().held} == {pieces[n].digest for n in (0, 2, 3)}
    assert mirror.status().bytes <= mirror.limit_bytes
    assert held.equals(pieces[1].table.to_pandas())  # deleted, still mapped here


def test_a_slice_larger_than_the_mirror_stays_in_private_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = piece()
    mirror = Mirror(tmp_path, 1000)
    frame = mirror.frame(one.digest, one.ipc)
    frame.iloc[0, 0] = 1.0
    assert mirror.open(one.digest, one.ipc).equals(one.table)
    assert mirror.status().held == ()
    assert "over its size" in caplog.text


def full_disk(monkeypatch: pytest.MonkeyPatch, may: Callable[[], bool]) -> None:
    """From now on writing fails half-way unless `may` says otherwise."""
    real = os.write

    def write(handle: int, data: memoryview) -> int:
        if may():
            return real(handle, data)
        real(handle, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mirrors.os, "write", write)


def test_a_full_disk_makes_room_first(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = piece(1), piece(2)
    mirror.open(old.digest, old.ipc)
    full_disk(monkeypatch, lambda: not (mirror.folder / f"{old.digest}.arrow").exists())
    assert mirror.open(new.digest, new.ipc).equals(new.table)
    assert [held.digest for held in mirror.status().held] == [new.digest]


def test_a_disk_that_stays_full_leaves_nothing_half_written(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = piece()
    with monkeypatch.context() as patch:
        full_disk(patch, lambda: False)
        assert mirror.frame(one.digest, one.ipc).equals(one.table.to_pandas())
    assert [path.name for path in mirror.folder.iterdir() if not path.name.startswith(".lock")] == []
    assert "private memory" in caplog.text
    assert mirror.open(one.digest, one.ipc).equals(one.table)
    assert len(mirror.status().held) == 1


def test_a_failing_fetch_is_told_and_tried_again_by_the_next(mirror: Mirror) -> None:
    one = piece()

    def fail() -> bytes:
        raise BlobError("gone")

    with pytest.raises(BlobError, match="gone"):
        mirror.open(one.digest, fail)
    with pytest.raises(CandlesError, match="not a slice"):
        mirror.open(one.digest, lambda: b"junk")
    assert mirror.open(one.digest, one.ipc).equals(one.table)


@pytest.mark.parametrize("at", [0.5, 0.99, -1])
def test_one_flipped_bit_in_a_file_is_found_by_the_next_process_and_fetched_again(
    mirror: Mirror, at: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Every point of that node was computed on another price, without a word."""
    one = piece()
    mirror.open(one.digest, one.ipc)
    path = mirror.folder / f"{one.digest}.arrow"
    data = bytearray(path.read_bytes())
    data[int(len(data) * at) if at > 0 else -1] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    assert Mirror(mirror.folder, MANY).open(one.digest, one.ipc).equals(one.table)
    assert "is damaged (its checksum is another) and is fetched again" in caplog.text


def test_a_slice_that_is_written_into_after_it_was_checked_is_found_by_the_same_process(
    mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as by a controller of another sweep: it was checked once in the life of a child."""
    one = piece()
    mirror.open(one.digest, one.ipc)
    path = mirror.folder / f"{one.digest}.arrow"
    assert path.stat().st_mode & 0o777 == 0o400  # by mistake nobody writes into it
    mirror.open(one.digest, never)  # its use is noted, and is no change
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8)
    assert mirror.open(one.digest, one.ipc).equals(one.table)
    assert "is damaged (its checksum is another) and is fetched again" in caplog.text


@pytest.mark.parametrize("content", [b"", b"half a file"])
def test_a_damaged_file_is_fetched_again(mirror: Mirror, content: bytes) -> None:
    one = piece()
    mirror.folder.mkdir()
    (mirror.folder / f"{one.digest}.arrow").write_bytes(content)
    assert mirror.open(one.digest, one.ipc).equals(one.table)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "a/b", "a" * 200])
def test_an_address_is_no_path(mirror: Mirror, digest: str) -> None:
    with pytest.raises(CandlesError, match="not the address"):
        mirror.open(digest, never)


def test_an_unusable_folder_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HummingsweepError, match="HUMMINGSWEEP_MIRROR"):
        Mirror(tmp_path / "file", MANY).open("abc", never)


def test_a_folder_of_somebody_else_is_refused(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.folder.mkdir()
    monkeypatch.setattr(mirrors.os, "geteuid", lambda: mirror.folder.stat().st_uid + 1)
    with pytest.raises(HummingsweepError, match="another user"):
        mirror.open("abc", never)


def test_the_folder_is_for_its_user_only(mirror: Mirror) -> None:
    one = piece()
    mirror.open(one.digest, one.ipc)
    assert mirror.folder.stat().st_mode & 0o777 == 0o700


def test_many_who_want_one_slice_fetch_it_once(mirror: Mirror) -> None:
    one, fetched, seen = piece(), [], []
    gate = threading.Barrier(8)

    def fetch() -> bytes:
        fetched.append(1)
        return one.ipc()

    def want() -> None:
        gate.wait()
        seen.append(mirror.open(one.digest, fetch).num_rows)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fetched), seen) == (1, [1000] * 8)


PROCESS = """
import os, sys, time
from pathlib import Path
from tasks.candles.mirror import Mirror
folder, digest, data, log = sys.argv[1:5]
def fetch():
    with open(log, "a") as lines:
        lines.write(f"{os.getpid()}\\n")
    if "die" in sys.argv:
        os.kill(os.getpid(), 9)
    time.sleep(0.3)
    return Path(data).read_bytes()
mirror = Mirror(Path(folder), 1 << 30)
if "die-writing" in sys.argv:
    import tasks.candles.mirror as mirrors
    real = os.write
    def write(handle, view):
        real(handle, bytes(view)[:100])
        os.kill(os.getpid(), 9)
    os.write = write
print(mirror.open(digest, fetch).num_rows)
"""


@pytest.fixture
def start(mirror: Mirror, tmp_path: Path, repository: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a process that opens one slice."""
    one = piece()
    (tmp_path / "data").write_bytes(one.ipc())

    def process(*how: str) -> subprocess.Popen[str]:
        places = [str(mirror.folder), one.digest, str(tmp_path / "data"), str(tmp_path / "log")]
        return subprocess.Popen(
            [sys.executable, "-c", PROCESS, *places, *how], cwd=repository, stdout=subprocess.PIPE, text=True
        )

    return process


def test_processes_share_one_fetch(start, tmp_path: Path) -> None:
    assert [process.communicate()[0] for process in [start() for _ in range(4)]] == ["1000\n"] * 4
    assert len((tmp_path / "log").read_text().split()) == 1


@pytest.mark.parametrize("how", ["die", "die-writing"])
def test_a_child_that_dies_half_way_is_in_nobodys_way(start, mirror: Mirror, tmp_path: Path, how: str) -> None:
    dead = start(how)
    assert dead.communicate()[0] == ""
    assert dead.returncode == -9
    left = list(mirror.folder.glob(".*.tmp"))
    assert len(left) == (how == "die-writing")
    assert not list(mirror.folder.glob("*.arrow"))
    assert start().communicate()[0] == "1000\n"
    assert not list(mirror.folder.glob(".*.tmp"))


def test_clear_empties_the_folder_and_leaves_open_maps_alone(mirror: Mirror) -> None:
    one = piece()
    table = mirror.open(one.digest, one.ipc)
    (mirror.folder / ".dead.x.tmp").write_bytes(b"half")
    assert mirror.clear().bytes == len(one.ipc()) + TRAILER_BYTES
    assert mirror.status().held == ()
    assert not list(mirror.folder.glob(".*.tmp"))
    assert table.equals(one.table)


def test_a_mirror_that_was_never_used(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "nowhere", MANY)
    assert mirror.status().held == mirror.clear().held == ()
    assert not mirror.folder.exists()


@pytest.mark.parametrize(
    ("system", "shm_bytes", "disk", "expected"),
    [
        ("Linux", 1 << 34, None, "/dev/shm/hummingsweep-7"),
        ("Linux", 64 << 20, None, "/tmp/hummingsweep-7-mirror"),
        ("Linux", 0, None, "/tmp/hummingsweep-7-mirror"),
        ("Darwin", 0, Path("/Volumes/hummingsweep"), "/Volumes/hummingsweep/hummingsweep-7"),
        ("Darwin", 0, None, "/tmp/hummingsweep-7-mirror"),
    ],
)
def test_where_the_mirror_lies(system: str, shm_bytes: int, disk: Path | None, expected: str) -> None:
    assert choose_folder(system, 7, shm_bytes, disk, Path("/tmp")) == Path(expected)
