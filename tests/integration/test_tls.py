"""Orchestrator, node and Flower over TLS, against a real server with a certificate of the test's own authority.

The bundled server speaks no TLS: these tests need `redis-server` or `valkey-server` with TLS on the path
(Debian: apt install redis-server), and are skipped with a word where there is none.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kombu.exceptions import OperationalError

from orchestrator.cluster.broker import reach
from tasks.broker.app import make_app
from tasks.errors import BrokerError
from tasks.settings import Settings
from tests.integration.configured import Configured, has_tls, serve
from tests.integration.conftest import eventually, small_sweep
from tests.integration.test_acl import node_log, start_flower


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if not binary:
        pytest.skip("no redis-server or valkey-server on the path: TLS cannot be tested with the bundled server")
    if not has_tls(Path(binary)):
        pytest.skip(f"{binary} was built without TLS")
    folder = tmp_path_factory.mktemp("tls")
    certificates(folder, "127.0.0.1")
    lines = [f"tls-{what} {folder / name}" for what, name in FILES.items()]
    with serve(Path(binary), folder, *lines, tls=True) as server:
        yield replace(server, scheme="rediss", query=f"?ssl_ca_certs={folder / 'ca.pem'}")


FILES = {"cert-file": "server.pem", "key-file": "server.key", "ca-cert-file": "ca.pem"}


def settings(server: Configured, **changes: str) -> Settings:
    return Settings.read(replace(server, **changes).environment("orchestrator"))


def test_a_sweep_runs_over_tls_and_flower_sees_it(
    server: Configured, tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    cluster = server.cluster(bare_environment)
    place = small_sweep(tmp_path, cluster.environment)
    flower, look = start_flower(server, bare_environment, tmp_path)
    try:
        cluster.add_node(children=1, **server.environment("node"))
        finished = place.run("run", place.file, "--json", "--no-report")
        assert finished.code == 0, finished.err + node_log(cluster)
        assert (finished.document["done"], finished.document["failed"]) == (12, 0)
        assert eventually(lambda: len(look("/api/tasks")) >= 3, what="Flower's list of tasks")
        eventually(lambda: look("/api/workers?refresh=1"), what="Flower's list of nodes")
        assert look("/api/queues/length")["active_queues"][0]["messages"] == 0
    finally:
        flower.terminate()
        flower.wait()
        for process in cluster.nodes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_nobody_connects_to_a_server_whose_certificate_it_cannot_check(server: Configured) -> None:
    unknown = settings(server, query="")
    with pytest.raises(BrokerError, match=r"(?i)certificate verify failed"):
        reach(unknown)
    with pytest.raises(OperationalError, match=r"(?i)certificate verify failed"):
        make_app(unknown).connection_for_write().ensure_connection(max_retries=1, timeout=5)
    assert reach(settings(server)).redis.ping()


def test_a_certificate_for_another_host_is_refused(server: Configured) -> None:
    named = server.environment("orchestrator")["HUMMINGSWEEP_BROKER"].replace("127.0.0.1", "localhost")
    other = Settings.read({**server.environment("orchestrator"), "HUMMINGSWEEP_BROKER": named})
    with pytest.raises(BrokerError, match=r"(?i)hostname mismatch"):
        reach(other)
    with pytest.raises(OperationalError, match=r"(?i)hostname mismatch"):
        make_app(other).connection_for_write().ensure_connection(max_retries=1, timeout=5)


def test_no_plain_port_is_open(server: Configured) -> None:
    with pytest.raises(BrokerError, match="not reachable"):
        reach(settings(server, scheme="redis", query=""))


def certificates(folder: Path, host: str) -> None:
    """An authority and a certificate for one IP address, as PEM files."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the tests")])
    now = datetime.datetime.now(datetime.UTC)

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    authority = (
        builder(name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")]), key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
