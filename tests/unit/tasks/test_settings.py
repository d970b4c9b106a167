"""Settings come from defaults, file and environment, and never show a secret."""

from __future__ import annotations

import dataclasses
import os
from importlib import metadata
from pathlib import Path

import pytest

from tasks.errors import BrokerError, HummingsweepError
from tasks.settings import (
    Settings,
    check_broker,
    check_settings_file,
    exposed_secrets,
    queue_name,
    user_cache_folder,
    versions,
    with_password,
    without_password,
)


def read(tmp_path: Path, **environment: str) -> Settings:
    return Settings.read({"HUMMINGSWEEP_SETTINGS": str(tmp_path / "settings.toml"), **environment})


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("children = 3\nchunk_seconds = 2.5\n")
    settings = read(tmp_path, HUMMINGSWEEP_CHILDREN="7")
    assert (settings.children, settings.chunk_seconds) == (7, 2.5)


def test_what_another_process_is_told_is_what_this_one_read(tmp_path: Path) -> None:
    settings = read(tmp_path, HUMMINGSWEEP_LEAN="false", HUMMINGSWEEP_BROKER="redis://:p@h:1/0", HUMMINGSWEEP_KEY="k")
    assert read(tmp_path, **settings.to_environment()) == settings


@pytest.mark.parametrize(("name", "value"), [("CHILDREN", "many"), ("CHUNK_SECONDS", "fast"), ("LEAN", "perhaps")])
def test_a_wrong_value_names_the_variable(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(HummingsweepError, match=f"HUMMINGSWEEP_{name}.*{value}"):
        read(tmp_path, **{f"HUMMINGSWEEP_{name}": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHILDREN", "-3"),
        ("CHILDREN", "100000"),
        ("CHUNK_SECONDS", "0"),
        ("CHUNK_SECONDS", "-1"),
        ("CHUNK_SECONDS", "nan"),
        ("CHUNK_SECONDS", "inf"),
        ("VISIBILITY_TIMEOUT_S", "0"),
        ("VISIBILITY_TIMEOUT_S", "-5"),
        ("DRAIN_S", "nan"),
        ("THREADS", "0"),
        ("THREADS", "-1"),
        ("MIRROR_MB", "0"),
        ("CHILD_MEMORY_MB", "-1"),
    ],
)
def test_a_number_beyond_its_range_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(HummingsweepError, match=f"HUMMINGSWEEP_{name}: '{value}' is not from"):
        read(tmp_path, **{f"HUMMINGSWEEP_{name}": value})


def test_zero_keeps_its_meaning_where_it_has_one(tmp_path: Path) -> None:
    zero = {"HUMMINGSWEEP_CHILDREN": "0", "HUMMINGSWEEP_CHILD_MEMORY_MB": "0", "HUMMINGSWEEP_DRAIN_S": "0"}
    settings = read(tmp_path, **zero)
    assert (settings.children, settings.child_memory_mb, settings.drain_s) == (0, 0, 0.0)


def test_kinds_are_said_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(HummingsweepError, match="'x' is not a whole number"):
        read(tmp_path, HUMMINGSWEEP_CHILDREN="x")


def test_a_settings_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(HummingsweepError, match=r"HUMMINGSWEEP_SETTINGS: '/nonexistent' is no file"):
        check_settings_file({"HUMMINGSWEEP_SETTINGS": "/nonexistent"})
    (tmp_path / "settings.toml").touch()
    check_settings_file({"HUMMINGSWEEP_SETTINGS": str(tmp_path / "settings.toml")})
    check_settings_file({"HUMMINGSWEEP_SETTINGS": "/dev/null"})
    check_settings_file({})


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("childs = 3\n")
    with pytest.raises(HummingsweepError, match="childs"):
        read(tmp_path)


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    (tmp_path / "password").write_text("pass/word\n")
    settings = read(
        tmp_path,
        HUMMINGSWEEP_KEY_FILE=str(tmp_path / "key"),
        HUMMINGSWEEP_BROKER="rediss://orchestrator@host:6380/0",
        HUMMINGSWEEP_BROKER_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert settings.key == "secret"
    assert settings.broker == "rediss://orchestrator:pass%2Fword@host:6380/0"
    assert without_password(settings.broker) == "rediss://orchestrator:***@host:6380/0"


def test_a_password_in_the_address_stays() -> None:
    assert with_password("redis://:a@h:1/0", "b") == "redis://:a@h:1/0"


def test_caches_lie_where_the_platform_keeps_them() -> None:
    assert user_cache_folder("Darwin", {}).parts[-3:] == ("Library", "Caches", "hummingsweep")
    assert user_cache_folder("Linux", {"XDG_CACHE_HOME": "/x"}) == Path("/x/hummingsweep")


def test_the_queue_is_that_of_the_versions() -> None:
    assert queue_name(versions(), "key") != queue_name({**versions(), "hummingbot": "other"}, "key")
    assert queue_name(versions(), "key") != queue_name(versions(), "another")
    assert "another" not in queue_name(versions(), "another")


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:6379/0", "rediss://:p@192.0.2.1:6380/0", "redis://u:p@host/0"])
def test_brokers_that_may_be_used(broker: str) -> None:
    check_broker(broker)


@pytest.mark.parametrize(
    ("broker", "word"),
    [
        ("", "no broker"),
        ("127.0.0.1:17444", "^127.0.0.1:17444: redis:// is missing .*; write redis://127.0.0.1:17444$"),
        (with_password("127.0.0.1:17444", "secret"), "^127.0.0.1:17444: redis:// is missing"),
        ("orchestrator:secret@host:6379", "^host:6379: redis:// is missing"),
        ("http://host", "starts with"),
        ("redis://192.0.2.1:6379/0", "needs a password"),
        ("redis://", "the host is missing"),
        ("redis://:secret@/0", "the host is missing"),
        ("redis://[::1", "not a broker address"),
        ("redis://127.0.0.1:port/0", "not a broker address"),
    ],
)
def test_brokers_that_are_refused(broker: str, word: str) -> None:
    with pytest.raises(BrokerError, match=word):
        check_broker(broker)


def test_versions_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue's name is asked for with every message."""
    versions()
    monkeypatch.setattr(metadata, "version", lambda name: pytest.fail(f"read {name} again"))
    assert Settings().queue == queue_name(versions(), "")


@pytest.mark.parametrize(
    "address",
    ["redis://:hunter2/x@192.0.2.1:6379/0", "redis://me:hunter2#x@192.0.2.1:6379/0", "redis://:hunter2?x@h/0"],
)
def test_an_address_that_cannot_be_read_shows_no_part_of_its_password(address: str) -> None:
    with pytest.raises(BrokerError) as found:
        check_broker(address)
    assert "hunter2" not in str(found.value)


def test_a_process_that_is_started_gets_absolute_files_and_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    current = {
        "HUMMINGSWEEP_BROKER": "rediss://node@host:6380/0?ssl_ca_certs=ca.pem&ssl_check_hostname=true",
        "HUMMINGSWEEP_CACHE": "cache",
        "HUMMINGSWEEP_KEY_FILE": "key",
        "HUMMINGSWEEP_SETTINGS": os.devnull,
    }
    Path("key").write_text("secret")
    made = Settings.read(current).process_environment(current)
    assert made["HUMMINGSWEEP_BROKER"] == (
        f"rediss://node@host:6380/0?ssl_ca_certs={tmp_path}/ca.pem&ssl_check_hostname=true"
    )
    assert made["HUMMINGSWEEP_CACHE"] == f"{tmp_path}/cache"
    assert made["HUMMINGSWEEP_KEY_FILE"] == f"{tmp_path}/key"
    assert made["HUMMINGSWEEP_SETTINGS"] == os.devnull
    assert Settings.read(made) == dataclasses.replace(
        Settings.read(current), cache=f"{tmp_path}/cache", broker=made["HUMMINGSWEEP_BROKER"]
    )


def test_a_folder_in_the_settings_file_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('cache = "mine"\n')
    assert Settings.read({"HUMMINGSWEEP_SETTINGS": str(tmp_path / "settings.toml")}).cache == f"{tmp_path}/mine"


def test_the_work_folder_is_in_the_cache_or_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Settings(cache=str(tmp_path / "cache")).enter_work_folder()
    assert Path.cwd() == tmp_path / "cache" / "work"
    (tmp_path / "file").write_text("")
    Settings(cache=str(tmp_path / "file")).enter_work_folder()
    assert Path.cwd() == Path("/")


@pytest.mark.parametrize(("mode", "said"), [(0o600, False), (0o640, False), (0o644, True), (0o620, True)])
def test_a_file_of_a_secret_that_others_can_read_is_said(tmp_path: Path, mode: int, said: bool) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    key.chmod(mode)
    sentences = exposed_secrets({"HUMMINGSWEEP_KEY_FILE": str(key), "HUMMINGSWEEP_BROKER_PASSWORD_FILE": "/none"})
    assert bool(sentences) == said
    assert all(f"chmod 600 {key}" in sentence for sentence in sentences)
