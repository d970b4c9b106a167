"""candles list|check|import and mirror status|clear as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.commands.candles import candles_app, mirror_app
from tasks.candles.mirror import Mirror
from tasks.candles.slices import Slice
from tasks.errors import CandlesError, CandlesMissing

START = 1704067200


@pytest.fixture
def cli() -> typer.Typer:
    app = typer.Typer()
    app.add_typer(candles_app, name="candles")
    app.add_typer(mirror_app, name="mirror")
    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{START + 60 * minute},10,11,9,10.{minute % 7},5" for minute in range(100) if minute not in (40, 41)]
    (tmp_path / "candles_binance_perpetual_BTC-USDT_1m.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def answer(app: typer.Typer, *arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code
    return result.stdout


def test_list_shows_what_is_there(cli: typer.Typer, folder: Path) -> None:
    (one,) = json.loads(answer(cli, "candles", "list", folder, "--json"))
    size = (folder / "candles_binance_perpetual_BTC-USDT_1m.csv").stat().st_size
    assert (one["connector"], one["pair"], one["interval"]) == ("binance_perpetual", "BTC-USDT", "1m")
    assert (one["rows"], one["gaps"], one["missing"], one["bytes"]) == (98, 1, 2, size)
    assert (one["from"], one["to"]) == ("2024-01-01T00:00:00Z", "2024-01-01T01:40:00Z")
    lines = answer(cli, "candles", "list", folder).splitlines()
    assert lines[1].split() == [
        "connector",
        "pair",
        "interval",
        "from",
        "to",
        "rows",
        "gaps",
        "missing",
        "size",
        "file",
    ]
    assert lines[2].split()[:8] == [
        "binance_perpetual", "BTC-USDT", "1m", "2024-01-01T00:00:00Z", "2024-01-01T01:40:00Z", "98", "1", "2",
    ]  # fmt: skip


def test_list_says_sound_of_what_check_calls_sound(cli: typer.Typer, folder: Path) -> None:
    (file,) = folder.iterdir()
    header, *lines = file.read_text().splitlines()

    def sound(content: list[str]) -> object:
        file.write_text("\n".join(content) + "\n")
        (one,) = json.loads(answer(cli, "candles", "list", folder, "--json"))
        return one["sound"]

    assert sound([header, *lines]) is True
    assert sound([header, *(line.replace(",10,", ',"1,000",') for line in lines)]) is False
    assert sound([header, *lines[:50], header, *lines[50:]]) is False


def test_check_passes_with_warnings_and_fails_with_errors(cli: typer.Typer, folder: Path) -> None:
    found = json.loads(answer(cli, "candles", "check", folder, "--json"))
    assert found["sound"] is True
    assert [(f["severity"], f["kind"], f["count"]) for f in found["files"][0]["findings"]] == [("warning", "gap", 1)]
    assert found["files"][0]["gap_list"] == [{"after": START + 39 * 60, "missing": 2, "from": "2024-01-01T00:39:00Z"}]
    file = next(folder.iterdir())
    file.write_text(file.read_text().replace("10.3,5", "-1,5"))
    text = answer(cli, "candles", "check", folder, code=1)
    assert "NOT SOUND" in text
    assert "error: not positive" in text
    assert json.loads(answer(cli, "candles", "check", file, "--json", code=1))["sound"] is False


def test_a_folder_without_candles_is_bad_input(cli: typer.Typer, tmp_path: Path) -> None:
    with pytest.raises(CandlesMissing, match="no candle files in it"):
        answer(cli, "candles", "list", tmp_path)
    with pytest.raises(CandlesMissing, match="no such candle folder"):
        answer(cli, "candles", "check", tmp_path / "nowhere")
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(CandlesError, match="candles import"):
        answer(cli, "candles", "check", tmp_path / "x.csv")


def test_import_writes_one_file_a_feed(cli: typer.Typer, folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    (one,) = json.loads(answer(cli, "candles", "import", folder, "--to", to, "--json"))
    assert one["path"] == str(to / "candles_binance_perpetual_BTC-USDT_1m.parquet")
    assert one["rows"] == 98
    assert one["gaps"] == ["2024-01-01T00:39:00Z (2 missing)"]
    assert "98 candles, 1 gaps" in answer(cli, "candles", "import", folder, "--to", to)


def test_the_mirror_is_shown_and_cleared(cli: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setenv("HUMMINGSWEEP_MIRROR", str(tmp_path))
    monkeypatch.setenv("HUMMINGSWEEP_MIRROR_MB", "10")
    columns = {name: np.arange(5.0) for name in ("timestamp", "open", "high", "low", "close", "volume")}
    piece = Slice.of(columns, "1s", 0)
    Mirror(tmp_path, 10 << 20).open(piece.digest, piece.ipc)
    status = json.loads(answer(cli, "mirror", "status", "--json"))
    assert (status["folder"], status["limit_bytes"]) == (str(tmp_path), 10 << 20)
    assert [one["digest"] for one in status["slices"]] == [piece.digest]
    assert piece.digest[:16] in answer(cli, "mirror", "status")
    assert json.loads(answer(cli, "mirror", "clear", "--json"))["slices"] == 1
    assert json.loads(answer(cli, "mirror", "status", "--json"))["bytes"] == 0
