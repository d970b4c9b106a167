"""Publishes what a sweep needs on the broker: controllers, slices, trading rules, definition.

The one place where the orchestrator touches candles. What needs hummingbot (is the config accepted, which feeds does
the controller ask for?) is asked of a child through a probe, a chunk like any other (tasks.feeds says which points). A
point whose config is refused will be a row that says so; a sweep is refused when no point that was asked has a config.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.broker import wait_for_children
from orchestrator.execution.controllers import helper_hint, pack
from orchestrator.execution.fill_detail import finer_slices
from orchestrator.execution.gather import gather
from orchestrator.execution.precheck import markets, place_of_refusal
from orchestrator.progress.watcher import Silent, Watcher
from orchestrator.sweepfile import rules
from orchestrator.sweepfile.skip import skip_of, spread_kept
from orchestrator.sweepfile.sweep import Sweep, sweep_id
from orchestrator.validation.coverage import check_coverage
from orchestrator.validation.folds import windows_of
from tasks import feeds
from tasks.candles.formats import find
from tasks.candles.resample import slice_for
from tasks.candles.series import read_series
from tasks.candles.validation import contradiction
from tasks.errors import CandlesError, ControllerError
from tasks.grid import Grid
from tasks.intervals import interval_seconds, is_regular
from tasks.named_types import JsonObject, Row
from tasks.protocol.blobs import EXPIRY_S, digest_of
from tasks.protocol.keys import Keys
from tasks.protocol.messages import FeedNeed, Kind, SweepDefinition
from tasks.settings import versions

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster

#: Points that are asked in any case where `skip` leaves others out.
KEPT_ASKED = 8
#: Seconds a fresh node may take until its children have imported hummingbot.
CHILDREN_READY_S = 180.0


@dataclass
class Feeds:
    """The feeds that a sweep's points need, as a child said; kept in the store, so that nobody asks twice."""

    #: digest of what decides them: config, grid, controllers, versions, resolution, ...
    of: str = ""
    needs: list[FeedNeed] = field(default_factory=list)
    #: what is worth knowing about points whose config is refused; "" when there are none
    refused: str = ""

    @classmethod
    def from_document(cls, document: JsonObject) -> Feeds:
        """The inverse of `to_document`; of an empty document, feeds of nothing."""
        needs = [FeedNeed(*fields) for fields in document.get("needs", ())]
        return cls(document.get("of", ""), needs, document.get("refused", ""))

    def to_document(self) -> JsonObject:
        """As JSON values."""
        needs = [[need.connector, need.trading_pair, need.interval, need.max_records] for need in self.needs]
        return {"of": self.of, "needs": needs, "refused": self.refused}


def publish(
    sweep: Sweep, cluster: Cluster, watcher: Watcher, *, kind: Kind = Kind.RUN, known: Feeds | None = None
) -> SweepDefinition:
    """Publish everything and return the definition with its final id.

    `known`: feeds that were asked for before; filled in when they are of another sweep. Raises ControllerError (every
    config that was asked is refused), CandlesError, TradingRulesMissing, BrokerError, BlobError.
    """
    known = Feeds() if known is None else known
    controllers = cluster.blobs.put(pack(sweep), sign=True)
    bare = sweep.definition(kind=Kind.PROBE, controllers=controllers, versions=versions())
    if known.of != digest_of(bare.encode()):
        wait_for_children(cluster, CHILDREN_READY_S, watcher.say)
        try:
            known.needs, known.refused = _ask_for_feeds(sweep, bare, cluster)
        except ControllerError as error:
            place = place_of_refusal(sweep, str(error))
            raise ControllerError(f"{place}: {error}" if place else str(error)) from None
        known.of = digest_of(bare.encode())
    if known.refused:
        watcher.say(known.refused)
    definition = defined(sweep, known.needs, controllers, cluster.blobs.put, watcher, kind=kind)
    return announce(definition, cluster)


def without_cluster(sweep: Sweep, known: Feeds) -> SweepDefinition | None:
    """The definition that `publish` would give, found without broker and child; None where a child must be asked.

    Raises ControllerError, CandlesError, TradingRulesMissing, BlobError.
    """
    controllers = digest_of(pack(sweep))
    bare = sweep.definition(kind=Kind.PROBE, controllers=controllers, versions=versions())
    if known.of != digest_of(bare.encode()):
        return None
    return defined(sweep, known.needs, controllers, digest_of, Silent())


def defined(
    sweep: Sweep,
    needs: Sequence[FeedNeed],
    controllers: str,
    put: Callable[[bytes], str],
    watcher: Watcher,
    *,
    kind: Kind = Kind.RUN,
) -> SweepDefinition:
    """The definition of a sweep whose feeds are known, with its final id.

    `controllers`: address of the bundle. `put`: stores the bytes of a slice and gives their address. Raises
    CandlesError, TradingRulesMissing, BlobError.
    """
    bases = _bases(sweep, needs)
    slices, lead = _slices(sweep, [*needs, *bases], put, watcher, optional={need.key for need in bases})
    slices |= finer_slices(sweep, needs, find(sweep.candles), put, watcher.say)
    held_out = sweep.period.end > sweep.end
    definition = sweep.definition(
        kind=kind,
        controllers=controllers,
        versions=versions(),
        slices=slices,
        lead=lead,
        warmup_candles={need.key: _depth(sweep, need) for need in [*needs, *bases] if need.key in slices},
        series={name: put(read_series(path, sweep.period.end)) for name, path in sorted(sweep.series.items())},
        candles_end=sweep.period.end if held_out else 0,
        trading_rules=rules.load(
            sweep.trading_rules, markets(sweep), [(need.connector, need.trading_pair) for need in needs]
        ),
    )
    return dataclasses.replace(definition, sweep=sweep_id(definition))


