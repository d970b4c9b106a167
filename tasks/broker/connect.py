"""A Redis client for the broker in the settings, and the TLS options of its address."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import BrokerError, HummingsweepError
from tasks.settings import Settings

if TYPE_CHECKING:
    from redis import Redis

    from tasks.broker.dialer import Dialer


def connect(
    settings: Settings,
    *,
    patient: bool,
    waits_for_room: bool = False,
    while_away: Callable[[], object] | None = None,
    dialer: Dialer | None = None,
) -> Redis:
    """A Redis client. `patient` clients (a child's, a collector's) sit out a broker restart of several minutes.

    One that `waits_for_room` sits out a full memory, too: a child, whose finished chunk would be lost otherwise. An
    orchestrator does not, for it is the one that makes room. `while_away` is called before each wait for a broker that
    is away; what it raises ends the waiting. `dialer` opens the connections where the caller's thread may not. Raises
    HummingsweepError when there is no broker address.
    """
    from redis import Redis
    from redis.backoff import ExponentialBackoff
    from redis.connection import Connection, SSLConnection
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

    kind = SSLConnection if settings.broker.startswith("rediss://") else Connection
    return Redis.from_url(
        settings.broker,
        connection_class=dialer.connection_class(kind) if dialer is not None else kind,
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
    ssl_cert_reqs says otherwise (kombu alone would check nothing without it). Raises BrokerError when a file is
    missing.
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
