"""Blobs by content hash: slices, controllers, definitions.

A blob is a Redis hash under `hs:blob:<sha256>`:

    parts       how many parts follow
    0, 1, ...   at most PART_BYTES each, together the blob compressed with zstd
    size        bytes of the blob as it was given
    signature:<mark>
                HMAC-SHA256 of the hash with a key, for blobs that hold code or say what to run; <mark> names the key,
                so that orchestrators with different keys can publish the same blob on one broker

The address is the hash of the bytes, so a blob is sent once, may be fetched by anybody who knows the address, and
cannot be changed on the way. Whoever holds the key may say which code runs; the broker's password alone is not enough.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import hmac
import io
import os
import shutil
import socket
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow

from tasks.errors import BlobError, ControllerError, ParcelMissing
from tasks.protocol import names
from tasks.protocol.keys import blob_key, blob_key_beside

if TYPE_CHECKING:
    from redis import Redis

PART_BYTES = 32 * 1024 * 1024
#: The largest blob: a year of one-second candles compresses to well under this.
LIMIT_BYTES = 2 * 1024 * 1024 * 1024
#: Controllers are source code; more than this is a folder given by mistake.
BUNDLE_LIMIT_BYTES = 20 * 1024 * 1024
#: A bundle with what tar adds to its files; and the largest sweep definition.
PACKED_BUNDLE_LIMIT_BYTES = 32 * 1024 * 1024
DEFINITION_LIMIT_BYTES = 64 * 1024 * 1024
#: What zstd may add to bytes that cannot be packed, and how much is unpacked at a time.
PACKED_MARGIN_BYTES = 1 << 20
PIECE_BYTES = 1 << 20
#: Seconds a blob is kept after it was last used.
EXPIRY_S = 7 * 24 * 3600

#: Seconds after which a change of a file is told from the next one by its ctime.
SETTLED_S = 2.0

#: The bundle as it came, beside what was made of it.
BUNDLE = "bundle.tar"

_SIGNATURE = "signature:"

#: Folders in a bundle: the controllers', and with a number behind it each of the import path.
CONTROLLERS = "controllers"
IMPORT_PATH = "import-path-"

_LEFT_OUT = {"__pycache__", "node_modules", "site-packages", "venv"}


def digest_of(data: bytes) -> str:
    """The address of some bytes."""
    return hashlib.sha256(data).hexdigest()


class Blobs:
    """The blobs on one broker. `key` signs and checks; empty: nothing can be signed or checked."""

    def __init__(self, redis: Redis, key: str):
        self._redis = redis
        self._key = key.encode()

    def put(self, data: bytes, *, sign: bool = False) -> str:
        """Publish a blob and return its address; its bytes are not sent when the broker holds them already, undamaged.

        Raises BlobError when it is too large, or must be signed and there is no key.
        """
        if len(data) > LIMIT_BYTES:
            raise BlobError(
                f"a blob of {len(data) >> 20} MB is over the limit of {LIMIT_BYTES >> 20} MB: shorten the period"
            )
        digest = digest_of(data)
        name = blob_key(digest)
        packed = pyarrow.compress(data, codec="zstd", asbytes=True)
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        if not self._holds(name, len(data), parts):
            # written beside and renamed: a half-sent blob is never found
            beside = blob_key_beside(digest, os.urandom(8).hex())
            self._redis.hset(beside, mapping={"parts": len(parts), "size": len(data)})
            self._redis.expire(beside, 3600)
            for number, part in enumerate(parts):
                self._redis.hset(beside, str(number), part)
            self._keep_signatures(name, beside)
            self._redis.rename(beside, name)
        if sign:
            self._redis.hset(name, self._signature_field, self._signature(digest))
        self._redis.expire(name, EXPIRY_S)
        return digest

    def get(self, digest: str, *, signed: bool = False, limit_bytes: int = LIMIT_BYTES) -> bytes:
        """Fetch a blob and check it. `limit_bytes`: the largest that is taken, unpacked.

        Raises ParcelMissing when it is not there or damaged (then it is deleted, so that the orchestrator publishes it
        again), BlobError when it is too large or wrongly signed.
        """
        name = blob_key(digest)
        if signed:
            self._check_signature(name, digest)
        try:
            packed = self._packed(name, limit_bytes)
            # in two steps: what is not what it should be is found before there is room made for it
            found, size = _measured(packed, limit_bytes)
            if found != digest:
                raise ValueError("its content is another")
            data = bytes(pyarrow.decompress(packed, decompressed_size=size, codec="zstd", asbytes=True))
        except _Absent:
            raise ParcelMissing(
                f"blob {digest[:12]} is not on the broker (expired or removed): start the sweep again"
            ) from None
        except (KeyError, ValueError, OSError) as error:
            self._redis.unlink(name)
            raise ParcelMissing(
                f"blob {digest[:12]} was damaged ({error}) and is deleted: start the sweep again"
            ) from error
        self._redis.expire(name, EXPIRY_S)
        return data

    def _holds(self, name: str, size: int, parts: Sequence[bytes]) -> bool:
        """Whether the broker has these bytes already. It compares them itself: nothing large is sent."""
        if self._redis.hmget(name, ["parts", "size"]) != [b"%d" % len(parts), b"%d" % size]:
            return False
        script = self._redis.register_script(_part_digest())
        return all(
            script(keys=[name], args=[number]) == hashlib.sha1(part, usedforsecurity=False).hexdigest().encode()
            for number, part in enumerate(parts)
        )

    def _keep_signatures(self, name: str, beside: str) -> None:
        """A damaged blob that is published again keeps what other keys signed: the address is the same."""
        for raw in self._redis.hkeys(name):
            field = names.as_text(raw)
            if field.startswith(_SIGNATURE):
                signature = self._redis.hget(name, field)
                if signature is not None:
                    self._redis.hset(beside, field, signature)

    def _packed(self, name: str, limit_bytes: int) -> bytes:
        """A blob as it is stored. Raises _Absent, BlobError, ValueError."""
        parts, size = self._redis.hmget(name, ["parts", "size"])
        if parts is None and size is None:
            raise _Absent
        count, claimed = int(parts or b"x"), int(size or b"x")
        if not 0 <= claimed <= limit_bytes:
            raise BlobError(f"{name}: claims {claimed >> 20} MB, over the limit of {limit_bytes >> 20} MB: refused")
        if not 0 <= count <= limit_bytes // PART_BYTES + 1:
            raise ValueError(f"{count} parts")
        found: list[bytes] = []
        for number in range(count):
            part = self._redis.hget(name, str(number))
            if not isinstance(part, bytes):
                raise ValueError(f"part {number} is missing")
            found.append(part)
            if sum(map(len, found)) > claimed + PACKED_MARGIN_BYTES:
                raise ValueError("it is larger than what it unpacks to")
        return b"".join(found)

    def _check_signature(self, name: str, digest: str) -> None:
        """Raises BlobError, ParcelMissing."""
        expected = self._signature(digest)
        given = self._redis.hget(name, self._signature_field)
        if given is not None and hmac.compare_digest(names.as_text(given).encode(), expected.encode()):
            return
        fields = [names.as_text(field) for field in self._redis.hkeys(name)]
        if not fields:
            raise ParcelMissing(f"blob {digest[:12]} is not on the broker (expired or removed): start the sweep again")
        if any(field.startswith(_SIGNATURE) for field in fields):
            raise BlobError(
                f"blob {digest[:12]} is signed with another key: give orchestrator and node the same HUMMINGSWEEP_KEY"
            )
        raise BlobError(f"blob {digest[:12]} is not signed: this node runs only signed sweeps")

    @property
    def _signature_field(self) -> str:
        """One per key, named by a mark that does not give the key away: keys that share a broker do not meet."""
        return _SIGNATURE + hmac.new(self._key, b"hummingsweep signature", hashlib.sha256).hexdigest()[:16]

    def _signature(self, digest: str) -> str:
        if not self._key:
            raise BlobError(
                "no signing key: set HUMMINGSWEEP_KEY or HUMMINGSWEEP_KEY_FILE to the same secret "
                "on orchestrator and nodes"
            )
        return hmac.new(self._key, digest.encode(), hashlib.sha256).hexdigest()


class _Absent(Exception):
    """There is no such blob."""


@functools.cache
def _part_digest() -> str:
    """The script that has the broker digest one part."""
    return Path(__file__).with_name("part_digest.lua").read_text()


def _measured(packed: bytes, limit_bytes: int) -> tuple[str, int]:
    """The address of what packed bytes hold, and its size; takes PIECE_BYTES of memory, whatever they unpack to.

    Raises OSError for what is not zstd, ValueError over the limit.
    """
    digest, total = hashlib.sha256(), 0
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as stream:
        while piece := stream.read(PIECE_BYTES):
            total += len(piece)
            if total > limit_bytes:
                raise ValueError("it unpacks to more than it claims")
            digest.update(piece)
    return digest.hexdigest(), total


def pack_controllers(folder: Path, import_path: Sequence[Path] = ()) -> bytes:
    """The controllers folder as a tar file; the same files give the same bytes. Raises ControllerError.

    `import_path`: folders whose Python files come along, without those of the controllers folder itself.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as bundle:
        left = _pack(bundle, folder, CONTROLLERS, _files(folder, "controllers"), BUNDLE_LIMIT_BYTES)
        for number, beside in enumerate(import_path):
            own = folder.resolve()
            files = (path for path in _files(beside, "import_path") if not path.resolve().is_relative_to(own))
            left = _pack(bundle, beside, f"{IMPORT_PATH}{number}", files, left)
    return buffer.getvalue()


