"""Configs of ended executors, put away: a tenth of the memory, and the same objects again when someone reads them.

A run of half a year makes a hundred thousand executor configs, each with dicts, sets and models of its own; hardly one
is ever read again. A config nobody else holds (its reference count says so) is taken apart into a tuple of its values;
what equals the one before (field names, barriers made of the same objects) is kept once.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any, NamedTuple

from pydantic import BaseModel

from tasks.engine.executors.lazy_config import LazyPositionConfig

_new, _set = object.__new__, object.__setattr__
#: References to an object that only its owner holds, seen from `compact`: the owner's, the local name, the argument.
_ALONE = 3


class _Shape(NamedTuple):
    """What all configs made by one line of code have in common."""

    model: type[BaseModel]
    names: tuple[str, ...]
    fields_set: frozenset[str]


class Compacted(NamedTuple):
    """A model without its dicts."""

    shape: _Shape
    values: tuple[Any, ...]


class Compactor:
    """One per run; remembers shapes and barriers."""

    def __init__(self) -> None:
        self._shapes: dict[_Shape, _Shape] = {}
        self._barriers: dict[tuple[Any, ...], Compacted] = {}

    def compact(self, owner: Any) -> None:
        """Put `owner.config` away, if nobody but `owner` holds it."""
        config = owner.config
        if type(config) in (LazyPositionConfig, Compacted) or getrefcount(config) > _ALONE:
            return
        frozen = self._compacted(config)
        if frozen is not None:
            owner.config = frozen

    def _compacted(self, model: BaseModel, *, nested: bool = False) -> Compacted | None:
        if model.__pydantic_extra__ is not None or model.__pydantic_private__ is not None:
            return None
        values = []
        for value in model.__dict__.values():
            if not nested and isinstance(value, BaseModel) and getrefcount(value) <= _ALONE:
                inner = self._compacted(value, nested=True)
                # Barriers are made anew for each executor, of the same few objects.
                value = value if inner is None else self._barriers.setdefault((inner[0], *map(id, inner[1])), inner)
            values.append(value)
        shape = _Shape(type(model), tuple(model.__dict__), frozenset(model.__pydantic_fields_set__))
        return Compacted(self._shapes.setdefault(shape, shape), tuple(values))


def materialise(owner: Any) -> Any:
    """`owner.config` as a model (again), the same one from now on."""
    config = owner.config
    if type(config) is LazyPositionConfig:
        owner.config = config = config.made()
    elif type(config) is Compacted:
        owner.config = config = _materialised(config)
    return config


def _materialised(frozen: Compacted) -> BaseModel:
    shape, values = frozen
    model = _new(shape.model)
    inner = [_materialised(value) if type(value) is Compacted else value for value in values]
    _set(model, "__dict__", dict(zip(shape.names, inner, strict=True)))
    _set(model, "__pydantic_fields_set__", set(shape.fields_set))
    _set(model, "__pydantic_extra__", None)
    _set(model, "__pydantic_private__", None)
    return model
