"""A small Celery app of its own: one task a point, as a first version of such a project would have it."""

import os

from celery import Celery
from celery.signals import worker_process_init
from contenders.work import compute, enter

app = Celery("peers", broker=os.environ.get("PEERS_BROKER"), backend=os.environ.get("PEERS_BROKER"))
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    worker_pool_start_method="spawn",
    worker_proc_alive_timeout=120.0,
    worker_prefetch_multiplier=4,
)


@worker_process_init.connect(weak=False)
def ready(**_: object) -> None:
    enter(os.environ["PEERS_WORK"])


@app.task(name="peers.point")
def point(folder: str, number: int) -> tuple:
    return compute(folder, number)
