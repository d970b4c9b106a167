"""What candles are there, and are they sound? Also the door to this machine's mirror.

Beside orchestrator.execution.publish the one place of the orchestrator that touches candles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.candles.check import Examination, Severity, examine
from tasks.candles.formats import candle_file, find
from tasks.candles.importer import ImportedFeed, import_feeds
from tasks.candles.mirror import Mirror, MirrorStatus, mirror_folder
from tasks.errors import CandlesError, CandlesMissing
from tasks.intervals import interval_seconds
from tasks.named_types import JsonObject
from tasks.settings import Settings
from tasks.times import iso


def examine_all(source: Path) -> list[Examination]:
    """The candle files of a folder (or one file), every candle looked at. Raises CandlesMissing, CandlesError."""
    if source.is_file():
        file = candle_file(source)
        if file is None:
            raise CandlesError(
                f"{source}: its name is not that of a candle file; `hummingsweep candles import` takes any file"
            )
        return [examine(file)]
    if not source.exists():
        raise CandlesMissing(f"{source}: no such candle folder; give the folder that holds the candle files")
    files = find(source)
    if not files:
        raise CandlesMissing(
            f"{source}: no candle files in it; they are named candles_<connector>_<PAIR>_<interval>.csv (or .csv.gz, "
            ".parquet), for other names use `hummingsweep candles import`"
        )
    return [examine(file) for file in files]


def import_candles(
    source: Path, to: Path, connector: str, pair: str, interval: str, say: Callable[[str], None]
) -> list[ImportedFeed]:
    """See tasks.candles.importer.import_feeds."""
    return import_feeds(source, to, connector=connector, pair=pair, interval=interval, say=say)


def mirror(settings: Settings) -> Mirror:
    """The mirror that nodes on this machine use with these settings."""
    folder = Path(settings.mirror) if settings.mirror else mirror_folder()
    return Mirror(folder, settings.mirror_mb << 20)


def summary(one: Examination) -> JsonObject:
    """A file in a few facts; times as seconds and as people read them."""
    closes = None if one.last is None else one.last + (_seconds(one.file.interval) or 0)
    return {
        "connector": one.file.connector,
        "pair": one.file.pair,
        "interval": one.file.interval,
        "first": one.first,
        "last": one.last,
        "from": None if one.first is None else iso(one.first),
        "to": None if closes is None else iso(closes),
        "rows": one.rows,
        "gaps": len(one.gaps),
        "missing": one.missing,
        "bytes": one.bytes,
        "layout": str(one.file.layout),
        "path": str(one.file.path),
        "sound": one.sound,
    }


def details(one: Examination) -> JsonObject:
    """A file as `candles check` answers it: its summary, gaps and findings."""
    gaps = [{**dataclasses.asdict(gap), "from": iso(gap.after)} for gap in one.gaps]
    findings = [{**dataclasses.asdict(finding), "severity": str(finding.severity)} for finding in one.findings]
    return {**summary(one), "gap_list": gaps, "findings": findings}


def mirror_summary(status: MirrorStatus) -> JsonObject:
    """A mirror as `mirror status` answers it."""
    return {
        "folder": str(status.folder),
        "limit_bytes": status.limit_bytes,
        "bytes": status.bytes,
        "slices": [{**dataclasses.asdict(one), "last_used": iso(round(one.used))} for one in status.held],
    }


def errors_in(examinations: Sequence[Examination]) -> int:
    """Findings that are errors, over all files."""
    return sum(finding.severity is Severity.ERROR for one in examinations for finding in one.findings)


def _seconds(interval: str) -> int | None:
    return interval_seconds(interval) if interval else None
