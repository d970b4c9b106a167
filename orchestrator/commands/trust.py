"""noise: is the winner luck? And the verdict as lines for a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands._shared import Broker, Children, Exit, Json, SweepName, answer_json, say, settings_for
from orchestrator.execution import trust as steps
from orchestrator.progress.watcher import watcher_for
from orchestrator.results.sweep_ref import resolve
from tasks.named_types import JsonObject


def noise(
    sweep: SweepName,
    worlds: Annotated[int, typer.Option("--worlds", min=1, max=10_000, help="Markets of permuted candles.")] = 99,
    points: Annotated[
        int, typer.Option("--points", min=1, help="Points, spread over the grid, that are run on each.")
    ] = 100,
    broker: Broker = "",
    children: Children = 0,
    json: Json = False,
) -> None:
    """Run points of a finished sweep again on shuffled candles: how often is the best there as good as the real best?

    Rows are kept, so that more worlds later only cost what is new. Needs candles and controllers as they were.

    Examples:
      hummingsweep noise runs/mine
      hummingsweep noise runs/mine --worlds 199 --points 300
    """
    watcher = watcher_for(json)
    try:
        found = steps.noise(resolve(sweep), settings_for(broker, children), watcher, worlds, points)
    finally:
        watcher.close()
    if json:
        answer_json({"noise_worlds": found.noise, "trust": found.trust})
    elif found.noise is None:
        say("interrupted; the same command goes on where it stopped")
    else:
        for line in [noise_line(found.noise), *trust_lines(found.trust)]:
            say(line)
    if found.noise is None:
        raise typer.Exit(Exit.INTERRUPTED)


def noise_line(found: JsonObject) -> str:
    """What the worlds say, in one line."""
    if found["p"] is None:
        return f"noise worlds: none of the {found['points']} points is ranked, so there is nothing to compare"
    as_good = round(found["p"] * (found["worlds"] + 1)) - 1
    return (
        f"noise worlds: of {found['worlds']} sweeps of {found['points']} points on shuffled candles {as_good} had a "
        f"best {found['objective']} as good as the real one ({found['best']:.6g}): p {found['p']:.3g}"
    )


def trust_lines(trust: JsonObject) -> list[str]:
    """The verdict for a terminal: its word, its sentence, and what limits it."""
    sentence = str(trust["sentence"])
    notes = [note for note in trust.get("notes", ()) if note not in sentence]
    return [f"verdict: {trust['verdict']}. {sentence}", *(f"note: {note}" for note in notes)]
