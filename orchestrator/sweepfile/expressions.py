"""Expressions over the columns of rows, for `rank_by` and `where`.

    net_pnl / abs(max_drawdown_pct)
    total_positions >= 30 and -0.2 < max_drawdown_pct and not trading_pair in ["DOGE-USDT"]

Written as in Python: numbers, strings, columns, + - * / // % **, comparisons (chained too), `in` a list, and, or, not,
`a if c else b`, and the functions of FUNCTIONS. Nothing else is accepted, so an expression can neither call nor reach
anything. Evaluated on whole columns at once.

A missing value (null, NaN) makes a number NaN and a comparison false, but it is != and `not in` everything, and isnan()
says where it is missing. x / 0 is an infinity or NaN. All numbers are float64.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.errors import ExpressionError
from tasks.suggest import nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    #: float64, bool, or object (strings and None), all of the same shape (n,)
    Column = npt.NDArray[Any]

#: What may be called; min and max take two or more arguments and work row by row.
FUNCTIONS = ("abs", "min", "max", "sqrt", "log", "log10", "exp", "round", "floor", "ceil", "isnan")
#: Longer ones are refused.
MAX_CHARACTERS = 4000

#: What people write in place of what Python writes.
_SLIPS = (
    (r"&&|\bAND\b", "and"),
    (r"\|\||\bOR\b", "or"),
    (r"!(?!=)|\bNOT\b", "not"),
    (r"=>", ">="),
    (r"=<", "<="),
    (r"<>", "!="),
    (r"(?<![<>=!])=(?!=)", "=="),
)

_BINARY = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "true_divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Pow: "power",
}
_COMPARE = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}


@dataclass(frozen=True)
class Expression:
    """One parsed expression. Immutable; the same tree serves any number of tables."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> Expression:
        """From text. Raises ExpressionError for what is not an expression of this language."""
        source = re.sub(r"\s*\n\s*", " ", text.strip())
        if not source:
            raise ExpressionError("the expression is empty; write a column such as net_pnl")
        if len(source) > MAX_CHARACTERS:
            raise ExpressionError(f"the expression has {len(source)} characters; at most {MAX_CHARACTERS}")
        try:
            with warnings.catch_warnings():  # "\\d" is a text like any other
                warnings.simplefilter("ignore", SyntaxWarning)
                tree = ast.parse(_DOTTED.sub(_joined, source), mode="eval").body
            for node in ast.walk(tree):
                if isinstance(node, ast.Name):
                    node.id = node.id.replace(_DOT, ".")
            _check(tree)
        except SyntaxError as error:
            where = f"character {error.offset}" if error.offset else "at its end"
            slips = [right for wrong, right in _SLIPS if re.search(wrong, source)]
            hint = f"; write `{slips[0]}`" if slips else ""
            raise ExpressionError(f"`{source}`: {error.msg} ({where}){hint}") from None
        except (ValueError, RecursionError, MemoryError):
            raise ExpressionError(f"`{source[:60]}`: is no expression") from None
        except _Refused as refused:
            raise ExpressionError(f"`{source}`: {refused}") from None
        return cls(source, tree)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it reads."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        names = [node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and id(node) not in called]
        return tuple(dict.fromkeys(names))

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raises ExpressionError, naming the nearest column, for one that is not there."""
        there = list(columns)
        for name in self.names:
            if name not in there:
                close = nearest(name, there)
                hint = f"; the nearest is `{close}`" if close else ""
                raise ExpressionError(f"`{self.text}`: there is no column {name}{hint}")

    def evaluate(self, columns: Mapping[str, Column], size: int) -> Column:
        """The value in every row, shape (size,). Raises ExpressionError for unknown columns and mixed-up types."""
        import numpy as np

        self.check_columns(columns)
        try:
            with np.errstate(all="ignore"):
                value = _Evaluator(columns).visit(self.tree)
        except (TypeError, ValueError, OverflowError) as error:
            raise ExpressionError(f"`{self.text}`: compares or computes what does not go together ({error})") from None
        return np.broadcast_to(value, (size,))

    def numbers(self, columns: Mapping[str, Column], size: int) -> npt.NDArray[np.float64]:
        """`evaluate` as float64. Raises ExpressionError when the result is text."""
        import numpy as np

        value = self.evaluate(columns, size)
        if value.dtype.kind not in "fbiu":
            raise ExpressionError(f"`{self.text}`: is text, not a number; rank by a column of numbers")
        return value.astype(np.float64)

    def truth(self, columns: Mapping[str, Column], size: int) -> npt.NDArray[np.bool_]:
        """`evaluate` as bool; missing values are false."""
        truth: npt.NDArray[np.bool_] = _truth(self.evaluate(columns, size))
        return truth


def check(text: str) -> None:
    """Raises ExpressionError when `text` is no expression; columns are not looked at."""
    Expression.parse(text)


def parse_objective(text: str) -> tuple[Expression, bool]:
    """The expression of a `rank_by` and whether the smallest value is the best (a minus before the whole of it)."""
    parsed = Expression.parse(text)
    if isinstance(parsed.tree, ast.UnaryOp) and isinstance(parsed.tree.op, ast.USub):
        return Expression.parse(ast.unparse(parsed.tree.operand)), True
    return parsed, False


#: A text, which stays, or a name with dots, such as that of the axis candles_config.0.interval.
_DOTTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?<![\w.)\]])[A-Za-z_]\w*(?:\.(?!__)\w+)+(?![\w.(])""")
#: Replaces a dot while Python parses: a letter, so that the name is one identifier and no offset in the text moves.
_DOT = "\u02d1"


