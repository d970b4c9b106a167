"""The source files of a controller and of the helpers it imports, for a bot that does not have them yet.

Found by reading the imports, nothing is executed: `controllers.*`, relative imports, modules of the folders of
`import_path`. What lies in none of these folders (hummingbot, installed packages) is left to the bot.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.results.sweep_notes import sweep_file_of
from orchestrator.sweepfile.sweep import parse
from tasks.errors import ControllerError

if TYPE_CHECKING:
    from orchestrator.results.store_reader import StoreReader


def code_of(store: StoreReader, sweep: str) -> dict[Path, Path]:
    """The source files of a stored sweep's controller.

    Raises ControllerError and SweepFileError when they are gone, StoreError where no sweep file is noted.
    """
    stored = store.sweep(sweep)
    file = parse(stored.sweep_file, sweep_file_of(stored.meta, store.folder))
    kind, name = (str(file.controller.get(f"controller_{part}")) for part in ("type", "name"))
    return sources(file.controllers, kind, name, file.import_path)


def sources(controllers: Path, controller_type: str, name: str, import_path: Sequence[Path] = ()) -> dict[Path, Path]:
    """Path below the bot's folder -> source file, the controller's own first.

    `controllers`: the folder that holds `<controller_type>/<name>.py`. Raises ControllerError when it is missing.
    """
    first = f"controllers.{controller_type}.{name}"
    roots = {"controllers": controllers}
    found: dict[Path, Path] = {}
    waiting = [first]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop(0)
        if module in seen:
            continue
        seen.add(module)
        located = _locate(module, roots, import_path)
        if located is None:
            if module == first:
                raise ControllerError(f"{controllers / controller_type / name}.py: no such controller to copy")
            continue
        target, source = located
        found[target] = source
        for each in (module, *_imports(source, module)):
            parts = each.split(".")
            waiting += [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return found


def _locate(module: str, roots: dict[str, Path], import_path: Sequence[Path]) -> tuple[Path, Path] | None:
    """Where a module goes in the bot's folder, and its file; None for one that is in none of the folders."""
    head, _, rest = module.partition(".")
    parts = Path(*rest.split(".")) if rest else Path()
    places = [(Path(head), roots[head])] if head in roots else []
    places += [(Path(head), folder / head) for folder in import_path]
    for target, folder in places:
        for tail in (parts.with_suffix(".py") if rest else None, parts / "__init__.py"):
            if tail is not None and (folder / tail).is_file():
                return target / tail, folder / tail
        if not rest and folder.with_suffix(".py").is_file():
            return target.with_suffix(".py"), folder.with_suffix(".py")
    return None


def _imports(source: Path, module: str) -> Iterator[str]:
    """Every module that a file may import, by its full name. Raises ControllerError for a file that is not Python."""
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError, OSError) as error:
        raise ControllerError(f"{source}: cannot be read as Python ({error})") from None
    package = module.split(".") if source.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
                yield from (f"{base}.{name.name}" for name in node.names)
