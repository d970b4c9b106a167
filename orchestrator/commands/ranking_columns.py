"""Which results the ranking in the terminal shows: what the sweep asks about, and what tells its best points apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.results.columns import RANKED
from orchestrator.sweepfile.expressions import Expression, parse_objective
from tasks.metrics.catalogue import CATALOGUE

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.sweepfile.sweep import Sweep

#: Results that are shown where the rows have them; those behind are the first that a narrow terminal leaves out.
_FIRST = ("net_pnl", "max_drawdown", "sharpe")
SHOWN = tuple(dict.fromkeys([*_FIRST, *(metric.name for metric in CATALOGUE if "terminal" in metric.shown)]))
HONEST = "honest_"


@dataclass(frozen=True)
class Chosen:
    """Result columns, in the order in which they are shown."""

    #: the objective, and what `rank_by` and `where` read
    asked: list[str]
    #: what tells the rows apart beside that
    optional: list[str]
    #: of the usual ones, those that every row has the same value of
    same: list[str]

    @property
    def all(self) -> list[str]:
        """Every column that is shown."""
        return [*self.asked, *self.optional]


def chosen(ranking: Ranking, sweep: Sweep) -> Chosen:
    """The result columns for a ranking that has rows."""
    rows, first = ranking.rows, ranking.rows[0]
    taken = {*sweep.grid.names, *RANKED, "point"}
    objective = parse_objective(sweep.rank_by)[0]
    is_column = objective.text in first and not ranking.across
    read = [*objective.names, *(Expression.parse(sweep.where).names if sweep.where else ())]
    asked = [objective.text if is_column else "objective"]
    asked += [name for name in _with_twins(sorted(read), sweep.fills) if name in first and name not in taken]
    asked = list(dict.fromkeys(name for name in asked if name == "objective" or name not in taken))
    usual = [name for name in _with_twins(SHOWN, sweep.fills) if name in first and name not in {*asked, *taken}]
    values = {name: {repr(row.get(name)) for row in rows} for name in usual}
    told_apart = [name for name in usual if len(rows) == 1 or len(values[name]) > 1]
    optional = [name for name in told_apart if values[name] != {"None"}]
    same = [name for name in usual if len(rows) > 1 and len(values[name]) == 1 and values[name] != {"None"}]
    return Chosen(asked, optional, same)


def _with_twins(names: Iterable[str], fills: str) -> list[str]:
    """Under `fills: both` every result stands beside what it is with the other fills."""
    if fills != "both":
        return list(names)
    pairs = ((name.removeprefix(HONEST), HONEST + name.removeprefix(HONEST)) for name in names)
    return [name for pair in pairs for name in pair]
