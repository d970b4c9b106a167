"""The controllers folder of a sweep, on the orchestrator's side: found, checked and packed, never imported.

`controllers:` of a sweep file may name the folder itself or the project it lies in:

    controllers/          Hummingbot
    app/controllers/      quants-lab
    bots/controllers/     Hummingbot's API
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import ControllerError
from tasks.protocol.blobs import pack_controllers
from tasks.suggest import nearest

#: Where a project keeps its controllers.
LAYOUTS = ("controllers", "app/controllers", "bots/controllers")
#: Folders in which Hummingbot looks for controllers, by their type.
TYPES = ("directional_trading", "market_making", "generic")
#: Parents of the controllers folder in which a missing helper is looked for.
MAX_PARENTS = 3

_MISSING_MODULE = re.compile(r"No module named '(\w+)")


def controllers_folder(named: Path) -> Path:
    """The folder that `import controllers` will mean: the one named, or the one in it by one of LAYOUTS."""
    if any((named / kind).is_dir() for kind in TYPES):
        return named
    inside = [named / layout for layout in LAYOUTS]
    return next((folder for folder in inside if folder.is_dir()), named)


def check_controller(sweep: Sweep) -> None:
    """See that the controller's file is there, where neither of its keys is an axis. Raises ControllerError."""
    controller_type, name = sweep.controller.get("controller_type"), sweep.controller.get("controller_name")
    if not isinstance(controller_type, str) or not isinstance(name, str):
        return
    if {"controller_type", "controller_name"}.intersection(sweep.grid.names):
        return
    folder = controllers_folder(sweep.controllers)
    module = folder.joinpath(controller_type, *name.split("."))
    if module.with_name(f"{module.name}.py").is_file() or (module / "__init__.py").is_file():
        return
    wanted = f"{controller_type}/{name.replace('.', '/')}"
    there = sorted(
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.glob("*/**/*.py")
        if not path.name.startswith("_")
    )
    if close := nearest(wanted, there, cutoff=0.6):
        hint = f"did you mean {close}? "
    else:
        hint = f"there are: {', '.join(islice(there, 10))}; " if there else ""
    raise ControllerError(
        f"{module}.py: no such controller; {hint}set controller_type and controller_name, or `controllers:` to the "
        f"folder that holds {wanted}.py"
    )


def pack(sweep: Sweep) -> bytes:
    """The controllers folder and the modules of the import path as one bundle. Raises ControllerError."""
    return pack_controllers(controllers_folder(sweep.controllers), sweep.import_path)


def helper_hint(error: str, sweep: Sweep) -> str:
    """Where a module that an error misses was found near the controllers folder, and what to write; "" if nowhere."""
    missing = _MISSING_MODULE.search(error)
    if missing is None:
        return ""
    name = missing.group(1)
    folder = controllers_folder(sweep.controllers).resolve()
    for parent in islice(folder.parents, MAX_PARENTS):
        if (parent / name).is_dir() or (parent / f"{name}.py").is_file():
            return f". {name} lies in {parent}: add `import_path: [{parent}]` to the sweep file"
    inside = sorted(folder.rglob(f"{name}.py"))
    if inside:
        module = ".".join(["controllers", *inside[0].relative_to(folder).with_suffix("").parts])
        return f". {name} lies in the controllers folder: import it as {module}"
    return ""
