"""metrics: what Prometheus scrapes."""

from __future__ import annotations

import dataclasses
import signal
import threading
from typing import Annotated

import typer

from orchestrator.cluster import broker as brokers
from orchestrator.commands._shared import Broker, settings_for
from orchestrator.monitoring import exporter
from tasks.settings import check_broker


def metrics(
    broker: Broker = "",
    port: Annotated[int, typer.Option("--port")] = 9808,
    address: Annotated[str, typer.Option("--address", help="Interface to listen on.")] = "127.0.0.1",
    local: Annotated[
        bool, typer.Option("--local", help="Only this machine's mirror, nothing of the broker: for every further node.")
    ] = False,
) -> None:
    """Answer Prometheus on http://127.0.0.1:9808/metrics until told to stop (Ctrl-C, SIGTERM).

    Sweeps, chunks, nodes and the broker's memory; one exporter a cluster is enough for those. A broker that is away is
    hummingsweep_broker_up 0, not an error. Without --broker: the sweep that runs on this machine.

    Examples:
      hummingsweep metrics --broker redis://192.0.2.1:6379/0
      hummingsweep metrics --local --port 9809
    """
    settings = settings_for(broker)
    if local:
        settings = dataclasses.replace(settings, broker="")
    elif settings.broker:
        check_broker(settings.broker)
    else:
        settings = brokers.running_embedded(settings)
    server, thread = exporter.serve(settings, address, port)
    typer.echo(f"metrics: http://{address}:{server.server_port}/metrics", err=True)
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    told.wait()
    server.shutdown()
    thread.join()
