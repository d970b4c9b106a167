"""Settings of a process: one frozen object, read once at the edge and handed down.

Sources, the later wins: defaults, the settings file (TOML, written by `hummingsweep tune`), environment variables
HUMMINGSWEEP_*. Nothing else in the project reads os.environ for settings.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import hmac
import os
import platform
import stat
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from tasks import launch
from tasks.errors import BrokerError, HummingsweepError
from tasks.named_types import JsonObject

PREFIX = "HUMMINGSWEEP_"
#: A shorter signing key can be guessed by whoever reads a signature on the broker.
MIN_KEY_BYTES = 16

#: Each native pool of threads would otherwise take every core in every child.
SINGLE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ARROW_NUM_THREADS",
        "ARROW_IO_THREADS",
    ),
    "1",
)

#: glibc would keep the large arrays of one point for the next; given back at once they cost a child 15 to 35 MB less.
MEMORY_BACK = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}

#: Settings that name a folder.
_FOLDERS = frozenset({"cache", "mirror"})
#: Files that a broker's address may name.
_CERTIFICATES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
#: Environment variables that name a file with a secret, and those that name a file.
_SECRET_FILES = (PREFIX + "KEY_FILE", PREFIX + "BROKER_PASSWORD_FILE")
_FILES = (PREFIX + "SETTINGS", *_SECRET_FILES)

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Settings:
    """What an orchestrator or a node can be told from outside."""

    #: redis:// or rediss:// address; empty: the embedded server
    broker: str = ""
    #: key that signs code bundles; empty: none
    key: str = ""
    #: children of a node; 0: one per (performance) core
    children: int = 0
    #: wall-clock seconds a chunk should take in the middle of a sweep
    chunk_seconds: float = 5.0
    #: seconds after which the broker hands out again what a dead node held
    visibility_timeout_s: int = 120
    #: seconds a node may take to finish its chunks after SIGTERM
    drain_s: float = 30.0
    #: native threads a child may use
    threads: int = 1
    #: True: packages a back-test never uses are left unloaded until something touches them
    lean: bool = True
    #: megabytes of RAM-backed storage the node's slices may take
    mirror_mb: int = 4096
    #: folder of the mirror; empty: chosen per platform
    mirror: str = ""
    #: folder for extracted controllers and compiled kernels; empty: the user's cache folder
    cache: str = ""
    #: resident megabytes at which a child is replaced after its chunk; 0: never
    child_memory_mb: int = 0
    #: seconds a local cluster stays for the next command; 0: it ends with the command
    warm_s: float = 0.0
    #: seconds a run waits when no node is left, before it ends; 0: for ever
    give_up_after_s: float = 3600.0
    #: name of this node; empty: the host's name
    node: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """From the settings file and the environment. Raises HummingsweepError for what cannot be used."""
        environment = os.environ if environment is None else environment
        found: JsonObject = {}
        file = settings_file(environment)
        if file.is_file():
            try:
                found.update(tomllib.loads(file.read_text()))
            except (ValueError, RecursionError, OSError) as error:  # not TOML, not UTF-8, nested too deeply
                raise HummingsweepError(f"{file}: not a settings file ({error}); mend it or delete it") from error
            for name in [
                name for name in _FOLDERS if found.get(name)
            ]:  # relative to the file, whatever folder one stands in
                found[name] = str(file.absolute().parent / str(found[name]))
        names = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(found) - names)
        if unknown:
            raise HummingsweepError(f"{file}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(names))}")
        found.update(
            {name: environment[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in environment}
        )
        for name in ("key", "broker_password"):
            key_file = environment.get(f"{PREFIX}{name.upper()}_FILE")
            if key_file:
                try:
                    found[name] = Path(key_file).read_text().strip()
                except (OSError, ValueError) as error:
                    why = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
                    raise HummingsweepError(f"{PREFIX}{name.upper()}_FILE: cannot read {key_file} ({why})") from error
        password = found.pop("broker_password", environment.get(f"{PREFIX}BROKER_PASSWORD", ""))
        if password and found.get("broker"):
            found["broker"] = with_password(found["broker"], password)
        return cls(**{name: _coerce(cls, name, value) for name, value in found.items()})

    @property
    def cache_folder(self) -> Path:
        """Where this process may keep what can be made again."""
        return Path(self.cache) if self.cache else user_cache_folder(platform.system(), os.environ)

    def enter_work_folder(self) -> None:
        """Make a folder of ours the current one, in a process that stays: what a controller reads by a relative name
        and what libraries look for in the current folder (`flowerconfig.py`, `.numba_config.yaml`) is then the same,
        wherever the process was started. The root folder where the cache cannot be written.
        """
        folder = self.cache_folder / "work"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.chdir(folder)
        except OSError:
            os.chdir("/")

    @property
    def queue(self) -> str:
        """The queue on which an orchestrator and a node of these settings meet."""
        return queue_name(versions(), self.key)

    @property
    def child_count(self) -> int:
        """Children a node starts."""
        return self.children or core_count(platform.system())

    def to_environment(self) -> dict[str, str]:
        """As HUMMINGSWEEP_* variables, for a process this one starts; only what differs from the defaults.

        Files and folders are absolute: the process works in a folder of its own.
        """
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        changed = {name: value for name, value in dataclasses.asdict(self).items() if value != defaults[name]}
        for name in _FOLDERS & changed.keys():
            changed[name] = Path(changed[name]).absolute()
        if "broker" in changed:
            changed["broker"] = _with_absolute_files(changed["broker"])
        return {PREFIX + name.upper(): str(value) for name, value in changed.items()}

    def process_environment(self, current: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of a process of ours that this one starts, in whatever folder: see tasks.launch."""
        files = {name: str(Path(current[name]).absolute()) for name in _FILES if current.get(name)}
        return {**launch.environment(current), **files, **self.to_environment()}


