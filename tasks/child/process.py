"""A child's life: once per process, before the first chunk.

Threads are capped by the environment the node sets, the blackout goes up, then hummingbot is imported. What a child
keeps between chunks (its Redis client, definitions, markets, extracted controllers) hangs on one `Child` object.
"""

from __future__ import annotations

import logging
import os
import platform
import resource
import socket
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.broker.connect import connect
from tasks.broker.dialer import Dialer
from tasks.child.engines import Needs
from tasks.child.kernels import compile_kernels
from tasks.child.log_quota import LogQuota
from tasks.errors import BlobError, ParcelMissing, VersionMismatch
from tasks.garbage import imports_ended
from tasks.isolation.process_state import ProcessState
from tasks.protocol.blobs import (
    BUNDLE,
    DEFINITION_LIMIT_BYTES,
    PACKED_BUNDLE_LIMIT_BYTES,
    Blobs,
    digest_of,
    footprint,
    unpack_controllers,
    unpacked,
)
from tasks.protocol.messages import SweepDefinition
from tasks.protocol.scenario import PLAIN, Scenario
from tasks.settings import Settings, versions

if TYPE_CHECKING:
    from redis import Redis

    from tasks.candles.mirror import Mirror
    from tasks.engine._base import Market
    from tasks.engine.jump.shared import SharedFeatures
    from tasks.isolation.reset import PointIsolation

#: Sweeps whose definition and market a child keeps open at the same time.
KEPT = 4


@dataclass
class Child:
    """What one spawned process holds."""

    settings: Settings
    #: node and process, for rows and messages
    name: str
    #: opens its connections to the broker; None: this process is not shut off from the network
    dialer: Dialer | None = None
    #: bounds what its controllers print and log
    quota: LogQuota = field(default_factory=LogQuota)
    #: settings of the process before any controller was imported
    _process_state: ProcessState = field(default_factory=ProcessState.now)
    _definitions: OrderedDict[str, SweepDefinition] = field(default_factory=OrderedDict)
    _markets: OrderedDict[bytes, Market] = field(default_factory=OrderedDict)
    #: digest -> folder of the controllers, and its footprint when it was found to be as it came
    _unpacked: OrderedDict[str, tuple[Path, Any]] = field(default_factory=OrderedDict)
    #: digest -> the bundle itself: a point may delete the folder, and has no connection to the broker
    _bundles: OrderedDict[str, bytes] = field(default_factory=OrderedDict)

    @cached_property
    def needs(self) -> Needs:
        """Which of its controllers need the live engine, and why."""
        return Needs()

    @cached_property
    def features(self) -> SharedFeatures:
        """What this child's controllers derived, for the points that would derive the same."""
        from tasks.engine.jump.shared import SharedFeatures

        return SharedFeatures()

    @cached_property
    def redis(self) -> Redis:
        """This child's own connection; sits out a broker restart and a broker without room."""
        return connect(self.settings, patient=True, waits_for_room=True, dialer=self.dialer)

    def hang_up(self) -> None:
        """Close the connection to the broker; it is opened again when it is asked for, but not while a point runs.

        Otherwise a controller could write into it, by its descriptor or through the client: what it sent would be done
        in the node's name, and the answers to this child's own requests would be those to others.
        """
        client = self.__dict__.get("redis")
        if client is not None:
            client.connection_pool.disconnect()

    @cached_property
    def blobs(self) -> Blobs:
        """The blobs on the broker."""
        return Blobs(self.redis, self.settings.key)

    @cached_property
    def mirror(self) -> Mirror:
        """The node's slices in memory, shared with the other children."""
        from tasks.candles.mirror import Mirror, mirror_folder

        folder = Path(self.settings.mirror) if self.settings.mirror else mirror_folder()
        return Mirror(folder, self.settings.mirror_mb << 20)

    def definition(self, sweep: str, address: str) -> SweepDefinition:
        """The sweep's definition, fetched when it is new. `address`: of its blob; "" where the broker knows none.

        Raises BlobError, ParcelMissing, VersionMismatch.
        """
        if not address:
            raise ParcelMissing(f"sweep {sweep} is not on the broker any more")
        if address not in self._definitions:
            raw = self.blobs.get(address, signed=True, limit_bytes=DEFINITION_LIMIT_BYTES)
            definition = SweepDefinition.decode(raw)
            mine = versions()
            if definition.versions != mine:
                raise VersionMismatch(f"sweep {sweep} wants {definition.versions}, node {self.name} has {mine}")
            _keep(self._definitions, address, definition)
        definition = self._definitions[address]
        if definition.sweep != sweep:  # signed, but for another sweep; this child may have run that one before
            raise BlobError(f"sweep {sweep}: the broker holds the definition of {definition.sweep} in its place")
        return definition

    def controllers(self, definition: SweepDefinition) -> Path:
        """Folder that holds `controllers/` of this sweep, extracted once per node and content.

        A controller may have touched its own files: where anything in the folder is another, it is mended.
        """
        into, digest = self.settings.cache_folder / "bundles", definition.controllers
        if digest in self._unpacked:
            folder, seen = self._unpacked[digest]
            if seen is not None and footprint(folder) == seen:
                return folder
        folder = unpacked(digest, into) or unpack_controllers(self._bundle(digest, into), into)
        if digest not in self._bundles:
            _keep(self._bundles, digest, self._bundle(digest, into))
        _keep(self._unpacked, digest, (folder, footprint(folder)))
        return folder

    def _bundle(self, digest: str, into: Path) -> bytes:
        """A bundle of controllers, from this child's memory, the node's cache folder or the broker."""
        if digest in self._bundles:
            return self._bundles[digest]
        with suppress(OSError):
            data = (into / digest[:32] / BUNDLE).read_bytes()
            if digest_of(data) == digest:
                return data
        return self.blobs.get(digest, signed=True, limit_bytes=PACKED_BUNDLE_LIMIT_BYTES)

    @cached_property
    def isolation(self) -> PointIsolation:
        """Puts back before a point what those before it did."""
        from tasks.isolation.reset import PointIsolation
        from tasks.upstream.backtest import build

        return PointIsolation(build, self._process_state)

    def market(self, definition: SweepDefinition, scenario: Scenario = PLAIN) -> Market:
        """Candles and rules of this sweep under a scenario.

        The slices are mapped from the mirror; what is missing there is fetched from the broker. Raises ParcelMissing.
        """
        from tasks.engine._base import Market
        from tasks.engine.scenarios import market_of
        from tasks.upstream.backtest.rules import trading_rules

        key = definition.encode() + str(scenario).encode()
        if key not in self._markets:
            feeds = {
                feed: self.mirror.frame(address, partial(self.blobs.get, address))
                for feed, address in definition.slices.items()
            }
            series = {
                name: self.mirror.frame(address, partial(self.blobs.get, address))
                for name, address in definition.series.items()
            }
            market = Market(
                feeds=feeds,
                series=series,
                funding=definition.funding,
                trading_rules=trading_rules(definition.trading_rules),
                start=definition.start,
                end=definition.end,
                resolution=definition.resolution,
                trade_cost=definition.trade_cost,
                shift=definition.shift,
                warmup=definition.warmup,
            )
            _keep(self._markets, key, market_of(market, scenario, scenario.applied(definition)))
        return self._markets[key]

    def hang_marker(self, sweep: str, chunk: str) -> Path:
        """The file that tells why a child of this node ended in a careful attempt at a chunk; see
        tasks.child.deadline.
        """
        return self.settings.cache_folder / "hang-markers" / f"{sweep}-{chunk.replace(':', '-')}"


