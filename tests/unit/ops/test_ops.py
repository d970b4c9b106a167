"""What lies in ops/: units, plists, scripts, rules and the dashboard, as far as this machine can check them."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cluster.bookkeeping import SweepRecords
from orchestrator.monitoring.exporter import BrokerFacts
from tasks.candles import mirror
from tasks.node.lease import NODE_EXPIRY_S
from tasks.node.worker import LAST_WAIT_S
from tasks.protocol.records import NodeRecord, NodeTally, SweepState, SweepStatus
from tasks.settings import PREFIX, Settings
from tests.conftest import REPOSITORY

OPS = REPOSITORY / "ops"
UNITS = sorted((OPS / "systemd").glob("*.service"))
SCRIPTS = sorted(OPS.rglob("*.sh"))


def setting(unit: str, name: str) -> str:
    found = re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)
    assert len(found) == 1, name
    return str(found[0])


def environment_file(file: Path) -> dict[str, str]:
    """As systemd and sh both read it."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [re.fullmatch(r'([A-Z_]+)="([^"$`\\]*)"', line) for line in lines]
    assert all(pairs), lines
    return {pair[1]: pair[2] for pair in pairs if pair}


@pytest.fixture
def filled(tmp_path: Path) -> list[Path]:
    """The units as join.sh fills them."""
    files = []
    for unit in UNITS:
        text = unit.read_text().replace("@DIR@", str(REPOSITORY)).replace("@USER@", "daemon")
        (tmp_path / unit.name).write_text(text)
        files.append(tmp_path / unit.name)
    return files


def test_systemd_accepts_the_units(filled: list[Path]) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    command = REPOSITORY / ".venv" / "bin" / "hummingsweep"
    if not command.exists():
        pytest.skip("no .venv in this checkout: systemd-analyze looks for the command")
    checked = subprocess.run(["systemd-analyze", "verify", *filled], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert not [line for line in checked.stderr.splitlines() if "hummingsweep-" in line], checked.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda file: file.stem)
def test_units_are_hardened_and_let_the_engine_compile(unit: Path) -> None:
    text = unit.read_text()
    for name, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "Restart": "always",
        "UMask": "0077",
    }.items():
        assert setting(text, name) == value
    assert "MemoryDenyWriteExecute=yes" not in text
    assert not re.search(r"redis.*:.*@|PASSWORD=|KEY=", text)


def test_a_node_may_drain_before_its_supervisor_kills_it() -> None:
    needed = Settings().drain_s + LAST_WAIT_S
    unit = (OPS / "systemd" / "hummingsweep-worker.service").read_text()
    plist = plistlib.loads((OPS / "launchd" / "com.hummingsweep.worker.plist").read_bytes())
    assert setting(unit, "KillMode") == "mixed"
    assert setting(unit, "OOMPolicy") == "continue"
    for limit in (float(setting(unit, "TimeoutStopSec")), plist["ExitTimeOut"]):
        assert needed < limit <= needed + 15


@pytest.mark.parametrize("name", ["worker", "flower", "metrics"])
def test_environment_files_hold_settings_there_are_and_no_secret(name: str) -> None:
    values = environment_file(OPS / "systemd" / f"{name}.env")
    known = {PREFIX + field.upper() for field in Settings.__dataclass_fields__}
    known |= {PREFIX + "BROKER_PASSWORD_FILE", PREFIX + "KEY_FILE", PREFIX + "FLOWER_AUTH"}
    assert set(values) <= known
    assert values[PREFIX + "BROKER"].startswith(f"rediss://{'node' if name == 'worker' else name}@")
    if name == "worker":
        read = Settings.read({key: value for key, value in values.items() if not key.endswith("_FILE")})
        assert (read.children, read.drain_s, read.mirror_mb) == (0, Settings().drain_s, Settings().mirror_mb)


def test_plists_start_a_node_that_is_not_throttled() -> None:
    worker = plistlib.loads((OPS / "launchd" / "com.hummingsweep.worker.plist").read_bytes())
    assert worker["ProcessType"] == "Interactive"
    assert worker["KeepAlive"] is True
    assert worker["ProgramArguments"][0] == "@DIR@/ops/macos/worker.sh"
    ramdisk = plistlib.loads((OPS / "launchd" / "com.hummingsweep.ramdisk.plist").read_bytes())
    assert ramdisk["RunAtLoad"] is True


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_scripts_are_executable_and_pass_shellcheck(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/bin/sh\n")
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck on this machine")
    checked = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


# macOS, with stand-ins for its tools


@pytest.fixture
def mac(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which uname says Darwin and macOS's tools write down how they were called."""
    tools = tmp_path / "bin"
    tools.mkdir()
    answers = {
        "uname": "echo Darwin",
        "hdiutil": f'echo "hdiutil $*" >>{tmp_path}/calls; echo "/dev/disk7     "',
        "diskutil": f'echo "diskutil $*" >>{tmp_path}/calls',
        "mdutil": f'echo "mdutil $*" >>{tmp_path}/calls',
        "chmod": f'echo "chmod $*" >>{tmp_path}/calls',
        "caffeinate": f'echo "caffeinate $*" >>{tmp_path}/calls',
        "mount": f"cat {tmp_path}/mounted 2>/dev/null || true",
        "stat": "echo quant",
        "make": f'echo "make $*" >>{tmp_path}/calls',
    }
    for name, line in answers.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    yield {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}


def calls(folder: Path) -> list[str]:
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_the_ram_disk_is_made_where_the_mirror_looks_for_it(mac: dict[str, str], tmp_path: Path) -> None:
    subprocess.run([OPS / "macos" / "ramdisk.sh", "100"], env=mac, check=True, capture_output=True)
    assert calls(tmp_path) == [
        "hdiutil attach -nomount ram://204800",
        f"diskutil erasevolume APFS {mirror._RAM_DISK.name} /dev/disk7",
        f"chmod 1777 {mirror._RAM_DISK}",
        f"mdutil -i off {mirror._RAM_DISK}",
    ]


def test_a_ram_disk_that_is_there_is_left_alone(mac: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mounted").write_text(f"/dev/disk7s1 on {mirror._RAM_DISK} (apfs, local)\n")
    subprocess.run([OPS / "macos" / "ramdisk.sh"], env=mac, check=True, capture_output=True)
    assert calls(tmp_path) == []


def test_a_ram_disk_needs_macos_and_a_number(mac: dict[str, str]) -> None:
    assert subprocess.run([OPS / "macos" / "ramdisk.sh", "5 GB"], env=mac, capture_output=True).returncode == 2
    if os.uname().sysname == "Linux":
        assert subprocess.run([OPS / "macos" / "ramdisk.sh"], capture_output=True).returncode == 2


def test_a_mac_stays_awake_as_long_as_the_process_that_becomes_the_node(mac: dict[str, str], tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / "ops" / "macos").mkdir(parents=True)
    shutil.copy(OPS / "macos" / "worker.sh", clone / "ops" / "macos")
    node = clone / ".venv" / "bin" / "hummingsweep"
    node.write_text('#!/bin/sh\nsleep 1\necho "$$ $* $HUMMINGSWEEP_CHILDREN"\n')
    node.chmod(0o755)
    environment = tmp_path / "worker.env"
    environment.write_text('HUMMINGSWEEP_CHILDREN="7"\n')
    process = subprocess.Popen(
        [clone / "ops" / "macos" / "worker.sh", environment], env=mac, stdout=subprocess.PIPE, text=True
    )
    out, _ = process.communicate(timeout=20)
    assert out.split() == [str(process.pid), "worker", "7"]
    assert calls(tmp_path) == [f"caffeinate -ims -w {process.pid}"]


# join.sh


@pytest.fixture
def secrets(tmp_path: Path) -> list[str]:
    (tmp_path / "password").write_text("the-password")
    (tmp_path / "key").write_text("the-key")
    return ["--password-file", str(tmp_path / "password"), "--key-file", str(tmp_path / "key")]


def join(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [OPS / "join.sh", *arguments], env={**os.environ, **environment}, capture_output=True, text=True
    )


BROKER = "rediss://node@broker.example:6380/0?ssl_ca_certs=/etc/hummingsweep/ca.pem"


def test_a_dry_run_says_what_it_would_do_and_does_nothing(secrets: list[str], tmp_path: Path) -> None:
    linux = os.uname().sysname == "Linux"
    done = join("--broker", BROKER, *secrets, "--user", "quant", "--drain-s", "60", "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert f"+ make -C {REPOSITORY} setup" in lines
    assert f'HUMMINGSWEEP_BROKER="{BROKER}"' in lines
    assert "+ write /etc/hummingsweep/worker.env (mode 0600, quant):" in lines
    if linux:
        assert "TimeoutStopSec=75" in lines
        assert "User=quant" in lines
        assert f"ExecStart={REPOSITORY}/.venv/bin/hummingsweep worker" in lines
        assert any(line.endswith("systemctl enable hummingsweep-worker") for line in lines)
    assert "the-password" not in done.stdout
    assert "the-key" not in done.stdout
    assert not re.search(r"@[A-Z_]+@", done.stdout)


def test_a_staged_join_writes_what_settings_and_systemd_read(
    secrets: list[str], tmp_path: Path, mac: dict[str, str]
) -> None:
    stage = tmp_path / "stage"
    (tmp_path / "bin" / "uname").write_text("#!/bin/sh\necho Linux\n")
    given = ["--children", "7", "--name", "rack-3", "--user", "quant", "--mirror-mb", "100"]
    done = join("--broker", BROKER, *secrets, *given, DESTDIR=str(stage), PATH=mac["PATH"])
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == [f"make -C {REPOSITORY} setup"]
    file = stage / "etc/hummingsweep/worker.env"
    values = environment_file(file)
    values = {key: str(stage) + value if key.endswith("_FILE") else value for key, value in values.items()}
    settings = Settings.read(values)
    assert settings.broker == BROKER.replace("node@", "node:the-password@")
    assert (settings.key, settings.children, settings.node, settings.mirror_mb) == ("the-key", 7, "rack-3", 100)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (stage / "etc/hummingsweep").iterdir()}
    assert modes == {"worker.env": 0o600, "broker.password": 0o400, "key": 0o400}
    unit = (stage / "etc/systemd/system/hummingsweep-worker.service").read_text()
    assert (setting(unit, "User"), setting(unit, "TimeoutStopSec")) == ("quant", "45")


def test_a_staged_join_on_a_mac_writes_plists(secrets: list[str], tmp_path: Path, mac: dict[str, str]) -> None:
    stage = tmp_path / "stage"
    done = join("--broker", BROKER, *secrets, "--drain-s", "90", DESTDIR=str(stage), PATH=mac["PATH"])
    assert done.returncode == 0, done.stderr
    worker = plistlib.loads((stage / "Library/LaunchDaemons/com.hummingsweep.worker.plist").read_bytes())
    assert worker["ProgramArguments"] == [f"{REPOSITORY}/ops/macos/worker.sh", "/etc/hummingsweep/worker.env"]
    assert (worker["UserName"], worker["ExitTimeOut"], worker["ThrottleInterval"]) == ("quant", 105, 10)
    ramdisk = plistlib.loads((stage / "Library/LaunchDaemons/com.hummingsweep.ramdisk.plist").read_bytes())
    assert ramdisk["ProgramArguments"] == ["/usr/local/libexec/hummingsweep/ramdisk.sh", "5120"]
    assert os.access(stage / "usr/local/libexec/hummingsweep/ramdisk.sh", os.X_OK)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--broker", "redis://node:secret@host"], "use --password-file"),
        (["--broker", "http://host"], "redis:// or rediss://"),
        ([], "--broker ADDRESS is missing"),
        (["--broker", BROKER, "--children", "many"], "many is not a whole number"),
        (["--broker", BROKER, "--name", 'a"; rm'], "no quotes"),
        (["--broker", BROKER, "--user", "root"], "not as root"),
        (["--broker", BROKER, "--key-file", "/nowhere"], "/nowhere: no such file"),
        (["--broker"], "--broker needs a value"),
        (["--brokr", BROKER], "--brokr: not known"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments: list[str], says: str, secrets: list[str]) -> None:
    done = join(*secrets, "--user", "quant", "--dry-run", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "secret" not in done.stderr


# monitoring


def exported() -> set[str]:
    """Every sample name of our exporter and of Flower."""
    from flower.events import get_prometheus_metrics
    from prometheus_client import Histogram

    from orchestrator.monitoring.exporter import ClusterCollector, MachineCollector, _of_sweeps

    sweep = SweepRecords("s", SweepStatus(1, 0, 0, SweepState.RUNNING, 0.0, "queue"), {"n": NodeTally()})
    families = list(_of_sweeps([sweep]))
    names = {sample.name for family in families for sample in family.samples}
    names |= {sample.name for family in cluster_families(ClusterCollector) for sample in family.samples}
    held = type("Mirror", (), {"status": lambda self: mirror.MirrorStatus(Path(), 1, ())})()
    names |= {sample.name for family in MachineCollector(held).collect() for sample in family.samples}
    for metric in vars(get_prometheus_metrics()).values():
        name = metric._name
        suffixes = ["_bucket", "_sum", "_count"] if isinstance(metric, Histogram) else ["", "_total"]
        names |= {name + suffix for suffix in suffixes}
    return names


def cluster_families(collector: Any) -> list[Any]:
    from unittest.mock import patch

    broker = BrokerFacts(1, 1, 1, {"q": 0}, 0, [NodeRecord("n", 1, "q", {})], [])
    with patch("orchestrator.monitoring.exporter.read", return_value=broker):
        return list(collector(Settings(broker="redis://x")).collect())


def used(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:hummingsweep|flower)_[a-z_]+", re.sub(r'"[^"]*"', "", expression)))


def test_the_dashboard_asks_for_metrics_there_are() -> None:
    dashboard = json.loads((OPS / "grafana" / "dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    asked = {name for panel in panels for target in panel["targets"] for name in used(target["expr"])}
    assert {name for name in asked if name.startswith("flower_")}
    assert asked <= exported(), sorted(asked - exported())
    for number, panel in enumerate(panels):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for other in panels[:number]:
            spot = other["gridPos"]
            apart = (
                place["x"] >= spot["x"] + spot["w"]
                or spot["x"] >= place["x"] + place["w"]
                or place["y"] >= spot["y"] + spot["h"]
                or spot["y"] >= place["y"] + place["h"]
            )
            assert apart, (panel["title"], other["title"])


def test_the_rules_ask_for_metrics_there_are_and_the_runbook_speaks_of_each_trouble() -> None:
    rules = yaml.safe_load((OPS / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in used(rule["expr"])}
    assert asked <= exported(), sorted(asked - exported())
    runbook = (OPS / "RUNBOOK.md").read_text()
    for alert in ("NodeSlow", "SweepStuck", "BrokerNearlyFull"):
        assert f"alert {alert}" in runbook
        assert any(rule.get("alert") == alert for rule in rules)


def test_prometheus_scrapes_the_ports_the_commands_listen_on() -> None:
    from inspect import signature

    from orchestrator.commands.cluster import flower
    from orchestrator.commands.metrics import metrics

    config = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert targets["hummingsweep"] == [f"127.0.0.1:{signature(metrics).parameters['port'].default}"]
    assert targets["flower"] == [f"127.0.0.1:{signature(flower).parameters['port'].default}"]
    assert all((OPS / "prometheus" / file).is_file() for file in config["rule_files"])
    # a node that died is out of the list before the next but one scrape
    assert 2 * int(config["global"]["scrape_interval"].rstrip("s")) >= NODE_EXPIRY_S


def test_promtool_accepts_the_configuration_and_the_alerts_fire(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("no promtool on this machine (Debian: apt install prometheus)")
    for command in (["check", "config", OPS / "prometheus" / "prometheus.yml"], ["test", "rules", tmp_path / "t.yml"]):
        text = Path(__file__).with_name("alerts.yml").read_text()
        (tmp_path / "t.yml").write_text(text.replace("RULES", str(OPS / "prometheus" / "rules.yml")))
        checked = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