def settings_file(environment: Mapping[str, str]) -> Path:
    """The settings file: HUMMINGSWEEP_SETTINGS, else ~/.config/hummingsweep/settings.toml."""
    if chosen := environment.get(PREFIX + "SETTINGS"):
        return Path(chosen)
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "hummingsweep" / "settings.toml"


def check_settings_file(environment: Mapping[str, str]) -> None:
    """A settings file that was named must be there. Raises HummingsweepError.

    For the edge alone: a child or a beat that reads its settings later must not stumble over it.
    """
    named = environment.get(PREFIX + "SETTINGS", "")
    if named and named != os.devnull and not Path(named).is_file():
        raise HummingsweepError(
            f"{PREFIX}SETTINGS: {named!r} is no file; name one that is there ({os.devnull} for none), or make it with "
            "`hummingsweep tune`"
        )


def exposed_secrets(environment: Mapping[str, str]) -> list[str]:
    """A sentence for every file of a secret that other users of this machine can read or change.

    Files below /run/secrets are left out: a container's secrets are there for everybody in the container.
    """
    sentences = []
    for name in _SECRET_FILES:
        file = Path(environment.get(name) or os.devnull).absolute()
        try:
            open_to = stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXO | stat.S_IWGRP)
        except OSError:  # Settings.read says so
            continue
        if open_to and file.is_file() and not file.is_relative_to("/run/secrets"):
            sentences.append(f"{name}: other users of this machine can read or change {file}: chmod 600 {file}")
    return sentences


def user_cache_folder(system: str, environment: Mapping[str, str]) -> Path:
    """Where each platform keeps caches."""
    if system == "Darwin":
        return Path.home() / "Library" / "Caches" / "hummingsweep"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hummingsweep"


