"""What every command shares: exit codes, options, output."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import ujson

from orchestrator.progress.streams import answer, tell, terminal_text
from tasks.named_types import JsonObject
from tasks.settings import Settings, check_settings_file, exposed_secrets, without_password


class Exit(IntEnum):
    """Exit codes of every command."""

    #: done
    DONE = 0
    #: a check failed: verify found a difference, candles are unsound, a doctor's point is red
    FAILED = 1
    #: bad input; one line on standard error says what to do
    BAD_INPUT = 2
    #: finished, but some points failed
    POINTS_FAILED = 3
    #: interrupted
    INTERRUPTED = 130


SweepFile = Annotated[Path, typer.Argument(help="The sweep file (YAML).", show_default=False)]
SweepName = Annotated[
    str, typer.Argument(help="Output folder, sweep id, name under runs/, or sweep file.", show_default=False)
]
Out = Annotated[Path | None, typer.Option("--out", help="Output folder; default runs/<name of the sweep>.")]
Broker = Annotated[
    str,
    typer.Option(
        "--broker",
        help="redis:// or rediss:// address; default HUMMINGSWEEP_BROKER, else an embedded server and a local node. "
        "Passwords belong into HUMMINGSWEEP_BROKER_PASSWORD or .._FILE.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Children = Annotated[
    int, typer.Option("--children", min=0, help="Children of the local node; default one per core.", show_default=False)
]


def register(app: typer.Typer, command: Callable[..., Any], name: str | None = None) -> None:
    """Add a command whose `--help` ends in the examples that its docstring ends in."""
    text, _, examples = inspect.cleandoc(command.__doc__ or "").partition("\n\nExamples:\n")
    lines = [line.strip() for line in examples.splitlines()]
    app.command(name, help=text, epilog="\n\n".join(["Examples:", *lines]))(command)


#: Seconds a local cluster stays for the next command, unless HUMMINGSWEEP_WARM_S or --no-warm says otherwise.
WARM_S = 180


def settings_for(broker: str = "", children: int = 0, *, makes_file: bool = False, **more: Any) -> Settings:
    """The process's settings with what the command line says on top. `makes_file`: the settings file may be missing."""
    import os

    environment = dict(os.environ)
    if not makes_file:
        check_settings_file(environment)
    if broker:
        environment["HUMMINGSWEEP_BROKER"] = broker
        if without_password(broker) != broker:
            tell(
                "the password in --broker is seen by everybody on this machine (ps): "
                "HUMMINGSWEEP_BROKER_PASSWORD_FILE keeps it"
            )
    for sentence in exposed_secrets(environment):
        tell(sentence)
    environment.setdefault("HUMMINGSWEEP_WARM_S", str(WARM_S))
    settings = Settings.read(environment)
    changes: JsonObject = {name: value for name, value in more.items() if value is not None}
    if children:
        changes["children"] = children
    return dataclasses.replace(settings, **changes)


def answer_json(document: Any) -> None:
    """The one document of --json. NaN and infinities are null: JSON has none."""
    answer(ujson.dumps(plain(document), indent=2, escape_forward_slashes=False, allow_nan=False) + "\n")


def say(text: str) -> None:
    """A line of the answer on standard output."""
    answer(terminal_text(text) + "\n")


def plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)
