"""The sweep file: read, checked and explained.

    YAML  ->  orchestrator.sweepfile.yaml_lines (lines)  ->  Sweep (this model)  ->  SweepDefinition (what children get)

Everything wrong with a file is one sentence with file, line, key, value and what to write instead. Nothing here opens
candles, controllers or a broker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import ujson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    StrictInt,
    ValidationError,
)

from orchestrator.sweepfile import validate, values, yaml_lines
from orchestrator.sweepfile.axes import axis_values
from orchestrator.sweepfile.validate import Validate
from orchestrator.sweepfile.yaml_lines import Marked, MarkedError, MisreadError
from tasks.errors import BadAxis, SweepFileError, UnknownKey
from tasks.grid import Grid
from tasks.protocol.messages import Kind, SweepDefinition
from tasks.suggest import nearest
from tasks.times import utc_second

#: Keys every controller that the back-test can run needs; each may be an axis instead.
CONTROLLER_KEYS = ("controller_type", "controller_name", "connector_name", "trading_pair")
#: Columns of every row; an axis cannot have their names.
ROW_COLUMNS = ("point", "status", "error", "engine", "seconds")
#: A point's index is a signed 64-bit integer in the store.
MAX_POINTS = 2**63 - 1
#: What does not decide a point's results.
NOT_IN_ID = ("sweep", "kind", "point_timeout_s", "options")


def _or_nothing(value: Any) -> Any:
    """An empty key says as much as none."""
    return {} if value is None else value


Moment = Annotated[int, BeforeValidator(values.moment)]
Folder = Annotated[Path, AfterValidator(values.beside)]
Number = Annotated[float, BeforeValidator(values.number), Field(allow_inf_nan=False)]
Fraction = Annotated[Number, Field(lt=1)]


class Period(BaseModel):
    """First and last moment, seconds since epoch, UTC. A date means its 00:00, for both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Moment
    end: Moment


