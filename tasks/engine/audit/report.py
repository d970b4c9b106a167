"""What an audit says: one line for people, the rest as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from tasks.times import iso

if TYPE_CHECKING:
    from tasks.engine.audit.compare import Difference, Differences


class State(Enum):
    """How an audit ended."""

    #: nothing before a cut depends on what comes after it
    CLEAN = "clean"
    #: the controller's features or decisions depend on candles that had not closed yet
    LOOK_AHEAD = "look_ahead"
    #: the controller is clean, but the engine's fills told it of the future through its executors
    FILLS = "fills"
    #: two runs on the same candles differ: nothing can be said
    NOT_REPRODUCIBLE = "not_reproducible"
    #: no cut could be tested, or the controller decides nothing
    NOT_TESTED = "not_tested"


@dataclass(frozen=True)
class Finding:
    """One feature column or decision field that changes when later candles are cut away."""

    #: "feature", "decision" or "fills"
    what: str
    #: column of the features; field of the executor config; "created", "stopped" or "raised" for a decision that is
    #: there in one run only; "(row)" for a row that is; a field of the executor's state for fills
    field: str
    #: open time of the first row on which it differs, seconds
    first_time: float
    #: number of cuts in which it differs
    cuts: int
    #: largest difference in the column's own unit; None for what is not a number
    max_size: float | None
    #: value at first_time on the whole period, and on the cut one
    full: str
    cut: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "what": self.what,
            "field": self.field,
            "first_time": self.first_time,
            "first_time_utc": iso(self.first_time),
            "cuts": self.cuts,
            "max_size": self.max_size,
            "full": self.full,
            "cut": self.cut,
        }


@dataclass
class AuditReport:
    """The answer for one point."""

    controller: str
    engine: str
    #: the market's shift, in candles
    shift: int
    seed: int
    state: State = State.NOT_TESTED
    verdict: str = ""
    findings: list[Finding] = field(default_factory=list)
    #: moments tested, seconds, ascending
    cuts: list[float] = field(default_factory=list)
    #: moments after which the candles were changed instead of cut away, seconds
    changed: list[float] = field(default_factory=list)
    #: further moments at which the features alone were compared, half of them cut, half changed; seconds
    feature_cuts: list[float] = field(default_factory=list)
    #: cuts on which the controller raised before the first candle: {"cut": seconds, "reason": sentence}
    not_tested: list[dict[str, Any]] = field(default_factory=list)
    #: decisions of the whole period
    decisions: int = 0
    #: feature columns compared
    columns: list[str] = field(default_factory=list)
    #: columns and fields that differ between two runs of the same candles; fields of that kind are not compared
    not_reproducible: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was found and something was tested."""
        return self.state is State.CLEAN

    def conclude(self, state: State | None, found: Differences) -> None:
        """Take over what was found and word the verdict; `state` is worked out where it is None."""
        kinds = {"feature": found.features, "decision": found.decisions, "fills": found.fills}
        self.findings = sorted(
            (_finding(what, name, difference) for what, of in kinds.items() for name, difference in of.items()),
            key=lambda finding: (finding.first_time, finding.what, finding.field),
        )
        self.state = state or self._state(found)
        self.verdict = self._verdict()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "verdict": self.verdict,
            "state": self.state.value,
            "controller": self.controller,
            "engine": self.engine,
            "shift": self.shift,
            "seed": self.seed,
            "decisions": self.decisions,
            "columns": self.columns,
            "cuts": self.cuts,
            "changed": self.changed,
            "feature_cuts": self.feature_cuts,
            "not_tested": self.not_tested,
            "not_reproducible": self.not_reproducible,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def _state(self, found: Differences) -> State:
        if not self.cuts:
            return State.NOT_TESTED
        if found.features or found.unexplained or (found.decisions and not found.fills):
            return State.LOOK_AHEAD
        if found.fills:
            return State.FILLS
        return State.CLEAN if self.decisions else State.NOT_TESTED

    def _verdict(self) -> str:
        of = f"{self.controller}, shift {self.shift}"
        tested = f"{self.decisions} decisions and {len(self.columns)} feature columns over {len(self.cuts)} cuts"
        if self.state is State.CLEAN:
            return f"clean ({of}): no look-ahead in {tested}"
        if self.state is State.NOT_TESTED:
            reason = self.not_tested[0]["reason"] if self.not_tested else "the period is too short to be cut"
            if self.cuts and not self.decisions:
                reason = "the controller decided nothing in the whole period, so there is nothing to compare"
            return f"not tested ({of}): {reason}"
        if self.state is State.NOT_REPRODUCIBLE:
            return (
                f"not reproducible ({of}): two runs on the same candles differ in {_names(self.not_reproducible)}; "
                "does it use the clock, random numbers of its own or what an earlier run left outside its modules?"
            )
        first = self.findings[0]
        example = f"{first.field} at {iso(first.first_time)} was {first.full}, without later candles {first.cut}"
        if self.state is State.FILLS:
            return (
                f"the controller is clean ({of}), the fills are not: what they say of an executor depends on later "
                f"candles ({example}); try `fills: honest`"
            )
        columns = [finding.field for finding in self.findings if finding.what == "feature"]
        fields = [finding.field for finding in self.findings if finding.what == "decision"]
        parts = [f"columns {_names(columns)}"] if columns else []
        parts += [f"decisions ({_names(fields)})"] if fields else []
        return f"look-ahead ({of}): {' and '.join(parts)} change when later candles are cut away; first {example}"


def _finding(what: str, name: str, difference: Difference) -> Finding:
    return Finding(
        what, name, difference.first_time, difference.cuts, difference.max_size, difference.full, difference.cut
    )


def _names(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
