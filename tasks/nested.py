"""Axes that reach into a controller's config: a dot in an axis's name leads from a key into what it holds.

    triple_barrier_config.take_profit     the key take_profit of the mapping triple_barrier_config
    candles_config.0.interval             the key interval of the first item of the list candles_config

A mapping that the config does not have is made; a list must be there, long enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.named_types import ConfigValues, JsonObject


def root_key(name: str) -> str:
    """The key of the config that an axis changes: the part before the first dot."""
    return name.partition(".")[0]


def config_values(config: ConfigValues, values: ConfigValues) -> JsonObject:
    """The config with each value set where its name leads; `config` and what it holds stay as they are.

    Raises ValueError with a sentence for a name that leads nowhere.
    """
    made = dict(config)
    for name, value in values.items():
        if "." in name:
            made = _with(made, name.split("."), 0, value)
        else:
            made[name] = value
    return made


def _with(holder: Any, parts: list[str], depth: int, value: Any) -> Any:
    """A copy of `holder` in which parts[depth:] lead to the value."""
    part, path = parts[depth], ".".join(parts[:depth])
    last = depth == len(parts) - 1
    if holder is None:
        holder = {}
    if isinstance(holder, Mapping):
        if not part:
            raise ValueError(f"{'.'.join(parts)}: has an empty part; write the keys with one dot between them")
        return {**holder, part: value if last else _with(holder.get(part), parts, depth + 1, value)}
    if isinstance(holder, list | tuple):
        if not part.isdigit() or int(part) >= len(holder):
            there = f"0 to {len(holder) - 1}" if holder else "none"
            raise ValueError(f"{path} is a list and has no item {part}; its items are {there}, counted from 0")
        copy = list(holder)
        copy[int(part)] = value if last else _with(copy[int(part)], parts, depth + 1, value)
        return copy
    shown = repr(holder)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    raise ValueError(f"{path} is {shown}, and nothing lies in it; write it as keys and values (or as a list)")
