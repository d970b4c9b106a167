"""What a user can do about an import of their controller that finds nothing: one sentence for the error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

UPSTREAM = "hummingbot"
#: Packages whose name for pip is not their import name.
DISTRIBUTIONS = {
    "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil", "dotenv": "python-dotenv",
    "mysql": "mysql-connector-python", "PIL": "pillow", "sklearn": "scikit-learn", "ta_lib": "TA-Lib",
    "talib": "TA-Lib", "telegram": "python-telegram-bot", "yaml": "PyYAML",
}  # fmt: skip

_IMPORT_LINE = re.compile(r"\s*(?:from|import)\s+([\w.]+)")
_NAME_NOT_FOUND = re.compile(r"cannot import name '(\w+)'")


def advice(error: ImportError, line: str, own_packages: Iterable[str]) -> str:
    """What to do about a failed import; "" where nothing is known.

    `line`: the source line of the user's that failed; `own_packages`: import names of the controllers folder.
    """
    named = _IMPORT_LINE.match(line)
    wanted = named.group(1) if named else ""
    missing = error.name or wanted
    top = missing.partition(".")[0]
    if top == UPSTREAM:
        module = wanted if wanted.startswith(f"{missing}.") else missing
        return _other_hummingbot(module, _NAME_NOT_FOUND.search(str(error)))
    if not isinstance(error, ModuleNotFoundError) or not top:
        return ""
    if top in own_packages:
        return "the controllers folder has no such file; helpers of controllers travel with them when they lie in it"
    return (
        f"where {top} is a folder or file of yours, name the folder that holds it in the sweep file, "
        f"`import_path: [FOLDER]`; where it is a package, install it beside hummingsweep on every node "
        f"(pip install {DISTRIBUTIONS.get(top, top.replace('_', '-'))})"
    )


def _other_hummingbot(module: str, name: re.Match[str] | None) -> str:
    """For an import from hummingbot that the installed version does not have."""
    root = _package_folder()
    if name:
        what, places = f"no {name.group(1)} in {module}", _definitions(root, name.group(1))
    else:
        what, places = f"no module {module}", _same_ending(root, module)
    found = f"; change the import to {' or '.join(places[:2])}" if places else ""
    return (
        f"hummingbot {metadata.version(UPSTREAM)}, which is installed here, has {what}: the controller was written for "
        f"another version or a fork of Hummingbot{found}"
    )


def _package_folder() -> Path | None:
    """Where hummingbot lies, without importing it."""
    spec = find_spec(UPSTREAM)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _same_ending(root: Path | None, module: str) -> list[str]:
    """The modules whose names end as the missing one's does, those with the longest common ending."""
    parts = module.split(".")[1:]
    if root is None or not parts:
        return []
    files = [path.relative_to(root).with_suffix("").parts for path in sorted(root.rglob(f"{parts[-1]}.py"))]
    common = [_common_ending(file, parts) for file in files]
    longest = max(common, default=0)
    # one part alone, such as `data_types`, is the name of many a module
    return [_dotted(file) for file, length in zip(files, common, strict=True) if length == longest and longest > 1]


def _common_ending(one: Iterable[str], other: Iterable[str]) -> int:
    length = 0
    for left, right in zip(reversed(list(one)), reversed(list(other)), strict=False):
        if left != right:
            break
        length += 1
    return length


def _definitions(root: Path | None, name: str) -> list[str]:
    """The modules that define a class, a function or a value of this name."""
    if root is None:
        return []
    wanted = re.compile(rf"^(?:(?:class|def|async def) {name}\b|{name}(?::[^=\n]+)? = )", re.MULTILINE)
    return [
        _dotted(path.relative_to(root).with_suffix("").parts)
        for path in sorted(root.rglob("*.py"))
        if wanted.search(path.read_text(encoding="utf-8", errors="replace"))
    ]


def _dotted(parts: Iterable[str]) -> str:
    return ".".join([UPSTREAM, *parts])
