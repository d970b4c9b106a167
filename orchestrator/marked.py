"""YAML that remembers the line of every key, so that an error can name it.

Read as Hummingbot reads its configs (PyYAML's safe loader) with three differences: a key that stands twice is an
error, dates stay text, and 1e-3 is a number although it has no point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]


class MarkedError(ValueError):
    """The text is not usable YAML; `line` counts from 1, None where there is none."""

    def __init__(self, what: str, line: int | None):
        super().__init__(what)
        self.line = line


@dataclass(frozen=True)
class Marked:
    """What the text says, and where."""

    data: Any
    #: path of keys and list positions -> line, counted from 1
    lines: dict[Path, int]

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
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Marked(None, lines)
        _walk(node, (), lines, set())
        return Marked(loader.construct_document(node), lines)
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


class _Loader(yaml.SafeLoader):
    pass


# resolvers are class attributes shared with the base: copied before they are changed
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], within: set[int]) -> None:
    """Note every key's line; refuse keys that stand twice and aliases that hold themselves."""
    if id(node) in within:
        raise MarkedError("an alias holds itself", node.start_mark.line + 1)
    within = within | {id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise MarkedError(f"the key {key.value!r} stands twice, first in line {seen[key.value]}", line)
            seen[key.value] = line
            lines[(*path, key.value)] = line
            _walk(value, (*path, key.value), lines, within)
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            lines[(*path, place)] = value.start_mark.line + 1
            _walk(value, (*path, place), lines, within)
