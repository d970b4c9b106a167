"""What is measured of a back-test: one catalogue of metrics, and what they are computed from.

    catalogue   every figure of a row: its name, unit, direction, one sentence, where it is shown, how it is computed
    inputs      what a metric is computed from
    formulas    the arithmetic that several metrics share

Nothing here knows hummingbot or pandas: the orchestrator reads the catalogue, too. A new metric is one entry in
`catalogue`.
"""

from tasks.metrics.catalogue import CATALOGUE, METRICS, Metric, metrics, of_name
from tasks.metrics.inputs import BackTest, too_short

__all__ = ["CATALOGUE", "METRICS", "BackTest", "Metric", "metrics", "of_name", "too_short"]