def core_count(system: str) -> int:
    """Cores worth a child: performance cores on Apple Silicon, the cores this process may use elsewhere."""
    if system == "Darwin":
        answer = subprocess.run(
            ["sysctl", "-n", "hw.perflevel0.physicalcpu"], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip().isdigit():
            return int(answer.stdout)
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def _split(url: str) -> SplitResult:
    """Raises BrokerError for what is no address."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  read here, where a wrong one is told
    except ValueError:
        # what may be a password stays unsaid
        raise BrokerError(
            f"{url.rpartition('@')[2]}: not a broker address; write redis://HOST:PORT/0, and special characters of a "
            "password as %2F and so on (or set HUMMINGSWEEP_BROKER_PASSWORD)"
        ) from None
    return parts


def with_password(url: str, password: str) -> str:
    """The address with the password put in, unless it holds one already. Raises BrokerError."""
    parts = _split(url)
    if parts.password or "://" not in url:  # without a scheme it is no address: check_broker says so
        return url
    user = parts.username or ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def _with_absolute_files(url: str) -> str:
    """The address, the certificates that it names as absolute paths."""
    parts = _split(url)
    query = [
        f"{name}={quote(str(Path(unquote(value)).absolute()))}" if name in _CERTIFICATES and value else pair
        for pair in parts.query.split("&")
        for name, _, value in [pair.partition("=")]
    ]
    return urlunsplit(parts._replace(query="&".join(query))) if parts.query else url


def without_password(url: str) -> str:
    """The address as it may be shown. Raises BrokerError."""
    parts = _split(url)
    if not parts.password:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}"))


def check_broker(broker: str) -> None:
    """Refuse an address that is none, and a broker beyond this machine that wants no password. Raises BrokerError."""
    if not broker:
        raise BrokerError("no broker address: give --broker redis://... or set HUMMINGSWEEP_BROKER")
    if "://" not in broker:
        host = broker.rpartition("@")[2]
        raise BrokerError(f"{host}: redis:// is missing before the broker's address; write redis://{host}")
    parts = _split(broker)
    if parts.scheme not in ("redis", "rediss"):
        raise BrokerError(f"{without_password(broker)}: a broker address starts with redis:// or rediss://")
    if not parts.hostname:
        raise BrokerError(f"{without_password(broker)}: the host is missing; {parts.scheme}://HOST:PORT/0")
    if parts.hostname not in LOOPBACK and not parts.password and "ssl_certfile" not in parts.query:
        raise BrokerError(
            f"{without_password(broker)}: a broker beyond this machine needs a password; "
            "set HUMMINGSWEEP_BROKER_PASSWORD or HUMMINGSWEEP_BROKER_PASSWORD_FILE"
        )


def check_key(key: str) -> None:
    """Refuse a signing key that can be guessed. Raises HummingsweepError."""
    if key and len(key.encode()) < MIN_KEY_BYTES:
        raise HummingsweepError(
            f"the signing key has {len(key.encode())} bytes, fewer than {MIN_KEY_BYTES}, and can be guessed: make one "
            "with `openssl rand -hex 32` and give orchestrator and nodes the same HUMMINGSWEEP_KEY_FILE"
        )


def versions() -> dict[str, str]:
    """Versions that must be the same on orchestrator and node, read without importing the packages."""
    return {
        "hummingbot": _version("hummingbot"),
        "hummingsweep": _version("hummingsweep"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


#: What the name of every queue begins with, as ops/redis/users.acl has it.
QUEUE_PREFIX = "hummingsweep."


def queue_name(of: Mapping[str, str], key: str) -> str:
    """The queue whose nodes have exactly these versions and this key, so that neither ever mixes.

    A node with another key would refuse every chunk it takes, and the points in it would end as errors.
    """
    mark = hmac.new(key.encode(), b"hummingsweep queue", hashlib.sha256).hexdigest()[:8] if key else "none"
    return f"{QUEUE_PREFIX}{of['hummingsweep']}-hummingbot.{of['hummingbot']}-python.{of['python']}-key.{mark}"


@functools.cache  # asked for with every message, and reading it takes half a millisecond
def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0"


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}

#: What each number may be; 0 where it has a meaning of its own (see Settings). The upper ends are beyond any use.
_RANGES: dict[str, tuple[float, float]] = {
    "children": (0, 4096),
    "chunk_seconds": (0.001, 86_400),
    "visibility_timeout_s": (1, 7 * 86_400),
    "drain_s": (0, 7 * 86_400),
    "threads": (1, 4096),
    "warm_s": (0, 86_400),
    "give_up_after_s": (0, 30 * 86_400),
    "mirror_mb": (1, 1 << 30),
    "child_memory_mb": (0, 1 << 30),
}


def _coerce(cls: type[Settings], name: str, value: Any) -> Any:
    default = getattr(cls, name)
    try:
        if isinstance(default, bool):
            return (
                value
                if isinstance(value, bool)
                else {"1": True, "true": True, "0": False, "false": False}[str(value).lower()]
            )
        made = type(default)(value)
    except (ValueError, KeyError, OverflowError) as error:
        raise HummingsweepError(f"{PREFIX}{name.upper()}: {value!r} is not {_KINDS[type(default)]}") from error
    if name in _RANGES:
        least, most = _RANGES[name]
        if not least <= made <= most:  # also where it is not a number at all
            raise HummingsweepError(f"{PREFIX}{name.upper()}: {value!r} is not from {least:g} to {most:g}")
    return made
