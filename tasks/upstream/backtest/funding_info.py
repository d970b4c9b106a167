"""Funding rates as a controller asks for them: the last rate that is known, as hummingbot's FundingInfo."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.errors import ControllerError

if TYPE_CHECKING:
    import pandas as pd

#: Seconds from one funding to the next on most perpetual exchanges.
USUAL_GAP_S = 8 * 3600.0


@dataclass(frozen=True)
class OfflineFundingInfo:
    """Has the fields of hummingbot's FundingInfo, whose module brings the perpetual connectors along."""

    trading_pair: str
    index_price: Decimal
    mark_price: Decimal
    #: seconds since epoch
    next_funding_utc_timestamp: int
    #: fraction per funding interval
    rate: Decimal


def series_name(trading_pair: str) -> str:
    """The series of the sweep file that holds the rates of a pair."""
    return f"funding_{trading_pair}"


def rates_frames(funding: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, pd.DataFrame]:
    """The rates under `funding:` of the sweep file (pair -> [[seconds, rate], ...]) as series with a column `rate`."""
    import pandas as pd

    return {
        series_name(pair): pd.DataFrame(sorted(map(tuple, rates)), columns=["timestamp", "rate"], dtype="float64")
        for pair, rates in funding.items()
    }


def funding_info(trading_pair: str, known: pd.DataFrame | None, now: float, price: Decimal) -> OfflineFundingInfo:
    """What is known at a moment.

    `known`: the rows of the pair's series up to `now` (seconds), with a column `rate` and, where the file has them,
    `mark_price`, `index_price`, `next_funding_utc_timestamp`; None where there is no such series, which raises
    ControllerError. Without the last, the next funding is as far from the last as that from the one before (8 hours
    where there was one only). `price`: stands for the prices that the series does not have.
    """
    if known is None:
        raise ControllerError(
            f"funding info of {trading_pair} is asked for: name a file of rates in the sweep file, "
            f"`series: {{{series_name(trading_pair)}: FILE}}` with columns timestamp and rate"
        )
    row = known.iloc[-1].to_dict() if len(known) else {}
    times = known["timestamp"].to_numpy()
    following = now
    if len(times):
        last = float(times[-1])
        gap = last - float(times[-2]) if len(times) > 1 else USUAL_GAP_S
        following = last + gap * max(1, math.ceil((now - last) / gap)) if gap > 0 else now
    return OfflineFundingInfo(
        trading_pair=trading_pair,
        index_price=Decimal(str(row.get("index_price", price))),
        mark_price=Decimal(str(row.get("mark_price", price))),
        next_funding_utc_timestamp=int(row.get("next_funding_utc_timestamp", following)),
        rate=Decimal(str(row.get("rate", 0))),
    )
