"""The shape of the code as a table, of one checkout or of several side by side.

    .venv/bin/python benchmarks/shape.py [CHECKOUT ...]

Counts what is in `tasks`, `orchestrator` and `hummingsweep`: kernels (functions that numba compiles) are left out where
functions are measured by their length. Circles are found among all imports, also those inside functions; imports for
type checkers alone do not count.
"""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("hummingsweep", "orchestrator", "tasks")
MAX_LINES, MAX_PARAMETERS, LONGEST = 60, 6, 8


class Function(NamedTuple):
    """One function as it is written."""

    name: str
    lines: int
    parameters: int
    public: bool
    documented: bool
    compiled: bool


def functions(file: Path, root: Path) -> Iterator[Function]:
    """Every function of a file; a method's `self` and `cls` are no parameters."""
    tree = ast.parse(file.read_text())
    module = file.relative_to(root).with_suffix("").as_posix().replace("/", ".")

    def below(node: ast.AST, path: str, *, public: bool, nested: bool) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs]
                names = [one.arg for one in arguments if one.arg not in ("self", "cls")]
                marks = [ast.unparse(one) for one in child.decorator_list]
                is_public = public and not nested and not child.name.startswith("_")
                yield Function(
                    f"{module}.{path}{child.name}",
                    (child.end_lineno or child.lineno) - child.lineno + 1,
                    len(names),
                    is_public and not any("overload" in mark or ".setter" in mark for mark in marks),
                    ast.get_docstring(child) is not None,
                    any(word in mark for mark in marks for word in ("njit", "jit", "kernel", "compiled")),
                )
                yield from below(child, f"{path}{child.name}.", public=False, nested=True)
            elif isinstance(child, ast.ClassDef):
                inside = public and not child.name.startswith("_")
                yield from below(child, f"{path}{child.name}.", public=inside, nested=nested)
            else:
                yield from below(child, path, public=public, nested=nested)

    yield from below(tree, "", public=True, nested=False)


def ignores_without_reason(text: str) -> tuple[int, int]:
    """(ignores of linter or type checker, those that say no reason after them)."""
    found = re.findall(r"#\s*(?:type:\s*ignore|noqa)(?:\[[\w, -]+\]|:\s*[A-Z0-9, ]+)?(.*)", text)
    return len(found), sum(not rest.strip(" #-") for rest in found)


def graph_of(root: Path) -> dict[str, object]:
    """Circles among modules, and arrows between the wings of the orchestrator; in this process's `sys.path`."""
    import grimp

    sys.path.insert(0, str(root))
    there = [name for name in PACKAGES if (root / name / "__init__.py").exists()]
    graph = grimp.build_graph(*there, exclude_type_checking_imports=True, cache_dir=None)
    modules = sorted(graph.modules)
    after = {module: sorted(graph.find_modules_directly_imported_by(module)) for module in modules}
    wings = {
        (a.split(".")[1], b.split(".")[1])
        for a, below in after.items()
        for b in below
        if a.startswith("orchestrator.") and b.startswith("orchestrator.") and a.split(".")[1] != b.split(".")[1]
    }
    return {"circles": circles(after), "arrows": len(wings), "rooms": len({a for pair in wings for a in pair})}


def circles(after: dict[str, list[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle (strongly connected, Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    held: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        held.append(module)
        for other in after[module]:
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in held:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            group = held[held.index(module) :]
            del held[held.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for module in after:
        if module not in number:
            visit(module)
    return found


def shape(root: Path) -> dict[str, object]:
    """All figures of a checkout."""
    files = [file for name in PACKAGES for file in sorted((root / name).rglob("*.py"))]
    texts = [file.read_text() for file in files]
    every = [function for file in files for function in functions(file, root)]
    written = [one for one in every if not one.compiled]
    longest = sorted(written, key=lambda one: -one.lines)[:LONGEST]
    ignores = [ignores_without_reason(text) for text in texts]
    done = subprocess.run([sys.executable, __file__, "--graph", root], capture_output=True, text=True, check=True)
    graph = json.loads(done.stdout)
    undocumented = [one.name for one in every if one.public and not one.documented]
    return {
        "files": len(files),
        "lines": sum(text.count("\n") for text in texts),
        "median lines of a file": int(statistics.median(text.count("\n") for text in texts)),
        "files above 450 lines": sum(text.count("\n") > 450 for text in texts),
        "functions": len(every),
        f"functions above {MAX_LINES} lines": sum(one.lines > MAX_LINES for one in written),
        "longest functions": ", ".join(f"{one.name.rpartition('.')[2]} {one.lines}" for one in longest),
        f"functions with more than {MAX_PARAMETERS} parameters": sum(one.parameters > MAX_PARAMETERS for one in every),
        "Any": sum(len(re.findall(r"\bAny\b", text)) for text in texts),
        "ignores": sum(count for count, _ in ignores),
        "ignores without a reason": sum(count for _, count in ignores),
        "public functions": sum(one.public for one in every),
        "public functions without a docstring": len(undocumented),
        "circles": len(graph["circles"]),
        "rooms of orchestrator/": graph["rooms"],
        "arrows between them": graph["arrows"],
        "_undocumented": undocumented,
        "_circles": graph["circles"],
        "_long": [f"{one.name} {one.lines}" for one in written if one.lines > MAX_LINES],
    }


def main(arguments: list[str]) -> int:
    """Print the table; what stands behind the last column's figures comes below it."""
    if arguments[:1] == ["--graph"]:
        print(json.dumps(graph_of(Path(arguments[1]))))
        return 0
    roots = [Path(one) for one in arguments] or [Path(__file__).resolve().parent.parent]
    found = [shape(root.resolve()) for root in roots]
    print(f"| | {' | '.join(root.resolve().name for root in roots)} |\n|---|{'---|' * len(roots)}")
    for name in found[0]:
        if not name.startswith("_"):
            print(f"| {name} | {' | '.join(str(one[name]) for one in found)} |")
    for name in ("_circles", "_long", "_undocumented"):
        print(f"\n{name[1:]}: {json.dumps(found[-1][name], indent=1)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
