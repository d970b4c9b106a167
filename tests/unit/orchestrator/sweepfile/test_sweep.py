"""The sweep file: defaults, what it may hold, and what is said when it is wrong."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.sweepfile.sweep import Sweep, parse, read, sweep_id
from tasks.errors import BadAxis, SweepFileError, UnknownKey
from tasks.protocol.messages import Kind, SweepDefinition

SWEEP: dict[str, Any] = {
    "controller": {
        "controller_type": "directional_trading",
        "controller_name": "bollinger_v1",
        "connector_name": "binance_perpetual",
        "trading_pair": "BTC-USDT",
        "total_amount_quote": 1000,
    },
    "grid": {"bb_std": [1.5, 2.0], "bb_length": {"range": [20, 60, 20]}},
    "period": {"start": "2024-01-01", "end": "2024-01-31"},
}


def sweep(**keys: Any) -> Sweep:
    return Sweep.from_mapping({**SWEEP, **keys}, "folder/my sweep.yml")


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in SWEEP.items() if name != key}


class TestWhatItSays:
    def test_defaults(self) -> None:
        found = sweep()
        assert found.name == "my sweep"
        assert (found.resolution, found.trade_cost, found.engine, found.shift) == ("1m", 0.0006, "auto", 1)
        assert (found.fills, found.warmup, found.rank_by, found.where) == ("honest", True, "net_pnl", None)
        assert (found.point_timeout, found.seed, found.gaps) == (600.0, 0, "warn")
        assert found.candles == Path("folder/data/candles")
        assert found.controllers == Path("folder/controllers")
        assert found.trading_rules == Path("folder/data/candles/trading_rules")

    def test_trading_rules_lie_in_the_candle_folder(self) -> None:
        assert sweep(candles="/c").trading_rules == Path("/c/trading_rules")
        assert sweep(candles="/c", trading_rules="rules").trading_rules == Path("folder/rules")
        inline = {"binance": {"BTC-USDT": {"min_order_size": "0.001"}}}
        assert sweep(trading_rules=inline).trading_rules == inline

    def test_axes_keep_the_order_of_the_file(self) -> None:
        assert sweep().grid.names == ("bb_std", "bb_length")
        assert sweep().grid.values(4) == {"bb_std": 2.0, "bb_length": 40}

    @pytest.mark.parametrize(
        "moment",
        [
            "2024-01-02",
            "2024-01-02T00:00:00",
            "2024-01-02 00:00",
            "2024-01-02T00:00:00Z",
            "2024-01-02T02:00:00+02:00",
            1704153600,
            1704153600.0,
            "1704153600",
            date(2024, 1, 2),
            datetime(2024, 1, 2),
            datetime(2024, 1, 2, tzinfo=UTC),
        ],
    )
    def test_a_moment_in_every_form(self, moment: Any) -> None:
        assert sweep(period={"start": moment, "end": "2024-02-01"}).start == 1704153600

    def test_a_date_is_its_midnight_for_start_and_end(self) -> None:
        assert (sweep().end - sweep().start) == 30 * 86400

    def test_numbers_without_a_point_are_numbers_and_dates_in_a_config_stay_text(self) -> None:
        text = yaml.safe_dump(SWEEP).replace("total_amount_quote: 1000", "spread: 1e-3\n  day: 2024-01-01")
        controller = parse(text, Path("a.yml")).controller
        assert controller["spread"] == 0.001
        assert controller["day"] == "2024-01-01"

    def test_a_grid_of_a_million_million_points_is_read_at_once(self) -> None:
        found = sweep(grid={name: {"range": [1, 1000, 1]} for name in "abcd"})
        assert found.grid.size == 10**12
        assert found.grid.values(10**12 - 1) == {"a": 1000, "b": 1000, "c": 1000, "d": 1000}

    def test_funding_inline_and_from_a_file(self, tmp_path: Path) -> None:
        rates = {"BTC-USDT": [[1704067200, 0.0001], [1704096000, -0.0002]]}
        (tmp_path / "funding.json").write_text('{"BTC-USDT": [[1704067200, 0.0001], ["2024-01-01T08:00", -0.0002]]}')
        assert sweep(funding=rates).funding == rates
        assert sweep(funding=str(tmp_path / "funding.json")).funding == rates

    def test_a_key_that_is_missing_in_the_controller_may_be_an_axis(self) -> None:
        controller = {key: value for key, value in SWEEP["controller"].items() if key != "trading_pair"}
        found = sweep(controller=controller, grid={"trading_pair": ["BTC-USDT", "ETH-USDT"]})
        assert found.grid.size == 2

    def test_changed_keeps_the_rest(self) -> None:
        found = sweep(seed=3).changed(engine="stock", period={"start": "2024-02-01", "end": "2024-03-01"})
        assert (found.engine, found.seed, found.name) == ("stock", 3, "my sweep")
        assert found.start == 1706745600
        assert found.candles == Path("folder/data/candles")
        with pytest.raises(UnknownKey):
            sweep().changed(engin="stock")


class TestWhatIsWrong:
    """Every message is one line and names file, key and, where there is one, the line."""

    @pytest.mark.parametrize(
        ("keys", "error", "words"),
        [
            ({"grdi": {}}, UnknownKey, "grdi: unknown key; the nearest valid key is `grid`"),
            ({"period": {"start": 1, "end": 2, "stop": 3}}, UnknownKey, r"period.stop: unknown key.*`start`"),
            ({"grid": {}}, BadAxis, "grid: is empty"),
            ({"grid": None}, BadAxis, "grid: is empty"),
            ({"grid": [1, 2]}, BadAxis, "not a set of axes"),
            ({"period": {"begin": 1, "end": 2}}, UnknownKey, r"period.begin: unknown key.*`start`"),
            ({"period": {"start": 2024, "end": 2025}}, SweepFileError, "for a year write its first day, 2024-01-01"),
            ({"period": {"start": 1704067200000000, "end": 2}}, SweepFileError, r"microseconds.*\(1704067200\)"),
            ({"grid": {"a": [[float("nan")], 1]}}, BadAxis, "nan is no value to try"),
            ({"grid": {"a": []}}, BadAxis, "grid.a: the axis is empty"),
            ({"grid": {"a": {"range": [1, 2, 0]}}}, BadAxis, "grid.a: range: step is 0"),
            ({"grid": {"a": 5}}, BadAxis, "grid.a: not an axis"),
            ({"grid": {"point": [1]}}, BadAxis, "grid.point: is a column"),
            (
                {"grid": {name: {"range": [1, 1000000, 1]} for name in "abcd"}},
                BadAxis,
                r"grid: 1.0e\+24 points are too many",
            ),
            ({"controller": 5}, SweepFileError, "controller: 5: must be keys and values"),
            ({"controller": {"controller_name": "x"}}, SweepFileError, "controller.controller_type: is missing"),
            ({"period": {"start": 1704067200}}, SweepFileError, "period.end: is missing"),
            ({"period": "2024"}, SweepFileError, "period: '2024': must be keys and values"),
            ({"period": {"start": "2024-02-01", "end": "2024-01-01"}}, SweepFileError, "is not after period.start"),
            ({"period": {"start": "2024-02-01", "end": "2024-02-01"}}, SweepFileError, "is not after period.start"),
            ({"period": {"start": 1704067200000, "end": 2}}, SweepFileError, r"milliseconds.*\(1704067200\)"),
            ({"period": {"start": 20240101, "end": 20240201}}, SweepFileError, "for a date write 2024-01-01"),
            (
                {"period": {"start": "soon", "end": 20240201}},
                SweepFileError,
                "period.start: 'soon' is not a valid time",
            ),
            ({"period": {"start": True, "end": 20240201}}, SweepFileError, "is not a valid time"),
            ({"trade_cost": False}, SweepFileError, "trade_cost: false: must be a number"),
            ({"slippage_bps": True}, SweepFileError, "slippage_bps: true: must be a number"),
            ({"point_timeout": True}, SweepFileError, "point_timeout: true: must be a number"),
            ({"maker_cost": False}, SweepFileError, "maker_cost: false: must be a number"),
            ({"taker_cost": False}, SweepFileError, "taker_cost: false: must be a number"),
            ({"funding": {"BTC-USDT": [[1, True]]}}, SweepFileError, "funding: BTC-USDT: .*true: must be a number"),
            (
                {"funding": {"BTCUSDT": [[1704067200, 0.1]]}},
                SweepFileError,
                r"funding\.BTCUSDT: neither controller nor grid has this trading pair; the nearest is BTC-USDT",
            ),
            ({"resolution": "2m"}, SweepFileError, "resolution: '2m' is no interval"),
            ({"resolution": 60}, SweepFileError, "resolution: 60 is no interval of Hummingbot; write 1m,"),
            ({"resolution": "60s"}, SweepFileError, "resolution: '60s' is no interval of Hummingbot; write 1m,"),
            ({"resolution": "60 min"}, SweepFileError, "write 1h,"),
            ({"resolution": "7D"}, SweepFileError, "write 1w,"),
            ({"resolution": "1month"}, SweepFileError, "the nearest is"),
            ({"period": {"start": 1704153600.7, "end": 1704157200}}, SweepFileError, r"whole seconds .1704153601"),
            ({"period": {"start": "1704153600.5", "end": 1704157200}}, SweepFileError, "fraction of a second"),
            ({"rank_by": 5}, SweepFileError, "rank_by: `5`: names no column"),
            ({"where": 5}, SweepFileError, "where: `5`: names no column"),
            ({"where": "2 > 1"}, SweepFileError, "where: `2 > 1`: names no column"),
            ({"where": "status"}, SweepFileError, "where: `status`: is text and no condition"),
            ({"trade_cost": -0.1}, SweepFileError, "trade_cost: -0.1: must be greater than or equal to 0"),
            ({"trade_cost": float("nan")}, SweepFileError, "trade_cost: nan: must be a finite number"),
            ({"trade_cost": 6}, SweepFileError, "trade_cost: 6: must be less than 1"),
            ({"shift": -1}, SweepFileError, "shift: -1"),
            ({"shift": 1.5}, SweepFileError, "shift: 1.5: must be a whole number"),
            ({"shift": True}, SweepFileError, "shift: True: must be a whole number"),
            ({"engine": "jmp"}, SweepFileError, "engine: 'jmp': must be 'auto', 'jump', 'stock' or 'live'"),
            ({"fills": "real"}, SweepFileError, "fills: 'real'"),
            ({"gaps": "ignore"}, SweepFileError, "gaps: 'ignore'"),
            ({"warmup": "perhaps"}, SweepFileError, "warmup: 'perhaps': must be true or false"),
            ({"candles": 3}, SweepFileError, "candles: 3: must be a folder"),
            ({"trading_rules": 3}, SweepFileError, "trading_rules: 3 is neither"),
            ({"trading_rules": {"binance": 3}}, SweepFileError, "trading_rules: binance must map"),
            ({"funding": "none.json"}, SweepFileError, "funding: folder/none.json: no such file"),
            (
                {"funding": {"BTC-USDT": [[2, 0.1], [1, 0.1]]}},
                SweepFileError,
                "funding: BTC-USDT: the times must ascend",
            ),
            ({"funding": {"BTC-USDT": [2]}}, SweepFileError, "funding: BTC-USDT: must be"),
            ({"point_timeout": 0}, SweepFileError, "point_timeout: 0: must be greater than 0"),
            ({"rank_by": "net_pnl /"}, SweepFileError, "rank_by: `net_pnl /`: invalid syntax"),
            ({"rank_by": "().__class__"}, SweepFileError, "rank_by: .*not allowed"),
            ({"where": "a = 3"}, SweepFileError, "where: `a = 3`"),
            ({"name": "../up"}, SweepFileError, "name: '../up' names a folder"),
            ({"name": "a\x1b[2Jb"}, SweepFileError, "name: .* names a folder"),
            ({"name": "a\nb"}, SweepFileError, "name: .* names a folder"),
            ({"name": ""}, SweepFileError, "name: '' names a folder"),
        ],
    )
    def test_a_value(self, keys: dict[str, Any], error: type[SweepFileError], words: str) -> None:
        with pytest.raises(error, match=words) as caught:
            sweep(**keys)
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith("folder/my sweep.yml, line ")

    @pytest.mark.parametrize("key", ["controller", "grid", "period"])
    def test_a_key_that_is_missing(self, key: str) -> None:
        with pytest.raises(SweepFileError, match=f"folder/a.yml: {key}: is missing; add"):
            Sweep.from_mapping(without(key), "folder/a.yml")

    def test_the_unknown_key_is_named_before_the_missing_one(self) -> None:
        with pytest.raises(UnknownKey, match="periode: unknown key; the nearest valid key is `period`"):
            Sweep.from_mapping({**without("period"), "periode": SWEEP["period"]})

    def test_the_line_is_that_of_the_key(self) -> None:
        text = yaml.safe_dump(SWEEP, sort_keys=False) + "# a comment\n\nshift: -3\n"
        line = text.splitlines().index("shift: -3") + 1
        with pytest.raises(SweepFileError, match=f"line {line}: shift: -3"):
            parse(text, Path("a.yml"))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "a.yml: is empty"),
            ("- a\n- b\n", "a.yml: holds a list"),
            ("a: [1, 2\n", "a.yml, line 2: not YAML"),
            ("a: 1\n\tb: 2\n", "a.yml, line 2: not YAML.*column 1"),
            ("seed: 1\nname: b\nseed: 2\n", "a.yml, line 3: not YAML: the key 'seed' is a duplicate, first in line 1"),
            ("grid:\n  x: [1]\n  x: [2]\n", "line 3: not YAML: the key 'x' is a duplicate"),
            ("grid: &a\n  x: *a\n", "line 1: not YAML: an alias holds itself"),
            ("a: 1\n---\nb: 2\n", "a.yml, line 2: not YAML"),
            ("on: 1\n", "a.yml, line 1: YAML reads the key on as true or false; put quotes around it"),
            ("a: " + "[" * 5000, "a.yml.*not YAML"),
            ("a: !!python/object/apply:os.system [ls]\n", "line 1: not YAML: could not determine a constructor"),
        ],
    )
    def test_yaml(self, text: str, words: str) -> None:
        with pytest.raises(SweepFileError, match=words) as caught:
            parse(text, Path("a.yml"))
        assert "\n" not in str(caught.value)

    def test_files(self, tmp_path: Path) -> None:
        with pytest.raises(SweepFileError, match=r"none.yml: no such file"):
            read(tmp_path / "none.yml")
        with pytest.raises(SweepFileError, match="is a folder"):
            read(tmp_path)
        (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(SweepFileError, match="not text in UTF-8"):
            read(tmp_path / "binary.yml")

    def test_what_is_read_is_kept_as_text(self, tmp_path: Path) -> None:
        text = "# mine\n" + yaml.safe_dump(SWEEP)
        (tmp_path / "a.yml").write_text(text)
        found = Sweep.from_file(tmp_path / "a.yml")
        assert (found.text, found.file) == (text, tmp_path / "a.yml")


class TestDefinition:
    def test_it_survives_the_journey_with_its_axes_in_order(self) -> None:
        definition = sweep().definition(slices={"feed": "ab" * 32}, options={"cuts": 3})
        assert SweepDefinition.decode(definition.encode()) == definition
        assert list(SweepDefinition.decode(definition.encode()).grid) == ["bb_std", "bb_length"]

    def test_the_id_is_the_name_and_ten_digits(self) -> None:
        name, _, digest = sweep_id(sweep(name="Bollinger BTC!").definition()).rpartition("-")
        assert name == "bollinger-btc"
        assert len(digest) == 10
        int(digest, 16)

    @pytest.mark.parametrize(
        "change",
        [
            {"controller": {}},
            {"grid": {"bb_length": [20, 40, 60], "bb_std": [1.5, 2.0]}},
            {"start": 1},
            {"resolution": "5m"},
            {"trade_cost": 0.1},
            {"engine": "stock"},
            {"shift": 0},
            {"fills": "both"},
            {"warmup": False},
            {"seed": 1},
            {"slices": {"feed": "ab"}},
            {"controllers": "ab"},
            {"trading_rules": {"binance": {}}},
            {"funding": {"BTC-USDT": [[1, 0.1]]}},
            {"versions": {"hummingbot": "1"}},
        ],
    )
    def test_another_id_for_what_decides_the_rows(self, change: dict[str, Any]) -> None:
        definition = sweep().definition()
        assert sweep_id(dataclasses.replace(definition, **change)) != sweep_id(definition)

    def test_the_same_id_for_what_does_not(self) -> None:
        one = sweep().definition()
        other = sweep(point_timeout=5, rank_by="-net_pnl", where="accuracy > 0.5").definition(kind=Kind.VERIFY)
        assert sweep_id(one) == sweep_id(other)


def test_importing_it_is_light() -> None:
    heavy = "('numpy', 'pandas', 'pyarrow', 'hummingbot')"
    code = f"import sys, orchestrator.sweepfile.sweep; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_sweep_file_without_an_end_is_one_sentence() -> None:
    """/dev/zero was read until no memory was left."""
    with pytest.raises(SweepFileError, match="/dev/zero: cannot be read \\(it has more than 32,768 KB\\)"):
        read(Path("/dev/zero"))
