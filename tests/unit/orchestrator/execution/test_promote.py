"""A point becomes configs: the right point, the values unchanged, the story in the head, nothing overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.analysis.rank import rank
from orchestrator.execution import promote as promotion
from orchestrator.execution.promote import controller_config, missing_code, promote, promoted_name
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tasks.errors import StoreError
from tasks.grid import Grid
from tests import made

HOSTILE = "a # b: [c]\n- evil: true\n'\" \u00e9 \u2028 yes"


def promoted(folder: Path, to: Path, **which: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """(controller config, its file's text, script config)."""
    with StoreReader.open(folder) as store:
        controller, script = promote(store, store.latest(), to, **which)
    assert controller.parent == to / "conf" / "controllers"
    assert script.parent == to / "conf" / "scripts"
    text = controller.read_text(encoding="utf-8")
    return yaml.safe_load(text), text, yaml.safe_load(script.read_text(encoding="utf-8"))


def ranked(folder: Path, rank_by: str, where: str | None = None) -> list[dict[str, Any]]:
    with StoreReader.open(folder) as store:
        sweep = store.latest()
        return rank(store.table(sweep), rank_by, where, grid=Grid.from_mapping(made.GRID)).rows


@pytest.mark.parametrize("place", [1, 4])
def test_a_rank_is_the_rank_of_the_sweeps_own_ranking(tmp_path: Path, place: int) -> None:
    where = "total_positions >= 100"
    made.store(tmp_path / "run", meta={"rank_by": "-total_fees_quote", "where": where})
    best = ranked(tmp_path / "run", "-total_fees_quote", where)[place - 1]
    config, text, script = promoted(tmp_path / "run", tmp_path / "bot", rank=place)
    values = Grid.from_mapping(made.GRID).values(best["point"])
    assert {name: config[name] for name in values} == values
    assert config["id"] == f"bands-0123456789-{best['point']}"
    assert config["total_amount_quote"] == 1000
    assert list(config)[:3] == ["id", "controller_name", "controller_type"]
    assert f"point {best['point']}: rank {place} of " in text
    assert f"by -total_fees_quote where {where}" in text
    assert script == {"script_file_name": "v2_with_controllers.py", "controllers_config": [f"{config['id']}.yml"]}


@pytest.mark.parametrize(
    ("sweep", "name"), [("a.b-c_1-0123", "a-b-c_1-0123-7"), ("bands-01", "bands-01-7"), ("x y/z", "x-y-z-7")]
)
def test_a_promoted_name_is_one_that_hummingbot_and_its_api_take(sweep: str, name: str) -> None:
    assert promoted_name(sweep, 7) == name


def test_an_axis_that_reaches_into_the_config_is_promoted_in_its_place() -> None:
    definition = made.definition("s-0123456789", {"barrier.stop": [0.1, 0.2], "list.1": ["a", "b"]})
    definition.controller.update({"barrier": {"take": 0.3}, "list": ["x", "y"]})
    config = controller_config(definition, 3)
    assert (config["barrier"], config["list"]) == ({"take": 0.3, "stop": 0.2}, ["x", "b"])


def test_a_point_by_its_index(tmp_path: Path) -> None:
    made.store(tmp_path / "run", meta={"where": "total_positions > 1000"})
    config, text, _ = promoted(tmp_path / "run", tmp_path / "bot", point=159)
    assert config["bb_length"] == 100
    assert config["trading_pair"] == "ETH-USDT"
    assert "point 159: not ranked by net_pnl where total_positions > 1000" in text


def test_the_head_tells_sweep_metrics_and_digests(tmp_path: Path) -> None:
    verdict = {"point": 78, "state": "clean", "verdict": "clean (band_reversion, shift 1)"}
    sweep = made.store(tmp_path / "run", meta={"audit": verdict})
    with StoreReader.open(tmp_path / "run") as store:
        row = next(store.rows(sweep, [78]))
    head = promoted(tmp_path / "run", tmp_path / "bot", point=78)[1]
    for words in (
        sweep,
        f"net_pnl {row['net_pnl']:.6g}",
        f"sharpe {row['sharpe']:.6g}",
        "shift 1, fills stock",
        "look-ahead audit (point 78): clean",
        "hummingbot 20260922",
        "controllers: " + "c0" * 32,
        "candles binance_perpetual_BTC-USDT_1m: " + "3f" * 32,
    ):
        assert words in head


def test_values_stay_what_they_are(tmp_path: Path) -> None:
    """Floats bit for bit, strings that look like something else, lists, and what would break a comment or a line."""
    odd = [0.1, 1e-05, 1e22, 3, True, None, "3m", "1,2", "12:30", "on", "0x10", "1_000", HOSTILE, [1, "2"], {"a": 0.3}]
    made.store(tmp_path / "run", {"odd": odd, "b": [1, 2]}, versions={"x": HOSTILE})
    for place, value in enumerate(odd):
        config, text, _ = promoted(tmp_path / "run", tmp_path / str(place), point=2 * place)
        assert config["odd"] == value
        assert type(config["odd"]) is type(value)
        assert "evil" not in config
        assert all(line.startswith("#") for line in text.partition("\nid:")[0].splitlines())


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    made.store(tmp_path / "run")
    promoted(tmp_path / "run", tmp_path / "bot", point=3)
    controller = tmp_path / "bot" / "conf" / "controllers" / "bands-0123456789-3.yml"
    script = tmp_path / "bot" / "conf" / "scripts" / "bands-0123456789-3-script.yml"
    controller.write_text("the user's changes")
    with pytest.raises(StoreError, match=r"bands-0123456789-3\.yml: is there already; give --force"):
        promoted(tmp_path / "run", tmp_path / "bot", point=3)
    assert controller.read_text() == "the user's changes"
    controller.unlink()
    script.write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        promoted(tmp_path / "run", tmp_path / "bot", point=3)
    assert not controller.exists(), "both files or none"
    promoted(tmp_path / "run", tmp_path / "bot", point=3, force=True)
    assert script.read_text() != "mine"


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ({"rank": 0}, "there is no rank 0; 39 different points are ranked by net_pnl"),
        ({"rank": 40}, "there is no rank 40"),
        ({"point": 160}, "there is no point 160; the grid has points 0 to 159"),
        ({"point": -1}, "there is no point -1"),
        ({"point": 50}, "point 50 has no row yet"),
        ({"point": 7}, "point 7 has no results: error: ValueError: no"),
    ],
)
def test_a_point_that_is_not_there_is_one_sentence(tmp_path: Path, which: dict[str, int], words: str) -> None:
    made.store(tmp_path / "run", points=range(40), failed={7: "ValueError: no"})
    with pytest.raises(StoreError, match=words):
        promoted(tmp_path / "run", tmp_path / "bot", **which)
    assert not (tmp_path / "bot").exists()


