"""What is wrong with a sweep file, in sentences: all of it, the first in the file first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.sweepfile import yaml_lines
from orchestrator.sweepfile.validate import EXAMPLES
from orchestrator.sweepfile.yaml_lines import Marked
from tasks.errors import BadAxis, SweepFileError, UnknownKey
from tasks.suggest import nearest


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: the keys that lead to it from the top, and what to do."""

    path: yaml_lines.Path
    text: str
    kind: type[SweepFileError] = SweepFileError


def error_of(mistakes: Sequence[Mistake], document: Marked, file: Path) -> SweepFileError:
    """The first mistake as an error that also names the others."""
    # an unknown key often explains a missing one, so what is missing comes last
    ordered = sorted(mistakes, key=lambda one: ("is missing" in one.text, document.line(one.path) or 0))
    errors = [_error(one, document, file) for one in ordered]
    return errors[0].with_others(errors[1:])


def of_validation(errors: ValidationError, document: Marked, model: type[BaseModel]) -> list[Mistake]:
    """What pydantic refused, as mistakes."""
    found = []
    for error in errors.errors(include_url=False):
        path = _path(error["loc"], document)
        kind: type[SweepFileError] = BadAxis if path[:1] == ("grid",) else SweepFileError
        if error["type"] == "extra_forbidden":
            kind, text = UnknownKey, _unknown(path, document, model)
        elif error["type"] == "missing":
            text = f"is missing; {_MISSING.get(path, 'add it')}"
        elif path == ("grid",) and error["type"] != "value_error":
            text = f"{error['input']!r} is not a set of axes; {_EXAMPLE_GRID}"
            text = f"is empty; {_EXAMPLE_GRID}" if not error["input"] else text
        elif error["type"] == "value_error":
            text = str(error["ctx"]["error"])
        else:
            must = _MUST.get(error["type"]) or error["msg"].replace("Input should be", "must be")
            if error["type"] == "model_type":
                must += EXAMPLES.get(path, ", such as {start: 2024-01-01, end: 2024-01-31}")
            text = f"{short(error['input'])}: {must}"
        found.append(Mistake(path, text, kind))
    return found


def short(value: Any) -> str:
    """A value as a sentence can hold it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _path(loc: Sequence[Any], document: Marked) -> yaml_lines.Path:
    """The keys that lead to an error; pydantic also names the alternative of a union that it tried, which is none."""
    path: list[str | int] = []
    holder = document.data
    for part in loc:
        if isinstance(holder, dict | list) or not path:
            path.append(part)
            holder = holder.get(part) if isinstance(holder, dict) else None
    return tuple(path)


def _unknown(path: yaml_lines.Path, document: Marked, model: type[BaseModel]) -> str:
    holder, held = model, document.data
    for part in path[:-1]:
        inner = next(
            (field for name, field in holder.model_fields.items() if part in (name, field.alias)),
            None,
        )
        holder = nested_model(inner.annotation) or model if inner is not None else model
        held = held.get(part) if isinstance(held, dict) else None
    valid = [field.alias or name for name, field in holder.model_fields.items()]
    if len(path) > 1:  # of the keys of a section, one that is there is not meant
        valid = [name for name in valid if not isinstance(held, dict) or name not in held] or valid
    hint = "; a key of the controller's config belongs under `controller:`" if len(path) == 1 else ""
    return f"unknown key; the nearest valid key is `{nearest(path[-1], valid)}`{hint}"


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """The model among the types of a field, when it is a section of keys; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := nested_model(part):
            return found
    return None


_EXAMPLE_GRID = "give at least one axis, such as bb_length: [50, 100]"

_MUST = {
    "dict_type": "must be keys and values",
    "model_type": "must be keys and values",
    "path_type": "must be a folder",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
}

_MISSING: dict[yaml_lines.Path, str] = {
    ("controller",): "add the controller's config: controller_type, controller_name, connector_name, trading_pair, ...",
    ("grid",): "add at least one axis, such as grid: {bb_length: [50, 100]}",
    ("period",): "add period: {start: 2024-01-01, end: 2024-01-31}",
    ("period", "start"): "add the first moment, such as start: 2024-01-01",
    ("period", "end"): "add the last moment, such as end: 2024-01-31",
    ("validate", "walk_forward", "train"): "add the length of a training window, such as train: 60d",
    ("validate", "walk_forward", "test"): "add the length of a test window, such as test: 14d",
}


def _error(mistake: Mistake, document: Marked, file: Path) -> SweepFileError:
    line = document.line(mistake.path)
    where = f"{file}, line {line}" if line else str(file)
    return mistake.kind(f"{where}: {'.'.join(map(str, mistake.path))}: {mistake.text}")
