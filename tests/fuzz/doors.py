"""The doors: each takes bytes that anybody may have written, and may raise only what is documented."""

from __future__ import annotations

import atexit
import contextlib
import io
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from orchestrator.cluster.validation import ExpectedRows
from orchestrator.report.hosts import asks_loopback, is_loopback
from orchestrator.results.database import FILE
from orchestrator.results.export import write
from orchestrator.results.layout import decided_by
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from orchestrator.sweepfile import rules
from orchestrator.sweepfile.expressions import Expression, parse_objective
from orchestrator.sweepfile.skip import points_of
from orchestrator.sweepfile.sweep import parse, read, sweep_id
from tasks.candles.check import examine
from tasks.candles.foreign import reading
from tasks.candles.formats import CandleFile, candle_file
from tasks.candles.series import read_series
from tasks.candles.slicer import slice_file
from tasks.candles.slices import Slice
from tasks.errors import HummingsweepError
from tasks.protocol.blobs import pack_controllers, unpack_controllers
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows, SweepDefinition
from tasks.protocol.records import NodeRecord, NodeTally, RunningChunk, SweepStatus
from tasks.protocol.returns import encode_row, period_ends, returns_interval
from tasks.protocol.scenario import Scenario
from tasks.settings import Settings, check_broker, with_password, without_password
from tasks.times import utc_day
from tests import made
from tests.integration.conftest import START, small_sweep, write_candles

DEFINITION = made.definition("a-sweep-0123456789", {"length": [5, 10, 20], "stop": [0.1, 0.2]})


@dataclass(frozen=True)
class Door:
    """One way in."""

    name: str
    #: raises nothing but `may_raise` for any bytes
    enter: Callable[[bytes], object]
    #: inputs to begin with: good ones
    seeds: Callable[[], list[bytes]]
    may_raise: tuple[type[Exception], ...] = (HummingsweepError,)


def _rows_message(points: tuple[int, ...] = (0, 1, 2), **more: object) -> bytes:
    rows = [
        {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.1, "net_pnl": point / 7,
         "close_types": {"TAKE_PROFIT": 2}, "warning": None, **more}
        for point in points
    ]  # fmt: skip
    return Rows.from_dicts(f"1:{points[0]}-{points[-1]}", "n@host/7", 0.5, rows, 1 << 20, ["length"]).encode()


def _with_returns() -> bytes:
    """A message of a window, with returns."""
    import numpy as np

    window = Scenario(start=DEFINITION.start, end=DEFINITION.start + 86_400)
    interval_s = returns_interval(DEFINITION.start, DEFINITION.start + 86_400, 60)
    periods = len(period_ends(DEFINITION.start, DEFINITION.start + 86_400, 60, interval_s))
    row = {"point": 1, "status": "ok", "returns": encode_row(np.zeros(periods, dtype=np.float32), interval_s)}
    message = Rows.from_dicts(f"1:1-1@{window}", "n@host/7", 0.5, [row]).encode()
    ExpectedRows(DEFINITION).check(message)
    return message


def _enter_rows(data: bytes) -> None:
    """What is taken can be stored, read and written in every format."""
    rows = ExpectedRows(DEFINITION).check(data)
    store = _kept_store()
    try:
        store.insert(DEFINITION.sweep, rows)
        _read_everything(store)
    finally:
        with contextlib.closing(sqlite3.connect(store.folder / FILE)) as connection, connection:
            for table in ("rows", "columns", "chunks", "returns"):
                connection.execute(f"DELETE FROM {table}")
        store._kinds.clear()