def test_a_sweep_without_a_number_to_rank_by_has_no_rank_to_promote(tmp_path: Path) -> None:
    made.store(tmp_path / "run", meta={"rank_by": "net_pnl * (0 / 0)", "where": None})
    with pytest.raises(StoreError, match=r"have no number for net_pnl .* name the point you mean with --point"):
        promoted(tmp_path / "run", tmp_path / "bot")
    assert promoted(tmp_path / "run", tmp_path / "bot", point=3)[0]["id"].endswith("-3")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    made.store(tmp_path / "run")
    (tmp_path / "bot").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        promoted(tmp_path / "run", tmp_path / "bot")


LUCK = {"verdict": "luck", "sentence": "The best of 160 points has a Sharpe ratio of 3.0 a year."}


def test_a_sweep_whose_verdict_is_luck_is_promoted_only_anyway(tmp_path: Path) -> None:
    made.store(tmp_path / "run", meta={"trust": LUCK})
    with pytest.raises(StoreError, match=r"verdict on this sweep is luck.*Sharpe ratio of 3\.0.*give --anyway"):
        promoted(tmp_path / "run", tmp_path / "bot")
    assert not (tmp_path / "bot").exists()
    head = promoted(tmp_path / "run", tmp_path / "bot", anyway=True)[1]
    assert "# verdict on the sweep: luck. The best of 160 points has a Sharpe ratio of 3.0 a year." in head


@pytest.mark.parametrize("verdict", ["weak", "evidence", "untested"])
def test_other_verdicts_stand_in_the_head(tmp_path: Path, verdict: str) -> None:
    made.store(tmp_path / "run", meta={"trust": {"verdict": verdict, "sentence": "So it is."}})
    assert f"# verdict on the sweep: {verdict}. So it is." in promoted(tmp_path / "run", tmp_path / "bot")[1]


def test_a_sweep_without_a_verdict_says_so_in_the_head(tmp_path: Path) -> None:
    made.store(tmp_path / "run")
    assert "# verdict on the sweep: none was made" in promoted(tmp_path / "run", tmp_path / "bot")[1]


