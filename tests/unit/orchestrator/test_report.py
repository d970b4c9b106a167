"""The report: its aggregates against loops, its checks one by one, and a page that no user's text can break."""

import html
import json
import math
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.rank import rank, scored
from orchestrator.analysis.sensitivity import sensitivity
from orchestrator.execution.promote import promote
from orchestrator.report import charts
from orchestrator.report.charts import Bins, Swept
from orchestrator.report.checks import Evidence, checks
from orchestrator.report.page import write_report
from orchestrator.report.text import a_point, cell_text, plural
from orchestrator.results.readable import percent
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tasks.errors import ExpressionError, StoreError
from tasks.grid import Axis, Grid
from tasks.protocol.messages import Status
from tests import made
from tests.unit.orchestrator.stores import failed, fill, ok

STYLE = Path(charts.__file__).with_name("style.css")


def swept(grid: dict[str, list[Any]], objective: list[float], *, ascending: bool = False) -> Swept:
    points = np.arange(len(objective), dtype=np.int64)
    return Swept(Grid.from_mapping(grid), points, np.array(objective), ascending)


# Aggregates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ascending", [False, True])
def test_heat_maps_equal_loops_over_the_points(ascending: bool) -> None:
    axes = {"a": [1, 2, 3], "b": ["x", "y"], "one": [7], "c": [0.1, 0.2, 0.3, 0.4]}
    grid = Grid.from_mapping(axes)
    objective = np.random.default_rng(3).normal(0, 1, grid.size).round(3)
    found = charts.heat_maps(swept(axes, objective.tolist(), ascending=ascending))
    assert [(each["y"], each["x"]) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    for each in found:
        cells: dict[tuple[Any, Any], list[float]] = defaultdict(list)
        for point in range(grid.size):
            values = grid.values(point)
            cells[values[each["y"]], values[each["x"]]].append(objective[point])
        for i, y in enumerate(axes[each["y"]]):
            for j, x in enumerate(axes[each["x"]]):
                theirs = cells[y, x]
                assert each["mean"][i][j] == pytest.approx(sum(theirs) / len(theirs), rel=1e-5)
                assert each["best"][i][j] == (min(theirs) if ascending else max(theirs))
                assert each["count"][i][j] == len(theirs)


def test_a_cell_without_points_is_empty() -> None:
    grid = Grid.from_mapping({"a": [1, 2], "b": [1, 2]})
    (found,) = charts.heat_maps(Swept(grid, np.array([0, 3]), np.array([1.0, 2.0]), False))
    assert found["mean"] == [[1.0, None], [None, 2.0]]
    assert found["count"] == [[1, 0], [0, 1]]


def test_a_long_axis_is_shown_in_runs() -> None:
    bins = Bins.of(Axis("a", tuple(range(100))), 4)
    assert bins.labels == ["0 … 24", "25 … 49", "50 … 74", "75 … 99"]
    assert np.bincount(bins.of_digit).tolist() == [25, 25, 25, 25]


def test_values_that_read_the_same_stay_apart() -> None:
    assert Bins.of(Axis("a", (1, "1", 1.0)), 10).labels == ["1", "1 (2)", "1 (3)"]


def test_many_axes_give_coarser_maps_and_a_bounded_page() -> None:
    axes = {f"axis{number}": list(range(50)) for number in range(10)}
    chance = np.random.default_rng(1)
    points = chance.integers(0, 50**10, 5000)
    found = charts.heat_maps(Swept(Grid.from_mapping(axes), points, chance.normal(size=5000), False))
    assert len(found) == 45
    assert sum(len(each["x_labels"]) * len(each["y_labels"]) for each in found) <= charts.MAX_CELLS


def test_distribution_counts_every_point_and_sets_outliers_apart() -> None:
    values = [*np.linspace(-1, 1, 1000).tolist(), 500.0]
    found = charts.distribution(swept({"a": list(range(1001))}, values))
    assert found is not None
    assert sum(found["counts"]) + found["below"] + found["above"] == 1001
    assert found["above"] >= 1
    assert found["edges"][-1] < 2
    assert (found["best"], found["positive"]) == (500.0, 501)


@pytest.mark.parametrize(
    "values", [(0.5, 0.5), (0.1, math.nextafter(0.1, 1)), (0.0, 5e-324), (2.0**60, 2.0**60), (-1e308, 1e308)]
)
def test_distribution_of_one_value_is_one_bar(values: tuple[float, float]) -> None:
    found = charts.distribution(swept({"a": [1, 2]}, list(values)))
    assert found is not None
    assert found["counts"] == [2]


@pytest.mark.parametrize("ascending", [False, True])
def test_parallel_lines_hold_the_best_and_the_worst_and_draw_the_best_last(ascending: bool) -> None:
    axes = {"a": list(range(100)), "b": list(range(100))}
    objective = np.random.default_rng(5).normal(size=10_000)
    found = charts.parallel(swept(axes, objective.tolist(), ascending=ascending))
    assert found is not None
    best, worst = (np.argmin, np.argmax) if ascending else (np.argmax, np.argmin)
    assert found["points"][-1] == best(objective)
    assert found["points"][0] == worst(objective)
    assert (found["shown"], found["total"]) == (charts.MAX_LINES, 10_000)
    for line, point in enumerate(found["points"]):
        assert [digits[line] for digits in found["digits"]] == [point // 100, point % 100]


def test_parallel_coordinates_need_two_axes() -> None:
    assert charts.parallel(swept({"a": [1, 2], "one": [1]}, [1.0, 2.0])) is None


def test_the_chart_of_a_very_long_axis_keeps_the_winner(tmp_path: Path) -> None:
    sweep = made.store(tmp_path, {"a": list(range(1001)), "b": [1, 2]}, sweep="long-0123456789")
    with StoreReader.open(tmp_path) as store:
        effect = sensitivity(store.table(sweep), "net_pnl", grid=store.sweep(sweep).grid)[0]
    along = charts.along(effect, 601)
    assert len(along["labels"]) <= charts.MAX_VALUES + 1
    assert along["labels"][along["winner"]] == "601"


# Checks ------------------------------------------------------------------------------------------------------------


def told(folder: Path, audit: dict[str, Any] | None = None, rank_by: str = "net_pnl", **changes: Any) -> dict[str, str]:
    """Text of each check -> its level, for a made-up sweep."""
    sweep = made.store(folder, sweep="checks-0123456789", **changes)
    with StoreReader.open(folder) as store:
        stored = store.sweep(sweep)
        table = store.table(sweep)
        ranking = rank(table, rank_by, None, grid=stored.grid, top=100)
        evidence = Evidence(
            stored.definition, stored.grid.size, store.counts(sweep), ranking, table, audit if audit is not None else {}
        )
        return {check.text: check.level for check in checks(evidence)}


def level(found: dict[str, str], words: str) -> str | None:
    return next((level for text, level in found.items() if words in text), None)


@pytest.mark.parametrize(
    ("state", "expected"),
    [("clean", "ok"), ("look_ahead", "bad"), ("fills", "bad"), ("not_tested", "warn"), ("not_reproducible", "warn")],
)
def test_the_audit_is_told(tmp_path: Path, state: str, expected: str) -> None:
    found = told(tmp_path, audit={"point": 1, "state": state, "verdict": "the verdict"})
    assert level(found, "audit of point 1: the verdict") == expected


def test_without_an_audit_it_says_so(tmp_path: Path) -> None:
    assert level(told(tmp_path), "not tested for look-ahead") == "warn"


def test_settings_that_flatter_are_told(tmp_path: Path) -> None:
    controller = {"controller_type": "market_making", "controller_name": "x"}
    found = told(tmp_path, shift=0, trade_cost=0.0, controller=controller)
    assert level(found, "shift is 0") == "bad"
    assert level(found, "no fee is paid") == "warn"
    assert level(found, "fills: honest") == "warn"


def test_failed_and_missing_points_are_told(tmp_path: Path) -> None:
    found = told(tmp_path, failed={3: "ValueError: no"}, points=range(100))
    assert level(found, "60 of 160 points have no row yet") == "warn"
    assert level(found, "1 point without results (1 error)") == "warn"


def test_a_complete_sweep_is_told(tmp_path: Path) -> None:
    assert level(told(tmp_path), "all 160 points have results") == "ok"


def test_the_edge_of_the_grid_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, grid={"bb_length": [1, 2, 3], "bb_std": [1, 2]}, rank_by="bb_length")
    assert level(found, "highest value of bb_length (3)") == "warn"


def test_an_infinite_objective_is_told(tmp_path: Path) -> None:
    assert level(told(tmp_path, rank_by="1 / 0"), "of the best point is infinite") == "bad"


def test_a_loss_and_few_positions_are_told(tmp_path: Path) -> None:
    found = told(tmp_path, rank_by="net_pnl - 1")
    assert level(found, "no ranked point is above 0") == "warn"
    few = told(tmp_path / "few", grid={"bb_length": [20, 40], "bb_std": [1, 2]}, rank_by="-total_positions")
    assert level(few, "the best point rests on 20 positions") == "warn"


# The page ----------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Every start tag with its attributes, the text of scripts apart."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


def page(folder: Path, *, rank_by: str = "net_pnl", where: str | None = None, **report: Any) -> Elements:
    with StoreReader.open(folder) as store:
        out = write_report(store, store.latest(), folder / "report.html", rank_by=rank_by, where=where, **report)
    return Elements(out.read_text(encoding="utf-8"))


def test_the_page_holds_what_was_found(tmp_path: Path) -> None:
    sweep = made.store(tmp_path, failed={7: "ZeroDivisionError: no"})
    found = page(tmp_path, where="total_positions >= 30", details=[made.detail_row(78), made.detail_row(3)])
    with StoreReader.open(tmp_path) as store:
        best = rank(store.table(sweep), "net_pnl", "total_positions >= 30", grid=store.sweep(sweep).grid).rows[0]
    assert f"Point {best['point']}" in found.text
    assert percent(best["net_pnl"]) in found.text
    for words in ("ZeroDivisionError: no", "3f3f3f3f", "20260922", "band_reversion", "mac-studio"):
        assert words in found.text
    charts_drawn = [attributes["data-chart"] for _, attributes in found.tags if "data-chart" in attributes]
    assert charts_drawn == ["curves", "calendar"] * 2 + ["distribution"] + ["sensitivity"] * 4 + ["map"] * 6 + [
        "parallel"
    ]
    assert len(found.data["maps"]) == 6
    assert len(found.data["details"]) == 2
    headings = [tag for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1


def test_points_are_drawn_in_the_order_of_their_rank(tmp_path: Path) -> None:
    sweep = made.store(tmp_path, failed={9: "no"})
    with StoreReader.open(tmp_path) as store:
        best = [row["point"] for row in rank(store.table(sweep), "net_pnl", grid=Grid.from_mapping(made.GRID)).rows]
    details = [made.detail_row(best[4]), {"point": 9, "status": "error", "error": "no"}, made.detail_row(best[1])]
    found = page(tmp_path, details=details)
    shown = [attributes["aria-label"] for tag, attributes in found.tags if tag == "article"]
    assert shown == [f"Point {best[1]}, rank 2", f"Point {best[4]}, rank 5", "Point 9, not ranked"]
    assert found.data["details"][0]["curve"]["equity"] != found.data["details"][1]["curve"]["equity"]


def test_every_figure_is_told_in_words(tmp_path: Path) -> None:
    made.store(tmp_path)
    for tag, attributes in page(tmp_path, details=[made.detail_row(1)]).tags:
        if "data-chart" in attributes:
            assert attributes["role"] == "img", tag
            assert len(attributes["aria-label"] or "") > 40


def test_nothing_in_the_page_points_outside(tmp_path: Path) -> None:
    made.store(tmp_path)
    found = page(tmp_path)
    for tag, attributes in found.tags:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, f"<{tag} {name}={value}>"
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "url(" not in STYLE.read_text()


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='alert(3) {{ 1 + 1 }} \u2028"


def test_no_users_text_becomes_part_of_the_page(tmp_path: Path) -> None:
    detail = made.detail_row(1)
    detail["detail"]["trades"]["level"][0] = HOSTILE
    made.store(
        tmp_path,
        {"bb_length": [20, 40], HOSTILE: [HOSTILE, "b", {"<b>": HOSTILE}]},
        failed={5: HOSTILE},
        controller={"controller_name": HOSTILE, "controller_type": HOSTILE, "connector_name": HOSTILE},
        slices={HOSTILE: "0" * 64},
        versions={HOSTILE: HOSTILE},
        sweep_file=HOSTILE,
        meta={"audit": {"point": HOSTILE, "state": "clean", "verdict": HOSTILE}},
    )
    failed = {"point": 2, "status": "error", "error": HOSTILE}
    found = page(tmp_path, rank_by='net_pnl + (status == "</script><b>")', details=[detail, failed])
    assert len(found.scripts) == 3  # data, plotly, ours
    assert "img" not in {tag for tag, _ in found.tags}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert found.text.count("<img src=x onerror=alert(2)>") >= 8  # as text
    assert "{{ 1 + 1 }}" in found.text
    assert found.data["details"][0]["trades"]["level"][0] == HOSTILE
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    block = raw[raw.index('id="data">') + len('id="data">') :]
    assert "<" not in block[: block.index("</script>")]


def test_a_sweep_without_rows_has_a_page(tmp_path: Path) -> None:
    made.store(tmp_path, points=range(0))
    found = page(tmp_path)
    assert "there is no ranking" in found.text
    assert "160 of 160 points have no row yet" in found.text
    assert found.data["maps"] == []


def test_a_sweep_of_failures_has_a_page(tmp_path: Path) -> None:
    made.store(tmp_path, {"a": [1, 2]}, failed={0: "one", 1: "other"})
    found = page(tmp_path)
    assert "there is no ranking" in found.text
    assert "2 points without results (2 error)" in found.text


def test_where_that_nothing_meets_and_objectives_that_are_missing(tmp_path: Path) -> None:
    made.store(tmp_path)
    assert "meets where: total_positions > 1000000" in page(tmp_path, where="total_positions > 1000000").text
    found = page(tmp_path, rank_by="sortino")  # None where a point lost
    assert 0 < found.data["distribution"]["total"] < 160
    assert "no ranked point has a number" in page(tmp_path, rank_by="log(0 - 1 - total_positions)").text


def test_ranking_ascending(tmp_path: Path) -> None:
    sweep = made.store(tmp_path)
    found = page(tmp_path, rank_by="-total_fees_quote")
    with StoreReader.open(tmp_path) as store:
        least = float(np.min(scored(store.table(sweep), "total_fees_quote").objective))
    assert found.data["ascending"] is True
    assert found.data["objective"] == "total_fees_quote"
    assert found.data["distribution"]["best"] == pytest.approx(least, rel=1e-5)


def test_a_single_axis_has_no_maps(tmp_path: Path) -> None:
    made.store(tmp_path, {"bb_length": [20, 40, 60]})
    found = page(tmp_path)
    assert found.data["maps"] == []
    assert found.data["parallel"] is None
    assert len(found.data["sensitivity"]) == 1


def test_a_point_without_curves_says_why(tmp_path: Path) -> None:
    made.store(tmp_path)
    found = page(tmp_path, details=[{"point": 2, "status": "timeout", "error": "took longer than 600 s"}])
    assert "No curves: timeout: took longer than 600 s" in found.text


def test_an_unknown_column_is_an_error_and_leaves_the_old_page(tmp_path: Path) -> None:
    made.store(tmp_path)
    page(tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(ExpressionError, match="net_pnl"):
        page(tmp_path, rank_by="net_pnll")
    assert (tmp_path / "report.html").read_bytes() == before
    assert not list(tmp_path.glob(".report*"))


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    sweep = made.store(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with StoreReader.open(tmp_path / "run") as store, pytest.raises(StoreError, match="cannot be written"):
        write_report(store, sweep, tmp_path / "file" / "report.html")


def test_text_that_utf8_cannot_hold_is_shown_escaped(tmp_path: Path) -> None:
    grid = {"tag": ["\ud800", "b"], "more": [["\udfff", 1]]}
    with Store.create(tmp_path) as store:
        sweep = fill(store, [ok(0, net_pnl=1.0), failed(1, "bad \ud801")], grid=grid)
        write_report(store, sweep, tmp_path / "report.html")
        promote(store, sweep, tmp_path / "bot", point=0)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(half in text for half in ("\\ud800", "\\ud801", "\\udfff"))


def test_the_page_of_many_points_is_hardly_larger(tmp_path: Path) -> None:
    made.store(tmp_path / "few", {"a": list(range(20)), "b": list(range(20))})
    made.store(tmp_path / "many", {"a": list(range(20)), "b": list(range(20)), "c": [1, 2, 3, 4, 5]})
    sizes = [len(json.dumps(page(tmp_path / name).data)) for name in ("few", "many")]
    assert sizes[1] < 2 * sizes[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (math.nan, "-"), (0.0123456789, "0.012346"), (123456.7, "123,457"), (7, "7"), (True, "True")],
)
def test_cells_are_short(value: Any, shown: str) -> None:
    assert cell_text(value) == shown


def test_counts_and_speeds_read_well() -> None:
    assert [plural(1, "point"), plural(0, "point"), plural(2000, "point")] == ["1 point", "0 points", "2,000 points"]
    assert [a_point(7.8, 2), a_point(0.5, 10), a_point(0.0, 0)] == ["3.9 s a point", "50 ms a point", ""]


# Colours -----------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("text", "bg"),
        ("text", "surface"),
        ("quiet", "bg"),
        ("quiet", "surface"),
        ("accent", "bg"),
        ("accent", "surface"),
        ("bad", "surface"),
        ("good", "surface"),
        ("text", "warn-bg"),
        ("text", "bad-bg"),
    ],
)
def test_text_is_readable_on_its_ground(scheme: int, text: str, ground: str) -> None:
    """A contrast of 4.5 at least, WCAG 2 level AA."""
    block = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_counts_are_by_status(tmp_path: Path) -> None:
    """The page's tile and the store agree."""
    sweep = made.store(tmp_path, failed={1: "x", 2: "x"})
    with StoreReader.open(tmp_path) as store:
        assert store.counts(sweep)[Status.ERROR] == 2
    text = html.unescape(page(tmp_path).text)
    assert "of 160; 2 failed" in text


# The live replay -----------------------------------------------------------------------------------------------------

REPLAYED = {
    "point": 78, "error": "", "engine": "jump", "covered": 1.0, "pnl": -0.02, "backtest_pnl": 0.05, "pnl_quote": -20.0,
    "backtest_pnl_quote": 50.0, "trades": {"same": 3, "changed": 1, "missing": 2, "extra": 0}, "trades_same": 0.5,
    "first_difference": {"time": 1_704_070_800.0, "time_utc": "2024-01-01T01:00:00Z", "what": HOSTILE, "why": "fills"},
    "equity": {"time": [1_704_067_200.0, 1_704_070_800.0], "live": [0.0, -20.0], "backtest": [0.0, 50.0]},
}  # fmt: skip


def test_the_live_replay_has_its_curve_beside_the_back_tests_and_says_what_differs_first(tmp_path: Path) -> None:
    other = {"point": 3, "engine": "live", "error": ""}
    failed = {"point": 4, "engine": "", "error": f"took longer than 60 s {HOSTILE}"}
    made.store(tmp_path, meta={"live": {"rows": [REPLAYED, other, failed]}})
    found = page(tmp_path)
    assert next(a["data-chart"] for _, a in found.tags if "data-chart" in a) == "live_equity"
    assert found.data["live"] == [{**REPLAYED["equity"], "first": 1_704_070_800.0}]  # type: ignore[dict-item]
    assert "of 6 back-tested trades 3 are the same, 1 changed and 2 missing, 0 others are made" in found.text
    assert "-20 live, +50 in the back-test" in found.text
    assert "took longer than 60 s" in found.text
    assert "img" not in {tag for tag, _ in found.tags}


def test_without_a_replay_the_page_has_no_section_for_it(tmp_path: Path) -> None:
    made.store(tmp_path)
    found = page(tmp_path)
    assert found.data["live"] == []
    assert not any(attributes.get("id") == "live" for _, attributes in found.tags)
