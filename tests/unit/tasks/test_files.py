"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from tasks.files import written_beside


def test_a_file_takes_its_name_when_it_is_whole_and_keeps_its_extensions(tmp_path):
    target = tmp_path / "new" / "candles_x_A-B_1m.csv.gz"
    with written_beside(target) as beside:
        assert beside.name.endswith(".csv.gz") and beside.parent == target.parent
        beside.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.stat().st_mode & 0o777 == 0o644


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    target.chmod(0o600)
    with pytest.raises(RuntimeError), written_beside(target) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    with written_beside(target) as beside:
        beside.write_text("new")
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a device"])
def test_what_is_no_file_is_never_replaced(tmp_path, kind):
    target = tmp_path / "target"
    make = {"pipe": os.mkfifo, "folder": Path.mkdir, "link to a device": lambda path: path.symlink_to(os.devnull)}
    make[kind](target)
    before = target.lstat()
    with pytest.raises(OSError, match="is no file"), written_beside(target) as beside:
        beside.write_text("new")
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert list(tmp_path.iterdir()) == [target]
