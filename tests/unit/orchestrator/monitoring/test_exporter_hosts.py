"""`hummingsweep metrics` on loopback answers requests that name this machine, and no others."""

from __future__ import annotations

import http.client

import pytest

from orchestrator.monitoring.exporter import serve
from tasks.errors import HummingsweepError
from tasks.settings import Settings


def status(port: int, host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest("GET", "/metrics", skip_host=True)
        if host:
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("address", "host", "expected"),
    [
        ("127.0.0.1", "localhost:9808", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "[::1]:9808", 200),
        ("127.0.0.1", "rebound.example:9808", 403),
        ("127.0.0.1", "127.0.0.1.nip.io", 403),
        ("127.0.0.1", "[", 403),
        ("127.0.0.1", "", 403),
        ("0.0.0.0", "metrics:9808", 200),
    ],
)
def test_a_page_elsewhere_cannot_read_it_through_a_name_of_its_own(address: str, host: str, expected: int) -> None:
    server, thread = serve(Settings(), address, 0)
    try:
        assert status(server.server_port, host) == expected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_one_sentence(port: int) -> None:
    with pytest.raises(HummingsweepError, match="--port"):
        serve(Settings(), "127.0.0.1", port)
