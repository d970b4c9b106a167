"""Every result store runs through the cases of `StoreCase`."""

from __future__ import annotations

from pathlib import Path

from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tests.contracts.store import StoreCase


class TestSqlite(StoreCase):
    def create(self, folder: Path) -> Store:
        return Store.create(folder)

    def open(self, folder: Path) -> StoreReader:
        return StoreReader.open(folder)
