"""The command `hummingsweep`: registers the commands and turns errors into one line and an exit code."""

from __future__ import annotations

import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from orchestrator.commands import answers, bench, candles, cluster, download, metrics, pages, sweeps, tune
from orchestrator.commands._shared import Exit
from tasks.errors import HummingsweepError


class _Commands(TyperGroup):
    """Errors a user can mend are one line on standard error and exit code 2, whatever the command."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HummingsweepError as error:
            sys.stderr.write(f"hummingsweep: {' '.join(str(error).split())}\n")
            raise SystemExit(Exit.BAD_INPUT) from None
        except KeyboardInterrupt:
            sys.stderr.write("hummingsweep: interrupted\n")
            raise SystemExit(Exit.INTERRUPTED) from None
        except BrokenPipeError:  # `hummingsweep rows ... | head`
            sys.stderr.close()
            raise SystemExit(Exit.DONE) from None
        except Exception as error:
            from kombu.exceptions import OperationalError
            from redis.exceptions import OutOfMemoryError, RedisError

            if isinstance(error, OutOfMemoryError):
                text = "the broker's memory is full; ops/RUNBOOK.md says what takes the room"
            elif isinstance(error, RedisError | OperationalError):
                text = f"the broker went away or refuses: {error}; the same command goes on when it is mended"
            else:
                raise
            sys.stderr.write(f"hummingsweep: {' '.join(text.split())}\n")
            raise SystemExit(Exit.BAD_INPUT) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Back-test Hummingbot V2 controllers by the hundred thousand: one YAML file, every core of every machine.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 bad input, 3 some points failed, 130 interrupted.",
)

app.command()(sweeps.run)
app.command()(sweeps.submit)
app.command()(sweeps.watch)
app.command()(sweeps.resume)
app.command()(sweeps.cancel)
app.command("list")(sweeps.list_sweeps)
app.command()(answers.rows)
app.command()(answers.report)
app.command()(answers.verify)
app.command()(answers.audit)
app.command()(answers.promote)
app.command()(pages.serve)
app.command()(cluster.worker)
app.command()(cluster.flower)
app.command()(metrics.metrics)
app.command()(tune.tune)
app.command()(bench.bench)
app.command()(cluster.doctor)
app.command()(download.sync)
app.add_typer(candles.candles_app, name="candles")
app.add_typer(candles.mirror_app, name="mirror")


def main() -> None:
    """Entry point of the command."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP: leave that
            signal.signal(number, _end)
    app()


def _end(number: int, frame: object) -> None:
    """Told to stop by another: what was started is stopped and what was claimed given free on the way out."""
    sys.stderr.write(f"hummingsweep: ended by {signal.Signals(number).name}\n")
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
