"""worker, flower, down, doctor: machines and what runs on them."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cluster import broker as brokers
from orchestrator.cluster import warm
from orchestrator.cluster.memory_policy import eviction_warning
from orchestrator.commands._shared import Broker, Exit, Json, answer_json, say, settings_for
from orchestrator.monitoring import doctor as doctors
from tasks import launch
from tasks.errors import HummingsweepError
from tasks.settings import PREFIX, SINGLE_THREAD, check_key


def worker(
    broker: Broker = "",
    children: Annotated[int, typer.Option("--children", help="Children; default one per (performance) core.")] = 0,
    name: Annotated[str, typer.Option("--name", help="Name of this node.")] = "",
) -> None:
    """A node: runs chunks for every sweep on the broker until it is told to stop (Ctrl-C, SIGTERM).

    Needs the broker's address and the cluster's key (HUMMINGSWEEP_KEY or HUMMINGSWEEP_KEY_FILE), nothing else.

    Examples:
      hummingsweep worker --broker redis://192.0.2.1:6379/0
    """
    settings = settings_for(broker, children, node=name or None)
    if not settings.broker:
        settings = brokers.running_embedded(settings)
    if not settings.key:
        raise HummingsweepError(
            "no signing key: set HUMMINGSWEEP_KEY or HUMMINGSWEEP_KEY_FILE to the secret that "
            "the orchestrator signs with"
        )
    check_key(settings.key)
    if warning := eviction_warning(brokers.reach(settings).redis):
        say(warning)
    threads = {name: str(settings.threads) for name in SINGLE_THREAD}
    environment = {**settings.process_environment(os.environ), **threads}
    # this process becomes the node: signals reach it directly, and the address is not on its command line
    os.execve(sys.executable, launch.command("tasks.node.worker"), environment)


def down(json: Json = False) -> None:
    """Stop the local cluster that stays between commands (it ends by itself after some idle minutes).

    Examples:
      hummingsweep down
    """
    was_up = warm.down(settings_for())
    if json:
        answer_json({"stopped": was_up})
    else:
        say("the local cluster is stopped" if was_up else "no local cluster is running")


def flower(
    broker: Broker = "",
    port: Annotated[int, typer.Option("--port")] = 5555,
    address: Annotated[str, typer.Option("--address", help="Interface to listen on.")] = "127.0.0.1",
    db: Annotated[Path | None, typer.Option("--db", help="File that keeps what Flower has seen.")] = None,
) -> None:
    """Flower for a broker; without --broker for the sweep that runs on this machine.

    Behind basic auth: HUMMINGSWEEP_FLOWER_AUTH=user:password, else a password is made and printed.

    Examples:
      hummingsweep flower
      hummingsweep flower --broker redis://192.0.2.1:6379/0 --port 5556
    """
    settings = settings_for(broker)
    if not settings.broker:
        settings = brokers.running_embedded(settings)
    brokers.reach(settings)
    auth = os.environ.get(PREFIX + "FLOWER_AUTH", "")
    if not auth:
        auth = f"hummingsweep:{secrets.token_urlsafe(12)}"
        typer.echo(f"flower: http://{address}:{port} user and password: {auth}", err=True)
    else:
        typer.echo(f"flower: http://{address}:{port}", err=True)
    arguments = ["flower", f"--address={address}", f"--port={port}", "--max-tasks=20000", "--purge-offline-workers=60"]
    # what says nothing here (every task has the same name) makes room for sweep, chunk and how far the sweep is
    arguments += ["--tasks-columns=uuid,args,state,received,runtime,worker"]
    if db:
        arguments += ["--persistent=True", f"--db={db.absolute()}", "--state-save-interval=60000"]
    # secrets go through the environment, never on the command line
    environment = {**settings.process_environment(os.environ), "FLOWER_BASIC_AUTH": auth}
    settings.enter_work_folder()
    os.execve(sys.executable, launch.command("tasks.broker.celery_command", *arguments), environment)


def doctor(broker: Broker = "", json: Json = False) -> None:
    """What is installed, reachable and writable; what to do about what is not. Exit code 1 when something is not.

    Examples:
      hummingsweep doctor
      hummingsweep doctor --broker redis://192.0.2.1:6379/0 --json
    """
    findings = doctors.examine(settings_for(broker))
    if json:
        answer_json({"healthy": all(finding.good for finding in findings), "findings": findings})
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.good else 'BAD '} {finding.what}: {finding.found}")
            if not finding.good:
                say(f"     -> {finding.remedy}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(Exit.FAILED)
