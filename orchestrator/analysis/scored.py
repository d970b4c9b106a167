"""The points of a sweep that are ok, with their objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """The ok points of a table with their objective; all arrays have one entry a point, in the table's order."""

    #: the rows that are ok
    table: pa.Table
    points: Integers
    #: NaN where there is none
    objective: Floats
    #: whether `where` holds
    matching: npt.NDArray[np.bool_]
    ascending: bool

    @property
    def score(self) -> Floats:
        """The objective turned so that more is better."""
        return -self.objective if self.ascending else self.objective
