"""What foreign files are refused for, in words that say what to do."""

import json

import pytest

from tasks.candles import foreign
from tasks.candles.importer import import_feeds
from tasks.errors import CandlesBroken, CandlesError

HEADER = "time,open,high,low,close,volume"


def lines(*times: str, header: str = HEADER, row: str = "1,2,1,2,5") -> str:
    return "\n".join([header, *(f"{time},{row}" for time in times)]) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lines("01/02/2024 00:00", "01/02/2024 00:01"), "may be day and month or month and day"),
        (lines("13/02/2024", "02/13/2024"), "some dates have the day first"),
        (lines("2024-01-01 00:00 EST"), "zone EST, whose clocks jump"),
        (lines("45000.5", "45001.5"), "looks like a spreadsheet's days"),
        (lines("1", "2", "3"), "looks like row numbers"),
        (lines("2024-01-01", "soon"), "the time in row 2 is 'soon'"),
        (lines("2024-13-01"), "'2024-13-01' is not a date"),
        (lines("2024-01-01 25:00"), "is not a time of day"),
        (lines("1704067200", row="1,2,1,x,5"), "column close: 'x' is not a number"),
        (lines("1704067200", row='"1,234",2,1,2,5'), "could be a number with decimals or with thousands"),
        (lines("1704067200", "1704067200", row="1,2,1,2,5").replace("5\n", "6\n", 1), "two different candles at"),
        (lines("1704067200", header="time,open,high,low,close,oi"), "no column is known for volume"),
        ("\n".join(["1704067200,5,1,2,3,9"] * 3) + "\n", "in no order that is known"),
        ("hello\nworld\n", "no table in it"),
        ("", "no table in it"),
        ('{"error": "limit"}', "no list of candles in it"),
        ('{"error": ', "is not JSON"),
        (HEADER + ",symbol\n1704067200,1,2,1,2,5,BTCUSDT\n1704067260,1,2,1,2,5,ETHUSDT\n", "candles of 2 markets"),
    ],
)
def test_what_could_mean_something_else_is_refused(tmp_path, text, words):
    path = tmp_path / ("x.json" if text.startswith("{") else "x.csv")
    path.write_text(text)
    with pytest.raises(CandlesBroken, match=words) as caught:
        foreign.read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000])
def test_json_far_deeper_than_candles_are_is_one_sentence(tmp_path, text):
    """It ended in a RecursionError."""
    file = tmp_path / "BTCUSDT.json"
    file.write_text(text)
    with pytest.raises(CandlesError, match="lists in lists"):
        foreign.read(file)


def test_a_row_that_is_a_duplicate_is_taken_once_and_said(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(lines("1704067260", "1704067200", "1704067200"))
    found = foreign.read(path)
    assert found.columns["timestamp"].tolist() == [1704067200, 1704067260]
    assert any("were there twice" in note for note in found.notes)


def test_times_of_two_units_are_told_apart_by_their_size_and_said(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(lines("1704067200", "1704067260000"))
    found = foreign.read(path)
    assert found.columns["timestamp"].tolist() == [1704067200, 1704067260]
    assert "all made seconds" in " ".join(found.notes)


def test_thousands_and_currency_signs_are_read(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        lines('"Jan 05, 2024"', header="Date,Open,High,Low,Price,Vol.", row='"$41,869.5","42,000.0",41000,41500,12.5K')
    )
    found = foreign.read(path)
    assert [found.columns[name][0] for name in ("open", "high", "volume")] == [41869.5, 42000.0, 12500.0]


def test_a_name_or_a_column_that_says_another_market_is_refused(tmp_path):
    path = tmp_path / "Binance_ETHUSDT_1m.csv"
    path.write_text(lines(*(str(1704067200 + 60 * step) for step in range(20))))
    with pytest.raises(CandlesError, match="ETH-USDT"):
        import_feeds(path, tmp_path / "out", connector="binance", pair="BTC-USDT")
    [feed] = import_feeds(path, tmp_path / "out", connector="binance")
    assert (feed.pair, feed.interval, feed.rows) == ("ETH-USDT", "1m", 20)


def test_a_symbol_that_can_be_read_in_two_ways_is_asked_for(tmp_path):
    path = tmp_path / "BTCAEUR_1m.csv"
    path.write_text(lines(*(str(1704067200 + 60 * step) for step in range(20))))
    with pytest.raises(CandlesError, match="could be BTC-AEUR or BTCA-EUR; give the one that it is with --pair"):
        import_feeds(path, tmp_path / "out", connector="binance")


def test_in_a_folder_what_cannot_be_taken_is_left_out_with_its_reason(tmp_path):
    source = tmp_path / "in" / "deep" / "down"
    source.mkdir(parents=True)
    (source / "BTCUSDT_1m.csv").write_text(lines(*(str(1704067200 + 60 * step) for step in range(20))))
    (source / "notes.txt").write_text("hello\n")
    (source / "answer.json").write_text(json.dumps({"code": 5}))
    said: list[str] = []
    [feed] = import_feeds(tmp_path / "in", tmp_path / "out", connector="binance", say=said.append)
    assert feed.pair == "BTC-USDT"
    assert any("notes.txt: left out: no table in it" in text for text in said)
    assert any("answer.json: left out: no list of candles" in text for text in said)


@pytest.mark.parametrize(
    ("folder", "connector", "words"),
    [
        ("data/futures/um/daily/markPriceKlines/BTCUSDT/1m", "binance_perpetual", "holds mark prices"),
        ("data/spot/daily/klines/BTCUSDT/1m", "binance_perpetual", "is of spot, --connector says binance_perpetual"),
        ("data/futures/um/daily/klines/BTCUSDT/1m", "binance", "is of futures, --connector says binance"),
    ],
)
def test_binances_folders_say_which_prices_they_are(tmp_path, folder, connector, words):
    deep = tmp_path / "in" / folder
    deep.mkdir(parents=True)
    (deep / "BTCUSDT-1m-2024-01-01.csv").write_text("1704067200000,1,2,1,2,5,0,0,0,0,0,0\n")
    said: list[str] = []
    with pytest.raises(CandlesError, match="no candle files"):
        import_feeds(tmp_path / "in", tmp_path / "out", connector=connector, say=said.append)
    assert words in said[0]