class Sweep(BaseModel):
    """A sweep file, checked. Field names are the file's keys, except `axes` (the file's `grid`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, coerce_numbers_to_str=True)

    #: names the folder under runs/; default: the file's name without .yml
    name: Annotated[str, AfterValidator(values.plain_name)]
    #: a controller config as Hummingbot's conf/controllers/*.yml holds it
    controller: Annotated[dict[str, Any], AfterValidator(values.config)]
    #: config key -> values; `grid` in the file
    axes: dict[str, Annotated[tuple[Any, ...], BeforeValidator(axis_values)]] = Field(alias="grid")
    period: Period
    #: interval of the candles the engine steps over
    resolution: Annotated[str, BeforeValidator(values.interval)] = "1m"
    #: fraction of the traded quote amount, per side
    trade_cost: Annotated[Fraction, Field(ge=0)] = 0.0006
    engine: Literal["jump", "stock"] = "jump"
    #: candles by which signals are held back
    shift: Annotated[StrictInt, Field(ge=0)] = 1
    fills: Literal["stock", "honest", "both"] = "stock"
    #: fractions per side for `fills: honest`; a maker may be paid (negative)
    maker_cost: Annotated[Fraction, Field(gt=-1)] | None = None
    taker_cost: Annotated[Fraction, Field(gt=-1)] | None = None
    #: basis points of the price lost on every taker fill, for `fills: honest`
    slippage_bps: Annotated[Number, Field(ge=0, lt=10_000)] = 0.0
    #: trading pair -> [[seconds, rate], ...], for `fills: honest`
    funding: Annotated[dict[str, list[list[float]]], BeforeValidator(values.funding)] = Field(default_factory=dict)
    #: True: indicators get candles from before the period
    warmup: StrictBool = True
    candles: Folder = Path("data/candles")
    controllers: Folder = Path("controllers")
    #: what to do about missing candles
    gaps: Literal["error", "warn", "fill"] = "warn"
    #: folder of <connector>.json, or the rules themselves; default: `trading_rules` in the candle folder
    trading_rules: Annotated[Path | dict[str, dict[str, dict[str, Any]]], BeforeValidator(values.rules)]
    #: column or expression, see orchestrator.sweepfile.expressions; a leading - ranks ascending
    rank_by: Annotated[str, AfterValidator(values.rank_by)] = "net_pnl"
    #: only points for which this holds are ranked; None: all
    where: Annotated[str | None, AfterValidator(values.where)] = None
    #: seconds a point may take
    point_timeout: Annotated[Number, Field(gt=0)] = 600.0
    seed: StrictInt = 0
    #: how the answer is tested on data that the choice never saw; `validate` in the file
    validation: Annotated[Validate, BeforeValidator(_or_nothing)] = Field(alias="validate", default_factory=Validate)

    _file: Path = PrivateAttr()
    _text: str = PrivateAttr()

    @classmethod
    def from_file(cls, file: str | Path) -> Sweep:
        """Read a sweep file. Raises SweepFileError."""
        return read(Path(file))

    @classmethod
    def from_mapping(cls, keys: Mapping[str, Any], file: str | Path = "sweep.yml") -> Sweep:
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
        """Where a key stands, as errors name it: file, line, key; `keys` lead to it from the top."""
        key, line = ".".join(keys), yaml_lines.load(self._text).line(keys)
        return f"{self._file}, line {line}: {key}" if line else f"{self._file}: {key}"

    @property
    def texts(self) -> set[str]:
        """Every text in controller and grid: among them the trading pairs, whatever the keys that hold them."""
        return _texts([self.controller, *self.axes.values()])

    @property
    def grid(self) -> Grid:
        """The product of the axes, never built."""
        return Grid.from_mapping(self.axes)

    @property
    def start(self) -> int:
        """First moment of the period, seconds since epoch, UTC."""
        return self.period.start

    @property
    def end(self) -> int:
        """Last moment that is run and ranked, seconds since epoch, UTC: the period's, or before the hold-out."""
        return validate.in_sample_end(self)

    def changed(self, **keys: Any) -> Sweep:
        """The same file with other values for some of its keys. Raises SweepFileError."""
        return Sweep.from_mapping({**yaml_lines.load(self._text).data, "name": self.name, **keys}, self._file)

    def definition(self, kind: Kind = Kind.RUN, **late: Any) -> SweepDefinition:
        """What children get; `late` are the fields only publish knows (sweep, slices, lead, controllers, ...)."""
        known: dict[str, Any] = {
            "sweep": values.slug(self.name),
            "kind": kind,
            "controller": self.controller,
            "grid": self.grid.to_mapping(),
            "start": self.start,
            "end": self.end,
            "resolution": self.resolution,
            "trade_cost": self.trade_cost,
            "engine": self.engine,
            "shift": self.shift,
            "fills": self.fills,
            "warmup": self.warmup,
            "point_timeout_s": self.point_timeout,
            "seed": self.seed,
            "slippage_bps": self.slippage_bps,
            "maker_cost": self.maker_cost,
            "taker_cost": self.taker_cost,
            "funding": self.funding,
        }
        return SweepDefinition(**{**known, **late})


def read(path: Path) -> Sweep:
    """Read and check a sweep file. Raises SweepFileError, UnknownKey, BadAxis."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
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
    keys = {"name": file.stem, **document.data}
    if "trading_rules" not in keys:
        keys["trading_rules"] = str(Path(str(keys.get("candles", "data/candles"))) / "trading_rules")
    try:
        sweep = Sweep.model_validate(keys, context={"folder": file.parent})
    except ValidationError as errors:
        raise _first(errors, document, file) from None
    _check_together(sweep, document, file)
    sweep._file, sweep._text = file, text
    return sweep


def sweep_id(definition: SweepDefinition) -> str:
    """The name and ten hex digits of everything that decides the rows.

    Equal for definitions whose rows are equal by construction; the time a point may take is not in it.
    """
    decides = {name: value for name, value in asdict(definition).items() if name not in NOT_IN_ID}
    # the order of a grid's axes numbers the points, so it counts; JSON with sorted keys would lose it
    decides["axes"] = list(definition.grid)
    digest = hashlib.sha256(ujson.dumps(decides, sort_keys=True).encode()).hexdigest()
    return f"{values.slug(definition.sweep)}-{digest[:10]}"


def _check_together(sweep: Sweep, document: Marked, file: Path) -> None:
    """What no single key can know."""
    if not sweep.axes:
        raise _error(
            BadAxis, file, document, ("grid",), "is empty; give at least one axis, such as bb_length: [50, 100]"
        )
    for key in CONTROLLER_KEYS:
        if key not in sweep.axes and not sweep.controller.get(key):
            text = f"is missing; add it as Hummingbot's config has it, or make {key} an axis of the grid"
            raise _error(SweepFileError, file, document, ("controller", key), text)
    for name in sweep.axes:
        if name in ROW_COLUMNS:
            raise _error(
                BadAxis, file, document, ("grid", name), "is a column of every row; no axis can have this name"
            )
    if sweep.grid.size > MAX_POINTS:
        text = f"{sweep.grid.size:.1e} points are too many to number; take values away"
        raise _error(BadAxis, file, document, ("grid",), text)
    if sweep.funding and sweep.texts.isdisjoint(sweep.funding):  # a few others may come from a file for many sweeps
        pair = next(iter(sweep.funding))
        near = nearest(pair, sorted(sweep.texts))
        text = f"neither controller nor grid has this trading pair; the nearest is {near}"
        raise _error(SweepFileError, file, document, ("funding", pair), text)
    if sweep.period.end <= sweep.start:
        text = f"{utc_second(sweep.period.end)} is not after period.start {utc_second(sweep.start)}; swap or mend them"
        raise _error(SweepFileError, file, document, ("period", "end"), text)
    if wrong := validate.check_holdout(sweep):
        raise _error(SweepFileError, file, document, *wrong)


def _texts(value: Any) -> set[str]:
    """Every text in a value; some controllers trade on pairs they hold under keys of their own."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return {text for item in value for text in _texts(item)}
    return {value, *value.replace(",", " ").split()} if isinstance(value, str) else set()


