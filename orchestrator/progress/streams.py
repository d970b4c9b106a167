"""Standard output and error as a command finds them: closed, full, or read by somebody who left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from tasks.errors import HummingsweepError


def open_closed() -> None:
    """Streams that the command was started without (`>&-`) lead nowhere.

    Otherwise the next file that is opened, the result store for one, gets their number.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  a descriptor
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  a descriptor
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  a descriptor


class Drawn(str):
    """A line with colours that we put into it ourselves."""

    __slots__ = ()


def terminal_text(text: str) -> str:
    """A text for a terminal: what it would obey or could not show is written out, but for line ends and tabs.

    Errors of rows, names of nodes and of files come from elsewhere, and an escape sequence in one could hide others.
    """
    if isinstance(text, Drawn) or text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in text)


def tell(text: str) -> None:
    """One line on standard error. What cannot be written there stops nothing."""
    try:
        print(terminal_text(text), file=sys.stderr, flush=True)  # noqa: T201  a line for a person
    except OSError:
        give_up(sys.stderr)


def answer(text: str) -> None:
    """Some of the answer on standard output. Raises HummingsweepError when there is no room for it."""
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(error) from None


def to_the_end(command: Callable[[], object]) -> int | str | None:
    """Run a command that ends in SystemExit, and write out its answer; the exit code of both."""
    code: int | str | None = 0
    try:
        try:
            command()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
    except KeyboardInterrupt:  # before the command itself began
        tell("hummingsweep: interrupted")
        return 130
    except BrokenPipeError:  # who read it has enough
        give_up(sys.stdout)
    except OSError as error:  # also of the help, which is no command's
        tell(f"hummingsweep: {_unwritten(error)}")
        return 2
    return code


def give_up(stream: TextIO) -> None:
    """What this stream still holds, and what comes after, leads nowhere: the interpreter would stumble at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _unwritten(error: OSError) -> HummingsweepError:
    give_up(sys.stdout)
    return HummingsweepError(
        f"standard output: {error.strerror}; the answer is not written, but what the command stored is"
    )
