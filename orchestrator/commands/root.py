"""All commands, and what each of their errors is: one line and an exit code.

The module of a command is imported when the command is asked for: all of them together take a second.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module, metadata
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from orchestrator.commands._shared import Exit, register
from orchestrator.progress.streams import give_up, tell
from tasks.errors import HummingsweepError, one_line, words
from tasks.garbage import imports_ended

#: What every wrong usage derives from; typer gives it no name of its own.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


#: Command -> module of this package and name in it, in the order of `--help`: a function, or a Typer app of its own.
COMMANDS = {
    "run": "sweeps.run",
    "submit": "sweeps.submit",
    "watch": "sweeps.watch",
    "resume": "sweeps.resume",
    "cancel": "sweeps.cancel",
    "list": "sweeps.list_sweeps",
    "rows": "answers.rows",
    "report": "answers.report",
    "trades": "trades.trades",
    "verify": "answers.verify",
    "audit": "answers.audit",
    "live": "live.live",
    "promote": "answers.promote",
    "walk": "walk.walk",
    "robustness": "walk.robustness",
    "noise": "trust.noise",
    "serve": "serve.serve",
    "worker": "cluster.worker",
    "flower": "cluster.flower",
    "metrics": "metrics.metrics",
    "tune": "tune.tune",
    "bench": "bench.bench",
    "down": "cluster.down",
    "doctor": "cluster.doctor",
    "sync": "sync.sync",
    "candles": "candles.candles_app",
    "mirror": "candles.mirror_app",
}


def _load(name: str) -> Any:
    """The command of that name, ready to be invoked."""
    module, _, attribute = COMMANDS[name].partition(".")
    found = getattr(import_module(f"orchestrator.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    register(alone, found, name)
    return typer.main.get_command(alone)


class _Commands(TyperGroup):
    """Errors a user can mend are one line on standard error and exit code 2, whatever the command."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
            imports_ended()  # they began in orchestrator.cli
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:  # so that what is meant can be suggested
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        try:
            return super().make_context(*arguments, **more)
        except _UsageError as error:
            raise _misused(error) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            raise _misused(error) from None
        except HummingsweepError as error:
            tell(f"hummingsweep: {one_line(words(error))}")
            for other in error.others:
                tell(f"hummingsweep: {one_line(other)}")
            raise SystemExit(Exit.BAD_INPUT) from None
        except KeyboardInterrupt:
            tell("hummingsweep: interrupted")
            raise SystemExit(Exit.INTERRUPTED) from None
        except BrokenPipeError:  # `hummingsweep rows ... | head`
            give_up(sys.stdout)
            raise SystemExit(Exit.DONE) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            tell(f"hummingsweep: {where}{error.strerror or error}; {_advice(error)}")
            raise SystemExit(Exit.BAD_INPUT) from None
        except Exception as error:
            from kombu.exceptions import OperationalError
            from redis.exceptions import OutOfMemoryError, RedisError

            if isinstance(error, OutOfMemoryError):
                text = "the broker's memory is full; ops/RUNBOOK.md says what takes the room"
            elif isinstance(error, RedisError | OperationalError):
                text = f"the broker went away or refuses: {error}; the same command goes on when it is mended"
            else:
                raise
            tell(f"hummingsweep: {one_line(text)}")
            raise SystemExit(Exit.BAD_INPUT) from None


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on that disk and give the same command again: what was stored is kept"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "give yourself the right to write there, or name another place"
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM):
        return "this machine or user has no more of them: see ulimit -a, or use fewer children"
    return "mend that and give the same command again: what was stored is kept"


def _misused(error: typer.BadParameter) -> BaseException:
    """One line in place of typer's box; a group without a command shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return error
    path = error.ctx.command_path if error.ctx else "hummingsweep"
    tell(f"hummingsweep: {' '.join(error.format_message().split()).rstrip('.')}; see {path} --help")
    return SystemExit(Exit.BAD_INPUT)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Back-test Hummingbot V2 controllers by the hundred thousand: one YAML file, every core of every machine.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 bad input, 3 some points failed, 130 interrupted.\n\n"
    "Examples: hummingsweep run sweep.yml; hummingsweep COMMAND --help shows those of a command",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(
            f"hummingsweep {metadata.version('hummingsweep')}, hummingbot {metadata.version('hummingbot')}\n"
        )
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print versions and exit.", is_eager=True, callback=_show_version)
    ] = False,
    no_warm: Annotated[
        bool,
        typer.Option(
            "--no-warm",
            help="End the local cluster with the command; otherwise it stays some minutes for the next one "
            "(`hummingsweep down` ends it).",
        ),
    ] = False,
) -> None:
    if no_warm:
        os.environ["HUMMINGSWEEP_WARM_S"] = "0"
