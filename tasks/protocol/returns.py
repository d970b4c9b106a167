"""The returns of points: at which interval, and how they travel.

A return is the change of the account from the end of one period to the end of the next, as a fraction of what the
account was. All points of a sweep, or of one of its windows, have the same periods, whatever candles they have:

    start        1d         2d         3d    end        the period of the sweep, and UTC days in it
      |     .     |          |          |  .  |
            <-- 1 --><-- 2 --><--- 3 ------>            the last part is less than half a day: it is no day of its own

The interval is one day where that gives at least 90 returns, otherwise the longest of INTERVALS_S that does.

They travel as one text per chunk: float32, little-endian, points x periods, the bytes of the values sorted by
significance (four planes, which pack better), zlib, base64. A point without returns is a row of NaN.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.errors import HummingsweepError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Intervals of returns, seconds, longest first: 1d 12h 6h 4h 2h 1h 30m 15m 5m 1m.
INTERVALS_S = (86400, 43200, 21600, 14400, 7200, 3600, 1800, 900, 300, 60)
#: Returns that make an interval long enough.
ENOUGH = 90
#: Returns of a point at most; 30 years of days are 11,000.
MAX_PERIODS = 100_000
#: The key of a row under which a child keeps its returns until the chunk is complete.
RETURNS = "returns"


class ReturnsError(HummingsweepError):
    """The returns of a chunk cannot be read; its rows are lost to the statistics."""


@dataclass(frozen=True)
class PackedReturns:
    """The returns of a chunk's rows, in the order of the rows."""

    #: length of a period, seconds
    interval_s: int
    #: returns of each row
    periods: int
    #: see the module
    data: str


def returns_interval(start: int, end: int, resolution_s: int) -> int:
    """Seconds of the interval of the returns of a sweep or window; a multiple of its candles' length.

    `start`, `end`: first and last moment of the period, seconds since epoch. The shortest where none gives ENOUGH.
    """
    fitting = [each for each in INTERVALS_S if each >= resolution_s and each % resolution_s == 0]
    if resolution_s >= INTERVALS_S[-1] and resolution_s not in fitting:
        fitting.append(resolution_s)
    for interval_s in fitting:
        if len(period_ends(start, end, resolution_s, interval_s)) >= ENOUGH:
            return interval_s
    return fitting[-1]


def period_ends(start: int, end: int, resolution_s: int, interval_s: int) -> npt.NDArray[np.int64]:
    """The moments at which the periods end, seconds since epoch, int64, ascending; at least one.

    A candle belongs to the period in which it opens; the last one opens at `end`. A first or last period of which less
    than half is in the sweep is part of its neighbour. Raises ReturnsError for more than MAX_PERIODS.
    """
    import numpy as np

    first = (start // interval_s + 1) * interval_s
    last = end // interval_s * interval_s  # where the last period begins
    if (last - first) // interval_s > MAX_PERIODS:
        raise ReturnsError(f"{start} to {end} are more than {MAX_PERIODS:,} periods of {interval_s} s")
    ends: npt.NDArray[np.int64] = np.arange(first, last + interval_s + 1, interval_s, dtype=np.int64)
    if len(ends) > 1 and 2 * (end + resolution_s - last) < interval_s:
        ends = np.append(ends[:-2], ends[-1])
    if len(ends) > 1 and 2 * (first - start) < interval_s:
        ends = ends[1:]
    return ends


def encode_row(returns: npt.NDArray[np.float32], interval_s: int) -> str:
    """One point's returns as text, for a row that is kept on the broker before its chunk is complete."""
    return f"{interval_s}:{base64.b64encode(returns.astype('<f4').tobytes()).decode('ascii')}"


def pack(rows: Sequence[str | None]) -> PackedReturns | None:
    """The returns of rows (`encode_row`; None: a row without) as one text; None when no row has any."""
    import numpy as np

    there = {place: row.partition(":")[::2] for place, row in enumerate(rows) if row}
    if not there:
        return None
    interval, first = next(iter(there.values()))
    periods = len(base64.b64decode(first)) // 4
    values = np.full((len(rows), periods), np.nan, dtype="<f4")
    for place, (_, text) in there.items():
        values[place] = np.frombuffer(base64.b64decode(text), dtype="<f4")
    return PackedReturns(int(interval), periods, base64.b64encode(packed_bytes(values)).decode("ascii"))


def packed_bytes(values: npt.NDArray[np.float32]) -> bytes:
    """Returns of shape (rows, periods) as a store keeps them, the inverse of `unpack`."""
    import numpy as np

    planes = np.ascontiguousarray(values, dtype="<f4").reshape(-1).view(np.uint8).reshape(-1, 4).T
    return zlib.compress(np.ascontiguousarray(planes).tobytes(), level=1)


def decoded(data: str) -> bytes:
    """The packed bytes as a store keeps them. Raises ReturnsError."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReturnsError(f"returns of a chunk are no base64: {error}") from None


def unpack(packed: bytes, rows: int, periods: int) -> npt.NDArray[np.float32]:
    """float32 of shape (rows, periods); NaN for a row without returns. Raises ReturnsError when the size differs."""
    import numpy as np

    if not 0 < periods <= MAX_PERIODS:
        raise ReturnsError(f"{periods} returns of a point are none or too many (at most {MAX_PERIODS})")
    size = rows * periods * 4
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise ReturnsError(f"returns of a chunk cannot be unpacked: {error}") from None
    if len(raw) != size or unpacker.unconsumed_tail:
        raise ReturnsError(f"returns of a chunk are not {rows} x {periods} values")
    planes = np.frombuffer(raw, dtype=np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view("<f4").reshape(rows, periods).astype(np.float32, copy=False)
