"""The sweep file: its keys, read, checked and explained.

    YAML  ->  yaml_lines (lines)  ->  Sweep (this model), together (checks of several keys)  ->  SweepDefinition

A key is one field of `Sweep`: its type checks it, its description is its line in the documentation
(orchestrator.sweepfile.reference). A field that SweepDefinition has under the same name travels to the children by
itself. Everything wrong with a file is a sentence with file, line, key, value and what to write instead. Nothing here
opens candles, controllers or a broker.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
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
from orchestrator.sweepfile.mistakes import error_of, of_validation
from orchestrator.sweepfile.together import mistakes_of
from orchestrator.sweepfile.validate import Validate
from orchestrator.sweepfile.yaml_lines import MarkedError, MisreadError
from tasks.errors import SweepFileError, UnknownKey
from tasks.files import read_bounded
from tasks.grid import Grid
from tasks.named_types import ConfigValues, JsonObject
from tasks.protocol.messages import Kind, SweepDefinition

#: What does not decide a point's results.
NOT_IN_ID = ("sweep", "kind", "point_timeout_s", "options")

# A text among the marks of a type is what the documentation calls it.
Moment = Annotated[int, BeforeValidator(values.moment), "a date, an ISO timestamp (UTC) or epoch seconds"]
Folder = Annotated[Path, AfterValidator(values.beside), "a folder; relative ones start at the sweep file"]
Number = Annotated[float, BeforeValidator(values.number), Field(allow_inf_nan=False), "a number"]
Fraction = Annotated[Number, Field(lt=1), "a fraction"]
Axis = Annotated[tuple[Any, ...], BeforeValidator(axis_values)]
Rates = Annotated[dict[str, list[list[float]]], BeforeValidator(values.funding), "{pair: [[seconds, rate], ...]}"]
Rules = Annotated[
    Path | dict[str, dict[str, JsonObject]], BeforeValidator(values.rules), "a folder, or the rules themselves"
]


def _or_nothing(value: Any) -> Any:
    """An empty key says as much as none."""
    return {} if value is None else value


class Period(BaseModel):
    """First and last moment, seconds since epoch, UTC. A date means its 00:00, for both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Moment = Field(description="First moment of the period; a date means its 00:00 UTC.")
    end: Moment = Field(description="Last moment of the period; a date means its 00:00 UTC.")


