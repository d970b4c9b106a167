"""An error as one line that a terminal can show, whatever the controller raised."""

from __future__ import annotations

import pytest

from tasks.errors import LONGEST, describe, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines\tand  more", "two lines and more"),
        ("red \x1b[31mtext\x1b[0m", r"red \x1b[31mtext\x1b[0m"),
        ("nul \x00, bell \x07, back \x08", r"nul \x00, bell \x07, back \x08"),
        ("turned \u202e round", r"turned \u202e round"),
        ("half \ud800", r"half \ud800"),
        ("é, 漢字 and \U0001f600 stay", "é, 漢字 and \U0001f600 stay"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
    assert describe(ValueError(text)) == f"ValueError: {line}"


def test_a_long_text_is_cut() -> None:
    assert len(one_line("\x00" * 10_000)) == LONGEST


def test_an_exception_that_cannot_say_what_it_is_keeps_its_type() -> None:
    class Bad(ValueError):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert describe(Bad()) == "Bad: (its __str__ raises RuntimeError)"
