"""live: points of a stored sweep on the live engine."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands._shared import Broker, Children, Exit, Json, SweepName, answer_json, say, settings_for
from orchestrator.execution.live_replay import live_replay
from orchestrator.execution.stages.live import sentences
from orchestrator.progress.watcher import watcher_for
from orchestrator.results.sweep_ref import resolve


def live(
    sweep: SweepName,
    point: Annotated[
        list[int] | None, typer.Option("--point", help="Replay this point (repeatable) in place of the best.")
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="Replay so many of the best points.")] = 1,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Seconds a replay may take; 0: as long as a point may.")
    ] = 0.0,
    broker: Broker = "",
    children: Children = 0,
    json: Json = False,
) -> None:
    """Replay points as a bot would run them, candle by candle, beside their back-test.

    Says which trades are the same, missing and extra, when the first one differs and why, and both results.
    Exit code 1 when a point could not be replayed.

    Examples:
      hummingsweep live runs/mine
      hummingsweep live runs/mine --point 17 --point 23
      hummingsweep live runs/mine --best 3 --json
    """
    watcher = watcher_for(json)
    try:
        found = live_replay(
            resolve(sweep), settings_for(broker, children), watcher, point or [], best, budget_s=seconds
        )
    finally:
        watcher.close()
    if json:
        answer_json(found)
    else:
        for sentence in sentences(found["rows"]):
            say(sentence)
    if any(row["error"] for row in found["rows"]):
        raise typer.Exit(Exit.FAILED)
