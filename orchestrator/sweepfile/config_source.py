"""Which keys a controller's config has, read from its source without importing anything.

The class of the config is looked up as the back-test will (the first one of the controller's module, by name, that
derives from Hummingbot's), and its bases are followed through the imports, into Hummingbot's own source where they
lead there. Where anything cannot be told from the text alone (a base made at run time, `extra="allow"`), the answer is
that the keys are not known, and the child that imports the controller decides.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

#: Names of Hummingbot's config bases; a class that derives from one of them is a controller's config.
BASES = ("ControllerConfigBase", "DirectionalTradingControllerConfigBase", "MarketMakingControllerConfigBase")
#: Where a chain of bases that are no fields of interest ends.
_ENDS = frozenset({"BaseModel", "ABC", "Generic", "object", "Protocol"})
#: A model that takes keys it does not have.
_OPEN = re.compile(r"\bextra['\"]?\s*[:=]\s*\S*(allow|ignore)")
#: Bases of bases that are followed.
_MAX_DEPTH = 20


@dataclass(frozen=True)
class ConfigFields:
    """What the source says of a config class."""

    #: the class and its file
    name: str
    file: Path
    keys: frozenset[str]


@dataclass
class _Module:
    """One parsed source file."""

    file: Path
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    #: name here -> (module, name there)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


class _NotKnown(Exception):
    """The text alone does not say it."""


def config_fields(file: Path, roots: Sequence[Path]) -> ConfigFields | None:
    """The keys of the config class in a controller's file; None where the text does not say them.

    `roots`: folders that modules are looked up in: the one that holds `controllers/`, and those of `import_path`.
    """
    try:
        module = _parsed(file)
        name = next((name for name in sorted(module.classes) if _is_config(module, name, roots, 0)), None)
        if name is None:
            return None
        return ConfigFields(name, file, frozenset(_keys(module, name, roots, 0)))
    except (_NotKnown, OSError, SyntaxError, ValueError, RecursionError):
        return None


def _is_config(module: _Module, name: str, roots: Sequence[Path], depth: int) -> bool:
    """Whether a class derives from one of BASES, as far as can be followed."""
    if depth > _MAX_DEPTH:
        return False
    for base in _bases(module.classes[name]):
        if base.rpartition(".")[2] in BASES:
            return True
        try:
            found = _resolved(module, base, roots)
        except _NotKnown:
            continue
        if found is not None and _is_config(*found, roots, depth + 1):
            return True
    return False


def _keys(module: _Module, name: str, roots: Sequence[Path], depth: int) -> Iterator[str]:
    """Annotated names of a class and of its bases. Raises _NotKnown."""
    if depth > _MAX_DEPTH:
        raise _NotKnown
    node = module.classes[name]
    if node.decorator_list or node.keywords:
        raise _NotKnown
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=key)) if not key.startswith("_"):
                if "ClassVar" not in ast.unparse(statement.annotation):
                    yield key
                    yield from _aliases(statement.value)
            case ast.Assign(targets=[ast.Name(id="model_config")], value=value):
                if _OPEN.search(ast.unparse(value)):
                    raise _NotKnown
            case ast.ClassDef(name="Config"):
                if _OPEN.search(ast.unparse(statement)):
                    raise _NotKnown
            case ast.FunctionDef(decorator_list=decorators) if any(
                "model_validator" in ast.unparse(one) and "before" in ast.unparse(one) for one in decorators
            ):
                raise _NotKnown  # may rename keys before they are looked at
    for base in _bases(node):
        if base.rpartition(".")[2] in _ENDS:
            continue
        found = _resolved(module, base, roots)
        if found is not None:
            yield from _keys(*found, roots, depth + 1)


def _aliases(value: ast.expr | None) -> Iterator[str]:
    for keyword in value.keywords if isinstance(value, ast.Call) else []:
        if keyword.arg in ("alias", "validation_alias"):
            if not isinstance(keyword.value, ast.Constant):
                raise _NotKnown
            yield str(keyword.value.value)


def _bases(node: ast.ClassDef) -> list[str]:
    found = []
    for base in node.bases:
        if isinstance(base, ast.Subscript):
            base = base.value
        match base:
            case ast.Name(id=name):
                found.append(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                found.append(f"{module}.{name}")
            case _:
                raise _NotKnown
    return found


def _resolved(module: _Module, base: str, roots: Sequence[Path]) -> tuple[_Module, str] | None:
    """The module and name of a base class; None for pydantic's own. Raises _NotKnown."""
    if base in module.classes:
        return module, base
    holder, _, attribute = base.rpartition(".")
    if (holder or base) not in module.imports:
        raise _NotKnown
    dotted, name = module.imports[holder or base]
    if holder:
        dotted, name = f"{dotted}.{name}".rstrip(".") if name else dotted, attribute
    if dotted.partition(".")[0] in ("pydantic", "abc", "typing"):
        return None
    file = _file_of(dotted, module.file, roots)
    found = _parsed(file)
    if name in found.classes:
        return found, name
    if name in found.imports:  # re-exported
        return _resolved(found, name, roots)
    raise _NotKnown


def _file_of(dotted: str, importer: Path, roots: Sequence[Path]) -> Path:
    """The source of a module. Raises _NotKnown."""
    if dotted.startswith("."):
        level = len(dotted) - len(dotted.lstrip("."))
        folder, rest = importer.parents[level - 1], dotted.lstrip(".")
        candidates = [folder.joinpath(*rest.split(".")) if rest else folder]
    else:
        parts = dotted.split(".")
        candidates = [root.joinpath(*parts) for root in roots]
        candidates += [folder.joinpath(*parts[1:]) for folder in _package_folders(parts[0])]
    for one in candidates:
        for file in (one.with_name(f"{one.name}.py"), one / "__init__.py"):
            if file.is_file():
                return file
    raise _NotKnown


@cache
def _package_folders(name: str) -> tuple[Path, ...]:
    """Where an installed package lies, found without importing it; only Hummingbot is looked for."""
    if name != "hummingbot":
        return ()
    spec = importlib.util.find_spec(name)
    return tuple(map(Path, spec.submodule_search_locations or ())) if spec is not None else ()


@cache
def _parsed(file: Path) -> _Module:
    tree = ast.parse(file.read_bytes())
    module = _Module(file)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            module.classes[node.name] = node
        elif isinstance(node, ast.ImportFrom):
            dotted = "." * node.level + (node.module or "")
            for alias in node.names:
                module.imports[alias.asname or alias.name] = (dotted, alias.name)
        elif isinstance(node, ast.Import):
            module.imports |= {alias.asname: (alias.name, "") for alias in node.names if alias.asname}
    return module
