"""Where Python looks for the modules of this project and of the packages it uses: not in the folder one stands in.

Runs before anything of the project is imported, so it needs nothing but what Python has loaded when it starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder, all_suffixes

#: The folder that holds this package: a clone, or site-packages.
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = ("tasks", "orchestrator")


class HiddenModuleError(ImportError):
    """A file of the user's would be imported in place of a module that hummingsweep needs."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence alone."""
        return [str(self)]


def put_in_order() -> None:
    """For the command: the current folder and the script's leave `sys.path`, what PYTHONPATH names comes last."""
    named = os.environ.get("PYTHONPATH", "")
    script = os.path.dirname(os.path.realpath(sys.argv[0]))
    first = [] if sys.flags.safe_path or sys.path[:1] not in (["."], [os.getcwd()], [script]) else sys.path[:1]
    away = {"", *first, *map(os.path.abspath, named.split(os.pathsep) if named else ())} - {ROOT}
    sys.path[:] = [folder for folder in sys.path if folder not in away]
    from tasks import launch  # only now: before, it could be a user's

    # ours before the user's, also where an editable install finds them without an entry of their own
    sys.path += [folder for folder in (ROOT, *launch.user_folders(named)) if folder not in sys.path]


def refuse_hidden_modules() -> None:
    """For a process of the user's that imports this package, a notebook or a script, whose `sys.path` stays as it is.

    Raises HiddenModuleError when a file of the user's hides a module of ours, of a package we use, or of Python.
    """
    for name, file in _hiding():
        raise HiddenModuleError(
            f"{file} hides the module {name!r} that hummingsweep needs: rename it, or work in another folder", name=name
        )


def _hiding() -> Iterator[tuple[str, str]]:
    """Module and file, for each file of a user's folder that Python would take for a module that is needed."""
    folders = [folder for folder in sys.path if not _is_of_python(folder)]
    rest = [folder for folder in sys.path if folder not in folders]
    for folder in folders:
        for name in sorted(_names_in(folder or os.getcwd())):
            found = PathFinder.find_spec(name, sys.path)
            places = [] if found is None else [found.origin] if found.has_location else found.submodule_search_locations
            where = next((place for place in places or () if place and _is_in(place, folder)), None)
            loaded = getattr(sys.modules.get(name), "__file__", None)
            if where is None or (name in sys.modules and loaded != where):
                continue
            hidden = name in OURS or PathFinder.find_spec(name, rest)
            if hidden and (name in OURS or name in sys.stdlib_module_names or _is_needed(name)):
                yield name, where


def _is_of_python(folder: str) -> bool:
    """Whether an entry of `sys.path` is none of the user's: Python's own, an environment's, or ours."""
    parts = os.path.abspath(folder).split(os.sep)
    return (
        os.path.abspath(folder) == ROOT
        or bool(folder and {"site-packages", "dist-packages", "lib-dynload"} & set(parts))
        or parts[-1].startswith(f"python{sys.version_info.major}")
    )


def _names_in(folder: str) -> set[str]:
    """Modules and packages that a folder holds, by its file names."""
    try:
        entries = os.listdir(folder)
    except OSError:
        return set()
    files = {entry.partition(".")[0] for entry in entries if entry.endswith(tuple(all_suffixes()))}
    return files | {entry for entry in entries if entry.isidentifier()}


def _is_in(file: str, folder: str) -> bool:
    return os.path.abspath(file).startswith(os.path.abspath(folder) + os.sep)


#: What `_is_needed` found: it reads the metadata of every distribution, which takes a second.
_NEEDED: dict[str, bool] = {}


def _is_needed(name: str) -> bool:
    """Whether a module belongs to a distribution that hummingsweep needs, directly or by another one."""
    if name not in _NEEDED:
        _NEEDED[name] = _belongs_to_a_requirement(name)
    return _NEEDED[name]


def _belongs_to_a_requirement(name: str) -> bool:
    import re
    from importlib.metadata import PackageNotFoundError, packages_distributions, requires

    def normal(distribution: str) -> str:
        return re.sub(r"[-_.]+", "-", distribution).lower()

    needed: set[str] = set()
    queue = ["hummingsweep"]
    while queue:
        distribution = normal(queue.pop())
        if distribution in needed:
            continue
        needed.add(distribution)
        try:
            lines = requires(distribution) or []
        except PackageNotFoundError:
            continue
        queue += [match[0] for line in lines if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))]
    return any(normal(one) in needed for one in packages_distributions().get(name, ()))
