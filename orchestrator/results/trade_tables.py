"""Tables of executors and fills as CSV, JSON and Parquet.

csv      one table: a line a row under a line of names, times as 2024-01-31T00:00:00Z, empty where there is no value,
         formulas as in orchestrator.results.export
json     {"executors": [...], "fills": [...]}, an object a row, times as in CSV, null where there is no value
parquet  one table, times as timestamps in UTC
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

import ujson

from orchestrator.results.export import inert
from orchestrator.results.output_path import check_target, replacing
from tasks.named_types import Row

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "json", "parquet")


def encoded(tables: dict[str, pd.DataFrame], format: str, table: str, *, raw: bool = False) -> bytes:
    """The bytes of `tables` in a format; of the one named `table` where the format holds one. Raises ValueError.

    `raw`: texts of a CSV file are written as they are, see orchestrator.results.export.
    """
    if format == "json":
        document = {name: _records(frame) for name, frame in tables.items()}
        return ujson.dumps(document, indent=1).encode() + b"\n"
    frame = tables[table]
    if format == "csv":
        if not raw:
            frame = frame.apply(lambda column: column.map(inert) if column.dtype == object else column)
        text: str = frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
        return text.encode()
    if format == "parquet":
        import io

        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return buffer.getvalue()
    raise ValueError(f"format {format}: is none of {', '.join(FORMATS)}")


def write(content: bytes, to: Path | IO[bytes]) -> None:
    """Into a stream, or into a file that is replaced when it is complete. Raises StoreError for the store's own."""
    if not isinstance(to, Path):
        to.write(content)
        to.flush()
        return
    check_target(to)
    with replacing(to) as stream:
        stream.write(content)


def _records(frame: pd.DataFrame) -> list[Row]:
    import pandas as pd

    plain = frame.copy()
    for column in plain.columns:
        if isinstance(plain[column].dtype, pd.DatetimeTZDtype):
            plain[column] = plain[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = plain.astype(object).where(plain.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
