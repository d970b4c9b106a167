"""Controllers folders: found, imported, never mixed; and what a user reads when something is wrong."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from tasks.errors import ControllerError
from tasks.protocol.messages import FeedNeed
from tasks.upstream.backtest import build
from tasks.upstream.backtest.build import controller_class, controller_config, feed_needs, load_controller_module

HEAD = """
import pandas as pd
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase, DirectionalTradingControllerConfigBase)
"""
TREND = (
    HEAD
    + """
from controllers.helpers import ANSWER
from controllers.shared.numbers import TWICE

class TrendConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "trend"
    candles_connector: str = None
    length: int = 10

class Trend(DirectionalTradingControllerBase):
    answer = ANSWER + TWICE
    def get_candles_config(self):
        return [CandlesConfig(connector=self.config.candles_connector, trading_pair=self.config.trading_pair,
                              interval=interval, max_records=records)
                for interval, records in (("3m", 50), ("1m", 7), ("3m", 20))]
"""
)
FILES = {
    "directional_trading/trend.py": TREND,
    "helpers.py": "ANSWER = 40",
    "shared/numbers.py": "TWICE = 2",
    "directional_trading/child.py": HEAD
    + """
from controllers.directional_trading.trend import Trend, TrendConfig

class ChildConfig(TrendConfig):
    controller_name: str = "child"

class Another(Trend):
    pass
""",
    "directional_trading/borrowed.py": "from controllers.directional_trading.trend import Trend, TrendConfig\n",
    "directional_trading/breaks.py": "import math\n\nroot = math.sqrt(-1)\n",
    "directional_trading/through_helper.py": "from controllers.bad_helper import x\n",
    "bad_helper.py": "\n\nx = undefined_name\n",
    "directional_trading/typo.py": "def f(:\n    pass\n",
    "directional_trading/quits.py": "import sys\nsys.exit(3)\n",
    "directional_trading/is missing.py": "import no_such_package_at_all\n",
    "generic/nothing.py": "x = 1\n",
    "generic/raises.py": HEAD
    + """
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
class Config(ControllerConfigBase):
    controller_name: str = "raises"
    connector_name: str = "kraken"
    trading_pair: str = "BTC-USD"
class Raises(ControllerBase):
    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        raise RuntimeError("no such thing")
class Decides(ControllerConfigBase):
    pass
""",
    "generic/two_pairs.py": HEAD
    + """
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
class Config(ControllerConfigBase):
    controller_name: str = "two_pairs"
    maker_connector: str = "kraken"
class Two(ControllerBase):
    pass
