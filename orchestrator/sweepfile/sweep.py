"""The sweep file, read and checked.

    YAML  ->  yaml_lines (lines)  ->  keys (each key), together (several keys)  ->  Sweep  ->  SweepDefinition

Everything wrong with a file is a sentence with file, line, key, value and what to write instead. Nothing here
opens candles, controllers or a broker.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ujson
from pydantic import PrivateAttr, ValidationError

from orchestrator.sweepfile import values, yaml_lines
from orchestrator.sweepfile.in_sample import in_sample_end
from orchestrator.sweepfile.keys import SweepKeys
from orchestrator.sweepfile.mistakes import error_of, of_validation
from orchestrator.sweepfile.together import mistakes_of
from orchestrator.sweepfile.yaml_lines import MarkedError, MisreadError
from tasks.errors import SweepFileError, UnknownKey
from tasks.files import read_bounded
from tasks.named_types import ConfigValues, JsonObject
from tasks.protocol.messages import Kind, SweepDefinition

#: What does not decide a point's results.
NOT_IN_ID = ("sweep", "kind", "point_timeout_s", "options")
#: What may differ in the definitions of sweeps that ask the same question; of `series`, the names may not.
PERIOD_AND_CANDLES = ("start", "end", "candles_end", "slices", "lead", "series")


class Sweep(SweepKeys):
    """A sweep file that was read and checked."""

    _file: Path = PrivateAttr()
    _text: str = PrivateAttr()

    @classmethod
    def from_file(cls, file: str | Path) -> Sweep:
        """Read a sweep file. Raises SweepFileError."""
        return read(Path(file))

    @classmethod
    def from_mapping(cls, keys: ConfigValues, file: str | Path = "sweep.yml") -> Sweep:
        """As if a sweep file `file` (which need not exist) held these keys. Raises SweepFileError."""
        try:
            text = yaml_lines.dump(keys)
        except ValueError as error:
            raise SweepFileError(f"{file}: {error}") from None
        return parse(text, Path(file))

    @property
    def file(self) -> Path:
        """Where the sweep was read from; relative paths start in its folder."""
        return self._file

    @property
    def text(self) -> str:
        """The sweep file as it was read."""
        return self._text

    def place(self, *keys: str) -> str:
        """Where a key is, as errors name it: file, line, key; `keys` lead to it from the top."""
        key, line = ".".join(keys), yaml_lines.load(self._text).line(keys)
        return f"{self._file}, line {line}: {key}" if line else f"{self._file}: {key}"

    @property
    def end(self) -> int:
        """Last moment that is run and ranked, seconds since epoch, UTC: the period's, or before the hold-out."""
        return in_sample_end(self)

    def changed(self, **keys: Any) -> Sweep:
        """The same file with other values for some of its keys. Raises SweepFileError."""
        return Sweep.from_mapping({**yaml_lines.load(self._text).data, "name": self.name, **keys}, self._file)

    def definition(self, kind: Kind = Kind.RUN, **late: Any) -> SweepDefinition:
        """What children get; `late` are the fields only publish knows (sweep, slices, lead, controllers, ...)."""
        same = {field.name for field in dataclasses.fields(SweepDefinition)} & set(Sweep.model_fields)
        known: JsonObject = {name: getattr(self, name) for name in same - _PUBLISHED}
        known |= {
            "sweep": values.slug(self.name),
            "kind": kind,
            "grid": self.grid.to_mapping(),
            "skip": self.skip or "",
            "start": self.start,
            "end": self.end,
            "point_timeout_s": self.point_timeout,
        }
        return SweepDefinition(**{**known, **late})


#: Keys of the file whose namesakes in the definition are what publish makes of them.
_PUBLISHED = {"controllers", "trading_rules", "import_path", "series"}


#: Bytes of a sweep file at most: an axis of a million values fits.
MAX_BYTES = 32 << 20


def read(path: Path) -> Sweep:
    """Read and check a sweep file. Raises SweepFileError, UnknownKey, BadAxis."""
    path = Path(path)
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise SweepFileError(f"{path}: no such file; give the path of a sweep file (YAML)") from None
    except IsADirectoryError:
        raise SweepFileError(f"{path}: is a folder; give the path of a sweep file (YAML) in it") from None
    except UnicodeDecodeError as error:
        raise SweepFileError(f"{path}: is not text in UTF-8 (byte {error.start}); a sweep file is YAML") from None
    except OSError as error:
        raise SweepFileError(f"{path}: cannot be read ({error.strerror})") from None
    return parse(text, path)


def parse(text: str, file: Path) -> Sweep:
    """Check the text of a sweep file; relative paths start in `file`'s folder. Raises as `read`."""
    try:
        document = yaml_lines.load(text)
    except MarkedError as error:
        line = f", line {error.line}" if error.line else ""
        kind = "" if isinstance(error, MisreadError) else "not YAML: "
        raise SweepFileError(f"{file}{line}: {kind}{error}") from None
    if not isinstance(document.data, dict):
        what = "is empty" if document.data is None else f"holds a {type(document.data).__name__}"
        raise SweepFileError(f"{file}: {what}; a sweep file maps keys to values: controller, grid, period, ...")
    for key in document.data:
        if not isinstance(key, str):
            raise UnknownKey(f"{file}: {key!r}: unknown key; the keys of a sweep file are words, such as grid")
    keys = {"name": file.stem, **_preset(document.data), **document.data}
    if "trading_rules" not in keys:
        keys["trading_rules"] = str(Path(str(keys.get("candles", "data/candles"))) / "trading_rules")
    try:
        sweep = Sweep.model_validate(keys, context={"folder": file.parent})
    except ValidationError as errors:
        raise error_of(of_validation(errors, document, Sweep), document, file) from None
    if mistakes := mistakes_of(sweep):
        raise error_of(mistakes, document, file)
    sweep._file, sweep._text = file, text
    return sweep


def _preset(data: Mapping[Any, Any]) -> JsonObject:
    """What `semantics` and `engine` say about keys that the file does not give."""
    if data.get("semantics") == "stock":
        return {"shift": 0, "warmup": False, "fills": "stock"}
    # who asks for Hummingbot's own engine gets its fills: it has no others
    return {"fills": "stock"} if data.get("engine") == "stock" else {}


def sweep_id(definition: SweepDefinition) -> str:
    """The name and ten hex digits of everything that decides the rows.

    Equal for definitions whose rows are equal by construction; the time a point may take is not in it.
    """
    decides = {name: value for name, value in dataclasses.asdict(definition).items() if name not in NOT_IN_ID}
    # the order of a grid's axes numbers the points, so it counts; JSON with sorted keys would lose it
    decides["axes"] = list(definition.grid)
    digest = hashlib.sha256(ujson.dumps(decides, sort_keys=True).encode()).hexdigest()
    return f"{values.slug(definition.sweep)}-{digest[:10]}"


def question(definition: SweepDefinition) -> str:
    """What a sweep asks whatever its period and candles, as text; equal for sweeps that differ in nothing else.

    Text, for 1, 1.0 and true are equal to Python, but other values of a config.
    """
    left_out = {*NOT_IN_ID, *PERIOD_AND_CANDLES}
    asked = {name: value for name, value in dataclasses.asdict(definition).items() if name not in left_out}
    axes = list(definition.grid)  # their order numbers the points
    return ujson.dumps([asked, axes, sorted(definition.series)], sort_keys=True)
