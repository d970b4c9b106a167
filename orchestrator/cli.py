"""The command `hummingsweep`: from the first moment on, a signal is one line and an exit code.

The commands themselves (orchestrator.commands.root) take long to import, so they come after the signals.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from tasks.garbage import imports_begin

#: What libraries would do at import and no command needs: a thread of linear algebra per core, and a search of all
#: installed packages for pydantic plugins.
LEAN_IMPORTS = {"OPENBLAS_NUM_THREADS": "1", "PYDANTIC_DISABLE_PLUGINS": "__all__"}


def main() -> None:
    """Entry point of the command."""
    for name, value in LEAN_IMPORTS.items():
        os.environ.setdefault(name, value)
    imports_begin()  # until the command is loaded, see orchestrator.commands.root
    ends = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # nohup and & ignore some: leave that
    for number in (*ends, *([signal.SIGINT] if interruptible else [])):
        signal.signal(number, _leave)
    from orchestrator.progress import streams

    streams.open_closed()
    from orchestrator.commands.root import app

    if "--no-warm" in sys.argv[1:]:  # an option of every command
        sys.argv = [sys.argv[0], "--no-warm", *(word for word in sys.argv[1:] if word != "--no-warm")]
    for number in ends:
        signal.signal(number, _end)
    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    raise SystemExit(streams.to_the_end(app))


def _leave(number: int, frame: FrameType | None) -> None:
    """While nothing is started yet: at once, for an exception would come up in the middle of some import."""
    words = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    try:
        os.write(2, f"hummingsweep: {words}\n".encode())
    finally:
        os._exit(128 + number)


def _end(number: int, frame: FrameType | None) -> None:
    """Told to stop by another: what was started is stopped and what it held is given back on the way out."""
    from orchestrator.progress import streams

    streams.tell(f"hummingsweep: ended by {signal.Signals(number).name}")
    raise SystemExit(128 + number)


def __getattr__(name: str) -> Any:
    """`app`, for who calls the commands without a process."""
    if name == "app":
        from orchestrator.commands.root import app

        return app
    raise AttributeError(name)


if __name__ == "__main__":
    main()
