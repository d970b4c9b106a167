"""An error as one line that a terminal can show, whatever the controller raised."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

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


def missing(key: object) -> str:
    """What is said where a frame of Bollinger bands is asked for a column."""
    frame = pd.DataFrame({"close": [1.0], "BBP_100_2.0_2.0": [0.5], "BBL_100_2.0_2.0": [1.0]})
    try:
        frame[key]
    except KeyError as error:
        return describe(error)
    return ""


def test_a_column_that_is_missing_is_said_with_those_most_like_it() -> None:
    said = "KeyError: 'BBP_100_2.0': no such column; the nearest there: BBP_100_2.0_2.0, BBL_100_2.0_2.0"
    assert missing("BBP_100_2.0") == said
    assert missing(["close", "BBP_100_2.0"]).endswith(said.partition(": no such")[2])


def test_where_no_column_is_like_the_missing_one_those_that_are_there_are_named() -> None:
    assert missing("signal") == (
        "KeyError: 'signal': no such column; there are: close, BBP_100_2.0_2.0, BBL_100_2.0_2.0"
    )


def test_a_key_error_of_no_frame_is_left_as_it_is() -> None:
    assert describe(KeyError("signal")) == "KeyError: 'signal'"
    frame = pd.DataFrame({"close": [1.0]})
    try:
        frame["close"].map(lambda value: {}["close"])
    except KeyError as error:
        assert describe(error) == "KeyError: 'close'"


def test_what_pydantic_refuses_is_said_by_field_without_the_values() -> None:
    class Order(BaseModel):
        amount: float = Field(gt=0)
        side: int
        price: int
        pair: int

        @model_validator(mode="before")
        @classmethod
        def has_a_name(cls, values: dict[str, object]) -> dict[str, object]:
            if "name" in values:
                raise ValueError("orders have no name")
            return values

    def refused(**values: object) -> str:
        try:
            Order(**values)
        except ValidationError as error:
            return describe(error)
        return ""

    assert refused(name="x") == "ValidationError: Order: orders have no name"
    assert refused(amount=0, side="x" * 900) == (
        "ValidationError: Order: amount: Input should be greater than 0; side: Input should be a valid integer, unable "
        "to parse string as an integer; price: Field required; and 1 more"
    )
