"""What another Hummingbot release changes, from its source alone: nothing is built and nothing of it is imported.

`python -m tasks.upstream.release_source FOLDER`, where FOLDER holds the package `hummingbot` of that release (an
unpacked source distribution, or a clone). The same questions as tasks.upstream.release_check, in seconds: which names
are gone, which functions differ from the verified ones. Whether both engines still agree there only tests can say.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from pathlib import Path

from tasks.upstream.verified import TABLES


def main() -> int:
    """Print the report; exit code 0: nothing differs, 1: something does, 2: no such package."""
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else None
    if folder is None or not (folder / "hummingbot").is_dir():
        print("give the folder that holds the package hummingbot of a release", file=sys.stderr)  # noqa: T201  for a person
        return 2
    release = max(TABLES)
    gone, differing = compared(folder, TABLES[release])
    lines = [f"gone: {name}" for name in gone] + [f"differs: {name}" for name in differing]
    lines.append(f"{len(differing)} of {len(TABLES[release])} functions differ from hummingbot {release}")
    print("\n".join(lines))  # noqa: T201  a command's answer
    return 1 if gone or differing else 0


def compared(folder: Path, table: dict[str, str]) -> tuple[list[str], list[str]]:
    """(Names that tasks/upstream/names.py imports and the source does not define; functions that differ or are gone)"""
    gone: list[str] = []
    classes: dict[str, Path] = {}
    source = Path(__file__).with_name("names.py").read_text()
    for statement in ast.walk(ast.parse(source)):
        if not isinstance(statement, ast.ImportFrom) or not (statement.module or "").startswith("hummingbot"):
            continue
        file = folder / f"{str(statement.module).replace('.', '/')}.py"
        for name in statement.names:
            if file.is_file() and name.name in _defined(file):
                classes[name.name] = file
            elif file.is_file() or not list(file.parent.glob(f"{file.stem}.*")):  # compiled: not looked into
                gone.append(f"{statement.module}.{name.name}")
    differing = [name for name, known in table.items() if _fingerprint(name, classes) != known]
    return gone, differing


def _defined(file: Path) -> set[str]:
    """Names of the classes and functions, and of what is assigned, at the top of a module."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return found


def _fingerprint(name: str, classes: dict[str, Path]) -> str:
    """As tasks.upstream.fingerprint takes it of a function that is imported; "" where it is not there."""
    class_name, function = name.split(".")
    if class_name not in classes:
        return ""
    text = classes[class_name].read_text()
    for node in ast.parse(text).body:
        if not (isinstance(node, ast.ClassDef) and node.name == class_name):
            continue
        for member in node.body:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name == function:
                first = min([member.lineno, *(decorator.lineno for decorator in member.decorator_list)])
                block = inspect.getblock(text.splitlines(keepends=True)[first - 1 :])
                return hashlib.sha256("".join(block).encode()).hexdigest()[:16]
    return ""


if __name__ == "__main__":
    sys.exit(main())