@cache
def _kept_store() -> Store:
    """One store for all messages, emptied after each: to make a new one takes as long as thirty of them."""
    folder = tempfile.mkdtemp(prefix="fuzz-store-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = Store.create(Path(folder))
    store.add_sweep(DEFINITION, "name: a\n", {})
    return store


def _read_everything(store: Store) -> None:
    for stored in store.sweeps():
        for scenario in ("", *store.scenarios(stored.sweep)):
            list(store.rows(stored.sweep, scenario=scenario))
            store.counts(stored.sweep, scenario)
            store.errors(stored.sweep, scenario)
            store.returns(stored.sweep, scenario)
        for format in ("csv", "json", "parquet"):
            write(store, stored.sweep, format, io.BytesIO())
        next(iter(store.missing_runs(stored.sweep, stored.grid.size)), None)


def _enter_definition(data: bytes) -> None:
    """What is decoded can be stored, listed and ranked."""
    definition = SweepDefinition.decode(data)
    points_of(definition)
    decided_by(definition)
    sweep_id(definition)
    utc_day(definition.start), utc_day(definition.end)


def _enter_chunk(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    chunk = Chunk.parse(text)
    assert len(chunk.points) == len(chunk)
    assert chunk.id == text


def _enter_scenario(data: bytes) -> None:
    Scenario.parse(data.decode("utf-8", "surrogateescape")).applied(DEFINITION)


def _enter_records(data: bytes) -> None:
    """A field of each kind of record; its name and its value come from outside."""
    name, _, value = data.partition(b"\n")
    NodeTally.decode_all({name: value})
    for decode in (
        lambda: NodeRecord.decode(name, value),
        lambda: RunningChunk.decode(value),
        lambda: SweepStatus.decode({**_STATUS, name: value}),
    ):
        with contextlib.suppress(HummingsweepError):
            decode()


_STATUS: dict[bytes | str, bytes | str] = {
    b"points": b"10", b"done": b"3", b"failed": b"1", b"state": b"running", b"at": b"1704067200.5"
}  # fmt: skip


def _enter_sweep_file(data: bytes) -> None:
    with _file("sweep.yml", data) as path:
        sweep = read(path)
        sweep.definition()
        assert parse(sweep.text, path).definition() == sweep.definition()


@cache
def _sweep_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        place = small_sweep(Path(folder), {})
        first = place.file.read_bytes()
        place.sweep |= {
            "rank_by": "sharpe_ratio - 2 * max_drawdown_pct",
            "where": "total_positions > 10 and accuracy > 0.4",
            "skip": "length > 10 and take_profit < 0.003",
            "validate": {"holdout": "1h", "walk_forward": {"train": "2h", "test": "1h"}},
        }
        place.sweep["grid"] = {"length": {"from": 5, "to": 50, "step": 5}, "triple_barrier_config.stop_loss": [0.01]}
        return [first, place.file.read_bytes()]


def _enter_candles(name: str) -> Callable[[bytes], None]:
    def enter(data: bytes) -> None:
        with _file(name, data) as path:
            file = candle_file(path)
            assert isinstance(file, CandleFile)
            examine(file)
            slice_file(file, START + 600, START + 1200, 5, cache=path.parent / "cache")

    return enter


def _enter_foreign(data: bytes) -> None:
    with _file("BTCUSDT.csv", data) as path:
        reading.read(path)


def _enter_series(data: bytes) -> None:
    with _file("series.csv", data) as path:
        read_series(path, START + 86_400)


@cache
def _csv_candles() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_candles(Path(folder), rows=40).read_bytes()


@cache
def _parquet_candles() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        import pyarrow.csv as pacsv

        table = pacsv.read_csv(write_candles(Path(folder), rows=40))
        sink = io.BytesIO()
        pq.write_table(table, sink, row_group_size=20)
        return sink.getvalue()


@cache
def _compressed_slice() -> bytes:
    with _file("candles_binance_BTC-USDT_1m.csv", _csv_candles()) as path:
        file = candle_file(path)
        assert file is not None
        return slice_file(file, START + 600, START + 1200, 5).compressed()


def _enter_store(data: bytes) -> None:
    with _file(FILE, data) as path:
        with StoreReader.open(path.parent) as store:
            _read_everything(store)
        with Store.create(path.parent) as store:
            _read_everything(store)


@cache
def _store_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        with Store.create(Path(folder)) as store:
            store.add_sweep(DEFINITION, "name: a\n", {"rank_by": "net_pnl"})
            store.insert(DEFINITION.sweep, Rows.decode(_rows_message()))
        with contextlib.closing(sqlite3.connect(Path(folder) / FILE)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        return [(Path(folder) / FILE).read_bytes()]


def _enter_bundle(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        unpack_controllers(data, Path(folder) / "into")
        assert {each.name for each in Path(folder).iterdir()} == {"into"}


@cache
def _bundles() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "directional_trading").mkdir()
        (Path(folder) / "directional_trading" / "a.py").write_text("x = 1\n")
        return [pack_controllers(Path(folder))]


def _enter_rules(data: bytes) -> None:
    with _file("binance_perpetual.json", data) as path:
        rules.load(path.parent, {("binance_perpetual", "BTC-USDT")})


def _enter_host(data: bytes) -> None:
    """A request is refused or names this machine, whatever its Host header and its target are."""
    header, _, target = data.decode("latin-1").partition("\n")
    if asks_loopback([header], target):
        name = header.strip().rpartition(":")[0] if header.strip()[-1:].isdigit() else header.strip()
        assert "localhost" in header.lower() or is_loopback(name) or is_loopback(header.strip().rstrip(":")), header


def _enter_address(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for use in (check_broker, without_password, lambda address: with_password(address, "p:/@")):
        with contextlib.suppress(HummingsweepError):
            use(text)


def _enter_settings(data: bytes) -> None:
    with _file("settings.toml", data) as path:
        Settings.read({"HUMMINGSWEEP_SETTINGS": str(path)})


def _enter_expression(data: bytes) -> None:
    import numpy as np

    text = data.decode("utf-8", "replace")
    columns = {"a": np.array([1.0, 2.0]), "b": np.array(["x", None], dtype=object), "c": np.array([True, False])}
    for use in (
        lambda: Expression.parse(text).numbers(columns, 2),
        lambda: Expression.parse(text).truth(columns, 2),
        lambda: parse_objective(text),
        lambda: points_of(replace(DEFINITION, skip=text, grid={"a": [1, 2, 3], "b": ["x", "y"]})),
    ):
        with contextlib.suppress(HummingsweepError):
            use()


@contextlib.contextmanager
def _file(name: str, data: bytes) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        (folder / name).write_bytes(data)
        yield folder / name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


DOORS = [
    Door("rows", _enter_rows, lambda: [_rows_message(), _rows_message((0,), text="\u00e9"), _with_returns()]),
    Door(
        "definition",
        _enter_definition,
        lambda: [DEFINITION.encode(), replace(DEFINITION, skip="length > 5", funding={"A-B": [[1, 0.1]]}).encode()],
    ),
    Door("chunk", _enter_chunk, lambda: [b"1:0-2", b"3:0-3+20x5+1000x2,9-9@start=1704067200,end=1706745600,noise=3"]),
    Door("scenario", _enter_scenario, lambda: [b"", b"start=1,end=2,cost=3,jitter=0.1"], (ValueError,)),
    Door(
        "records",
        _enter_records,
        lambda: [
            b"n@host\n" + NodeRecord("n@host", 2, "q", {"python": "3.12"}, 5.0).encode().encode(),
            b"n@host points\n17", b"points\n12", b"1:0-2\nn@host/7 1704067200.5",
        ],
    ),
    Door("sweep-file", _enter_sweep_file, _sweep_files),
    Door("csv", _enter_candles("candles_binance_BTC-USDT_1m.csv"), lambda: [_csv_candles()]),
    Door("parquet", _enter_candles("candles_binance_BTC-USDT_1m.parquet"), lambda: [_parquet_candles()]),
    Door("foreign-csv", _enter_foreign, lambda: [_csv_candles(), _csv_candles().replace(b",", b";")]),
    Door(
        "series",
        _enter_series,
        lambda: [b"timestamp,rate,text\n1704067200,0.1,a\n1704067260,,b\n", b"timestamp,a,a\n9999-12-31,1,2\n"],
    ),
    Door("slice", Slice.from_compressed, lambda: [_compressed_slice()]),
    Door("store", _enter_store, _store_files),
    Door("bundle", _enter_bundle, _bundles),
    Door(
        "broker-address",
        _enter_address,
        lambda: [b"redis://:pass@127.0.0.1:6379/0", b"rediss://u:p@[::1]:1/0?ssl_ca_certs=%2Fx&ssl_cert_reqs=none"],
    ),
    Door("trading-rules", _enter_rules, lambda: [b'{"BTC-USDT": {"min_order_size": "0.001", "min_notional_size": 5}}']),
    Door("host", _enter_host, lambda: [b"localhost:8765\n/api", b"[::1]:1\nhttp://127.0.0.1/", b"127.0.0.1\n/"]),
    Door("settings", _enter_settings, lambda: [b'children = 3\nbroker = "redis://h:1/0"\nlean = true\ncache = "x"\n']),
    Door(
        "expression",
        _enter_expression,
        lambda: [b"-a + 2 * abs(a) if c else a ** 2", b"a > 1 and b == 'x' or not c", b"a < 3 <= a", b"min(a, 1) / 0"],
    ),
]  # fmt: skip
