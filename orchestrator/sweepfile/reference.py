"""The table of the sweep file's keys, made from the model, so that the documentation cannot go stale."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from orchestrator.sweepfile.mistakes import nested_model
from orchestrator.sweepfile.sweep import Sweep

#: What plain types are called.
_TYPES: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a folder",
}
#: Defaults that only reading the file fills in.
_DEFAULTS = {"name": "the file's name", "trading_rules": "`<candles>/trading_rules`"}


@dataclass(frozen=True)
class Key:
    """One key of a sweep file."""

    #: with dots where it lies within another
    name: str
    type: str
    #: as one would write it; empty: the key is needed
    default: str
    sentence: str


def keys() -> list[Key]:
    """Every key, in the model's order; those of a section after it."""
    return list(_keys(Sweep, ""))


def markdown() -> str:
    """The keys as a Markdown table."""
    lines = ["| key | value | default | |", "|---|---|---|---|"]
    for key in keys():
        default = (
            f"`{key.default}`" if key.default and "`" not in key.default and " " not in key.default else key.default
        )
        cells = (f"`{key.name}`", key.type.replace("|", "\\|"), default or "needed", key.sentence.replace("|", "\\|"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _keys(model: type[BaseModel], before: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        written = before + (field.alias or name)
        section = nested_model(field.annotation)
        if section is not None:
            yield from _keys(section, f"{written}.")
            continue
        sentence = field.description or _comments(model).get(name, "")
        yield Key(written, _type(field), _default(name, field), sentence)


@cache
def _comments(model: type[BaseModel]) -> dict[str, str]:
    """The `#:` comments of a model's fields, as sentences."""
    found: dict[str, str] = {}
    held: list[str] = []
    for line in inspect.getsource(model).splitlines():
        if comment := re.fullmatch(r"\s+#: (.*)", line):
            held.append(comment[1])
            continue
        if (name := re.match(r"\s+(\w+): ", line)) and held:
            text = " ".join(held)
            found[name[1]] = f"{text[0].upper()}{text[1:]}."
        held = []
    return found


def _type(field: FieldInfo) -> str:
    named = [mark for mark in field.metadata if isinstance(mark, str)]
    return named[-1] if named else _of_annotation(field.annotation)


def _of_annotation(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        named = [mark for mark in arguments[1:] if isinstance(mark, str)]
        return named[-1] if named else _of_annotation(arguments[0])
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is types.UnionType or str(origin) == "typing.Union":
        return " or ".join(_of_annotation(one) for one in arguments if one is not type(None))
    return _TYPES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(name: str, field: FieldInfo) -> str:
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return ""
    if value is None or value in ((), {}, []):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
