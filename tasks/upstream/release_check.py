"""What another Hummingbot release changes: `python -m tasks.upstream.release_check`, in an environment that has it.

Says, one line each, which names that this project imports are gone, and which functions differ from those that the
jump-ahead engine was verified against, with what follows from it. `make upstream VERSION=...` builds the environment,
asks this, and runs the tests that hold both engines against each other.

Exit code 0: nothing differs; 1: functions differ; 2: names are gone, so that nothing runs on that release.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.settings import versions
from tasks.upstream.imports.patches import import_quietly
from tasks.upstream.verified import TABLES, table_for


def main() -> int:
    """Print the report; the exit code."""
    lines, code = report()
    print("\n".join(lines))  # noqa: T201  a command's answer
    return code


def report() -> tuple[list[str], int]:
    """The report, and the exit code."""
    release = versions()["hummingbot"]
    known, _ = table_for(release)
    lines = [f"hummingbot {release}, compared with {known}; tables there are for {', '.join(sorted(TABLES))}"]
    gone = list(missing_names())
    if gone:
        lines += [f"gone: {name}" for name in gone]
        lines.append("nothing runs on this release until tasks/upstream/names.py says where these are now")
        return lines, 2
    from tasks.upstream import fingerprint

    changed = fingerprint.changes()
    lines += [f"differs: {name} ({consequence})" for name, consequence in changed.items()]
    lines.append(f"{len(changed)} of {len(fingerprint.table())} functions differ")
    return lines, 1 if changed else 0


def missing_names() -> Iterator[str]:
    """Names that tasks/upstream/names.py imports and this release does not have, with why."""
    source = Path(__file__).with_name("names.py").read_text()
    for statement in ast.walk(ast.parse(source)):
        if not isinstance(statement, ast.ImportFrom) or not (statement.module or "").startswith("hummingbot"):
            continue
        module = str(statement.module)
        try:
            with import_quietly():
                found = importlib.import_module(module)
        except Exception as error:
            yield f"{module} ({type(error).__name__}: {error})"
            continue
        yield from (f"{module}.{name.name}" for name in statement.names if not hasattr(found, name.name))


if __name__ == "__main__":
    sys.exit(main())
