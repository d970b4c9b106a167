"""A store that is deleted or replaced while it is written is noticed, and its rows are saved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.results.database import FILE
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tasks.errors import StoreError
from tests.unit.orchestrator.stores import chunk, fill, ok


def replaced(folder: Path) -> None:
    for file in folder.glob(f"{FILE}*"):
        file.unlink()
    (folder / FILE).write_bytes(b"something else")


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (shutil.rmtree, "was deleted"),
        (lambda folder: (folder / FILE).unlink(), "was deleted"),
        (lambda folder: (folder / f"{FILE}-wal").unlink(), "was deleted"),
        (lambda folder: folder.rename(folder.with_name("elsewhere")), "was deleted"),
        (replaced, "was replaced"),
    ],
    ids=["folder", "file", "log", "renamed", "replaced"],
)
def test_it_is_noticed_at_the_next_row_and_the_rows_are_saved(
    tmp_path: Path, harm: Callable[[Path], object], what: str
) -> None:
    """SQLite wrote on into the deleted file, and the sweep ended with exit code 0 and without a row."""
    folder = tmp_path / "out"
    with Store.create(folder) as store:
        sweep = fill(store, [ok(0, net_pnl=1.5), ok(1, net_pnl=2.5)])
        harm(folder)
        with pytest.raises(StoreError, match=f"{what} while the sweep runs; the rows stored until then are saved as"):
            store.insert(sweep, chunk([ok(2, net_pnl=3.5)]))
        with pytest.raises(StoreError, match=what):
            store.meta(sweep)
    saved = next(folder.glob("saved-*.sqlite"))
    again = tmp_path / "again"
    again.mkdir()
    saved.rename(again / FILE)
    with Store.create(again) as store:
        assert [row["net_pnl"] for row in store.rows(sweep)] == [1.5, 2.5]


def test_a_store_in_use_is_itself(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        sweep = fill(store, [])
        for point in range(12):
            store.insert(sweep, chunk([ok(point)]))
            with StoreReader.open(tmp_path) as reader:
                assert sum(reader.counts(sweep).values()) == point + 1
