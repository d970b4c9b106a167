"""What stands above a ranking that must not be believed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.commands.sweeps import alarms

LUCK = "The best of 20 points has a Sharpe ratio of 0.23 per 30m (from 0.1 to 0.4): this is what luck looks like."


def answered(verdict: str, sentence: str = LUCK, look_ahead: bool = False) -> Any:
    trust = {"verdict": verdict, "sentence": sentence}
    return SimpleNamespace(look_ahead=look_ahead, audit="column signal changes", trust=trust)


@pytest.mark.parametrize("sentence", [LUCK, f"{LUCK} Not tested: a live replay. And more."])
def test_luck_is_one_sentence(sentence: str) -> None:
    assert alarms(answered("luck", sentence)) == [f"LUCK: {LUCK}"]


def test_look_ahead_comes_first() -> None:
    assert alarms(answered("luck", look_ahead=True))[0] == "LOOK-AHEAD: column signal changes"


@pytest.mark.parametrize("verdict", ["weak", "evidence", "untested"])
def test_nothing_stands_above_another_ranking(verdict: str) -> None:
    assert alarms(answered(verdict)) == []
