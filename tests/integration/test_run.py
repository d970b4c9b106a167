"""`hummingsweep run` from the sweep file to the rows, through real server, Celery and children."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import CONTROLLERS, START, Place, eventually, write_candles

#: Runs one point on the stock engine called directly, without anything of this project between.
DIRECT = Path(__file__).with_name("direct_stock.py")


def left_over(place: Place) -> list[str]:
    """Processes that carry this place's mark in their environment and should be gone."""
    marker = f"HUMMINGSWEEP_TEST={place.environment['HUMMINGSWEEP_TEST']}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_every_point_gets_a_row_and_the_best_is_ranked(alone: Place) -> None:
    finished = alone.run("run", alone.file, "--json")
    assert finished.code == 0, finished.err
    answer = finished.document
    assert (answer["points"], answer["done"], answer["failed"]) == (12, 12, 0)
    ranking = answer["ranking"]
    assert [row["net_pnl"] for row in ranking] == sorted((row["net_pnl"] for row in ranking), reverse=True)
    assert ranking[0].keys() >= {"point", "length", "take_profit", "interval", "net_pnl", "sharpe", "max_drawdown"}
    assert Path(alone.folder, answer["report"]).is_file()
    assert left_over(alone) == []

    rows = alone.rows()
    assert [row["point"] for row in rows] == list(range(12))
    assert all(row["status"] == "ok" for row in rows)
    assert any(row["total_positions"] > 0 for row in rows)
    assert (rows[1]["length"], rows[1]["take_profit"], rows[1]["interval"]) == (5, 0.002, "3m")

    again = alone.run("run", alone.file, "--json")
    assert again.code == 0, again.err
    assert again.document["computed"] == 0
    assert alone.rows() == rows


def test_a_finished_sweep_answers_from_its_store_without_broker_and_children(place: Place) -> None:
    place.sweep["grid"] = {"length": [5, 10]}
    first = place.run("run", place.file, "--json")
    assert first.code == 0, first.err
    nowhere = "redis://127.0.0.1:1/0"
    again = place.run("run", place.file, "--broker", nowhere)
    assert again.code == 0, again.err
    assert "nothing is computed" in again.err
    document = place.run("run", place.file, "--json", "--broker", nowhere).document
    for key in ("ranking", "audit", "report", "points", "done"):
        assert document[key] == first.document[key], key
    place.sweep["where"] = "total_positions >= 0"  # another question: it is asked of the cluster again
    other = place.run("run", place.file, "--broker", nowhere)
    assert other.code == 2
    assert "not reachable" in other.err