class Sweep(BaseModel):
    """A sweep file, checked. Field names are the file's keys, except `axes` (the file's `grid`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, coerce_numbers_to_str=True)

    name: Annotated[str, AfterValidator(values.plain_name)] = Field(
        description="Names the folder under `runs/`; default: the file's name without its ending."
    )
    controller: Annotated[JsonObject, AfterValidator(values.config), "keys and values"] = Field(
        description="A controller config as Hummingbot's `conf/controllers/*.yml` holds it: everything that is no axis."
    )
    axes: Annotated[dict[str, Axis], "axis: values"] = Field(
        alias="grid",
        description="Key of the config -> its values: a list, or `range`, `linspace`, `logspace`. A dot reaches into "
        "nested keys: `triple_barrier_config.take_profit`, `candles_config.0.interval`.",
    )
    skip: Annotated[str | None, AfterValidator(values.condition), "an expression"] = Field(
        None,
        description="Combinations that are left out before anything runs, such as `fast >= slow`: an expression over "
        "axes and keys of `controller`.",
    )
    period: Period
    resolution: Annotated[str, BeforeValidator(values.interval)] = Field(
        "1m", description="Interval of the candles that the engine steps over."
    )
    trade_cost: Annotated[Fraction, Field(ge=0)] = Field(
        0.0006, description="Fee per side, as a fraction of the traded quote amount: 0.0006 is 6 basis points."
    )
    engine: Literal["auto", "jump", "stock", "live"] = Field(
        "auto",
        description="`live` calls the controller at every candle, as a bot does; `jump` gives the results of `stock`, "
        "Hummingbot's own engine, and is faster. `auto`: jump where that is right, live where the controller needs it.",
    )
    live_every: Annotated[str | None, BeforeValidator(values.interval_or_none), "an interval"] = Field(
        None, description="How often the live engine calls the controller, such as 3m; default: at every candle."
    )
    shift: Annotated[StrictInt, Field(ge=0)] = Field(
        1, description="Candles by which what the controller derives is held back; 0 as the stock engine does it."
    )
    semantics: Literal["honest", "stock"] = Field(
        "honest",
        description="`honest`: signals held back by a candle, indicators warmed up, the simulated clock, honest fills, "
        "exchange minimums. `stock`: `shift: 0`, `warmup: false`, `fills: stock` and the stock engine's clock, to the "
        "last bit. Keys of their own win over it.",
    )
    fills: Literal["stock", "touch", "through", "volume", "honest", "both"] = Field(
        "honest",
        description="When a resting order fills: `stock` as the stock engine books it, `touch` when its price is "
        "reached, `through` when it is traded through, `volume` also no more than a share of what was traded there; "
        "`honest` is `volume`; `both` is `stock` and `honest` side by side.",
    )
    fill_ticks: Annotated[StrictInt, Field(ge=0, le=1000)] = Field(
        1, description="Price increments beyond its own at which a candle must trade to fill a resting order."
    )
    fill_volume_share: Annotated[Number, Field(gt=0, le=1)] = Field(
        0.1, description="Share of the volume traded beyond its price that the orders of a point get in a candle."
    )
    fill_path: Literal["worst", "best", "nearest", "bracket"] = Field(
        "worst",
        description="Which of a candle's high and low came first: `worst` and `best` for the position, `nearest` to "
        "the open; `bracket` runs worst and best and says where the answer hangs on it.",
    )
    fill_detail: Annotated[str, BeforeValidator(values.detail)] = Field(
        "", description="Interval of finer candles to fill orders in, such as `1s`, where the folder has them."
    )
    maker_cost: Annotated[Fraction, Field(gt=-1)] | None = Field(
        None,
        description="Fee of a maker fill under honest fills, a fraction; negative is a rebate. Default: trade_cost.",
    )
    taker_cost: Annotated[Fraction, Field(gt=-1)] | None = Field(
        None, description="Fee of a taker fill under honest fills, a fraction. Default: trade_cost."
    )
    slippage_bps: Annotated[Number, Field(ge=0, lt=10_000)] = Field(
        0.0, description="Basis points of the price lost on every taker fill, under honest fills."
    )
    funding: Rates = Field(
        default_factory=dict,
        description="Funding rates of perpetuals per trading pair, inline or in a JSON file; paid under honest fills.",
    )
    warmup: StrictBool = Field(True, description="Indicators get candles from before the period.")
    candles: Folder = Field(Path("data/candles"), description="Where the candle files lie.")
    controllers: Folder = Field(Path("controllers"), description="Holds `<type>/<name>.py`, as in Hummingbot.")
    import_path: Annotated[tuple[Folder, ...], BeforeValidator(values.folders), "folders"] = Field(
        (), description="Folders whose modules the controllers import (`core`, `scripts`, ...); they travel, signed."
    )
    series: Annotated[dict[str, Folder], AfterValidator(values.series_names), "{name: file}"] = Field(
        default_factory=dict,
        description="Data beside candles, such as funding rates or open interest: CSV or Parquet files with a column "
        "`timestamp`. A controller reads one with `market_data_provider.get_series(name)`.",
    )
    gaps: Literal["error", "warn", "fill"] = Field("warn", description="What to do about candles that are missing.")
    trading_rules: Rules = Field(
        description="Folder of `<connector>.json`, or the rules; default: `trading_rules` in the candle folder."
    )
    rank_by: Annotated[str, AfterValidator(values.rank_by), "an expression"] = Field(
        "net_pnl", description="Column or expression over columns; the largest is best, with a leading - the smallest."
    )
    where: Annotated[str | None, AfterValidator(values.where), "an expression"] = Field(
        None, description="Only points for which this holds are ranked, such as `total_positions >= 30`."
    )
    across: Annotated[dict[str, str], BeforeValidator(values.across), "axis: min | mean | median | max"] = Field(
        default_factory=dict,
        description="Rank points by what they do on all values of an axis, such as `{trading_pair: min}`.",
    )
    point_timeout: Annotated[Number, Field(gt=0)] = Field(600.0, description="Seconds a point may take.")
    seed: Annotated[StrictInt, "a whole number"] = Field(
        0, description="Of every random number; the same seed gives the same rows."
    )
    #: how the answer is tested on data that the choice never saw
    validation: Annotated[Validate, BeforeValidator(_or_nothing)] = Field(alias="validate", default_factory=Validate)

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


def _texts(value: Any) -> set[str]:
    """Every text in a value; some controllers trade on pairs they hold under keys of their own."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return {text for item in value for text in _texts(item)}
    return {value, *value.replace(",", " ").split()} if isinstance(value, str) else set()