_child: Child | None = None


def child() -> Child:
    """This process's Child. Raises RuntimeError outside a child."""
    if _child is None:
        raise RuntimeError("not a child: tasks.child.process.begin() has not run")
    return _child


def begin(settings: Settings | None = None) -> Child:
    """Make this process a child: blackout first, then the imports that cost seconds."""
    global _child
    settings = settings or Settings.read()
    use_utc()
    logging.getLogger().setLevel(logging.WARNING)

    from tasks.isolation import blackout, clock, notes
    from tasks.upstream.imports import patches, stubs

    # before any other thread is begun: those would not be bound
    blackout.install()
    dialer = Dialer(blackout.allow_this_thread, blackout.refuse_in_a_back_test)
    blackout.shut_for_good()
    clock.install()
    notes.install()
    stubs.cut_network()
    if settings.lean:
        stubs.install_lean_imports()
    patches.apply()
    compile_kernels(settings)  # a compiler that runs inside a point would count as the point's time
    imports_ended()  # they began in tasks.launch
    _child = Child(settings, f"{settings.node or socket.gethostname()}/{os.getpid()}", dialer)
    return _child


def use_utc() -> None:
    """This process's time zone is UTC, whatever the machine's: controllers that ask for the local hour get the same
    answer on every node, and the one that a bot in Hummingbot's container gets."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def peak_memory_bytes() -> int:
    """Most memory this process ever held, resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak << 10  # macOS counts bytes, Linux kilobytes


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    while len(kept) > KEPT:
        kept.popitem(last=False)
