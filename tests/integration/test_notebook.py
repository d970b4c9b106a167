"""The example notebook on a real broker and real children."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.integration.conftest import Cluster

#: How plotly's figures reach the page.
PLOT = "application/vnd.plotly.v1+json"
#: Of a cell that is meant to fail.
RAISES = {"tags": ["raises-exception"]}


def test_the_notebook_runs_and_every_cell_shows_something(
    session_cluster: Cluster, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a kernel, as Jupyter runs it: an event loop runs in it while a cell does."""
    shutil.copytree(repository / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("realistic", "data"))
    synthetic = [sys.executable, "examples/synthetic.py", "--to", "examples/data", "--pairs", "BTC-USDT"]
    subprocess.run(synthetic, check=True, capture_output=True, cwd=tmp_path)
    for name, value in session_cluster.environment.items():  # the kernel is the orchestrator of the session's cluster
        if name.startswith("HUMMINGSWEEP_"):
            monkeypatch.setenv(name, value)
    for folder in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(folder, str(tmp_path / folder.lower()))
    notebook = nbformat.read(repository / "examples" / "notebook.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell('sweep.plot("equity", points=[99])', metadata=RAISES))
    NotebookClient(notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    shown = [output.data for of in outputs for output in of if "data" in output]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert "12 points, not run yet" in tables[0]
    assert len(tables) == 5 + 1  # five tables, and one bar that moved while the sweep ran
    assert sum(PLOT in data for data in shown) == 3
    assert "no returns of point 99" in outputs[-1][-1].evalue
