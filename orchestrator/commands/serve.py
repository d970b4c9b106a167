"""serve: the sweeps of a folder on a local page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.report import serve as server


def serve(
    folder: Annotated[Path, typer.Argument(help="Folder of output folders.")] = Path("runs"),
    host: Annotated[str, typer.Option("--host", help="Interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = server.PORT,
) -> None:
    """All sweeps of a folder, and the running one live, on one local page with their reports.

    Examples:
      hummingsweep serve
      hummingsweep serve runs --port 9000
    """
    server.serve(folder, host, port)
