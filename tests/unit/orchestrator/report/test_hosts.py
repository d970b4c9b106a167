"""Which requests a server on loopback answers, by Host header and target of the request."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from orchestrator.monitoring.exporter import serve
from orchestrator.report.hosts import asks_loopback, is_loopback, names_loopback
from orchestrator.report.serve import listening
from tasks.settings import Settings


@pytest.mark.parametrize(
    "header",
    [
        "localhost", "LocalHost:8765", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:8765",
        "[0:0:0:0:0:0:0:1]", " localhost ", "localhost:",
    ],
)  # fmt: skip
def test_a_header_that_names_this_machine(header: str) -> None:
    assert names_loopback(header)


@pytest.mark.parametrize(
    "header",
    [
        "", " ", "[", "[]", "::1", "[::1", "[::2]", "[::1].evil.example", "localhost.evil.example", "evil.example",
        "evil.example:localhost", "localhost:x", "localhost@evil.example", "evil.example@localhost", "u:p@localhost",
        "localhost/evil", "localhost#evil", "localhost?x", "localhost,evil.example", "evil.example,localhost",
        "127.0.0.1.evil.example", "127.1", "0x7f.0.0.1", "2130706433", "0.0.0.0", "10.0.0.1", "localhost\x00",
        "\uff4cocalhost", "localhost evil.example", "http://localhost", "*", "localhost:1:2",
    ],
)  # fmt: skip
def test_a_header_that_does_not(header: str) -> None:
    """`evil.example@localhost`, `localhost/evil` and their like were taken for this machine's name."""
    assert not names_loopback(header)


def test_a_request_has_one_host_header_and_a_target_that_agrees_with_it() -> None:
    assert asks_loopback(["localhost:1"], "/api/sweeps")
    assert asks_loopback(["localhost"], "http://127.0.0.1:8765/")
    for headers, target in (
        ([], "/"), (["localhost", "evil.example"], "/"), (["localhost", "localhost"], "/"),
        (["localhost"], "http://evil.example/"), (["localhost"], "http://["), (["localhost"], ""),
        (["localhost"], "http://evil.example@localhost/"), (["localhost"], "*"),
    ):  # fmt: skip
        assert not asks_loopback(headers, target), (headers, target)


def test_an_interface_may_be_named_in_large_letters() -> None:
    """`serve --host LOCALHOST` listened on loopback, and answered every name."""
    assert is_loopback("LOCALHOST") and is_loopback("::1") and not is_loopback("0.0.0.0")


REQUESTS = {
    "two Host lines": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "a whole address": b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("what", REQUESTS)
def test_serve_and_metrics_refuse(tmp_path: Path, what: str) -> None:
    """`serve` looked at the first Host line only, and neither at the target."""
    metrics, thread = serve(Settings(mirror=str(tmp_path / "mirror")), "127.0.0.1", 0)
    try:
        assert _answer(metrics.server_port, REQUESTS[what]) == b"403"
    finally:
        metrics.shutdown()
        metrics.server_close()
        thread.join()
    with listening(tmp_path, port=0) as server:
        page = threading.Thread(target=server.serve_forever)
        page.start()
        try:
            assert _answer(server.server_address[1], REQUESTS[what]) == b"403"
        finally:
            server.shutdown()
            page.join()


def _answer(port: int, request: bytes) -> bytes:
    """The status of a request as it is written here."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline().split()[1]
