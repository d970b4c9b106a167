"""A broker, nodes on cables and a sweep, for runs that take long."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ujson

from orchestrator.results.store_reader import StoreReader
from tests.conftest import REPOSITORY
from tests.integration.conftest import KEY, Cluster, Place, broker_at, small_sweep
from tests.long.cable import Cable

VISIBILITY_TIMEOUT_S = 12


@dataclass
class Node:
    """One node: its process, its cable, and by how many seconds its clock is off."""

    name: str
    cable: Cable
    process: subprocess.Popen[bytes]
    clock_off_s: int = 0


@dataclass
class Farm:
    """Everything of one run. Processes are ended by `farm()`."""

    cluster: Cluster
    place: Place
    out: Path
    #: LD_PRELOAD library that shifts a clock; None: no C compiler here
    shim: Path | None
    nodes: list[Node] = field(default_factory=list)
    orchestrator: subprocess.Popen[bytes] | None = None
    #: what the orchestrators printed
    log: Path = Path()

    def start_orchestrator(self) -> None:
        """`run`, again and again the same command."""
        with self.log.open("ab") as log:
            self.orchestrator = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli", "run", str(self.place.folder / "sweep.yml"),
                 "--no-audit", "--no-report", "--out", str(self.out)],
                cwd=self.place.folder, env=self.place.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def add_node(self, name: str) -> None:
        """A node with one child, on a cable of its own."""
        cable = Cable(urlsplit(self.cluster.environment["HUMMINGSWEEP_BROKER"]).port or 0)
        self.nodes.append(Node(name, cable, self._start(name, cable)))

    def restart(self, node: Node) -> None:
        """As systemd does with a node that died."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.process.pid, signal.SIGKILL)
        node.process.wait()
        node.process = self._start(node.name, node.cable, node.clock_off_s)

    def rows(self) -> int:
        """How many rows are stored."""
        return self.place.stored(str(self.out))

    def digest(self) -> str:
        """One text for all rows, whatever order, chunking and node they came from."""
        digest = hashlib.sha256()
        with StoreReader.open(self.out) as store:
            for row in store.rows(store.latest()):
                del row["seconds"]
                digest.update(ujson.dumps(row, sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def states(self) -> dict[str, int]:
        """Rows per status."""
        with StoreReader.open(self.out) as store:
            return {str(status): count for status, count in store.counts(store.latest()).items()}

    def _start(self, name: str, cable: Cable, clock_off_s: int = 0) -> subprocess.Popen[bytes]:
        address = self.cluster.environment["HUMMINGSWEEP_BROKER"]
        own = {
            "HUMMINGSWEEP_BROKER": address.replace(f":{urlsplit(address).port}", f":{cable.port}"),
            "HUMMINGSWEEP_CACHE": str(self.place.folder / f"cache-{name}"),
        }
        if clock_off_s and self.shim:
            own |= {"LD_PRELOAD": str(self.shim), "CLOCK_OFF_S": str(clock_off_s)}
        return self.cluster.add_node(children=1, name=name, **own)


@contextlib.contextmanager
def farm(folder: Path, grid: dict[str, list[Any]], nodes: int, **environment: str) -> Iterator[Farm]:
    """A broker with an append-only file, and nodes with one child each; everything is ended in the end, by id."""
    folder.mkdir(parents=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUMMINGSWEEP_")}
    settings = {
        "NUMBA_CACHE_DIR": str(REPOSITORY / ".pytest_cache" / "kernels"),
        **clean,
        "HUMMINGSWEEP_WARM_S": "0",
        "HUMMINGSWEEP_CACHE": str(folder / "cache"),
        "HUMMINGSWEEP_MIRROR": str(folder / "mirror"),
        "HUMMINGSWEEP_SETTINGS": os.devnull,
        "HUMMINGSWEEP_KEY": KEY,
        "HUMMINGSWEEP_VISIBILITY_TIMEOUT_S": str(VISIBILITY_TIMEOUT_S),
        "HUMMINGSWEEP_CHUNK_SECONDS": "1",
        **environment,
    }
    for name in ("broker", "sweep"):
        (folder / name).mkdir()
    with broker_at(folder / "broker", settings) as cluster:
        place = small_sweep(folder / "sweep", cluster.environment)
        place.sweep["grid"] = grid
        assert place.file.is_file()
        made = Farm(cluster, place, folder / "out" / "run", shim(folder), log=folder / "orchestrator.log")
        try:
            for number in range(nodes):
                made.add_node(f"n{number}")
            yield made
        finally:
            if made.orchestrator is not None:
                made.orchestrator.kill()
                made.orchestrator.wait()
            for node in made.nodes:
                node.cable.close()


def shim(folder: Path) -> Path | None:
    """The library that shifts a clock, compiled; None where there is no C compiler or no LD_PRELOAD."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "clock_shim.so"
    source = Path(__file__).with_name("clock_shim.c")
    done = subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=False)
    return None if done.returncode else library