def announce(definition: SweepDefinition, cluster: Cluster) -> SweepDefinition:
    """Put the (signed) definition where children look for it."""
    address = cluster.blobs.put(definition.encode(), sign=True)
    cluster.redis.set(Keys(definition.sweep).definition, address, ex=EXPIRY_S)
    return definition


def with_kind(definition: SweepDefinition, kind: Kind, cluster: Cluster, **options: Any) -> SweepDefinition:
    """The same sweep for another kind of work, under an id of its own."""
    name = f"{kind.value}-{definition.sweep}-{uuid.uuid4().hex[:6]}"
    return announce(dataclasses.replace(definition, sweep=name, kind=kind, options=options), cluster)


def forget(definition: SweepDefinition, cluster: Cluster) -> None:
    """Delete what the broker holds under this id (blobs stay until they expire)."""
    names = list(cluster.redis.scan_iter(Keys(definition.sweep).all_of_it))
    if names:
        cluster.redis.delete(*names)


def _ask_for_feeds(sweep: Sweep, bare: SweepDefinition, cluster: Cluster) -> tuple[list[FeedNeed], str]:
    """The feeds of all points, each with the deepest history any probed point asks for, and what points are refused.

    Raises ControllerError when every point that was asked is refused.
    """
    grid = Grid.from_mapping(bare.grid)
    probe = announce(dataclasses.replace(bare, sweep=f"probe-{uuid.uuid4().hex[:10]}"), cluster)
    rows: dict[int, Row] = {}
    skip = skip_of(bare)
    asking = feeds.asking(grid, bare.seed, also=spread_kept(grid, KEPT_ASKED, skip) if skip is not None else ())
    try:
        points = next(asking)
        while True:
            kept = [point for point in points if skip is None or not skip(point)]
            came = gather(cluster, probe, kept, Silent())
            rows |= {row["point"]: row for row in came}
            needs = {row["point"]: [FeedNeed(*fields) for fields in row.get("feeds") or ()] for row in came}
            points = asking.send({point: needs.get(point, []) for point in points})
    except StopIteration as end:
        answers: feeds.Answers = end.value
    finally:
        forget(probe, cluster)
    refused = [rows[point] for point in sorted(rows) if not answers[point]]
    if refused:
        first = refused[0]
        values = ", ".join(f"{name}={value}" for name, value in grid.values(first["point"]).items())
        why = f"point {first['point']} ({values}): {first['error']}{helper_hint(first['error'], sweep)}"
        if len(refused) == len(rows):
            raise ControllerError(why)
        sentence = (
            f"{len(refused)} of the {len(rows)} points that were asked refuse their config and will be rows that say "
            f"so: {why}"
        )
        return feeds.deepest(answers), sentence
    return feeds.deepest(answers), ""


def _slices(
    sweep: Sweep,
    needs: Sequence[FeedNeed],
    put: Callable[[bytes], str],
    watcher: Watcher,
    optional: Collection[str] = (),
) -> tuple[dict[str, str], dict[str, int]]:
    """Slice every feed and publish the slices: feed key -> address, feed key -> candles before the period.

    `optional`: feeds that are left out where the files do not have them.
    """
    files = find(sweep.candles)
    addresses: dict[str, str] = {}
    lead: dict[str, int] = {}
    windows = windows_of(sweep)
    for need in needs:
        depth = _depth(sweep, need)
        wanted = dataclasses.replace(need, max_records=depth)
        # the hold-out is in the slice too: children cut it off, see tasks.engine.scenarios
        try:
            cut = slice_for(wanted, files, sweep.start, sweep.period.end, sweep.gaps, say=watcher.say)
        except CandlesError:
            if need.key in optional:
                continue
            raise
        if sweep.warmup and cut.lead < depth:
            watcher.say(
                f"{need.key}: indicators ask for {depth} candles before the period, the files hold {cut.lead} of them; "
                "`hummingsweep sync` fetches the others"
            )
        if is_regular(need.interval):
            check_coverage(windows, need.key, interval_seconds(need.interval), cut.columns["timestamp"])
        if odd := contradiction(cut.columns):
            watcher.say(f"{need.key}: {odd}")
        for gap in cut.gaps[:1]:
            watcher.say(f"{need.key}: {len(cut.gaps)} gaps in the candles, the first after {gap} (gaps: {sweep.gaps})")
        addresses[need.key] = put(cut.ipc())
        lead[need.key] = cut.lead
    return addresses, lead


def _bases(sweep: Sweep, needs: Sequence[FeedNeed]) -> list[FeedNeed]:
    """Feeds in the engine's resolution of pairs that give signals only: the live engine builds unfinished candles of
    their longer intervals from them."""
    if sweep.engine not in ("auto", "live"):
        return []
    known = {need.key for need in needs}
    longer = [need for need in needs if interval_seconds(need.interval) > interval_seconds(sweep.resolution)]
    bases = {base.key: base for base in (dataclasses.replace(need, interval=sweep.resolution, max_records=1)
                                         for need in longer)}  # fmt: skip
    return [base for key, base in bases.items() if key not in known]


def _depth(sweep: Sweep, need: FeedNeed) -> int:
    """Candles of a feed before a period that its points want; without warm-up only the shift looks back."""
    return need.max_records if sweep.warmup else sweep.shift
