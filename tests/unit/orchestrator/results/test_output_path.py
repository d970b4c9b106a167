"""Where an answer is written (`--to`): files are replaced whole, links are followed, devices and pipes stay."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from orchestrator.results.output_path import check_target, replacing
from tasks.errors import StoreError


def written(path: Path, content: bytes = b"new") -> None:
    check_target(path)
    with replacing(path) as stream:
        stream.write(content)


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    """`report --to /dev/null`, as root, put the report in place of the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    written(pipe)
    reader.join()
    assert read == [b"new"]
    assert pipe.is_fifo()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "nowhere yet").symlink_to("made")
    for name, target in (("link", "there"), ("nowhere yet", "made")):
        written(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_text() == "new"


def test_a_link_to_itself_is_one_sentence(tmp_path: Path) -> None:
    """`report --to` and `rows --to` ended in a RuntimeError."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StoreError, match="a link that leads to itself"):
        written(tmp_path / "loop")


@pytest.mark.parametrize("name", ["results.sqlite", "RESULTS.lock", "link"])
def test_a_file_of_the_store_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("results.sqlite")
    with pytest.raises(StoreError, match="is a file of the result store"):
        written(tmp_path / name)


@pytest.mark.parametrize("name", ["", "x" * 300, "missing/page.html"])
def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        written(tmp_path / name)
