"""YAML that remembers the line of every key, so that an error can name it.

Read as Hummingbot reads its configs (PyYAML's safe loader) with four differences: a key that is a duplicate is an
error,
dates stay text, 1e-3 is a number although it has no point, and what JSON does not have (!!binary, !!set) is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import yaml

from tasks.named_types import ConfigValues

Path = tuple[str | int, ...]

#: Keys and list items of a document, for each of its characters; only aliases of aliases make more.
_MAX_PER_CHARACTER = 100
#: What "\ud83d" without its other half makes; UTF-8 has no bytes for it.
_HALF = re.compile("[\ud800-\udfff]")
_NOT_IN_JSON = ("binary", "omap", "pairs", "set", "timestamp")


class MarkedError(ValueError):
    """The text is not usable YAML; `line` counts from 1, None where there is none."""

    def __init__(self, what: str, line: int | None):
        super().__init__(what)
        self.line = line


class MisreadError(MarkedError):
    """The text is YAML and means something else than who wrote it."""


@dataclass(frozen=True)
class Marked:
    """What the text says, and where."""

    data: Any
    #: path of keys and list positions -> line, counted from 1
    lines: dict[Path, int]
    #: path -> the text of a number that YAML reads as another one than people do: 020 is 16, 1_000 is 1000, 1:30 is 90
    odd_numbers: dict[Path, str] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of a path, or of what holds it; None for the whole document."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


def load(text: str) -> Marked:
    """Read one YAML document. Raises MarkedError."""
    lines: dict[Path, int] = {}
    odd: dict[Path, str] = {}
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MarkedError(f"holds a character that no YAML has (U+{error.character:04X})", line) from error
    try:
        node = loader.get_single_node()
        if node is None:
            return Marked(None, lines)
        _Walk(lines, odd, _MAX_PER_CHARACTER * len(text)).visit(node, (), frozenset())
        return Marked(loader.construct_document(node), lines, odd)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (column {mark.column + 1})" if mark else ""
        raise MarkedError(f"{error.problem or error.context}{where}", mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise MarkedError(str(error), None) from error
    except RecursionError as error:
        raise MarkedError("nested too deeply", None) from error
    except (ValueError, OverflowError) as error:  # a scalar that looks like a number and is none
        if isinstance(error, MarkedError):
            raise
        raise MarkedError(str(error), None) from error
    finally:
        loader.dispose()


def dump(keys: ConfigValues) -> str:
    """The YAML of a mapping whose values may also be what Python has for paths, moments, exact decimals and arrays.

    Raises ValueError for a value that no file could hold.
    """
    return yaml.safe_dump(_plain(dict(keys)), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, date):  # datetime and pandas' Timestamp are dates, too
        return value.isoformat()
    if isinstance(value, Decimal):
        near = float(value)
        return near if Decimal(repr(near)) == value else str(value)
    if getattr(getattr(value, "dtype", None), "kind", "") == "M":  # numpy's moments would become a count of nanoseconds
        value = value.astype(str)
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, pandas' series
        return _plain(value.tolist())
    raise ValueError(f"{value!r} ({type(value).__name__}) cannot stand in a sweep file; give numbers, text or lists")


class _Loader(yaml.SafeLoader):
    pass


# resolvers and constructors are class attributes shared with the base: copied before they are changed
_Loader.yaml_constructors = {
    tag: construct
    for tag, construct in yaml.SafeLoader.yaml_constructors.items()
    if tag not in [f"tag:yaml.org,2002:{name}" for name in _NOT_IN_JSON]
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


#: Plain numbers with a leading 0, with underscores, with colons.
_ODD_NUMBER = re.compile(r"[-+]?(0[0-9_]+|[0-9]+(_[0-9_]+)(\.[0-9_]*)?|[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?)")
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


@dataclass(frozen=True)
class _Walk:
    """Notes every key's line; refuses keys that are duplicates, aliases that hold themselves, and too many lines."""

    lines: dict[Path, int]
    odd: dict[Path, str]
    #: lines at most
    most: int

    def visit(self, node: yaml.Node, path: Path, within: frozenset[int]) -> None:
        """A node and what it holds. Raises MarkedError."""
        if id(node) in within:
            raise MarkedError("an alias holds itself", node.start_mark.line + 1)
        if len(self.lines) > self.most:
            raise MarkedError("aliases of aliases make it too large", node.start_mark.line + 1)
        within = within | {id(node)}
        if isinstance(node, yaml.ScalarNode):
            self._scalar(node, path)
        elif isinstance(node, yaml.MappingNode):
            self._mapping(node, path, within)
        elif isinstance(node, yaml.SequenceNode):
            for place, value in enumerate(node.value):
                self.lines[(*path, place)] = value.start_mark.line + 1
                self.visit(value, (*path, place), within)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> None:
        if half := _HALF.search(node.value):
            what = f"holds half of a character (U+{ord(half[0]):04X}), which no file can; write the whole of it"
            raise MisreadError(what, node.start_mark.line + 1)
        if node.tag in _NUMBER_TAGS and _ODD_NUMBER.fullmatch(node.value):
            self.odd[path] = node.value

    def _mapping(self, node: yaml.MappingNode, path: Path, within: frozenset[int]) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise MarkedError(f"the key {key.value!r} is a duplicate, first in line {seen[key.value]}", line)
            seen[key.value] = line
            if key.tag == "tag:yaml.org,2002:bool":
                what = f"YAML reads the key {key.value} as true or false; put quotes around it: '{key.value}'"
                raise MisreadError(what, line)
            self.visit(key, (*path, key.value), within)
            self.lines[(*path, key.value)] = line
            self.visit(value, (*path, key.value), within)