def test_look_ahead_is_not_promoted_unless_asked_for(tmp_path: Path) -> None:
    audit = {"point": 0, "verdict": "look-ahead in a decision", "state": "look_ahead"}
    made.store(tmp_path / "run", meta={"rank_by": "net_pnl", "where": None, "audit": audit})
    with StoreReader.open(tmp_path / "run") as store:
        with pytest.raises(StoreError, match=r"found look-ahead.*--anyway"):
            promote(store, store.latest(), tmp_path / "bot")
        assert not (tmp_path / "bot").exists()
        assert len(promote(store, store.latest(), tmp_path / "bot", anyway=True)) == 2


def test_code_travels_along_and_overwrites_nothing_unasked(tmp_path: Path) -> None:
    made.store(tmp_path / "run")
    source = tmp_path / "mine.py"
    source.write_text("x = 1\n")
    code = {Path("controllers/generic/mine.py"): source}
    with StoreReader.open(tmp_path / "run") as store:
        paths = promote(store, store.latest(), tmp_path / "bot", code=code)
        assert paths[2].read_text() == "x = 1\n"
        paths[2].write_text("# the bot's own\n")
        with pytest.raises(StoreError, match=r"mine\.py: is there already"):
            promote(store, store.latest(), tmp_path / "bot", rank=2, code=code)
    assert paths[2].read_text() == "# the bot's own\n"


def test_a_point_that_never_opened_an_executor_is_refused_unless_wanted_anyway(tmp_path: Path) -> None:
    made.store(tmp_path / "run")
    with StoreReader.open(tmp_path / "run") as store:
        sweep = store.latest()
        rows = [
            {**row, "total_executors": 0, "controller_log": "caught OSError: no model"}
            for row in store.rows(sweep, [0])
        ]
        row_of = promotion._row
        promotion._row = lambda *_: rows[0]
        try:
            with pytest.raises(StoreError, match=r"point 0 never opened an executor.*--anyway.*OSError: no model"):
                promote(store, sweep, tmp_path / "bot", point=0)
            assert promote(store, sweep, tmp_path / "bot", point=0, anyway=True)
        finally:
            promotion._row = row_of


def test_what_the_row_warns_of_stands_in_the_promoted_config(tmp_path: Path) -> None:
    sentence = "2 of 3 executors would be refused by the exchange, and trade here all the same: worth 1.5 USDT"
    made.store(tmp_path / "run", meta={"rank_by": "net_pnl"})
    point = ranked(tmp_path / "run", "net_pnl")[0]["point"]
    with Store.create(tmp_path / "run") as store:
        rows = [dict(next(iter(store.rows(store.latest(), [point]))), warning=sentence)]
        warned = promotion._head(store.definition(store.latest()), point, "rank 1", rows[0], {})
    assert f"# warning: {sentence}" in warned.splitlines()


def test_code_that_the_bot_does_not_have_is_named(tmp_path: Path) -> None:
    config = tmp_path / "conf" / "mine.yml"
    config.parent.mkdir()
    config.write_text("controller_type: generic\ncontroller_name: examples.buyer\n")
    place = tmp_path / "controllers" / "generic" / "examples" / "buyer.py"
    assert missing_code(tmp_path, config) == place
    place.parent.mkdir(parents=True)
    place.write_text("")
    assert missing_code(tmp_path, config) is None


@pytest.mark.parametrize("kind", ["link to nowhere", "link to itself"])
def test_a_link_in_a_configs_place_is_not_overwritten_without_force(tmp_path: Path, kind: str) -> None:
    made.store(tmp_path / "run")
    folder = tmp_path / "bot" / "conf" / "controllers"
    folder.mkdir(parents=True)
    target = folder / "bands-0123456789-3.yml"
    target.symlink_to({"link to nowhere": "nowhere", "link to itself": target.name}[kind])
    with pytest.raises(StoreError, match="is there already"):
        promoted(tmp_path / "run", tmp_path / "bot", point=3)
    assert target.is_symlink()


def test_a_device_in_a_configs_place_stays_also_with_force(tmp_path: Path) -> None:
    made.store(tmp_path / "run")
    folder = tmp_path / "bot" / "conf" / "controllers"
    folder.mkdir(parents=True)
    (folder / "bands-0123456789-3.yml").symlink_to("/dev/null")
    with pytest.raises(StoreError, match=r"bands-0123456789-3\.yml: cannot be written \(it is there, and is no file"):
        promoted(tmp_path / "run", tmp_path / "bot", point=3, force=True)
    assert not (tmp_path / "bot" / "conf" / "scripts").exists() or not list((folder.parent / "scripts").iterdir())
