"""A file of an exchange or a vendor as a table of columns, whatever its layout: text, JSON, Parquet, feather.

text   a preamble (an URL, comments, blank lines), perhaps a header, then lines of equally many fields, separated by
       comma, semicolon, tab or bar; perhaps compressed (.gz, .zip with one file)
JSON   a list of lists or of objects, or an object of lists, wherever it lies in the document
"""

from __future__ import annotations

import csv as text_csv
import gzip
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, feather, parquet

from tasks.candles.foreign.numbers import is_number
from tasks.named_types import JsonValue

#: Endings of what can be read.
ENDINGS = (".csv", ".txt", ".tsv", ".json", ".parquet", ".pq", ".feather", ".arrow", ".zip")
#: What may separate fields, the likeliest first.
_DELIMITERS = (",", ";", "\t", "|")
#: Lines that show the layout of a text.
_SHOWING = 50
#: Fields of a line at least: a time and four prices.
_LEAST = 5
#: Byte order marks of texts that are not UTF-8.
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass
class Sheet:
    """Columns as they were written: pyarrow arrays of text, or of what a typed file holds."""

    #: None where the file has no header
    names: list[str] | None
    columns: list[pa.Array | pa.ChunkedArray]
    #: what was passed over or told apart, a sentence each
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Lines below the header."""
        return len(self.columns[0]) if self.columns else 0


def read_sheet(path: Path, most_bytes: int | None = None) -> Sheet:
    """The table of a file, or of its first bytes. Raises ValueError with a sentence, OSError."""
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        return _of_table(parquet.read_table(path))
    if name.endswith((".feather", ".arrow")):
        return _of_table(feather.read_table(path))
    data = _unpacked(path, most_bytes)
    encoding = next((encoding for mark, encoding in _ENCODINGS.items() if data.startswith(mark)), "utf-8")
    text = data.decode(encoding, errors="replace")
    if most_bytes is not None and len(data) >= most_bytes:
        text = text[: text.rfind("\n") + 1]
    if text.lstrip()[:1] in ("[", "{"):
        return _of_json(text, partial=most_bytes is not None and len(data) >= most_bytes)
    return _of_text(text)


def _unpacked(path: Path, most: int | None) -> bytes:
    size = -1 if most is None else most
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
                if len(names) != 1:
                    raise ValueError(f"holds {len(names)} files, not one; unpack it")
                with archive.open(names[0]) as inner:
                    return inner.read(size)
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            return file.read(size)
    except (zipfile.BadZipFile, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"cannot be unpacked ({error}); fetch it again") from error


def _of_table(table: pa.Table) -> Sheet:
    return Sheet([str(name) for name in table.column_names], [column.combine_chunks() for column in table.columns])


def _of_text(text: str) -> Sheet:
    lines = text.splitlines()
    delimiter, width = _layout(lines)
    first = next(place for place, line in enumerate(lines) if len(_fields(line, delimiter)) == width)
    notes = []
    passed = [line for line in lines[:first] if line.strip()]
    if passed:
        notes.append(f"{len(passed)} lines before the table passed over, the first: {passed[0].strip()[:60]!r}")
    fields = _fields(lines[first], delimiter)
    header = sum(is_number(one) for one in fields) < _LEAST - 1
    names = [one.strip().strip('"<>').strip() for one in fields] if header else None
    if delimiter != ",":
        notes.append(f"fields separated by {'a tab' if delimiter == chr(9) else delimiter}")
    if not header:
        notes.append("no header: columns told by their order")
    body = "\n".join(lines[first + header :])
    labels = [str(place) for place in range(width)]
    bad: list[str] = []

    def note_bad(row: csv.InvalidRow) -> str:
        bad.append(str(row.text))
        return "skip"

    table = csv.read_csv(
        io.BytesIO(body.encode()),
        csv.ReadOptions(column_names=labels),
        csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note_bad),
        csv.ConvertOptions(column_types=dict.fromkeys(labels, pa.string()), strings_can_be_null=False),
    )
    if bad:
        shown = bad[0].strip()[:60]
        if shown and not shown.startswith("#") and (len(bad) > 1 or body.rstrip().rpartition("\n")[2] != bad[0]):
            raise ValueError(f"{len(bad)} lines have another number of fields than {width}, the first: {shown!r}")
        notes.append(f"{len(bad)} lines that are no rows passed over, the first: {shown!r}")
    return Sheet(names, [column.combine_chunks() for column in table.columns], notes)


def _layout(lines: Sequence[str]) -> tuple[str, int]:
    """The delimiter and the number of fields of most lines. Raises ValueError."""
    shown = [line for line in lines[: _SHOWING * 2] if line.strip() and not line.startswith("#")][-_SHOWING:]
    best: tuple[int, int, str, int] | None = None
    for rank, delimiter in enumerate(_DELIMITERS):
        widths = Counter(len(_fields(line, delimiter)) for line in shown)
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        # decimal commas make more fields of a line than it has, but not as many in every line
        if width >= _LEAST and (best is None or (count, -rank) > best[:2]):
            best = (count, -rank, delimiter, width)
    if best is None:
        raise ValueError("no table in it: no line has a time, four prices and a volume, whatever separates the fields")
    semicolons = Counter(len(_fields(line, ";")) for line in shown).most_common(1)[0]
    if best[2] == "," and semicolons[0] >= _LEAST and semicolons[1] >= len(shown) - 2:
        return ";", semicolons[0]
    return best[2], best[3]


def _fields(line: str, delimiter: str) -> list[str]:
    if '"' in line:
        return next(text_csv.reader([line], delimiter=delimiter), [])
    return line.split(delimiter)


def _of_json(text: str, *, partial: bool) -> Sheet:
    if partial:
        raise ValueError("is too long to be looked into")
    try:
        rows = _longest(_document(text))
    except RecursionError:
        raise ValueError("is JSON of lists in lists, far deeper than candles are") from None
    if isinstance(rows, dict):
        return Sheet([str(name) for name in rows], [_texts(values) for values in rows.values()])
    if not rows:
        raise ValueError("no list of candles in it")
    if isinstance(rows[0], dict):
        names = list(dict.fromkeys(name for row in rows for name in row))
        return Sheet(list(map(str, names)), [_texts([row.get(name) for row in rows]) for name in names])
    width = min(map(len, rows))
    return Sheet(None, [_texts([row[place] for row in rows]) for place in range(width)])


def _document(text: str) -> JsonValue:
    """What JSON says, also where it is one object a line. Raises ValueError, RecursionError."""
    try:
        document: JsonValue = json.loads(text)
    except ValueError as error:
        lines = text.splitlines()
        try:
            document = [json.loads(line) for line in lines if line.strip()]
        except ValueError:
            raise ValueError(f"is not JSON ({error})") from None
    return document


def _longest(document: JsonValue) -> JsonValue:
    """The longest list of lists or objects, or object of equally long lists, in a document; empty when none is."""
    best: Any = []

    def size(rows: Any) -> int:
        return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)

    def look(value: Any) -> None:
        nonlocal best
        if isinstance(value, list):
            if value and all(isinstance(row, dict) or (isinstance(row, list) and len(row) >= _LEAST) for row in value):
                best = value if len(value) > size(best or []) else best
            else:
                for inner in value[:100]:
                    look(inner)
        elif isinstance(value, dict):
            lists = {name: inner for name, inner in value.items() if isinstance(inner, list) and inner}
            plain = {name: inner for name, inner in lists.items() if not isinstance(inner[0], list | dict)}
            if len(plain) >= _LEAST and len({len(inner) for inner in plain.values()}) == 1:
                best = plain if size(plain) > size(best or []) else best
            for inner in value.values():
                look(inner)

    look(document)
    return best


def _texts(values: Sequence[object]) -> pa.Array:
    """As text, exactly: JSON's numbers come back as they were written."""
    texts = ["" if value is None else repr(value) if isinstance(value, float) else str(value) for value in values]
    return pa.array(texts, pa.string())
