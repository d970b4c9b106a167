"""The Celery app: its settings and why each is so (measured in the project's notes on Celery 5.7 with Redis)."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import BrokerError, HummingsweepError
from tasks.settings import Settings

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis


@lru_cache(maxsize=4)
def make_app(settings: Settings) -> Celery:
    """The app for a broker. Opens nothing. Celery is imported here: most commands never need it."""
    from celery import Celery
    from celery.signals import before_task_publish

    from tasks.beat import NodeBeat
    from tasks.events import GatheredEvents

    options = {
        "visibility_timeout": settings.visibility_timeout_s,
        # a dead node's chunks are looked for every 10 s instead of every 100 s
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry_on_timeout": True,
    }
    app = Celery("hummingsweep", broker=settings.broker, include=["tasks.chunk"])
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
        # rows travel by stream, see tasks.chunk
        task_ignore_result=True,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        # children see to what is printed themselves, see tasks.chatter
        worker_redirect_stdouts=False,
    )
    app.steps["consumer"].update((NodeBeat, GatheredEvents))
    before_task_publish.connect(_lighten, dispatch_uid="hummingsweep.lighten")
    return app


def _lighten(headers: dict[str, Any], **_: Any) -> None:
    """Leave out of a message what says nothing: Celery reads every header but these with a default."""
    for name in headers.keys() - {"id", "task", "lang"}:
        if headers[name] in (None, 0, "{}", {}, [None, None]):
            del headers[name]


def connect(
    settings: Settings,
    *,
    patient: bool,
    waits_for_room: bool = False,
    while_away: Callable[[], object] | None = None,
) -> Redis:
    """A Redis client. `patient` clients (a child's, a collector's) sit out a broker restart of several minutes.

    One that `waits_for_room` sits out a full memory, too: a child, whose finished chunk would be lost otherwise. A desk
    does not, for it is the one that makes room. `while_away` is called before each wait for a broker that is away; what
    it raises ends the waiting. Raises HummingsweepError when there is no broker address.
    """
    from redis import Redis
    from redis.backoff import ExponentialBackoff
    from redis.exceptions import BusyLoadingError, ConnectionError, OutOfMemoryError, TimeoutError
    from redis.retry import Retry

    if not settings.broker:
        raise HummingsweepError("no broker address: give --broker redis://... or set HUMMINGSWEEP_BROKER")
    tls_options(settings.broker)

    class Waiting(ExponentialBackoff):
        def compute(self, failures: int) -> float:
            if while_away is not None:
                while_away()
            return super().compute(failures)

        def __deepcopy__(self, memo: object) -> Waiting:  # redis-py copies it for each connection; it holds no state
            return self

    return Redis.from_url(
        settings.broker,
        retry=Retry(Waiting(cap=2, base=0.1), 200 if patient else 2),
        retry_on_error=[
            ConnectionError,
            TimeoutError,
            BusyLoadingError,
            *([OutOfMemoryError] if waits_for_room else []),
        ],
        socket_timeout=30 if patient else 5,
        socket_connect_timeout=3,
        health_check_interval=15,
    )


def tls_options(broker: str) -> dict[str, Any]:
    """How kombu and Flower must connect to a rediss:// address; empty for others.

    The options stand in the address, in the words redis-py reads there itself: `rediss://host?ssl_ca_certs=ca.pem`,
    also ssl_certfile, ssl_keyfile, ssl_check_hostname and ssl_cert_reqs. The server's certificate is checked unless
    ssl_cert_reqs says otherwise (kombu alone would check nothing without it). Raises BrokerError when a file lacks.
    """
    if not broker.startswith("rediss://"):
        return {}
    from kombu.utils.url import parse_url

    try:
        options: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, **parse_url(broker).get("ssl", {})}
    except KeyError as error:
        raise BrokerError(
            f"ssl_cert_reqs={error.args[0]} in the broker's address: required, optional or none"
        ) from None
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not Path(options[name]).is_file():
            raise BrokerError(f"{name}={options[name]} in the broker's address: no such file")
    return options


def __getattr__(name: str) -> Any:
    """`celery -A tasks.app` looks for `app`: made from the environment when it is asked for."""
    if name == "app":
        return make_app(Settings.read())
    raise AttributeError(name)
