"""The code and its pages speak the words of docs/glossary.md, and none of those that it replaced."""

from __future__ import annotations

import re
from pathlib import Path

#: Words of the first version that a reader had to learn. Each pattern has no other meaning here.
REPLACED = (
    r"\bdesks?\b",
    r"\bparcels?\b",
    r"\bdice\b",
    r"\bchatter\b",
    r"\bblindfold\w*",
    r"\bfooting\b",
    r"\bsurroundings\b",
    r"\blaid down\b|\blay(s|ing)? (it |them |the sweep )?down\b",
    r"\bsigns? of life\b",
    r"\blookout\b",
    r"\bstand-?ins?\b",
    r"\bstands twice\b",
    r"\bis no moment\b",
    r"(?-i:\b(MOST|LEAST)_[A-Z]\w*)",
    r"\bthaw(s|ed|ing)?\b",
)
SUFFIXES = (".py", ".md", ".lua", ".sql", ".html", ".js", ".yml", ".service", ".sh", ".conf")


def test_none_of_the_replaced_words_is_left(repository: Path) -> None:
    places = [
        *(repository / "tasks").rglob("*"),
        *(repository / "orchestrator").rglob("*"),
        *(repository / "hummingsweep").rglob("*"),
        *(repository / "docs").rglob("*"),
        *(repository / "ops").rglob("*"),
        *(repository / "docker").rglob("*"),
        *(repository / "examples").rglob("*.py"),
        *(repository / "examples").rglob("*.yml"),
        *repository.glob("*.md"),
    ]
    replaced = re.compile("|".join(REPLACED), re.IGNORECASE)
    found = [
        f"{place.relative_to(repository)}:{number}: {match[0]}"
        for place in places
        if place.suffix in SUFFIXES and place.is_file()
        for number, line in enumerate(place.read_text().splitlines(), 1)
        for match in [replaced.search(line)]
        if match
    ]
    assert found == []


def test_the_glossary_is_in_order_and_says_something_of_each_word(repository: Path) -> None:
    lines = (repository / "docs" / "glossary.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    words = [word.lower() for word, _ in rows]
    assert words == sorted(words)
    assert all(len(meaning) > 10 for _, meaning in rows)
