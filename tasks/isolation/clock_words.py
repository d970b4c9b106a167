"""`numpy.datetime64("now")` and `pandas.Timestamp("now")` in controllers, which get the back-test's time for the word.

Both read the words "now" and "today" in native code, where nothing can be replaced. So the calls themselves are:
a controller's module in which some call has such a word as its first argument is compiled with

    f("now", ...)    as    __call_with_clock__(f, "now", ...)

and `call_with_clock` looks at what `f` is when it is called. Every other module is compiled as it stands. A word that
comes from a variable, or inside a list, is not seen.
"""

from __future__ import annotations

import ast
import re
import sys
from types import CodeType
from typing import Any

from tasks.isolation.clock import clock

#: The name under which modules find `call_with_clock`.
NAME = "__call_with_clock__"
WORDS = ("now", "today")
_MAY_HAVE_WORDS = re.compile(rb"""["'](?:now|today)["']""", re.IGNORECASE)
_DAY_S = 86_400


def code_with_clock(source: bytes, path: str) -> CodeType | None:
    """The code of a module whose calls with "now" or "today" ask the clock; None where it has no such call.

    `path`: of its file, for tracebacks; lines stay as they are. None, too, for what is no valid Python.
    """
    if not _MAY_HAVE_WORDS.search(source):
        return None
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError):
        return None  # the import itself says what is wrong
    calls = _Calls()
    calls.visit(tree)
    if not calls.found:
        return None
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class _Calls(ast.NodeTransformer):
    """Sends calls whose first argument is such a word through `call_with_clock`."""

    def __init__(self) -> None:
        self.found = False

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.lower() in WORDS:
            self.found = True
            node.args.insert(0, node.func)
            node.func = ast.copy_location(ast.Name(NAME, ast.Load()), node)
        return node


def call_with_clock(function: Any, word: str, *args: Any, **kwargs: Any) -> Any:
    """`function(word, ...)`, in which numpy's and pandas' makers of moments get the clock's time for the word."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and function is numpy.datetime64:
        seconds = int(clock.seconds())
        moment = function(seconds, "s") if word.lower() == "now" else function(seconds // _DAY_S, "D")
        return function(moment, *args) if args else moment
    if pandas is not None and word in WORDS and function in (pandas.Timestamp, pandas.to_datetime):
        moment = pandas.Timestamp(clock.seconds(), unit="s", tz="UTC")
        if function is pandas.to_datetime:
            return function(moment.tz_convert(None), *args, **kwargs)
        return moment.tz_convert(kwargs.get("tz"))  # to None: without a zone, as the children's own zone is UTC
    return function(word, *args, **kwargs)
