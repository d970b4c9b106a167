"""The page's parts: what comes first, units, all points against those that `where` keeps, pairs side by side."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.report.page import write_report
from orchestrator.results.store_reader import StoreReader
from tests import made


def page(folder: Path, *, where: str | None = None, first: tuple[int, ...] = (), **changes: Any) -> tuple[str, Any]:
    """(the page, what its script draws)"""
    sweep = made.store(folder, **changes)
    details = [made.detail_row(point) for point in ((0,) if "grid" in changes else (7, 8))]
    with StoreReader.open(folder) as store:
        text = write_report(store, sweep, folder / "r.html", where=where, details=details, first=first).read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    return text, json.loads(data[1])


def test_verdict_and_winner_come_before_everything_else(tmp_path: Path) -> None:
    text, _ = page(tmp_path)
    order = [text.index(f'id="{name}"') for name in ("summary", "trust", "checks", "ranking", "points", "axes")]
    assert order == sorted(order)
    assert text.index("Best point") < text.index('id="trust"')


def test_a_point_that_was_asked_for_comes_before_the_others(tmp_path: Path) -> None:
    text, data = page(tmp_path, first=(8,))
    assert text.index('id="asked-points"') < text.index('id="trust"') < text.index('id="points"')
    assert [each["point"] for each in data["details"]] == [8, 7]


def test_a_page_without_curves_says_how_to_get_them(tmp_path: Path) -> None:
    sweep = made.store(tmp_path)
    with StoreReader.open(tmp_path) as store:
        text = write_report(store, sweep, tmp_path / "r.html").read_text()
    assert "without the curves of a point" in text
    assert f"hummingsweep report {tmp_path} --best 3" in html.unescape(text)


def test_headings_say_the_unit_and_what_a_column_is(tmp_path: Path) -> None:
    text, data = page(tmp_path)
    head = re.search(
        r'<th scope="col" title="([^"]*)"><button type="button">net_pnl</button><small>([^<]*)</small>', text
    )
    assert head
    assert html.unescape(head[1]).endswith("More is better. Computed by the stock engine.")
    assert head[2] == "%, stock"
    assert data["fraction"] is True


def test_which_parameter_matters_is_answered_over_all_points(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, every = page(tmp_path / "a")
    _, some = page(tmp_path / "b", where="net_pnl > 0.02")
    assert [axis["mean"] for axis in some["sensitivity"]] == [axis["mean"] for axis in every["sensitivity"]]
    assert [each["mean"] for each in some["maps"]] == [each["mean"] for each in every["maps"]]
    assert sum(map(sum, some["maps"][0]["kept"])) == some["distribution"]["total"] < every["distribution"]["total"]


def test_the_cell_of_the_best_point_is_marked(tmp_path: Path) -> None:
    _, data = page(tmp_path)
    for each in data["maps"]:
        x, y = each["winner"]
        best = [value for row in each["best"] for value in row if value is not None]
        assert each["best"][y][x] == max(best)


@pytest.mark.parametrize(("rank_by", "words"), [("net_pnl", "Blue is above 0"), ("-net_pnl", "Red is above 0")])
def test_the_colours_of_the_maps_are_explained_for_either_direction(tmp_path: Path, rank_by: str, words: str) -> None:
    sweep = made.store(tmp_path)
    with StoreReader.open(tmp_path) as store:
        assert words in write_report(store, sweep, tmp_path / "r.html", rank_by=rank_by).read_text()


def test_one_point_has_no_distribution_but_a_sentence(tmp_path: Path) -> None:
    text, _ = page(tmp_path, grid={"bb_length": [20], "bb_std": [2.0]})
    assert "There is no distribution to draw." in text
    assert 'data-chart="distribution"' not in text


def test_buying_and_holding_starts_at_nothing_and_is_of_the_points_own_amount(tmp_path: Path) -> None:
    _, data = page(tmp_path)
    for each in data["details"]:
        close = each["curve"]["close"]
        assert each["hold"][0] == 0
        assert each["hold"][-1] == pytest.approx(1000 * (close[-1] / close[0] - 1), abs=0.01)
        assert len(each["calendar"]["hour"]) == 24


def test_points_of_several_pairs_stand_side_by_side(tmp_path: Path) -> None:
    text, data = page(tmp_path, meta={"across": {"trading_pair": "min"}})
    side = data["side_by_side"]
    assert side["names"] == ["BTC-USDT", "ETH-USDT"]
    assert all(min(row) == pytest.approx(value) for row, value in zip(side["values"], side["objective"], strict=True))
    assert 'id="side"' in text
    assert ">BTC-USDT</button>" in text  # in the ranking, too


def test_warnings_that_rows_share_are_told_once_below_the_table(tmp_path: Path) -> None:
    text, _ = page(tmp_path)
    ranking = text[text.index('id="ranking"') : text.index('id="points"')]
    warned = re.findall(r"<dt>([a-z])</dt><dd>([^<]+)</dd>", ranking)
    assert len({words for _, words in warned}) == len(warned)
