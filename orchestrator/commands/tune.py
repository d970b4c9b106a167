"""tune: settings that suit this machine and a sweep."""

from __future__ import annotations

import dataclasses
import os
from typing import Annotated

import typer

from orchestrator.commands._shared import Json, SweepFile, answer_json, say, settings_for
from orchestrator.execution import tune as tuning
from orchestrator.progress.watcher import watcher_for
from orchestrator.sweepfile.sweep import read
from tasks.settings import settings_file


def tune(
    file: SweepFile,
    write: Annotated[bool, typer.Option(help="Write the settings file that workers and runs read.")] = True,
    json: Json = False,
) -> None:
    """Measure this machine for a sweep: children, chunk seconds, native threads; about two minutes.

    Best on an idle machine. The settings hold for every later `run` and `worker` on this machine; HUMMINGSWEEP_*
    variables and --children win over them.

    Examples:
      hummingsweep tune sweep.yml
      hummingsweep tune sweep.yml --no-write
    """
    sweep = read(file)
    watcher = watcher_for(json)
    try:
        tuned = tuning.tune(sweep, settings_for(makes_file=write), watcher)
    finally:
        watcher.close()
    hidden: list[str] = []
    if write:
        tuned.file = settings_file(os.environ)
        hidden = tuning.write(tuned.file, tuned.chosen)
    if json:
        tried = [{**dataclasses.asdict(one), "points_per_s": one.points_per_s} for one in tuned.tried]
        answer_json({**dataclasses.asdict(tuned), "tried": tried, "hidden_by": hidden})
        return
    if tuned.chosen == tuned.default:
        say(f"the defaults are best here: {tuning.shown(tuned.chosen)} (gain 1.00x)")
    else:
        say(f"best: {tuning.shown(tuned.chosen)}: {tuned.gain:.2f}x the points per second of the defaults")
    if tuned.skipped:
        say(f"no time for {len(tuned.skipped)} more: {'; '.join(map(tuning.shown, tuned.skipped))}")
    if tuned.file:
        say(f"written to {tuned.file}")
    for name in hidden:
        say(f"note: {name} is set and wins over the file")
