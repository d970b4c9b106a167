"""Fixtures every test may use."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import benchmarks  # noqa: F401  found now: hummingbot puts its own folder first, where another package has this name
from tasks.settings import Settings
from tests.cases import FEWER
from tests.leftovers import Leftovers

# the machines that run this share their cores: how long a draw takes says nothing about the code
settings.register_profile("shared cores", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared cores")

REPOSITORY = Path(__file__).resolve().parent.parent
LEFTOVERS = pytest.StashKey[Leftovers]()
#: What a machine may lack for good; any other reason to skip is a failure where TESTS_WITHOUT is set, as in CI.
MACHINE_LIMITS = (
    "no ../shared/data beside the checkout",
    "network namespaces need root",
    "no network namespaces on this machine",
    "mounting a small file system needs root",
    "this system has no /dev/full",
    "no systemd-analyze on this machine",
)


def pytest_configure(config: pytest.Config) -> None:
    """Kernels and byte code are compiled once for all processes of the tests, and for the next run of them."""
    gc.disable()  # nothing that is imported and collected is garbage; see pytest_collection_finish
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    own = Settings.read({"HUMMINGSWEEP_SETTINGS": os.devnull})
    if "not long" in config.getoption("markexpr"):
        os.environ[FEWER] = "yes"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(own.cache_folder / "kernels"))
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    config.stash[LEFTOVERS] = Leftovers(worker)


def pytest_collection_finish() -> None:
    """What is there now stays to the end: not to be looked through again and again spares a tenth of their CPU time."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing that a test started outlives the run."""
    if LEFTOVERS in config.stash:
        config.stash[LEFTOVERS].close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for processes stand among those that compute: together they fill the cores.

    Those that wait longest, for faults to take effect, stand far from each other among the first of them. Large files
    come first and the last fifth is for small ones alone, so that all processes end at about the same time.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: ("contracts" not in item.path.parts, -item.path.stat().st_size)):
        files.setdefault(item.path, []).append(item)  # the cases of contracts stand in other files
    longest = [path for path in files if "faults" in path.parts]
    waiting = [path for path in files if "integration" in path.parts and path not in longest]
    computing = [path for path in files if "integration" not in path.parts]
    order = _spread(_spread(longest, waiting, 0.6), computing, 0.8)
    items[:] = [item for path in order for item in files[path]]


def _spread(few: list[Path], many: list[Path], part: float) -> list[Path]:
    """`few` at equal distances among the first `part` of `many`; both in their order."""
    between = int(len(many) * part / max(len(few), 1))
    order: list[Path] = []
    for number, path in enumerate(few):
        order += [path, *many[number * between : (number + 1) * between]]
    return order + many[len(few) * between :]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """From here on, what is started is the test's own; before, it belonged to fixtures that end it themselves."""
    item.config.stash[LEFTOVERS].test_begins()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Nothing that a test starts outlives the test, also when it fails, times out or is tried again."""
    try:
        return (yield)
    finally:
        if said := item.config.stash[LEFTOVERS].test_ends(item.nodeid):
            item.warn(pytest.PytestWarning(said))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """In CI, a test that is skipped although its tool could be had is a failure.

    TESTS_WITHOUT: the tools that CI could not install, separated by blanks; empty where it has all of them.
    """
    report = yield
    if report.skipped and "TESTS_WITHOUT" in os.environ and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not may_skip(reason, os.environ["TESTS_WITHOUT"].split()):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped in CI ({reason}), where its tool can be had: see .ci/run"
    return report


def may_skip(reason: str, without: list[str]) -> bool:
    """Whether a test may be skipped in CI, where the tools `without` could not be installed."""
    return any(limit in reason for limit in MACHINE_LIMITS) or any(tool.lower() in reason.lower() for tool in without)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real candles beside the checkout; skips where they are not."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the checkout: tests on real candles are left out")
    return folder
