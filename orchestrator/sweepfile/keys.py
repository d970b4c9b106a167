"""The keys of a sweep file, as a pydantic model: one field per key.

A field's type checks its key; its description is the line in the documentation (orchestrator.sweepfile.reference).
A field that SweepDefinition has under the same name travels to the children by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from orchestrator.sweepfile import values
from orchestrator.sweepfile.axes import axis_values
from orchestrator.sweepfile.validate import Validate
from tasks.grid import Grid
from tasks.named_types import JsonObject

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


class SweepKeys(BaseModel):
    """The keys of a sweep file, each checked by itself. Field names are the keys, except `axes` (the file's `grid`)."""

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


def _texts(value: Any) -> set[str]:
    """Every text in a value; some controllers trade on pairs they hold under keys of their own."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return {text for item in value for text in _texts(item)}
    return {value, *value.replace(",", " ").split()} if isinstance(value, str) else set()
