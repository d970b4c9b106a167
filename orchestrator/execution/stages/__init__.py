"""The stages of a run after the sweep itself: each tests its answer in one way, and adds to what is known of it.

A stage is one module with a function of the type Stage and one entry in STAGES. What it returns is JSON, stored in the
sweep's meta under the stage's name, and read by the verdict and the report. Stages run in this order; the hold-out is
looked at after everything that could change the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.analysis.rank import Ranking
from orchestrator.execution.session import SweepSession
from orchestrator.execution.stages.holdout import holdout
from orchestrator.execution.stages.live import live
from orchestrator.execution.stages.noise import noise_worlds
from orchestrator.execution.stages.robustness import robustness
from orchestrator.execution.stages.walk_forward import walk_forward
from tasks.named_types import JsonObject

#: (session, ranking of the sweep) -> findings; None where the sweep file does not ask for it.
Stage = Callable[[SweepSession, Ranking], JsonObject | None]

#: name -> stage.
STAGES: dict[str, Stage] = {
    "walk_forward": walk_forward,
    "robustness": robustness,
    "noise_worlds": noise_worlds,
    "live": live,
    "holdout": holdout,
}


def run_stages(session: SweepSession, ranking: Ranking, skip: Sequence[str] = ()) -> dict[str, JsonObject]:
    """Run every stage that the sweep file asks for, until an interrupt; findings by name.

    Raises what computing raises.
    """
    findings: dict[str, JsonObject] = {}
    for name, stage in STAGES.items():
        if name in skip:
            continue
        found = stage(session, ranking)
        if session.interrupted:  # what it found is not whole
            break
        if found is None:
            if session.store.meta(session.definition.sweep).get(name):  # of what the sweep file asked for before
                session.store.set_meta(session.definition.sweep, name, None)
        else:
            session.store.set_meta(session.definition.sweep, name, found)
            findings[name] = found
    return findings
