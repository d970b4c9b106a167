"""Whether the fields of a message have the types that its dataclass names; JSON can hold anything."""

from __future__ import annotations

import dataclasses
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "bool": (bool,),
    "dict": (dict,),
    "JsonObject": (dict,),
    "list": (list,),
}


def check_types(message: Any) -> None:
    """Raises TypeError naming the first field of a dataclass instance that has another type than it is declared with.

    The outermost type alone is looked at. A field whose type is not one of JSON (an enumeration, a class of ours) is
    passed over: whoever made it has checked it.
    """
    for field in dataclasses.fields(message):
        # annotations are text here: every module imports them from __future__
        kinds = _KINDS.get(str(field.type).partition("[")[0].strip())
        value = getattr(message, field.name)
        if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TypeError(f"its {field.name} is {value!r:.60}, no {field.type}")