def _pack(bundle: tarfile.TarFile, folder: Path, name: str, files: Iterator[Path], left: int) -> int:
    """Add files of a folder under a name; the bytes that may still come. Raises ControllerError."""
    for path in files:
        try:
            left -= path.stat().st_size
            content = path.read_bytes() if left >= 0 else b""
        except OSError as error:
            raise ControllerError(f"{path}: cannot be read ({error.strerror})") from None
        if left < 0:
            raise ControllerError(
                f"{folder}: more than {BUNDLE_LIMIT_BYTES >> 20} MB; keep only controllers and their helpers there"
            )
        entry = tarfile.TarInfo(f"{name}/{path.relative_to(folder).as_posix()}")
        entry.size, entry.mode = len(content), 0o644
        bundle.addfile(entry, io.BytesIO(content))
    return left


def unpack_controllers(data: bytes, into: Path) -> Path:
    """Extract a bundle under `into`/<hash> once and return that folder, which holds `controllers/`.

    A folder that another process put there meanwhile stays: its modules may be being imported. Paths that leave the
    folder, links and devices are refused (tarfile's data filter). Raises BlobError.
    """
    target = into / digest_of(data)[:32]
    if unpacked(digest_of(data), into):
        return target
    try:
        into.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".unpack-", dir=into))
    except OSError as error:
        raise _no_place(into, error) from error
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as bundle:
            if sum(entry.size for entry in bundle) > BUNDLE_LIMIT_BYTES:
                raise BlobError(f"a controllers bundle over {BUNDLE_LIMIT_BYTES >> 20} MB is refused")
            bundle.extractall(beside, filter="data")
        (beside / BUNDLE).write_bytes(data)
        with _alone(into, target.name):  # the children of a node meet a new sweep at the same moment
            if not unpacked(digest_of(data), into):
                shutil.rmtree(target, ignore_errors=True)  # there, but not as it was
                beside.rename(target)
    except tarfile.TarError as error:
        raise BlobError(f"a controllers bundle cannot be unpacked: {error}") from error
    except OSError as error:
        raise _no_place(into, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _no_place(into: Path, error: OSError) -> BlobError:
    """Names machine and folder: who reads it sits at another machine, and sees it as the error of a point."""
    return BlobError(
        f"{socket.gethostname()}: the controllers cannot be unpacked in {into} ({error.strerror or error}): make room "
        "or give the right to write there, or set HUMMINGSWEEP_CACHE on that node to another folder; then give the "
        "command again with --retry"
    )


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """No other process of this machine is inside for the same folder and name."""
    with (folder / f".lock-{name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpacked(digest: str, into: Path) -> Path | None:
    """The folder that `unpack_controllers` made of this bundle, mended; None when there is none or it is beyond that.

    A controller may delete or change its own files, or those of another sweep: the next sweep, and a child that starts
    later, must not see it. Python files that the bundle does not hold are deleted; other files stay.
    """
    target, ours = into / digest[:32], set[Path]()
    try:
        data = (target / BUNDLE).read_bytes()
        if digest_of(data) != digest:
            return None
        with tarfile.open(fileobj=io.BytesIO(data)) as bundle:
            for entry in bundle:
                content = bundle.extractfile(entry)
                if content is None:  # a folder
                    continue
                file = target / tarfile.data_filter(entry, str(target)).name
                ours.add(file)
                wanted = content.read()
                if not file.is_file() or file.read_bytes() != wanted:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    beside = file.with_name(f".{file.name}.{os.getpid()}")
                    beside.write_bytes(wanted)
                    beside.replace(file)
        for file in target.rglob("*.py"):
            if file not in ours:
                file.unlink(missing_ok=True)
    except (OSError, tarfile.TarError):
        return None
    return target


def footprint(folder: Path) -> tuple[tuple[str, int, int], ...] | None:
    """What is another when anything in a folder was written, added or taken away: (path, bytes, ctime in ns) each.

    None where nothing is there, and where it is not sure: something changed within SETTLED_S, and may do so again
    without its ctime telling.
    """
    entries: list[tuple[str, int, int]] = []
    try:
        for place, folders, files in os.walk(folder):
            for name in (*folders, *files):
                facts = os.lstat(os.path.join(place, name))  # noqa: PTH118  a Path each takes ten times as long
                entries.append((f"{place}/{name}", facts.st_size, facts.st_ctime_ns))
    except OSError:
        return None
    newest = max((changed for *_, changed in entries), default=0)
    return tuple(entries) if entries and time.time() - newest / 1e9 > SETTLED_S else None


def _files(folder: Path, key: str) -> Iterator[Path]:
    """Every file in name order, without hidden ones, caches and virtual environments.

    Raises ControllerError, also for a link that leads out of the folder: a bundle goes to every node, and a link made
    by somebody else could name any file of this machine.
    """
    if not folder.is_dir():
        what = "controllers folder" if key == "controllers" else "folder"
        raise ControllerError(f"{folder}: no such {what}; set `{key}:` in the sweep file")
    inside = folder.resolve()
    for place, folders, files in os.walk(folder):
        kept = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _LEFT_OUT and not (Path(place) / name / "pyvenv.cfg").is_file()
        )
        if key == "controllers":  # an import path may be a whole project; linked folders in it do not travel
            for name in kept:
                _check_link(Path(place) / name, inside, key)
        folders[:] = kept
        for name in sorted(files):
            path = Path(place) / name
            if name.startswith(".") or (key == "import_path" and path.suffix != ".py"):
                continue
            _check_link(path, inside, key)
            if path.is_file():  # no socket, no pipe: reading one would wait for ever
                yield path


def _check_link(path: Path, inside: Path, key: str) -> None:
    """Raises ControllerError for a link that leads out of the folder or nowhere, and for a link to a folder."""
    if not path.is_symlink():
        return
    to = Path(os.path.realpath(path))
    if not to.is_relative_to(inside) or not to.exists():
        raise ControllerError(
            f"{path}: is a link to {to}, outside of `{key}:` {inside}; put a copy there, or name the folder it leads "
            "to in `import_path:`"
        )
    if to.is_dir():
        raise ControllerError(f"{path}: is a link to the folder {to}; put the folder itself there")
