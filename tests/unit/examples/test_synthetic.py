"""The generator: same seed, same bytes; candles that could be candles; files Hummingbot would read."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

START = 1_704_067_200


@pytest.fixture(scope="module")
def synthetic(repository):
    spec = importlib.util.spec_from_file_location("synthetic", repository / "examples" / "synthetic.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_candles_are_sound(synthetic):
    for pair in synthetic.MARKETS:
        table = synthetic.candles(pair, START, 1440, seed=1)
        timestamp, open_, high, low, close, volume = table.T[:6]
        assert table.shape == (1440, 10) and np.isfinite(table).all()
        np.testing.assert_array_equal(timestamp, START + 60 * np.arange(1440))
        np.testing.assert_array_equal(open_[1:], close[:-1])
        assert (high >= np.maximum(open_, close)).all() and (low <= np.minimum(open_, close)).all()
        assert (low > 0).all() and (volume > 0).all()


def test_volatility_comes_in_clusters(synthetic):
    close = synthetic.candles("BTC-USDT", START, 5 * 1440, seed=1)[:, 4]
    size = np.abs(np.diff(np.log(close)))
    assert np.corrcoef(size[:-30], size[30:])[0, 1] > 0.05


def test_the_same_seed_gives_the_same_files(synthetic, tmp_path):
    folders = [tmp_path / name for name in ("one", "same", "other")]
    for folder, seed in zip(folders, (7, 7, 8), strict=True):
        synthetic.write(folder, ["BTC-USDT", "ETH-USDT"], START, 1, seed)
    one, same, other = (
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in folders
    )
    assert one == same
    assert all(one[name] != other[name] for name in one if name.suffix == ".csv")


def test_the_folder_is_hummingbots_and_says_what_it_is(synthetic, tmp_path):
    (file,) = synthetic.write(tmp_path, ["BTC-USDT"], START, 1, 7)
    assert file.name == "candles_binance_perpetual_BTC-USDT_1m.csv"
    lines = file.read_text().splitlines()
    assert lines[0].startswith("timestamp,open,high,low,close,volume,quote_asset_volume,n_trades")
    assert len(lines) == 1441 and lines[1].startswith("1704067200,42000.0,")
    assert (
        "min_price_increment" in json.loads((tmp_path / "trading_rules/binance_perpetual.json").read_text())["BTC-USDT"]
    )
    assert "random market, not the past of any exchange" in (tmp_path / "README.md").read_text()