def _first(errors: ValidationError, document: Marked, file: Path) -> SweepFileError:
    """The error that stands first in the file, as a sentence."""
    found = errors.errors(include_url=False)
    paths = [tuple(part for part in error["loc"] if isinstance(part, str | int)) for error in found]
    # an unknown key often explains a missing one
    place = min(range(len(found)), key=lambda i: (found[i]["type"] == "missing", document.line(paths[i]) or 0, i))
    error, path = found[place], paths[place]
    kind: type[SweepFileError] = BadAxis if path[:1] == ("grid",) else SweepFileError
    if error["type"] == "extra_forbidden":
        kind, text = UnknownKey, _unknown(path, document)
    elif error["type"] == "missing":
        text = f"is missing; {_MISSING.get(path, 'add it')}"
    elif path == ("grid",):
        text = f"{error['input']!r} is not a set of axes; write one key per axis, such as bb_length: [50, 100]"
        text = "is empty; give at least one axis, such as bb_length: [50, 100]" if not error["input"] else text
    elif error["type"] == "value_error":
        text = str(error["ctx"]["error"])
    else:
        must = _MUST.get(error["type"]) or error["msg"].replace("Input should be", "must be")
        if error["type"] == "model_type":
            must += validate.EXAMPLES.get(path, ", such as {start: 2024-01-01, end: 2024-01-31}")
        text = f"{_short(error['input'])}: {must}"
    return _error(kind, file, document, path, text)


def _unknown(path: yaml_lines.Path, document: Marked) -> str:
    if path[0] == "period":  # of two keys the one that is there is not meant
        valid = [name for name in Period.model_fields if name not in document.data["period"]] or list(
            Period.model_fields
        )
    elif path[0] == "validate":
        valid = list(validate.MODELS[tuple(map(str, path[1:-1]))].model_fields)
    else:
        valid = [field.alias or name for name, field in Sweep.model_fields.items()]
    close = nearest(path[-1], valid)
    hint = "; a key of the controller's config belongs under `controller:`" if len(path) == 1 else ""
    return f"unknown key; the nearest valid key is `{close}`{hint}"


_MUST = {
    "dict_type": "must be keys and values",
    "model_type": "must be keys and values",
    "path_type": "must be a folder",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
}

_MISSING: dict[yaml_lines.Path, str] = {
    ("controller",): "add the controller's config: controller_type, controller_name, connector_name, trading_pair, ...",
    ("grid",): "add at least one axis, such as grid: {bb_length: [50, 100]}",
    ("period",): "add period: {start: 2024-01-01, end: 2024-01-31}",
    ("period", "start"): "add the first moment, such as start: 2024-01-01",
    ("period", "end"): "add the last moment, such as end: 2024-01-31",
    ("validate", "walk_forward", "train"): "add the length of a training window, such as train: 60d",
    ("validate", "walk_forward", "test"): "add the length of a test window, such as test: 14d",
}


def _error(
    kind: type[SweepFileError], file: Path, document: Marked, path: yaml_lines.Path, text: str
) -> SweepFileError:
    line = document.line(path)
    where = f"{file}, line {line}" if line else str(file)
    return kind(f"{where}: {'.'.join(map(str, path))}: {text}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