""",
}
VALUES = {
    "controller_type": "directional_trading",
    "controller_name": "trend",
    "connector_name": "binance_perpetual",
    "candles_connector": "binance_perpetual",
    "trading_pair": "BTC-USDT",
}


@pytest.fixture
def root(write_controllers):
    yield write_controllers(FILES)
    build.deactivate()


def refused(root, **values):
    with pytest.raises(ControllerError) as caught:
        controller_config({**VALUES, **values}, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_values_pass_through_hummingbots_own_validators(root):
    config = controller_config(
        {**VALUES, "trailing_stop": "0.015,0.003", "take_profit": "0.02", "time_limit": "60", "length": "12"}, root
    )
    assert (float(config.trailing_stop.activation_price), config.time_limit, config.length) == (0.015, 60, 12)


def test_the_id_is_the_users_or_the_points(root):
    assert controller_config(VALUES, root, "sweep-7").id == "sweep-7"
    assert controller_config({**VALUES, "id": "mine"}, root, "sweep-7").id == "mine"
    assert controller_config({**VALUES, "id": ""}, root, "sweep-7").id == "sweep-7"
    assert controller_config(VALUES, root).id == "trend"


def test_the_folder_or_the_one_around_it_will_do(root):
    assert load_controller_module(root.parent, "directional_trading", "trend").Trend.answer == 42
    assert load_controller_module(root, "directional_trading", "trend").Trend.answer == 42


def test_a_modules_own_classes_come_before_imported_ones(root):
    config = controller_config({**VALUES, "controller_name": "child"}, root)
    assert (type(config).__name__, controller_class(config).__name__) == ("ChildConfig", "Another")
    borrowed = controller_config({**VALUES, "controller_name": "borrowed"}, root)
    assert (type(borrowed).__name__, controller_class(borrowed).__name__) == ("TrendConfig", "Trend")


def test_two_bundles_alternate_without_mixing(root, write_controllers):
    other = write_controllers({**FILES, "helpers.py": "ANSWER = 0", "__init__.py": "MARK = 1"}, "other")
    for _ in range(2):
        for folder, answer in ((root, 42), (other, 2)):
            config = controller_config(VALUES, folder)
            assert controller_class(config).answer == answer
            assert type(config) is sys.modules["controllers.directional_trading.trend"].TrendConfig
            # what a controller imports while it runs comes from its own bundle
            assert answer - 2 == sys.modules["controllers.helpers"].ANSWER
    assert sys.modules["controllers"].MARK == 1


def test_the_same_folder_stays_loaded(root):
    assert load_controller_module(root, "directional_trading", "trend") is load_controller_module(
        root, "directional_trading", "trend"
    )


def test_upstreams_class_cache_is_emptied_with_the_bundle(root, write_controllers):
    controller_config(VALUES, root)
    build.upstream_class_cache()["trend"] = object
    controller_config(VALUES, write_controllers(FILES, "other"))
    assert build.upstream_class_cache() == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"controller_name": "trennd"},
            "controllers/directional_trading/trennd.py: no such controller; the nearest "
            "there is directional_trading/trend",
        ),
        ({"controller_type": "market_making"}, "the nearest there is directional_trading/trend"),
        ({"controller_name": ""}, "controller_name is missing"),
        (
            {"controller_name": "breaks"},
            "controllers/directional_trading/breaks.py, line 3: raises on import: ValueError: math domain error",
        ),
        ({"controller_name": "through_helper"}, "controllers/bad_helper.py, line 3: raises on import: NameError"),
        ({"controller_name": "typo"}, "controllers/directional_trading/typo.py, line 1: raises on import: SyntaxError"),
        (
            {"controller_name": "quits"},
            "controllers/directional_trading/quits.py, line 2: raises on import: SystemExit",
        ),
        ({"controller_name": "is missing"}, "is missing.py, line 1: raises on import: ModuleNotFoundError"),
        (
            {"controller_type": "generic", "controller_name": "nothing"},
            "controllers.generic.nothing defines no controller config class",
        ),
        ({"lenght": 3}, "unknown key 'lenght' (nearest: 'length')"),
        (
            {"length": "many", "stop_loss": -1},
            "directional_trading/trend refuses its config: stop_loss = -1: Input "
            "should be greater than 0; length = 'many': Input should be a valid int",
        ),
        ({"take_profit": "a lot"}, "refuses its config: take_profit = 'a lot': InvalidOperation"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root, values, said):
    assert said in refused(root, **values)


def test_no_folder(tmp_path):
    with pytest.raises(ControllerError, match="no such controllers folder"):
        controller_config(VALUES, tmp_path / "nowhere")


def needs(config, *args):
    async def ask():
        return feed_needs(config, *args)

    return asyncio.run(ask())


def test_each_feed_is_needed_once_with_its_largest_warmup(root):
    feed = ("binance_perpetual", "BTC-USDT")
    config = controller_config(VALUES, root)
    assert needs(config, "1m") == [FeedNeed(*feed, "1m", 7), FeedNeed(*feed, "3m", 50)]
    assert needs(config, "1m", 3) == [FeedNeed(*feed, "1m", 9), FeedNeed(*feed, "3m", 52)]
    assert needs(config, "15m", 3)[0] == FeedNeed(*feed, "15m", 3)


READS_WHILE_MADE = (
    HEAD
    + """
class ReadsConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "reads"

class Reads(DirectionalTradingControllerBase):
    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        asked = config.connector_name, config.trading_pair
        provider = self.market_data_provider
        self.frames = [provider.get_candles_df(*asked, "3m", 900), provider.get_candles_df("okx", "ETH-USDT", "5m", 40)]
        self.frames.append(provider.candles_feeds["okx_ETH-USDT_5m"])

    def get_candles_config(self):
        return [CandlesConfig(connector=self.config.connector_name, trading_pair=self.config.trading_pair,
                              interval="3m", max_records=50)]