def test_rows_equal_the_stock_engine_called_directly(place: Place) -> None:
    place.sweep |= {"engine": "stock", "shift": 0, "warmup": False}
    place.sweep["period"] = {"start": START + 3600, "end": START + 5 * 3600}
    finished = place.run("run", place.file, "--json", "--no-audit", "--no-report")
    assert finished.code == 0, finished.err
    rows = place.rows()
    assert all(row["total_executors"] for row in rows)
    direct = subprocess.run(
        [sys.executable, str(DIRECT), str(place.file)],
        cwd=place.folder,
        env=place.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    expected: list[dict[str, Any]] = json.loads(direct.stdout)
    assert len(expected) == len(rows) == 12
    for results, row in zip(expected, rows, strict=True):
        assert {name: row[name] for name in results} == results, f"point {row['point']}"


def test_a_point_that_fails_is_a_row_and_the_others_finish(place: Place) -> None:
    place.sweep["grid"] = {
        "trouble": [
            "",
            "raise",
            "exit",
            "interrupt",
            "aiohttp",
            "requests",
            "socket",
            "task",
            "wait",
            "loop",
            "sleep:0",
        ],
        "take_profit": [0.002],
        "length": ["nonsense", 5],
    }
    place.sweep["point_timeout"] = 6
    finished = place.run("run", place.file, "--json", "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    rows = {(row["trouble"], row["length"]): row for row in place.rows()}
    assert len(rows) == 22
    assert all(rows[trouble, "nonsense"]["status"] == "error" for trouble, _ in rows)
    assert "length" in rows["", "nonsense"]["error"]
    for fine in ("", "task", "sleep:0"):
        assert rows[fine, 5]["status"] == "ok"
        assert rows[fine, 5]["net_pnl"] == rows["", 5]["net_pnl"]
    assert "no luck today" in rows["raise", 5]["error"]
    assert "trouble.py" in rows["raise", 5]["error"]
    for network in ("aiohttp", "requests", "socket"):
        assert rows[network, 5]["status"] == "error"
        assert "trouble.py" in rows[network, 5]["error"], rows[network, 5]["error"]
        assert "network" in rows[network, 5]["error"].lower()
    for slow in ("wait", "loop"):
        assert rows[slow, 5]["status"] == "timeout"
    assert rows["exit", 5]["status"] == rows["interrupt", 5]["status"] == "error"
    assert "KeyboardInterrupt" in rows["interrupt", 5]["error"]


def test_rows_come_out_as_csv_json_and_parquet(place: Place) -> None:
    place.sweep["grid"] = {"length": [5, 10]}
    assert place.run("run", place.file, "--no-audit", "--no-report").code == 0
    rows = place.rows()
    table = place.run("rows", "runs/test", "--format", "csv")
    found = list(csv.DictReader(io.StringIO(table.out)))
    assert [float(row["net_pnl"]) for row in found] == [row["net_pnl"] for row in rows]
    assert place.run("rows", "runs/test", "--format", "parquet", "--to", "rows.parquet").code == 0
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(place.folder / "rows.parquet").to_pydict()
    assert columns["net_pnl"] == [row["net_pnl"] for row in rows]


def test_resume_says_that_another_controller_makes_another_sweep(place: Place) -> None:
    shutil.copytree(CONTROLLERS, place.folder / "own")
    place.sweep |= {"controllers": "own", "grid": {"length": [5, 10]}}
    assert place.run("run", place.file, "--no-audit", "--no-report").code == 0
    resumed = place.run("resume", "runs/test")
    assert resumed.code == 0, resumed.err
    assert "2/2 points, 0 failed, 0 computed" in resumed.out
    assert "another sweep" not in resumed.err
    with (place.folder / "own" / "directional_trading" / "crossing.py").open("a") as file:
        file.write("# another line\n")
    resumed = place.run("resume", "runs/test")
    assert resumed.code == 0, resumed.err
    assert "2 computed" in resumed.out
    (said,) = [line for line in resumed.err.splitlines() if line.startswith("another sweep than")]
    assert "the controllers; its points are computed" in said


def test_an_interrupted_run_goes_on_where_it_stopped(alone: Place) -> None:
    awake = alone.folder / "awake"
    alone.sweep["grid"] = {"trouble": [f"sleep:0.3:{awake}"], "length": list(range(5, 29))}
    process = alone.start("run", alone.file, "--no-audit", "--no-report")
    eventually(lambda: alone.stored() > 4, 120, "the first rows")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "resume" in out + err
    done = len(alone.rows())
    assert 4 < done < 24
    eventually(lambda: left_over(alone) == [], 30, "the end of server and node")
    awake.touch()  # the audit of the end runs points many times
    finished = alone.run("resume", "runs/test", "--json")
    assert finished.code == 0, finished.err
    assert finished.document["computed"] == 24 - done
    assert len(alone.rows()) == 24


def test_estimate_says_how_long_and_stops(place: Place) -> None:
    place.sweep["grid"]["cooldown_time"] = {"range": [60, 6000, 60]}
    finished = place.run("run", place.file, "--estimate", "--json")
    assert finished.code == 0, finished.err
    assert finished.document["points"] == 1200
    assert 8 <= finished.document["done"] <= 2 * 150  # one in eight, and once more when the features' axes are known
    assert max(row["point"] for row in place.rows()) > 600
    assert finished.document["left_s"] > 0
    assert finished.document["points_per_s"] > 0
    assert 50 < finished.document["memory_bytes"] / 2**20 < 2000


def test_a_stretch_of_dear_points_is_shared_out(place: Place) -> None:
    log = place.folder / "log"
    place.sweep["grid"] = {
        "length": [5, 6],
        "trouble": ["", f"log-and-sleep:{log}:0.4", "", ""],
        "cooldown_time": {"range": [60, 1200, 60]},
    }
    finished = place.run("run", place.file, "--json", "--no-report", "--no-audit")
    assert finished.code == 0, finished.err
    assert [row["point"] for row in place.rows()] == list(range(160))
    pids = log.read_text().split()
    assert len(set(pids)) == 2
    assert max(pids.count(pid) for pid in set(pids)) <= 30  # of 40


def test_features_are_derived_once_wherever_their_axes_stand(place: Place) -> None:
    log, folder = place.folder / "log", place.folder / "controllers" / "directional_trading"
    folder.mkdir(parents=True)
    source = (CONTROLLERS / "directional_trading" / "crossing.py").read_text()
    derive = "    async def update_processed_data(self) -> None:\n"
    assert derive in source
    (folder / "crossing.py").write_text(
        source.replace(derive, f"{derive}        print(1, file=open({str(log)!r}, 'a'))\n")
    )
    place.sweep["controllers"] = "controllers"
    place.sweep["grid"] = {"take_profit": {"range": [0.002, 0.012, 0.002]}, "length": {"range": [5, 104, 1]}}
    finished = place.run("run", place.file, "--json", "--no-report", "--no-audit")
    assert finished.code == 0, finished.err
    assert [row["point"] for row in place.rows()] == list(range(6 * 100))
    # 100 lengths, and what is handed out before it is known what the features depend on: not 100 by each child
    assert 100 <= len(log.read_text().split()) < 175


def test_plain_lines_where_there_is_no_terminal(place: Place) -> None:
    place.sweep["grid"] = {"length": [5, 10]}
    finished = place.run("run", place.file, "--no-audit", "--no-report")
    assert finished.code == 0
    assert "2/2 points" in finished.err
    assert "best by net_pnl" in finished.out
    assert "\x1b" not in finished.out + finished.err


def test_feeds_of_every_axis_value_are_found(place: Place) -> None:
    write_candles(place.folder / "candles", "ETH-USDT", seed=2)
    rules = place.folder / "candles" / "trading_rules" / "binance_perpetual.json"
    known = json.loads(rules.read_text())
    rules.write_text(json.dumps({**known, "ETH-USDT": known["BTC-USDT"]}))
    place.sweep["grid"] = {"trading_pair": ["BTC-USDT", "ETH-USDT"], "interval": ["1m", "3m", "5m"]}
    finished = place.run("run", place.file, "--json", "--no-audit", "--no-report")
    assert finished.code == 0, finished.err
    rows = place.rows()
    assert len(rows) == 6
    assert len({row["net_pnl"] for row in rows}) == 6


BAD = [
    ({"grid": {}}, ["grid"]),
    ({"grid": {"length": []}}, ["length"]),
    ({"grid": {"length": {"range": [1, 5, 0]}}}, ["length", "step"]),
    ({"gird": {}}, ["gird", "grid"]),
    ({"period": {"start": START + 3600, "end": START}}, ["end", "start"]),
    ({"candles": "nowhere"}, ["nowhere"]),
    ({"period": {"start": START - 86400 * 30, "end": START + 7200}}, ["2024-01-01", "cover"]),
    ({"period": {"start": START + 3600, "end": START + 86400 * 30}}, ["cover"]),
    ({"controllers": "nowhere"}, ["nowhere"]),
    ({"trading_rules": "nowhere"}, ["nowhere", "binance_perpetual.json"]),
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_one_line_and_leaves_nothing(place: Place, change: dict[str, Any], words: list[str]) -> None:
    place.sweep |= change
    finished = place.run("run", place.file)
    assert_refused(finished.code, finished.err, words)


def assert_refused(code: int, err: str, words: list[str]) -> None:
    assert code == 2, err
    lines = [line for line in err.splitlines() if line.startswith("hummingsweep:")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    for word in words:
        assert word in lines[0], lines[0]


def test_bad_controllers_are_refused_before_anything_is_submitted(place: Place) -> None:
    controller = place.sweep["controller"]
    controller["controller_name"] = "crosing"
    finished = place.run("run", place.file)
    assert_refused(finished.code, finished.err, ["crosing", "crossing"])
    controller["controller_name"] = "crossing"

    own = place.folder / "own" / "directional_trading"
    own.mkdir(parents=True)
    (own / "crossing.py").write_text("x = 1\nraise RuntimeError('not today')\n")
    place.sweep["controllers"] = "own"
    finished = place.run("run", place.file)
    assert_refused(finished.code, finished.err, ["not today", "line 2"])

    place.sweep["controllers"] = str(CONTROLLERS)
    controller["stop_loss"] = "a lot"
    finished = place.run("run", place.file)
    assert_refused(finished.code, finished.err, ["stop_loss", "a lot"])


CHOOSY = """
    @model_validator(mode="after")
    def fast_below_slow(self):
        if self.length >= self.slow:
            raise ValueError("length must be below slow")
        return self


class Crossing("""


def test_points_whose_config_is_refused_are_rows_and_the_others_run(place: Place) -> None:
    own = place.folder / "own" / "directional_trading"
    own.mkdir(parents=True)
    source = (CONTROLLERS / "directional_trading" / "crossing.py").read_text()
    source = "from pydantic import model_validator\n" + source.replace('trouble: str = ""', "slow: int = 50")
    source = source.replace("self.config.trouble", "False")
    (own / "crossing.py").write_text(source.replace("\n\nclass Crossing(", CHOOSY, 1))
    place.sweep["controllers"] = "own"
    place.sweep["grid"] = {"length": [20, 40], "slow": [10, 30, 50]}  # the first point is among the refused
    finished = place.run("run", place.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert "refuse their config" in finished.err
    assert "length=20, slow=10" in finished.err
    rows = place.rows()
    assert [row["status"] for row in rows] == ["error", "ok", "ok", "error", "error", "ok"]
    assert all("length must be below slow" in row["error"] for row in rows if row["status"] == "error")


def test_a_refused_sweep_leaves_no_server_and_no_node(alone: Place) -> None:
    alone.sweep["controller"]["stop_loss"] = "a lot"
    finished = alone.run("run", alone.file)
    assert_refused(finished.code, finished.err, ["stop_loss", "a lot"])
    assert left_over(alone) == []


def test_bad_candles_are_refused(place: Place) -> None:
    file = place.folder / "candles" / "candles_binance_perpetual_BTC-USDT_1m.csv"
    good = file.read_text().splitlines()
    for name, lines in {
        "unsorted": [*good[:100], good[101], good[100], *good[102:]],
        "duplicate": [*good[:100], good[100], *good[100:]],
        "nan": [*good[:100], good[100].replace(good[100].split(",")[4], "nan"), *good[101:]],
    }.items():
        file.write_text("\n".join(lines) + "\n")
        finished = place.run("run", place.file)
        assert_refused(finished.code, finished.err, [file.name]), name


def test_a_broker_that_is_not_there(place: Place) -> None:
    finished = place.run("run", place.file, "--broker", "redis://127.0.0.1:1/0")
    assert_refused(finished.code, finished.err, ["127.0.0.1:1"])


def test_an_output_folder_that_cannot_be_written(place: Place) -> None:
    (place.folder / "runs").write_text("a file where a folder should be")
    finished = place.run("run", place.file)
    assert_refused(finished.code, finished.err, ["runs"])