def _joined(found: re.Match[str]) -> str:
    return found[0] if found[0][0] in "'\"" else found[0].replace(".", _DOT)


class _Refused(Exception):
    pass


def _check(node: ast.expr) -> None:
    """Walk the whole tree; raise _Refused at the first thing that has no meaning here."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.Name():
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not()):
            parts = [node.operand]
        case ast.BinOp(op=op) if type(op) in _BINARY:
            parts = [node.left, node.right]
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            raise _Refused("write `and` and `or` in place of & and |")
        case ast.BoolOp():
            parts = node.values
        case ast.Compare():
            _check_comparisons(node)
            parts = [
                node.left,
                *(part for op, part in zip(node.ops, node.comparators, strict=True) if type(op) in _COMPARE),
            ]
        case ast.IfExp():
            parts = [node.test, node.body, node.orelse]
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            least = 2 if name in ("min", "max") else 1
            if node.keywords or len(node.args) < least or (least == 1 and len(node.args) > 1):
                raise _Refused(f"{name} takes {'two or more values' if least == 2 else 'one value'}")
            parts = node.args
        case ast.Call(func=ast.Name(id=name)):
            raise _Refused(f"there is no function {name}; there are {', '.join(FUNCTIONS)}")
        case _:
            raise _Refused(
                f"`{ast.unparse(node)}` is not allowed; use columns, numbers, comparisons and simple functions"
            )
    for part in parts:
        _check(part)


def _check_comparisons(node: ast.Compare) -> None:
    for op, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.In | ast.NotIn):
            try:
                values = ast.literal_eval(right)
            except ValueError:
                values = None
            if not isinstance(values, list | tuple | set) or not all(
                isinstance(one, int | float | str) for one in values
            ):
                raise _Refused('after `in` comes a list of numbers or text, such as ["BTC-USDT", "ETH-USDT"]')
        elif type(op) not in _COMPARE:
            raise _Refused("`is` is not allowed; use ==, or isnan(column) for a missing number")


class _Evaluator:
    """Values of nodes that `_check` accepted: numpy arrays and scalars."""

    def __init__(self, columns: Mapping[str, Column]):
        import numpy as np

        self._np: Any = np
        self._columns = columns

    def visit(self, node: ast.expr) -> Any:
        np = self._np
        match node:
            case ast.Constant(value=value):
                return value if isinstance(value, str | bool) else np.float64(value)
            case ast.Name(id=name):
                return self._columns[name]
            case ast.UnaryOp(op=op, operand=operand):
                value = self.visit(operand)
                if isinstance(op, ast.Not):
                    return np.logical_not(_truth(value))
                return np.negative(_number(value)) if isinstance(op, ast.USub) else _number(value)
            case ast.BinOp(left=left, op=op, right=right):
                return getattr(np, _BINARY[type(op)])(_number(self.visit(left)), _number(self.visit(right)))
            case ast.BoolOp(op=op, values=values):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return join.reduce(np.broadcast_arrays(*(_truth(self.visit(value)) for value in values)))
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return np.where(_truth(self.visit(test)), self.visit(body), self.visit(orelse))
            case ast.Call(func=ast.Name(id="isnan"), args=[value]):
                return _missing(self.visit(value))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _function(np, name)(*(_number(self.visit(arg)) for arg in args))
        raise TypeError(f"{type(node).__name__} was not checked")

    def _compare(self, node: ast.Compare) -> Any:
        np = self._np
        left, result = self.visit(node.left), np.True_
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                found = np.False_
                for value in ast.literal_eval(comparator):
                    found = np.logical_or(found, _compared("equal", left, value))
                result = np.logical_and(result, np.logical_not(found) if isinstance(op, ast.NotIn) else found)
                continue
            right = self.visit(comparator)
            result = np.logical_and(result, _compared(_COMPARE[type(op)], left, right))
            left = right
        return result


def _compared(name: str, left: Any, right: Any) -> Any:
    """numpy's comparison of that name. Raises TypeError for text with a number."""
    import numpy as np

    texts = [np.asarray(value).dtype.kind not in "bfiu" for value in (left, right)]
    if texts[0] != texts[1]:
        raise TypeError("text with a number")
    compare = getattr(np, name)
    if not texts[0] or name in ("equal", "not_equal"):
        return compare(left, right)
    # Python has no order of text and None
    left, right = np.broadcast_arrays(np.asarray(left, dtype=object), np.asarray(right, dtype=object))
    there = ~(_missing(left) | _missing(right))
    found = np.zeros(left.shape, dtype=bool)
    found[there] = compare(left[there], right[there])
    return found


def _missing(value: Any) -> Any:
    """Where a number is NaN, or text is not there."""
    import numpy as np

    array: Any = np.asarray(value)
    return np.isnan(array) if array.dtype.kind == "f" else array == None  # noqa: E711 - each element


def _number(value: Any) -> Any:
    import numpy as np

    kind = np.asarray(value).dtype.kind
    if kind == "b":
        return np.asarray(value, dtype=np.float64)
    if kind not in "fiu":
        raise TypeError("text is not a number")
    return value


def _truth(value: Any) -> Any:
    """Booleans as they are; a number is true when it is neither 0 nor missing; text when there is some."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind == "f":
        return (array != 0) & ~np.isnan(array)
    return array.astype(bool)


def _function(np: Any, name: str) -> Callable[..., Any]:
    if name in ("min", "max"):
        ufunc = np.minimum if name == "min" else np.maximum

        def fold(first: Any, *rest: Any) -> Any:
            for value in rest:
                first = ufunc(first, value)
            return first

        return fold
    found: Callable[..., Any] = {"abs": np.abs, "round": np.rint}.get(name) or getattr(np, name)
    return found
