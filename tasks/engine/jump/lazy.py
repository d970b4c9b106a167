"""Lists that are built when someone looks into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class LazyList(list[Any]):
    """A list whose items come from `build`, called once, at the first use of any kind.

    Everything that Python code does with a list works, `isinstance(x, list)` included. Only C code that takes the items
    of a list subclass without asking it would see an empty list.
    """

    __slots__ = ("_build",)

    def __init__(self, build: Callable[[], Iterable[Any]] | None = None) -> None:
        super().__init__()
        self._build = build

    @property
    def built(self) -> bool:
        """Whether the items are there already."""
        return self._build is None

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)


def _building(name: str) -> Callable[..., Any]:
    method = getattr(list, name)

    def built_first(self: LazyList, *args: Any, **kwargs: Any) -> Any:
        build = self._build
        if build is not None:
            self._build = None
            list.extend(self, build())
        return method(self, *args, **kwargs)

    built_first.__name__ = name
    return built_first


for _name in (
    "__add__", "__contains__", "__delitem__", "__eq__", "__ge__", "__getitem__", "__gt__", "__iadd__", "__imul__",
    "__iter__", "__le__", "__len__", "__lt__", "__mul__", "__ne__", "__repr__", "__reversed__", "__rmul__",
    "__setitem__", "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
):  # fmt: skip
    setattr(LazyList, _name, _building(_name))


def _radd(self: LazyList, other: list[Any]) -> list[Any]:
    return other + list(self)


LazyList.__radd__ = _radd  # type: ignore[attr-defined]  # `[] + lazy` would take the items without asking
