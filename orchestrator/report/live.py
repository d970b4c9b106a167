"""What the live replay of the best points says: checks of the page, and a section with both equity curves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from orchestrator.analysis.live_words import sentence
from orchestrator.report.checks import Check
from tasks.named_types import (
    JsonObject,
    JsonView,
    RowView,
)
from tasks.suggest import command

#: Share of the same trades from which on a back-test stands for what the bot does, and below which it does not.
GOOD, BAD = 0.95, 0.6


def live_checks(found: JsonView | None) -> Iterator[Check]:
    """One line a replayed point; `found`: what orchestrator.execution.stages.live.summary gives, None for nothing."""
    for row in (found or {}).get("rows", ()):
        yield Check(_level(row), sentence(row))


def live_part(found: JsonView | None, folder: Path) -> tuple[SimpleNamespace | None, list[JsonObject]]:
    """(what the template shows, what the script draws); None and [] where nothing was replayed.

    A curve: `time` (seconds since epoch), `live` and `backtest` (equity change since the start, quote), `first`: the
    moment of the first difference, or None.
    """
    rows = [row for row in (found or {}).get("rows", ()) if row.get("equity") or row.get("error")]
    if not rows:
        return None, []
    replays: list[SimpleNamespace] = []
    curves: list[JsonObject] = []
    for row in rows:
        equity, first = row.get("equity") or {}, row.get("first_difference")
        index = None
        if equity.get("time"):
            index = len(curves)
            curves.append({**equity, "first": None if first is None else first["time"]})
        replays.append(
            SimpleNamespace(title=f"Point {row['point']}", sentence=sentence(row), index=index, alt=_alt(row))
        )
    return SimpleNamespace(replays=replays, command=command("live", folder, "--point", "N")), curves


def _alt(row: JsonView) -> str:
    if row.get("error"):
        return ""
    return (
        f"Equity change at the end of the replayed part: {row['pnl_quote']:+.6g} live, "
        f"{row['backtest_pnl_quote']:+.6g} in the back-test, in quote."
    )


def history_checks(audit: JsonView | None) -> Iterator[Check]:
    """What the history part of the closing audit says, where something differs."""
    history = (audit or {}).get("history") or {}
    if history.get("columns"):
        yield Check("warn", str(history["sentence"]) + ".")


def _level(row: RowView) -> str:
    if row.get("error"):
        return "warn"
    same = row.get("trades_same")
    if same is None or same >= GOOD:
        return "ok"
    return "bad" if same < BAD else "warn"
