"""The example notebook on a real broker and real children."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ujson

from tasks.errors import StoreError
from tests.integration.conftest import Cluster


def test_the_notebook_runs_and_every_cell_shows_something(
    session_cluster: Cluster, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cells as a kernel executes them: in one namespace, the value of the last expression is what is shown."""
    shutil.copytree(repository / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("realistic", "data"))
    synthetic = [sys.executable, "examples/synthetic.py", "--to", "examples/data", "--pairs", "BTC-USDT"]
    subprocess.run(synthetic, check=True, capture_output=True, cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in session_cluster.environment.items():  # this process is the orchestrator of the session's cluster
        if name.startswith("HUMMINGSWEEP_"):
            monkeypatch.setenv(name, value)
    cells = ujson.loads((repository / "examples" / "notebook.ipynb").read_text())["cells"]
    namespace: dict[str, Any] = {}
    shown = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), namespace)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), namespace))
    assert len(shown) == 8
    assert all(one._repr_html_() for one in shown)
    assert "12 points" in shown[0]._repr_html_()
    with pytest.raises(StoreError, match="no returns of point 99"):
        namespace["sweep"].plot("equity", points=[99])
