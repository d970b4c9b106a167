"""Names for the data that passes between rooms, used in annotations.

The keys of these mappings and what lies under them are decided elsewhere: by a controller's config class, a sweep file,
an exchange, a metric. Whoever reads a value checks it where it matters; the names say which keys to expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: A value as YAML and JSON hold it: None, bool, int, float, str, or a list or mapping of those.
JsonValue = Any
#: A mapping that is read from JSON or YAML, or is to be written as such.
JsonObject = dict[str, Any]
#: The same, only read.
JsonView = Mapping[str, Any]
#: One value of an axis: what YAML can hold.
AxisValue = Any
#: Config key -> value of a controller's config; also axis name -> value of one point.
ConfigValues = Mapping[str, Any]
#: Column -> cell: one point's parameters, results and metrics. A cell is what tasks.protocol.messages.Rows carries:
#: None, bool, int, float or str, or a list or mapping of those; in the results of an engine also Decimal.
Row = dict[str, Any]
#: The same, only read.
RowView = Mapping[str, Any]
