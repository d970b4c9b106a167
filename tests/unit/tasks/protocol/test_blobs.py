"""Controllers bundles: the same files give the same bytes; nothing leaves its folder."""

from __future__ import annotations

import errno
import io
import os
import shutil
import socket
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import BlobError, ControllerError
from tasks.protocol.blobs import (
    BUNDLE,
    BUNDLE_LIMIT_BYTES,
    digest_of,
    footprint,
    pack_controllers,
    unpack_controllers,
    unpacked,
)  # fmt: skip


def folder_with(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)
    return tmp_path


def test_pack_is_the_same_whenever_and_wherever(tmp_path: Path) -> None:
    one = folder_with(tmp_path / "one", directional__a="x = 1", helpers="y = 2")
    other = folder_with(tmp_path / "other", helpers="y = 2", directional__a="x = 1")
    (other / "__pycache__").mkdir()
    (other / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert pack_controllers(one) == pack_controllers(other)


def test_unpack_gives_the_files_back(tmp_path: Path) -> None:
    bundle = pack_controllers(folder_with(tmp_path / "source", directional__a="x = 1"))
    target = unpack_controllers(bundle, tmp_path / "into")
    assert (target / "controllers" / "directional" / "a.py").read_text() == "x = 1"
    assert unpack_controllers(bundle, tmp_path / "into") == target


def test_what_another_child_unpacks_meanwhile_is_not_taken_away(tmp_path: Path, monkeypatch) -> None:
    bundle, into = pack_controllers(folder_with(tmp_path / "controllers", a="v = 1")), tmp_path / "into"
    make_folder, theirs = tempfile.mkdtemp, []

    def another_is_faster(**options: object) -> str:
        monkeypatch.setattr(tempfile, "mkdtemp", make_folder)
        theirs.append((unpack_controllers(bundle, into) / "controllers").stat().st_ino)
        return make_folder(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", another_is_faster)
    target = unpack_controllers(bundle, into)
    assert [(target / "controllers").stat().st_ino] == theirs
    assert not list(into.glob(".unpack-*"))


def test_what_a_controller_did_to_its_own_files_is_mended(tmp_path: Path) -> None:
    bundle = pack_controllers(folder_with(tmp_path / "source", directional__a="x = 1", helpers="y = 2"))
    target = unpack_controllers(bundle, tmp_path / "into")
    (target / "controllers" / "helpers.py").write_text("y = 3")
    shutil.rmtree(target / "controllers" / "directional")
    assert unpacked(digest_of(bundle), tmp_path / "into") == target
    assert pack_controllers(target / "controllers") == bundle
    (target / BUNDLE).unlink()
    (target / "controllers" / "helpers.py").unlink()
    assert unpacked(digest_of(bundle), tmp_path / "into") is None
    assert pack_controllers(unpack_controllers(bundle, tmp_path / "into") / "controllers") == bundle


def test_a_node_without_room_is_named_with_its_folder_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the error of a point: "cannot be unpacked: [Errno 28]"."""
    bundle, into = pack_controllers(folder_with(tmp_path / "source", a="x = 1")), tmp_path / "into"
    (tmp_path / "file").write_text("")
    for place in (into, tmp_path / "file" / "into"):
        if place == into:
            monkeypatch.setattr(tarfile.TarFile, "extractall", _full)
        with pytest.raises(BlobError) as refused:
            unpack_controllers(bundle, place)
        assert str(refused.value).startswith(f"{socket.gethostname()}: the controllers cannot be unpacked in {place} (")
        assert "HUMMINGSWEEP_CACHE" in str(refused.value)
    assert not list(into.glob(".unpack-*"))


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_code_that_a_controller_put_into_a_bundles_folder_is_taken_away(tmp_path: Path) -> None:
    """An `__init__.py` there ran before every controller of the sweep whose folder it was."""
    bundle = pack_controllers(folder_with(tmp_path / "source", directional__a="x = 1"))
    target = unpack_controllers(bundle, tmp_path / "into")
    for name in ("__init__.py", "directional/b.py", "directional/model.bin"):
        (target / "controllers" / name).write_text("x = 2")
    assert unpacked(digest_of(bundle), tmp_path / "into") == target
    there = {file.name for file in (target / "controllers").rglob("*") if file.is_file()}
    assert there == {"a.py", "model.bin"}


def test_a_footprint_tells_of_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_with(tmp_path / "source", directional__a="x = 1", helpers="y = 2")
    assert footprint(folder) is None  # written a moment ago: the next change may have the same time
    monkeypatch.setattr("tasks.protocol.blobs.SETTLED_S", 0.0)

    def changes(work: Callable[[], object]) -> bool:
        before = footprint(folder)
        time.sleep(0.02)
        work()
        return footprint(folder) != before

    facts = (folder / "helpers.py").stat()
    assert not changes(lambda: (folder / "helpers.py").read_text())
    assert changes(lambda: (folder / "helpers.py").write_text("y = 3"))
    assert changes(lambda: os.utime(folder / "helpers.py", ns=(facts.st_atime_ns, facts.st_mtime_ns)))
    assert changes(lambda: (folder / "directional" / "b.py").write_text(""))
    assert changes(lambda: (folder / "directional" / "b.py").unlink())
    assert changes(lambda: shutil.rmtree(folder / "directional"))
    shutil.rmtree(folder)
    assert footprint(folder) is None


def test_two_versions_lie_side_by_side(tmp_path: Path) -> None:
    one = unpack_controllers(pack_controllers(folder_with(tmp_path / "1", a="v = 1")), tmp_path / "into")
    two = unpack_controllers(pack_controllers(folder_with(tmp_path / "2", a="v = 2")), tmp_path / "into")
    assert one != two


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "controllers/../../evil.py"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as bundle:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        bundle.addfile(entry, io.BytesIO(b"evil"))
    into = tmp_path / "a" / "b"
    if name.startswith("/"):  # the data filter takes the leading slash away: it lands inside
        target = unpack_controllers(buffer.getvalue(), into)
        assert (target / "tmp" / "evil.py").is_file()
        return
    with pytest.raises(BlobError):
        unpack_controllers(buffer.getvalue(), into)
    assert not list(tmp_path.rglob("evil.py"))
    assert not list(into.glob(".unpack-*"))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as bundle:
        entry = tarfile.TarInfo("controllers/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bundle.addfile(entry)
    with pytest.raises(BlobError):
        unpack_controllers(buffer.getvalue(), tmp_path)


def test_a_folder_given_by_mistake_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(BUNDLE_LIMIT_BYTES + 1))
    with pytest.raises(ControllerError, match="MB"):
        pack_controllers(tmp_path)
    with pytest.raises(ControllerError, match="no such controllers folder"):
        pack_controllers(tmp_path / "nowhere")


@pytest.mark.parametrize("to", ["../secret", "/etc/passwd", "nowhere.py", "../folder"])
def test_a_link_in_the_controllers_folder_that_leads_outside_is_refused_by_name(tmp_path: Path, to: str) -> None:
    """What it leads to went to every node, whatever it was."""
    folder = folder_with(tmp_path / "controllers", directional__a="x = 1")
    (tmp_path / "secret").write_text("the secret of somebody")
    (tmp_path / "folder").mkdir()
    link = folder / "directional" / "b.py"
    link.symlink_to(Path("..") / to if to.startswith("..") else to)
    with pytest.raises(ControllerError, match=r"directional/b\.py: is a link to .*outside"):
        pack_controllers(folder)
    link.unlink()
    beside = folder_with(tmp_path / "lib", helper="x = 1")
    (beside / "other.py").symlink_to(tmp_path / "secret")
    with pytest.raises(ControllerError, match=r"other\.py: is a link to"):
        pack_controllers(folder, [beside])


def test_links_within_the_folder_and_linked_folders_of_a_project_beside_it(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "controllers", directional__a="x = 1")
    (folder / "directional" / "b.py").symlink_to("a.py")
    (folder / "pipe.py").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "data").symlink_to("/etc")
    (tmp_path / "lib" / "notes.txt").symlink_to("/etc/passwd")
    with tarfile.open(fileobj=io.BytesIO(pack_controllers(folder, [tmp_path / "lib"]))) as bundle:
        assert [entry.name for entry in bundle] == [
            "controllers/pipe.py", "controllers/directional/a.py", "controllers/directional/b.py",
        ]  # fmt: skip
    (folder / "directional" / "c").symlink_to(folder / "directional")
    with pytest.raises(ControllerError, match="put the folder itself there"):
        pack_controllers(folder)


def test_a_pipe_among_the_controllers_is_not_waited_for_and_an_unreadable_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with(tmp_path, directional__a="x = 1")
    os.mkfifo(folder / "directional" / "pipe.py")
    assert pack_controllers(folder)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ControllerError, match=r"a\.py: cannot be read \(Permission denied\)"):
        pack_controllers(folder)
