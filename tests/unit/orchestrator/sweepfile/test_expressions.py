"""Expressions for rank_by and where: what they mean, and that nothing else gets through."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sweepfile.expressions import FUNCTIONS, Expression, check, parse_objective
from tasks.errors import ExpressionError

NAN = float("nan")
COLUMNS: dict[str, Any] = {
    "a": np.array([1.0, 2.0, NAN, -4.0]),
    "b": np.array([0.0, 2.0, 3.0, 4.0]),
    "pair": np.array(["BTC", "ETH", None, "BTC"], dtype=object),
    "flag": np.array([True, False, True, False]),
}


def value(text: str) -> list[Any]:
    return list(Expression.parse(text).evaluate(COLUMNS, 4).tolist())


def truth(text: str) -> list[bool]:
    return list(Expression.parse(text).truth(COLUMNS, 4).tolist())


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a", [1, 2, NAN, -4]),
        ("  a + b * 2 - 1", [0, 5, NAN, 3]),
        ("a / b", [math.inf, 1, NAN, -1]),
        ("b // 3", [0, 0, 1, 1]),
        ("b % 3", [0, 2, 0, 1]),
        ("b ** 2", [0, 4, 9, 16]),
        ("-a", [-1, -2, NAN, 4]),
        ("abs(a)", [1, 2, NAN, 4]),
        ("min(a, b, 2)", [0, 2, NAN, -4]),
        ("max(a, b)", [1, 2, NAN, 4]),
        ("sqrt(b * b)", [0, 2, 3, 4]),
        ("log(b)", [-math.inf, math.log(2), math.log(3), math.log(4)]),
        ("round(a * 0.4)", [0, 1, NAN, -2]),
        ("b if flag else a", [0, 2, 3, -4]),
        ("flag + 1", [2, 1, 2, 1]),
        ("7", [7, 7, 7, 7]),
    ],
)
def test_numbers(text: str, values: list[float]) -> None:
    assert value(text) == pytest.approx(values, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a > 1", [False, True, False, False]),
        ("not a > 1", [True, False, True, True]),
        ("0 < a <= 2", [True, True, False, False]),
        ("a != 1", [False, True, True, True]),
        ("a >= 1 and b == 2", [False, True, False, False]),
        ("a > 1 or (b > 2 and flag)", [False, True, True, False]),
        ("pair == 'BTC'", [True, False, False, True]),
        ("pair in ['BTC', 'XRP']", [True, False, False, True]),
        ("pair not in ('BTC',)", [False, True, True, False]),
        ("b in [2, 4]", [False, True, False, True]),
        ("isnan(a)", [False, False, True, False]),
        ("isnan(pair)", [False, False, True, False]),
        ("pair < 'C'", [True, False, False, True]),
        ("a > 1\n  or flag", [True, True, True, False]),
        ("a", [True, True, False, True]),
        ("flag", [True, False, True, False]),
        ("True", [True, True, True, True]),
        ("3 > 4", [False, False, False, False]),
    ],
)
def test_conditions(text: str, values: list[bool]) -> None:
    assert truth(text) == values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("a +", "invalid syntax"),
        ("a = 3", "syntax"),
        ("a; b", "syntax"),
        ("a & b", "write `and` and `or`"),
        ("a > 1 & b > 2", "write `and` and `or`"),
        ("a is 3", "`is` is not allowed"),
        ("a > 1 && b", "write `and`"),
        ("a > 1 || b", "write `or`"),
        ("!a", "write `not`"),
        ("a => 3", "write `>=`"),
        ("a = 3", "write `==`"),
        ("a > ", "at its end"),
        ("a in [None, 1]", "a list of numbers or text"),
        ("a in [[1]]", "a list of numbers or text"),
        ("foo(a)", "no function foo"),
        ("min(a)", "two or more"),
        ("abs(a, b)", "takes one value"),
        ("abs(a, key=b)", "takes one value"),
        ("a in b", "after `in` comes a list"),
        ("a in [b]", "after `in` comes a list"),
        ("(a).real", "`a.real` is not allowed"),
        ("a[0]", "not allowed"),
        ("[x for x in a]", "not allowed"),
        ("lambda: a", "not allowed"),
        ("(a := 3)", "not allowed"),
        ("f'{a}'", "not allowed"),
        ("__import__('os').system('true')", "not allowed"),
        ("abs.__globals__", "not allowed"),
        ("a if (yield) else b", "not allowed|syntax"),
        ("None", "not allowed"),
        ("b'a' == a", "not allowed"),
        ("1j * a", "not allowed"),
        ("~a", "not allowed"),
        ("a @ b", "not allowed"),
        ("a" + "+a" * 3000, "at most"),
        ("-" * 3000 + "a", "no expression"),
        ("a\x00b", "no expression|null"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        check(text)
    assert "\n" not in str(caught.value)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(ExpressionError, match="`net_pln > 1`: there is no column net_pln; the nearest is `net_pnl`"):
        Expression.parse("net_pln > 1").check_columns(["accuracy", "net_pnl", "net_pnl_quote"])
    with pytest.raises(ExpressionError, match="there is no column x"):
        Expression.parse("x").evaluate({}, 0)


@pytest.mark.parametrize(
    "text", ["pair > 3", "pair == 3", "pair + 1", "abs(pair)", "-pair", "a == 'x'", "flag != 'True'", "a in [1, 'x']"]
)
def test_text_and_numbers_do_not_mix(text: str) -> None:
    with pytest.raises(ExpressionError, match="does not go together"):
        Expression.parse(text).evaluate(COLUMNS, 4)


def test_text_is_no_objective() -> None:
    with pytest.raises(ExpressionError, match="is text, not a number"):
        Expression.parse("pair").numbers(COLUMNS, 4)


def test_names() -> None:
    assert set(Expression.parse("abs(a) / max(b, a) + min(c, 1)").names) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "objective", "ascending"),
    [
        ("a", "a", False),
        ("-a", "a", True),
        ("-(a + b)", "a + b", True),
        ("-a + b", "-a + b", False),
        ("- abs(a)", "abs(a)", True),
    ],
)
def test_a_minus_before_all_of_it_ranks_ascending(text: str, objective: str, ascending: bool) -> None:
    expression, found = parse_objective(text)
    assert (expression.text, found) == (objective, ascending)


@given(st.text(alphabet="ab.()[]{}+-*/<>=! ,'\"_1~@:\\nx\x00&|%^", max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        found = Expression.parse(text)
    except ExpressionError:
        return
    with suppress(ExpressionError):
        assert len(found.evaluate(COLUMNS, 4)) == 4


def test_every_function_works() -> None:
    for name in FUNCTIONS:
        arguments = "b, a" if name in ("min", "max") else "b"
        assert len(value(f"{name}({arguments})")) == 4
