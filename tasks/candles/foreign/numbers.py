"""Numbers as people and programs write them: decimal commas, thousands, K and M."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.candles.validation import to_floats

_NUMBER = re.compile(r"[-+]?[\d.,' ]*\d[.,]?([eE][-+]?\d+)?[KMB]?")
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9}
#: Texts that mean a missing number.
_NOTHING = frozenset({"", "-", "nan", "NaN", "null", "NULL", "None", "n/a", "N/A"})


def is_number(text: str) -> bool:
    """Whether a field looks like a number, in whatever way it is written."""
    return _NUMBER.fullmatch(text.strip().strip('"').lstrip("$€£")) is not None


def decimal_sign(columns: Iterable[pa.Array | pa.ChunkedArray]) -> str:
    """The sign before the decimals of all these columns: a point or a comma. Raises ValueError when it is not clear."""
    commas: set[str] = set()
    for column in columns:
        if not pa.types.is_string(column.type):
            continue
        with_comma = column.filter(pc.match_substring(column, ","))
        commas.update(with_comma.slice(0, 5000).to_pylist())
    if not commas:
        return "."
    bare = [text.strip().strip('"').lstrip("$€£-+") for text in commas]
    if any("." in text and text.rfind(",") > text.rfind(".") for text in bare):
        return ","
    if any("." in text or text.count(",") > 1 for text in bare):
        return "."
    if any(len(text.rpartition(",")[2].rstrip("KMB")) != 3 for text in bare):
        return ","
    raise ValueError(
        f"{min(bare)!r} could be a number with decimals or with thousands; write decimals with a point, thousands "
        "without a sign"
    )


def numbers_of(column: pa.Array | pa.ChunkedArray, sign: str) -> NDArray[np.float64]:
    """A column as float64, NaN where the field is empty. Raises ValueError for what is no number."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return to_floats(column)
    try:
        return to_floats(column)
    except pa.ArrowInvalid:
        pass
    try:  # most files have nothing else that is odd
        plain = pc.replace_substring(column, "." if sign == "," else ",", "")
        return to_floats(pc.replace_substring(plain, ",", ".") if sign == "," else plain)
    except pa.ArrowInvalid:
        return np.array([_number(text, sign) for text in column.to_pylist()], np.float64)


def _number(written: str | None, sign: str) -> float:
    text = (written or "").strip().strip('"').strip()
    if text in _NOTHING:
        return float("nan")
    text = text.lstrip("$€£").replace("'", "").replace(" ", "").replace("\u00a0", "")
    factor = _SUFFIXES.get(text[-1:], 1.0)
    if factor != 1.0:
        text = text[:-1]
    text = text.replace(".", "").replace(",", ".") if sign == "," else text.replace(",", "")
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{(written or '')[:40]!r} is not a number")
    return float(text) * factor