"""
)


def test_candles_that_a_controller_reads_while_it_is_made_are_empty_then_and_a_feed_it_needs(write_controllers):
    folder = write_controllers({"directional_trading/reads.py": READS_WHILE_MADE})
    values = {key: value for key, value in VALUES.items() if key not in ("length", "candles_connector")}
    config = controller_config({**values, "controller_name": "reads"}, folder)
    traded = ("binance_perpetual", "BTC-USDT")
    assert needs(config, "1m") == [
        FeedNeed(*traded, "1m", 1),
        FeedNeed(*traded, "3m", 50),  # what the controller names, not what it reads
        FeedNeed("okx", "ETH-USDT", "5m", 40),
    ]


def test_a_default_of_none_is_explained(root):
    config = controller_config({key: value for key, value in VALUES.items() if key != "candles_connector"}, root)
    with pytest.raises(ControllerError, match=r'connector = None.*`candles_connector: ""`'):
        needs(config, "1m")


def test_a_controller_that_cannot_be_made(root):
    config = controller_config({"controller_type": "generic", "controller_name": "raises"}, root)
    with pytest.raises(
        ControllerError,
        match=r"raises before the first candle: RuntimeError: no such thing "
        r"\(controllers/generic/raises.py, line 15\)",
    ):
        needs(config, "1m")


def without_connector(write_controllers: Any, name: str, source: str, **values: Any) -> Any:
    """The config of a directional controller of this source, with no candles_connector."""
    given = {key: value for key, value in VALUES.items() if key != "candles_connector"}
    folder = write_controllers({f"directional_trading/{name}.py": source})
    return controller_config({**given, "controller_name": name, **values}, folder)


def test_a_config_without_candles_config_which_hummingbots_base_had_is_told_what_to_write(write_controllers):
    source = HEAD + (
        "\nclass OlderConfig(DirectionalTradingControllerConfigBase):\n    controller_name: str = 'older'\n"
        "class Older(DirectionalTradingControllerBase):\n"
        "    def __init__(self, config, *args, **kwargs):\n"
        "        config.candles_config = config.candles_config or []\n"
        "        super().__init__(config, *args, **kwargs)\n"
    )
    config = without_connector(write_controllers, "older", source)
    with pytest.raises(ControllerError, match=r"older before the first candle: AttributeError.*get_candles_config, or"):
        needs(config, "1m")


def test_text_defaults_that_no_validator_has_read_are_named_with_the_error_they_lead_to(write_controllers):
    source = HEAD + (
        "from decimal import Decimal\n"
        "class TextsConfig(DirectionalTradingControllerConfigBase):\n    controller_name: str = 'texts'\n"
        "    spreads: list[Decimal] = '0.01,0.02'\n    label: str | None = 'x'\n    given: list[str] = 'a'\n"
        "class Texts(DirectionalTradingControllerBase):\n"
        "    def __init__(self, config, *args, **kwargs):\n"
        "        self.spreads = [Decimal(one) for one in config.spreads]\n"
        "        super().__init__(config, *args, **kwargs)\n"
    )
    config = without_connector(write_controllers, "texts", source, given=["a"])
    with pytest.raises(ControllerError) as caught:
        needs(config, "1m")
    assert str(caught.value).endswith(
        "; not given are spreads: '0.01,0.02', whose defaults no validator has read: write them down under "
        "`controller:`"
    )


def test_a_controller_that_names_no_market_is_said_so(root):
    config = controller_config({"controller_type": "generic", "controller_name": "two_pairs"}, root)
    with pytest.raises(ControllerError, match="two_pairs names no market"):
        needs(config, "1m")


def test_every_pair_that_update_markets_names_needs_the_engines_candles(write_controllers):
    source = HEAD + (
        "\nfrom hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase\n"
        "class LegsConfig(ControllerConfigBase):\n"
        "    controller_name: str = 'legs'\n"
        "    def update_markets(self, markets):\n"
        "        return markets.add_or_update('kucoin', 'ETH-USDT').add_or_update('binance', 'BTC-USDT')\n"
        "class Legs(ControllerBase):\n    pass\n"
    )
    folder = write_controllers({"generic/legs.py": source})
    config = controller_config({"controller_type": "generic", "controller_name": "legs"}, folder)
    assert needs(config, "1m") == [FeedNeed("binance", "BTC-USDT", "1m", 1), FeedNeed("kucoin", "ETH-USDT", "1m", 1)]


def test_a_config_class_without_a_market_of_its_own_is_said_so(root):
    said = refused(root, controller_type="generic", controller_name="two_pairs")
    assert "its config class has no trading_pair: leave it out" in said
    assert "unknown key 'trading_pair'" not in said


def test_what_a_point_left_in_classes_and_modules_is_gone_when_the_next_begins(write_controllers) -> None:
    source = HEAD + (
        "\nfrom controllers.memory import SEEN\n"
        "class KeepsConfig(DirectionalTradingControllerConfigBase):\n"
        "    controller_name: str = 'keeps'\n    candles_connector: str = ''\n"
        "class Keeps(DirectionalTradingControllerBase):\n    runs = 0\n"
    )
    folder = write_controllers({"directional_trading/keeps.py": source, "memory.py": "SEEN = []"})
    values = {**VALUES, "controller_name": "keeps"}
    kind = controller_class(controller_config(values, folder))
    seen = sys.modules["controllers.memory"].SEEN
    kind.runs += 1
    seen.append("the future")
    assert not build.module_state().unchanged()
    assert controller_class(controller_config(values, folder)) is kind
    assert (kind.runs, seen) == (0, [])
