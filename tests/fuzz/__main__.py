"""Explores doors for a while and prints what went wrong; exit code 1 when anything did."""

from __future__ import annotations

import argparse
import resource
import sys
import traceback

from tests.fuzz.doors import DOORS
from tests.fuzz.explore import CORPUS, FOUND, explore, keep


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each door")
    parser.add_argument("--door", action="append", choices=[door.name for door in DOORS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="add what reaches new lines to tests/fuzz/corpus")
    asked = parser.parse_args()
    failed = False
    for door in DOORS:
        if asked.door and door.name not in asked.door:
            continue
        found = explore(door, seconds=asked.seconds, seed=asked.seed)
        keep(found, CORPUS if asked.keep else FOUND)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        sys.stdout.write(
            f"{door.name:16} {found.tried:8,} inputs, {len(found.kept):3} kept, {len(found.failures)} failures, "
            f"most memory so far {memory} MB\n"
        )
        for data, error in found.failures:
            failed = True
            sys.stdout.write(f"  {data[:300]!r}\n")
            sys.stdout.write("".join(traceback.format_exception(error)[-6:]))
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
