"""What the documentation site takes from the code when it is built, so that it cannot go stale.

- `<!-- generated: NAME -->` in a page, with the line in italics below it, is replaced by a table made from the model,
  the metric catalogue, the command line or the settings.
- A file of the repository that a page names in `backticks` must be there: a wrong name is a warning, which `make docs`
  (strict) takes as an error.
- `--8<-- "FILE"` is replaced by a file of the repository.
- Every page of a folder that the navigation names only by its index (`trust/`) is added after the index, and any other
  page that it does not name at its end, under "More".
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("tasks", "orchestrator", "hummingsweep", "tests", "ops", "docker", "examples", "benchmarks", "docs")

#: MkDocs counts what is logged here as a warning of the build.
log = logging.getLogger("mkdocs.hooks")


def on_config(config: Any) -> Any:
    """Fill the sections that name their index alone."""
    for section in config.nav:
        for title, pages in section.items():
            if isinstance(pages, list) and len(pages) == 1 and str(pages[0]).endswith("/index.md"):
                folder = Path(config.docs_dir) / Path(pages[0]).parent
                rest = sorted(page.relative_to(config.docs_dir).as_posix() for page in folder.glob("*.md"))
                section[title] = [pages[0], *(page for page in rest if page != pages[0])]
    docs = Path(config.docs_dir)
    every = sorted(page.relative_to(docs).as_posix() for page in docs.rglob("*.md"))
    if more := [page for page in every if page not in set(_named(config.nav))]:
        config.nav.append({"More": more})
    return config


def _named(nav: Any) -> Iterator[str]:
    """Every page that a navigation names."""
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _named(part)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put included files and generated tables in, and look whether the files that are named are there."""
    markdown = re.sub(r'^--8<-- "([^"]+)"$', lambda found: included(found[1]), markdown, flags=re.MULTILINE)
    for name in missing_files(markdown):
        log.warning("%s names `%s`, which is not in the repository", page.file.src_path, name)

    def table(match: re.Match[str]) -> str:
        make = GENERATED.get(match[1])
        if make is None:
            log.warning("%s: nothing generates %r", page.file.src_path, match[1])
            return ""
        return make()

    return re.sub(r"<!-- generated: ([\w-]+) -->(\n\*[^\n]*\*)?", table, markdown)


def included(name: str) -> str:
    """A page of the repository that is shown on the site, its links into `docs/` made those of the site."""
    return re.sub(r"\]\((\.\./)?docs/", r"](\1", (REPOSITORY / name).read_text())


def missing_files(markdown: str) -> list[str]:
    """Files and folders of the repository that are named in backticks and are not there."""
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w./-]*)`", markdown)
    made = ("examples/data", "docker/.env")
    missing = [name for name in named if not name.startswith(made) and not (REPOSITORY / name).exists()]
    return missing + [name for name in re.findall(r"`(test_\w+)`", markdown) if name not in _tests()]


@cache
def _tests() -> set[str]:
    return {
        name
        for file in (REPOSITORY / "tests").rglob("*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text())
    }


def _sweep_file_keys() -> str:
    from orchestrator.sweepfile.reference import markdown

    return markdown()


def _metrics() -> str:
    from tasks.metrics import CATALOGUE
    from tasks.metrics.columns import column

    return _columns(column(metric.name) for metric in CATALOGUE)


def _other_columns() -> str:
    from tasks.metrics.columns import OTHER_COLUMNS

    return _columns(OTHER_COLUMNS)


def _columns(described: Iterable[Any]) -> str:
    lines = ["| column | unit | better | whose | |", "|---|---|---|---|---|"]
    better = {1: "more", -1: "less", 0: ""}
    for one in described:
        sentence = one.sentence.replace("|", "\\|")
        lines.append(f"| `{one.name}` | {one.unit} | {better[one.better]} | {one.source.value} | {sentence} |")
    return "\n".join(lines) + "\n"


def _settings() -> str:
    from tasks.settings import PREFIX, Settings

    sentences = dict(_commented_fields(inspect.getsource(Settings)))
    lines = ["| environment variable | default | |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = "" if field.default in ("", 0) and not isinstance(field.default, bool) else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{field.name.upper()}` | {default} | {sentences.get(field.name, '')} |")
    return "\n".join(lines) + "\n"


def _commented_fields(source: str) -> Iterator[tuple[str, str]]:
    """Field and its `#:` comment."""
    held: list[str] = []
    for line in source.splitlines():
        if comment := re.fullmatch(r"\s+#: (.*)", line):
            held.append(comment[1])
        else:
            if (field := re.match(r"\s+(\w+): ", line)) and held:
                yield field[1], " ".join(held)
            held = []


def _commands() -> str:
    import typer.main

    from orchestrator.commands.root import app

    return "\n".join(_of_command("hummingsweep", typer.main.get_command(app), 2))


def _of_command(path: str, command: Any, level: int) -> Iterator[str]:
    context: Any = None
    names = command.list_commands(context) if hasattr(command, "list_commands") else []
    below = {name: command.get_command(context, name) for name in names}
    if level > 2:
        yield f"{'#' * min(level, 4)} {path}\n"
        text, _, examples = inspect.cleandoc(command.help or "").partition("Examples:")
        yield f"{text.strip()}\n"
        if examples:
            yield f"```\n{inspect.cleandoc(examples)}\n```\n"
        options = [one for one in command.params if one.name != "help"]
        if options and not below:
            yield "| option or argument | |\n|---|---|"
            for option in options:
                spelled = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
                is_argument = option.param_type_name == "argument"
                shown = f"`{option.name.upper()}`" if is_argument else spelled
                yield f"| {shown} | {(option.help or '').replace('|', ' or ')} |"
            yield ""
    for name, one in below.items():
        yield from _of_command(f"{path} {name}", one, level + 1)


GENERATED: dict[str, Callable[[], str]] = {
    "sweep-file-keys": _sweep_file_keys,
    "metrics": _metrics,
    "columns": _other_columns,
    "settings": _settings,
    "commands": _commands,
}
