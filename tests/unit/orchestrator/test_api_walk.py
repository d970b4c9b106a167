"""`Sweep.walk_forward()`: the folds as a DataFrame."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.api import Sweep
from orchestrator.results.store import Store
from tasks.errors import StoreError
from tests.unit.orchestrator.sweepfile.test_validate import sweep as checked
from tests.unit.orchestrator.validation.test_answer import asked, filled


def test_one_row_a_fold_with_windows_choice_and_returns(tmp_path: Path) -> None:
    about = asked()
    with Store.create(tmp_path / "out") as store:
        name = filled(store, about)
        store.set_meta(name, "file", "sweep.yml")
    frame = Sweep(about, tmp_path / "out").walk_forward()
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["a"].tolist() == [5, 6, 7]
    assert frame["return_out"].tolist() == pytest.approx([0.1, 0.1, 0.1], rel=1e-4)
    assert str(frame["test_start"].iloc[0]) == "2024-02-10 00:00:00+00:00"
    assert frame.attrs["joined"]["winning_windows"] == 1.0
    assert frame.attrs["sweep"] == name


def test_a_sweep_without_windows_says_so(tmp_path: Path) -> None:
    about = checked()
    with Store.create(tmp_path / "out") as store:
        store.add_sweep(about.definition(), about.text, {"file": "sweep.yml"})
    with pytest.raises(StoreError, match="asks for no windows"):
        Sweep(about, tmp_path / "out").walk_forward()
