"""What a message costs in ujson, the standard library's json, msgpack, and orjson where it is installed.

python benchmarks/messages.py [--quick] [--json]

The messages are real: the definition of examples/quickstart.yml and the rows a child computes for it, in chunks of 1,
20 and 320 points. `extremes` holds floats that need all their digits and what JSON has no words for. `exact`: the
format gives back what it was given, NaN and infinities included. `times_json` is how many times faster than json it
writes and reads back; the least of three runs each. Exit code 1 when ujson, in which all messages are, is not exact.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import math
import subprocess
import sys
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import ujson

from orchestrator.cluster import broker
from orchestrator.execution import publish
from orchestrator.execution.gather import gather
from orchestrator.progress.watcher import Silent
from orchestrator.sweepfile.sweep import read
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows
from tasks.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Format:
    """A way to write a message as bytes."""

    name: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def formats() -> list[Format]:
    """json first: the others are measured against it."""
    found = [
        Format("json", lambda message: json.dumps(message, separators=(",", ":")).encode(), json.loads),
        Format("ujson", lambda message: ujson.dumps(message).encode(), ujson.loads),
        Format(
            "msgpack",
            lambda message: bytes(msgpack.packb(message, use_bin_type=True)),
            lambda raw: msgpack.unpackb(raw, raw=False, **({} if msgpack.version >= (1, 0, 0) else {"encoding": None})),
        ),
    ]
    try:
        orjson = importlib.import_module("orjson")
    except ImportError:
        return found
    return [*found, Format("orjson", orjson.dumps, orjson.loads)]


def messages(points: int) -> dict[str, Any]:
    """Messages by name, as the dicts that are encoded."""
    if not (REPOSITORY / "examples" / "data").is_dir():
        command = [sys.executable, "examples/synthetic.py", "--to", "examples/data"]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    sweep = read(REPOSITORY / "examples" / "quickstart.yml")
    with broker.session(Settings(children=2, mirror_mb=256)) as cluster:
        definition = publish.publish(sweep, cluster, Silent())
        rows = gather(cluster, definition, list(range(min(points, sweep.grid.size))), Silent())
    assert {row["status"] for row in rows} == {"ok"}
    found: dict[str, Any] = {
        "a chunk's arguments": [[definition.sweep, Chunk.of(1, range(60, 120)).id], {}],
        "definition": {**dataclasses.asdict(definition), "kind": definition.kind.value},
    }
    for count in (1, 20, 320):
        if count <= len(rows):
            chunk = Chunk.of(1, range(count))
            message = Rows.from_dicts(chunk.id, "node-4711@rack-3/4712", 5.01, rows[:count])
            found[f"rows of {count} points"] = dataclasses.asdict(message)
    tricky = [math.nan, math.inf, -math.inf, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3, 2**53 + 1, -0.0]
    found["extremes"] = {"chunk": "1:0-0", "columns": {"value": tricky}}
    return found


def equal(one: Any, other: Any) -> bool:
    """Equal in value and type, NaN equal to NaN, minus zero not to zero; a tuple counts as the list it travels as."""
    if isinstance(one, float):
        if not isinstance(other, float) or math.isnan(one) or math.isnan(other):
            return isinstance(other, float) and math.isnan(one) and math.isnan(other)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and list(one) == list(other) and all(equal(one[name], other[name]) for name in one)
        )
    if isinstance(one, list | tuple):
        return isinstance(other, list) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and bool(one == other)


def least(work: Callable[[], Any], seconds: float) -> float:
    """Seconds of one call, the least of three runs of about `seconds`."""
    timer = timeit.Timer(work)
    once = max(timer.timeit(3) / 3, 1e-7)
    times = max(1, int(seconds / once))
    return min(timer.repeat(3, times)) / times


def measure(points: int, seconds: float) -> list[dict[str, Any]]:
    """One dict per message and format."""
    found = []
    for name, message in messages(points).items():
        standard = 0.0
        for form in formats():
            try:
                raw = form.encode(message)
                back = form.decode(raw)
                exact = equal(message, back)
            except (TypeError, ValueError, OverflowError) as error:
                found.append({"message": name, "format": form.name, "exact": False, "refused": str(error)})
                continue
            encode_s = least(lambda form=form, message=message: form.encode(message), seconds)  # type: ignore[misc]
            decode_s = least(lambda form=form, raw=raw: form.decode(raw), seconds)  # type: ignore[misc]
            standard = standard or encode_s + decode_s
            found.append(
                {
                    "message": name,
                    "format": form.name,
                    "exact": exact,
                    "bytes": len(raw),
                    "encode_us": encode_s * 1e6,
                    "decode_us": decode_s * 1e6,
                    "times_json": standard / (encode_s + decode_s),
                }
            )
    return found


def table(found: list[dict[str, Any]]) -> str:
    """For a terminal."""
    lines = [f"{'message':<22}{'format':<9}{'bytes':>9}{'encode us':>11}{'decode us':>11}{'x json':>8}  round trip"]
    for one in found:
        if "refused" in one:
            lines.append(f"{one['message']:<22}{one['format']:<9}{'':>39}  refused: {one['refused']}")
            continue
        lines.append(
            f"{one['message']:<22}{one['format']:<9}{one['bytes']:>9}{one['encode_us']:>11.1f}{one['decode_us']:>11.1f}"
            f"{one['times_json']:>8.1f}  {'exact' if one['exact'] else 'NOT EXACT'}"
        )
    return "\n".join(lines)


def main() -> int:
    """1 when ujson, which every message is written in, changed one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 points instead of 320, shorter runs")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(20 if chosen.quick else 320, 0.02 if chosen.quick else 0.2)
    print(json.dumps(found, indent=2) if chosen.json else table(found))
    ours = [one for one in found if one["format"] == "ujson"]
    return 0 if all(one["exact"] for one in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
