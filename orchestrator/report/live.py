"""What the live replay of the best points says, as checks of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.analysis.live_words import sentence
from orchestrator.report.checks import Check

#: Share of the same trades from which on a back-test stands for what the bot does, and below which it does not.
GOOD, BAD = 0.95, 0.6


def live_checks(found: Mapping[str, Any] | None) -> Iterator[Check]:
    """One line a replayed point; `found`: what orchestrator.execution.stages.live.summary gives, None for nothing."""
    for row in (found or {}).get("rows", ()):
        yield Check(_level(row), sentence(row))


def history_checks(audit: Mapping[str, Any] | None) -> Iterator[Check]:
    """What the history part of the closing audit says, where something differs."""
    history = (audit or {}).get("history") or {}
    if history.get("columns"):
        yield Check("warn", str(history["sentence"]) + ".")


def _level(row: Mapping[str, Any]) -> str:
    if row.get("error"):
        return "warn"
    same = row.get("trades_same")
    if same is None or same >= GOOD:
        return "ok"
    return "bad" if same < BAD else "warn"
