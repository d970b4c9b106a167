"""The Celery app: its settings and why each is so (measured in the project's notes on Celery 5.7 with Redis)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tasks.broker.connect import tls_options
from tasks.settings import Settings

if TYPE_CHECKING:
    from celery import Celery


@lru_cache(maxsize=4)
def make_app(settings: Settings) -> Celery:
    """The app for a broker. Opens nothing. Celery is imported here: most commands never need it."""
    from celery.signals import before_task_publish

    from tasks.broker.own_celery import OwnCelery

    options = {
        "visibility_timeout": settings.visibility_timeout_s,
        # a dead node's chunks are looked for every 10 s instead of every 100 s
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry_on_timeout": True,
    }
    app = OwnCelery("hummingsweep", broker=settings.broker, include=["tasks.child.chunk"])
    app.conf.update(
        task_default_queue=settings.queue,
        task_serializer="ujson",
        result_serializer="ujson",
        event_serializer="ujson",
        accept_content=["ujson"],
        broker_use_ssl=tls_options(settings.broker) or None,
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # a broker without room refuses to note what a node took: connect again instead of ending
        broker_channel_error_retry=True,
        # spawn on Linux as on macOS; importing the engine takes longer than the default 4 s
        worker_pool="prefork",
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=120.0,
        worker_concurrency=settings.child_count,
        # a chunk belongs to the child that runs it and goes back when that child or its node dies
        worker_prefetch_multiplier=1,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_timeout=False,
        # True would lose the running chunks in a broker outage
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_max_memory_per_child=settings.child_memory_mb * 1024 or None,
        # rows travel by stream, see tasks.child.chunk
        task_ignore_result=True,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        # children see to what is printed themselves, see tasks.child.log_quota
        worker_redirect_stdouts=False,
    )
    before_task_publish.connect(_lighten, dispatch_uid="hummingsweep.lighten")
    return app


def _lighten(headers: dict[str, Any], **_: Any) -> None:
    """Leave out of a message what says nothing: Celery reads every header but these with a default."""
    for name in headers.keys() - {"id", "task", "lang"}:
        if headers[name] in (None, 0, "{}", {}, [None, None]):
            del headers[name]


def __getattr__(name: str) -> Any:
    """`celery -A tasks.broker.app` looks for `app`: made from the environment when it is asked for."""
    if name == "app":
        return make_app(Settings.read())
    raise AttributeError(name)
