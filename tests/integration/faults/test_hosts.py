"""Nodes as hosts of their own: each in a Linux network namespace with a cable to the broker and nothing else.

A host has its own addresses, cache and mirror, so whatever it computes with came through the broker. Pulling the cable
is what a lost network is: no packet comes, and nobody says so. Needs root; skipped with a word where it is not allowed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Cluster, Place, broker_at, eventually
from tests.integration.faults.conftest import LENGTHS, finish, results, started

VISIBILITY_TIMEOUT_S = 12


def ip(*arguments: str) -> None:
    """The command `ip`; its own words when it refuses."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@dataclass
class Host:
    """A network namespace and the cable to it."""

    number: int
    namespace: str
    #: the cable's end on the broker's side
    cable: str
    folder: Path

    @property
    def broker_address(self) -> str:
        """Where this host finds the broker."""
        return f"10.213.{self.number}.1"

    def plug_in(self) -> None:
        """Make the namespace and the cable. Raises OSError."""
        inner = f"{self.cable}n"
        ip("netns", "add", self.namespace)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", inner, "netns", self.namespace)
        ip("address", "add", f"{self.broker_address}/24", "dev", self.cable)
        ip("link", "set", self.cable, "up")
        ip("-n", self.namespace, "address", "add", f"10.213.{self.number}.2/24", "dev", inner)
        ip("-n", self.namespace, "link", "set", inner, "up")
        ip("-n", self.namespace, "link", "set", "lo", "up")

    def cut_off(self) -> None:
        """Pull the cable."""
        ip("link", "set", self.cable, "down")

    def bring_back(self) -> None:
        """Put it in again; what the kernel forgot with it comes back."""
        ip("link", "set", self.cable, "up")

    def remove(self) -> None:
        """The namespace; the cable goes with it."""
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", self.cable], capture_output=True, check=False)

    def slices(self) -> list[Path]:
        """What lies in the host's own mirror."""
        return list((self.folder / "mirror").glob("*.arrow"))


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Cluster]:
    """A broker that also listens to other hosts."""
    environment = {**bare_environment, "HUMMINGSWEEP_VISIBILITY_TIMEOUT_S": str(VISIBILITY_TIMEOUT_S)}
    with broker_at(tmp_path_factory.mktemp("broker"), environment, bind="0.0.0.0") as cluster:
        yield cluster


@pytest.fixture
def hosts(tmp_path: Path, cluster: Cluster) -> Iterator[list[Host]]:
    """Two hosts; gone when their nodes have been stopped."""
    mark = f"{os.getpid() % 100_000}"
    found = [Host(number, f"hs{mark}h{number}", f"hs{mark}c{number}", tmp_path / f"host{number}") for number in (1, 2)]
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the command `ip`: hosts of their own are not tested here")
    try:
        try:
            for host in found:
                host.plug_in()
        except OSError as error:
            pytest.skip(f"no network namespaces on this machine ({error}): hosts of their own are not tested here")
        yield found
        cluster.stop()
    finally:
        for host in found:
            host.remove()


@pytest.fixture
def join(cluster: Cluster) -> Callable[[Host], subprocess.Popen[bytes]]:
    """Start a node of one child on a host, as its user would: address and key from the environment."""

    def start(host: Host) -> subprocess.Popen[bytes]:
        host.folder.mkdir(exist_ok=True)
        return cluster.add_node(
            children=1,
            name=f"host{host.number}",
            within=("ip", "netns", "exec", host.namespace),
            HUMMINGSWEEP_BROKER=cluster.server.broker.replace("127.0.0.1", host.broker_address),
            HUMMINGSWEEP_CACHE=str(host.folder / "cache"),
            HUMMINGSWEEP_MIRROR=str(host.folder / "mirror"),
        )

    return start


def test_a_host_is_cut_off_and_brought_back(
    sweep: Place, hosts: list[Host], join: Callable[[Host], Any], undisturbed: list[dict[str, Any]]
) -> None:
    away, steady = hosts
    nodes = [join(host) for host in hosts]
    process = started(sweep)
    # both took part with nothing but what the broker gave them
    eventually(lambda: all(host.slices() for host in hosts), 60, "a slice in each host's own mirror")
    away.cut_off()
    time.sleep(VISIBILITY_TIMEOUT_S + 3)  # its chunk is given to the other one
    away.bring_back()
    finish(process)
    assert results(sweep.rows()) == undisturbed
    assert [node.poll() for node in nodes] == [None, None]

    # alone it still works: it has found the broker again
    steady.cut_off()
    sweep.sweep["grid"] = {"trouble": ["sleep:0"], "length": LENGTHS}
    again = sweep.run("run", sweep.file, "--out", "runs/again", "--no-audit", "--no-report")
    assert again.code == 0, again.err
    assert results(sweep.rows("runs/again")) == undisturbed
