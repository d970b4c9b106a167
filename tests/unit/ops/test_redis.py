"""ops/redis: users, passwords, and the options of a TLS address."""

from __future__ import annotations

import hashlib
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from tasks.broker.connect import tls_options
from tasks.errors import BrokerError
from tests.conftest import REPOSITORY

REDIS = REPOSITORY / "ops" / "redis"
USERS = ("orchestrator", "node", "flower", "metrics", "admin")


def passwords(folder: Path) -> dict[str, str]:
    subprocess.run([REDIS / "passwords.sh", folder], check=True, capture_output=True)
    return {user: (folder / f"{user}.password").read_text() for user in USERS}


def test_the_shipped_users_cannot_log_in_and_the_default_user_is_off() -> None:
    lines = (REDIS / "users.acl").read_text().splitlines()
    # without a right of its own, Redis would leave out every transaction of its append-only file at its start
    assert lines[0] == "user default off resetpass allkeys allchannels +@all"
    assert [line.split()[1] for line in lines[1:]] == list(USERS)
    for line in lines:
        assert "nopass" not in line
        assert not any(word[0] in "#>" for word in line.split())


def test_every_user_gets_a_password_of_its_own_that_only_its_owner_can_read(tmp_path: Path) -> None:
    made = passwords(tmp_path / "redis")
    assert len(set(made.values())) == len(USERS)
    assert all(len(password) == 40 for password in made.values())
    acl = (tmp_path / "redis" / "users.acl").read_text()
    for user, password in made.items():
        line = next(line for line in acl.splitlines() if line.startswith(f"user {user} "))
        assert line.endswith(f"#{hashlib.sha256(password.encode()).hexdigest()}")
        assert password not in acl
    for file in (tmp_path / "redis").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_password_is_kept_until_its_file_is_deleted(tmp_path: Path) -> None:
    before = passwords(tmp_path)
    (tmp_path / "node.password").unlink()
    after = passwords(tmp_path)
    assert [user for user in USERS if before[user] != after[user]] == ["node"]


def test_a_tls_address_checks_the_certificate_unless_it_says_otherwise(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    assert tls_options("redis://host") == {}
    assert tls_options("rediss://host") == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert tls_options(f"rediss://host/0?ssl_ca_certs={authority}") == {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": str(authority),
    }
    assert tls_options("rediss://host?ssl_cert_reqs=none") == {"ssl_cert_reqs": ssl.CERT_NONE}


@pytest.mark.parametrize(
    ("query", "says"),
    [("ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs=/nowhere/ca.pem.*no such file"), ("ssl_cert_reqs=maybe", "maybe")],
)
def test_what_cannot_be_used_in_a_tls_address_is_named_without_the_password(query: str, says: str) -> None:
    with pytest.raises(BrokerError, match=says) as error:
        tls_options(f"rediss://node:secret@host/0?{query}")
    assert "secret" not in str(error.value)
