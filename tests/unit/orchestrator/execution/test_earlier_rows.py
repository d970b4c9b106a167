"""Rows that another sweep of the folder has computed: which are taken, and which are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.rank import rank
from orchestrator.execution.earlier_rows import EarlierRows
from orchestrator.execution.publish import defined
from orchestrator.execution.run import Summary
from orchestrator.execution.session import SweepSession
from orchestrator.execution.stages.holdout import holdout
from orchestrator.progress.watcher import Silent
from orchestrator.results.store import Store
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.folds import Window, whole_scenarios, windows_of
from orchestrator.validation.planned import planned_candles
from tasks.candles.resample import slice_for
from tasks.protocol.blobs import digest_of
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import FeedNeed, Rows, SweepDefinition
from tasks.protocol.returns import RETURNS, encode_row, period_ends, returns_interval
from tasks.protocol.scenario import PLAIN, Scenario
from tasks.settings import Settings
from tests.integration.conftest import START, write_candles

HOUR = 3600
POINTS = 4
NEEDS = [FeedNeed("binance_perpetual", "BTC-USDT", "1m", 30), FeedNeed("binance_perpetual", "BTC-USDT", "3m", 20)]
RULES = {"binance_perpetual": {"BTC-USDT": {"min_order_size": "0.0001"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a day of candles of a minute; those of three minutes are derived."""
    write_candles(tmp_path / "candles", rows=24 * 60)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.create(folder / "runs") as made:
        yield made


def sweep(folder: Path, hours: tuple[float, float] = (2, 20), **keys: Any) -> Sweep:
    start, end = (int(START + hour * HOUR) for hour in hours)
    known: dict[str, Any] = {
        "name": "test",
        "controller": {
            "controller_type": "generic", "controller_name": "mine", "connector_name": "binance_perpetual",
            "trading_pair": "BTC-USDT", "total_amount_quote": 1000,
        },
        "grid": {"a": list(range(POINTS))},
        "period": {"start": start, "end": end},
        "candles": str(folder / "candles"),
        "trading_rules": RULES,
    }  # fmt: skip
    return Sweep.from_mapping({**known, **keys}, folder / "sweep.yml")


WALK = {"walk_forward": {"train": "5h", "test": "3h"}, "holdout": "4h", "embargo": "1h"}


def definition_of(about: Sweep) -> SweepDefinition:
    return defined(about, NEEDS, "c" * 64, digest_of, Silent())


def add(store: Store, about: Sweep) -> SweepDefinition:
    definition = definition_of(about)
    store.add_sweep(definition, about.text, {})
    return definition


def insert(
    store: Store,
    definition: SweepDefinition,
    scenario: Scenario,
    points: list[int],
    status: str = "ok",
    each_s: int = 0,
) -> None:
    """Rows of points with a column of their own and returns; `each_s`: interval of the returns, seconds."""
    applied = scenario.applied(definition)
    each_s = each_s or returns_interval(applied.start, applied.end, 60)
    count = len(period_ends(applied.start, applied.end, 60, each_s))
    rows: list[dict[str, Any]] = []
    for point in points:
        row = {"point": point, "status": status, "error": "", "engine": "jump", "seconds": 0.5, "net_pnl": point / 7}
        values = np.random.default_rng(point).normal(size=count).astype(np.float32)
        rows.append({**row, RETURNS: encode_row(values, each_s)} if status == "ok" else row)
    chunk = Chunk.of(1, points, scenario).id
    store.insert(definition.sweep, Rows.from_dicts(chunk, "node/1", 2.0 * len(points), rows))


def earlier(store: Store, about: Sweep, definition: SweepDefinition, *, errors: bool = True) -> EarlierRows:
    return EarlierRows(store, about, definition, said.append, errors=errors)


said: list[str] = []


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    said.clear()


def plain_over(folder: Path, window: Window, **keys: Any) -> Sweep:
    return sweep(folder, ((window.start - START) / HOUR, (window.end - START) / HOUR), **keys)


def same_rows(store: Store, one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two scopes have the same rows, but for the digest of the whole slices, and the same returns."""
    tables = [store.table(name, scenario=scenario).drop_columns(["candles_digest"]) for name, scenario in (one, other)]
    returns = [store.returns(*each) for each in (one, other)]
    assert returns[0] is not None
    assert returns[1] is not None
    return tables[0].equals(tables[1]) and np.array_equal(returns[0].values, returns[1].values)


@pytest.mark.parametrize("role", ["train", "test", "holdout"])
def test_a_plain_sweep_takes_the_rows_of_a_window_over_its_period(store: Store, folder: Path, role: str) -> None:
    walking = sweep(folder, validate=WALK)
    windows = windows_of(walking)
    window = {"train": windows.folds[1].train, "test": windows.folds[1].test, "holdout": windows.holdout}[role]
    assert window is not None
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0, 1, 2, 3])
    about = plain_over(folder, window)
    plain = add(store, about)
    assert earlier(store, about, plain).take({PLAIN: None}) == {walk.sweep: POINTS}
    assert same_rows(store, (plain.sweep, ""), (walk.sweep, str(window.scenario)))
    assert store.nodes(plain.sweep) == [{"node": "node/1", "points": 4, "seconds": 8.0}]
    assert earlier(store, about, plain).take({PLAIN: None}) == {}


def ran_over_a_test_window(store: Store, folder: Path) -> tuple[Sweep, Window, SweepDefinition]:
    """A walk-forward that has not run, its first test window, and a plain sweep over that which has all its rows."""
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    plain = add(store, plain_over(folder, window))
    insert(store, plain, PLAIN, [0, 1, 2, 3])
    return walking, window, plain


def test_a_window_takes_the_rows_of_a_plain_sweep_of_the_points_it_wants_only(store: Store, folder: Path) -> None:
    walking, window, plain = ran_over_a_test_window(store, folder)
    walk = add(store, walking)
    taken = earlier(store, walking, walk).take(
        {window.scenario: [3, 1], windows_of(walking).folds[1].test.scenario: [0]}
    )
    assert taken == {plain.sweep: 2}
    assert store.scenarios(walk.sweep) == [str(window.scenario)]
    rows = list(store.rows(walk.sweep, scenario=str(window.scenario)))
    assert [(row["point"], row["net_pnl"], row["period_start"]) for row in rows] == [
        (1, 1 / 7, window.start), (3, 3 / 7, window.start),
    ]  # fmt: skip
    mine, theirs = store.returns(walk.sweep, str(window.scenario)), store.returns(plain.sweep)
    assert mine is not None
    assert theirs is not None
    np.testing.assert_array_equal(mine.values, theirs.values[:, [1, 3]])
    assert (mine.interval_s, mine.without) == (theirs.interval_s, 0)


def test_points_of_one_chunk_that_are_taken_at_several_times_all_bring_their_returns(
    store: Store, folder: Path
) -> None:
    """As when another choice asks for other points of a test window."""
    walking, window, plain = ran_over_a_test_window(store, folder)
    walk = add(store, walking)
    for points in ([3, 1], [1, 0], [2]):
        earlier(store, walking, walk).take({window.scenario: points})
    assert same_rows(store, (walk.sweep, str(window.scenario)), (plain.sweep, ""))
    again = plain_over(folder, window, name="again")
    third = add(store, again)
    assert earlier(store, again, third).take({PLAIN: None}).total() == POINTS
    assert same_rows(store, (third.sweep, ""), (plain.sweep, ""))
    assert store.nodes(third.sweep) == store.nodes(plain.sweep)


def test_walk_forwards_of_other_steps_and_holdouts_share_their_windows(store: Store, folder: Path) -> None:
    first = sweep(folder, validate=WALK)
    second = sweep(folder, validate={**WALK, "holdout": "2h"})
    shared = windows_of(first).folds[0].train
    assert shared == windows_of(second).folds[0].train
    one = add(store, first)
    insert(store, one, shared.scenario, [0, 1, 2, 3])
    two = add(store, second)
    assert two.sweep != one.sweep
    assert earlier(store, second, two).take({shared.scenario: None}) == {one.sweep: POINTS}


def test_candle_files_are_read_once_for_all_walk_forwards_over_the_same_candles(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Sweep] = []
    for embargo in ("1h", "2h", "3h"):
        found.append(sweep(folder, validate={**WALK, "embargo": embargo}))
        definition = add(store, found[-1])
        insert(store, definition, windows_of(found[-1]).folds[0].train.scenario, [0])
    read: list[str] = []

    def counted(need: FeedNeed, *args: Any) -> Any:
        read.append(need.key)
        return slice_for(need, *args)

    monkeypatch.setattr("orchestrator.execution.earlier_rows.slice_for", counted)
    sources = earlier(store, found[-1], definition).sources(windows_of(found[-1]).folds[0].train.scenario)
    assert len(sources) == 2
    assert sorted(read) == sorted(need.key for need in NEEDS)


def test_a_plain_sweep_over_what_was_ranked_before_a_holdout_is_the_same(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    walk = add(store, walking)
    insert(store, walk, PLAIN, [0, 1])
    about = plain_over(folder, windows_of(walking).in_sample)
    plain = add(store, about)
    assert earlier(store, about, plain).take({PLAIN: None}) == {walk.sweep: 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"trade_cost": 0.001}, {"grid": {"a": [0, 1, 2, 5]}}, {"seed": 3}, {"shift": 2}, {"fills": "touch"},
        {"warmup": False}, {"engine": "stock"},
        {"grid": {"a": [0.0, 1.0, 2.0, 3.0]}}, {"grid": {"a": [False, True, 2, 3]}},  # equal to Python
    ],
)  # fmt: skip
def test_another_question_takes_nothing(store: Store, folder: Path, changes: dict[str, Any]) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    insert(store, add(store, walking), window.scenario, [0, 1, 2, 3])
    about = plain_over(folder, window, **changes)
    assert earlier(store, about, add(store, about)).take({PLAIN: None}) == {}


def test_another_controller_takes_nothing(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    insert(store, add(store, walking), window.scenario, [0, 1, 2, 3])
    about = plain_over(folder, window)
    definition = defined(about, NEEDS, "d" * 64, digest_of, Silent())
    store.add_sweep(definition, about.text, {})
    assert earlier(store, about, definition).take({PLAIN: None}) == {}


@pytest.mark.parametrize("scenario", [{"noise": 1}, {"cost": 2.0}, {"fills": "stock"}, {"delay": 1}, {"jitter": 0.1}])
def test_other_scenarios_are_computed_by_themselves(store: Store, folder: Path, scenario: dict[str, Any]) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    insert(store, add(store, walking), Scenario(start=window.start, end=window.end, **scenario), [0, 1])
    about = plain_over(folder, window)
    plain = add(store, about)
    rows = earlier(store, about, plain)
    assert rows.take({PLAIN: None}) == {}
    assert rows.take({Scenario(**scenario): None}) == {}


def test_changed_candles_take_nothing_and_it_is_said(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0, 1, 2, 3])
    write_candles(folder / "candles", rows=24 * 60, seed=2)
    about = plain_over(folder, window)
    assert earlier(store, about, add(store, about)).take({PLAIN: None}) == {}
    (sentence,) = said
    assert sentence.startswith(f"sweep {walk.sweep} of this folder has rows of the same period, but not on the")


def test_more_candles_after_the_period_change_nothing(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0, 1, 2, 3])
    file = write_candles(folder / "candles", rows=24 * 60)
    last = file.read_text().splitlines()[-1].split(",")
    with file.open("a") as lines:
        lines.write(",".join([str(int(last[0]) + 60), *last[1:]]) + "\n")
    about = plain_over(folder, window)
    assert earlier(store, about, add(store, about)).take({PLAIN: None}) == {walk.sweep: POINTS}
    assert said == []


def test_a_period_with_another_warm_up_takes_nothing(store: Store, folder: Path) -> None:
    """Where a feed's file begins inside the warm-up of one of them, they see other candles."""
    walking = sweep(folder, (2, 20), validate=WALK)
    window = windows_of(walking).folds[0].train
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0])
    file = folder / "candles" / "candles_binance_perpetual_BTC-USDT_1m.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *lines[1 + 115 :]]) + "\n")
    about = plain_over(folder, window)
    assert earlier(store, about, add(store, about)).take({PLAIN: None}) == {}
    assert len(said) == 1


def test_a_longer_candle_that_only_the_plain_sweep_shows_makes_them_differ(store: Store, folder: Path) -> None:
    needs = [*NEEDS, FeedNeed("binance_perpetual", "BTC-USDT", "1h", 1)]
    walking = sweep(folder, (2, 20), validate={"walk_forward": {"train": "290m", "test": "170m"}, "embargo": 0})
    window = windows_of(walking).folds[0].train
    walk = defined(walking, needs, "c" * 64, digest_of, Silent())
    store.add_sweep(walk, walking.text, {})
    insert(store, walk, window.scenario, [0])
    about = plain_over(folder, window)
    plain = defined(about, needs, "c" * 64, digest_of, Silent())
    store.add_sweep(plain, about.text, {})
    assert earlier(store, about, plain).take({PLAIN: None}) == {}
    assert said == []


def test_a_pair_that_gives_signals_only_has_the_same_candles_too(store: Store, folder: Path) -> None:
    """Its short candles, of which the live engine builds unfinished ones, begin with a window as with a plain sweep."""
    write_candles(folder / "candles", pair="ETH-USDT", rows=24 * 60, seed=5)
    needs = [*NEEDS, FeedNeed("binance_perpetual", "ETH-USDT", "1h", 1)]
    walking = sweep(folder, validate={**WALK, "embargo": 0}, seed=4)
    window = windows_of(walking).folds[1].test
    walk = defined(walking, needs, "c" * 64, digest_of, Silent())
    assert "binance_perpetual_ETH-USDT_1m" in walk.slices
    store.add_sweep(walk, walking.text, {})
    insert(store, walk, window.scenario, [0])
    about = plain_over(folder, window, seed=4)
    plain = defined(about, needs, "c" * 64, digest_of, Silent())
    store.add_sweep(plain, about.text, {})
    assert earlier(store, about, plain).take({PLAIN: None}) == {walk.sweep: 1}


def test_finer_candles_and_series_are_the_same_where_their_files_are(store: Store, folder: Path) -> None:
    write_candles(folder / "candles", rows=22 * HOUR, interval="1s")
    rows = "\n".join(f"{START + hour * HOUR},{hour}" for hour in range(24))
    (folder / "mood.csv").write_text(f"timestamp,mood\n{rows}\n")
    keys = {"fill_detail": "1s", "series": {"mood": str(folder / "mood.csv")}}
    walking = sweep(folder, validate=WALK, **keys)
    window = windows_of(walking).folds[1].test
    walk = add(store, walking)
    assert "binance_perpetual_BTC-USDT_1s" in walk.slices
    insert(store, walk, window.scenario, [0, 1])
    about = plain_over(folder, window, **keys)
    plain = add(store, about)
    assert earlier(store, about, plain).take({PLAIN: None}) == {walk.sweep: 2}
    (folder / "mood.csv").write_text(f"timestamp,mood\n{rows.replace(',7', ',8')}\n")
    changed = add(store, about)
    assert changed.sweep != plain.sweep
    assert earlier(store, about, changed).take({PLAIN: None}) == {}


def test_failed_points_are_taken_but_not_those_of_crashes_nor_for_who_tries_again(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    walk = add(store, walking)
    for point, status in enumerate(("ok", "error", "crashed", "timeout")):
        insert(store, walk, window.scenario, [point], status)
    about = plain_over(folder, window)
    plain = add(store, about)
    earlier(store, about, plain, errors=False).take({PLAIN: None})
    assert [row["point"] for row in store.rows(plain.sweep)] == [0]
    earlier(store, about, plain).take({PLAIN: None})
    assert [row["point"] for row in store.rows(plain.sweep)] == [0, 1]


def test_a_point_that_has_a_row_keeps_it(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0, 1, 2, 3])
    about = plain_over(folder, window)
    plain = add(store, about)
    insert(store, plain, PLAIN, [1], "error")
    assert earlier(store, about, plain).take({PLAIN: None}) == {walk.sweep: 3}
    assert [row["status"] for row in store.rows(plain.sweep)] == ["ok", "error", "ok", "ok"]


def test_windows_whose_returns_an_earlier_version_kept_at_another_interval_are_left(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0, 1], each_s=1800)
    about = plain_over(folder, window)
    assert earlier(store, about, add(store, about)).take({PLAIN: None}) == {}


def test_a_column_has_the_type_that_the_copied_rows_give_it(store: Store, folder: Path) -> None:
    """Not that of rows which were not copied: a table is as if its rows had been computed."""
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].test
    about = plain_over(folder, window)
    plain = add(store, about)
    for point, value in ((0, 7), (1, "many")):
        row = {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.5, "own": value}
        store.insert(plain.sweep, Rows.from_dicts(f"1:{point}-{point}", "node/1", 1.0, [row]))
    walk = add(store, walking)
    earlier(store, walking, walk).take({window.scenario: [0]})
    assert str(store.table(walk.sweep, scenario=str(window.scenario)).schema.field("own").type) == "int64"
    earlier(store, walking, walk).take({window.scenario: [1]})
    assert str(store.table(walk.sweep, scenario=str(window.scenario)).schema.field("own").type) == "string"


def test_rows_taken_twice_over_keep_their_returns(store: Store, folder: Path) -> None:
    """From a window to a plain sweep, from there to another walk-forward; parts of chunks each time."""
    walking = sweep(folder, validate=WALK)
    window = windows_of(walking).folds[0].train
    walk = add(store, walking)
    insert(store, walk, window.scenario, [0, 1, 2])
    about = plain_over(folder, window)
    plain = add(store, about)
    insert(store, plain, PLAIN, [1])
    earlier(store, about, plain).take({PLAIN: None})
    again = sweep(folder, validate={**WALK, "holdout": "2h"})
    last = add(store, again)
    assert earlier(store, again, last).take({window.scenario: None}).total() == 3
    assert same_rows(store, (last.sweep, str(window.scenario)), (walk.sweep, str(window.scenario)))
    assert sum(node["points"] for node in store.nodes(plain.sweep)) == 3


class Listening(Silent):
    """Keeps what is said."""

    def say(self, text: str) -> None:
        said.append(text)


def session(store: Store, about: Sweep, definition: SweepDefinition) -> SweepSession:
    nobody: Any = None
    return SweepSession(about, definition, store, nobody, Listening(), Settings())


def test_what_is_taken_is_said_in_one_line_and_only_then(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate=WALK)
    train = [fold.train for fold in windows_of(walking).folds]
    about = plain_over(folder, train[0])
    plain = add(store, about)
    insert(store, plain, PLAIN, [0, 1, 3])
    walk = session(store, walking, add(store, walking))
    walk.take_whole(whole_scenarios(walking))
    assert said == [
        f"rows: 3 of the 12 points of the sweep and its windows were computed by an earlier sweep of this folder "
        f"({plain.sweep}) on the same candles: they are taken from there"
    ]
    assert walk.reused == {plain.sweep: 3}
    walk.take_whole(whole_scenarios(walking))
    assert len(said) == 1


def test_an_estimate_counts_what_is_still_to_be_computed(store: Store, folder: Path) -> None:
    """Not what has its rows, nor a test window of which a plain sweep has all: whatever is chosen is among them."""
    walking = sweep(folder, validate=WALK)
    folds = windows_of(walking).folds
    assert len(folds) == 2
    nothing = planned_candles(walking)
    assert nothing is not None
    each = {name: nothing[f"{name}_candles"] // (2 * POINTS) for name in ("train", "test")}
    test = plain_over(folder, folds[1].test)
    insert(store, add(store, test), PLAIN, [0, 1, 2, 3])
    walk = add(store, walking)
    insert(store, walk, folds[0].train.scenario, [0, 1, 2])
    planned = planned_candles(walking, session(store, walking, walk).rows_there)
    assert planned is not None
    assert planned["train_candles"] == each["train"] * (2 * POINTS - 3)
    assert planned["test_candles"] == each["test"] * POINTS
    assert planned["holdout_candles"] == nothing["holdout_candles"]


class TakingSession(SweepSession):
    """Computes nothing: fails where a row is not there already."""

    def compute(self, work: Mapping[Scenario, Iterable[int] | None], stage: str) -> Summary:
        self.take_earlier(work)
        for scenario, points in work.items():
            assert points is not None
            assert self.store.statuses(self.definition.sweep, points, str(scenario)).keys() == set(points)
        return Summary(self.definition.sweep, 0, 0, 0, 0.0, 0)


def test_a_look_at_a_holdout_counts_also_where_a_plain_sweep_has_computed_its_rows(store: Store, folder: Path) -> None:
    walking = sweep(folder, validate={**WALK, "holdout_points": 1})
    window = windows_of(walking).holdout
    assert window is not None
    insert(store, add(store, plain_over(folder, window)), PLAIN, [0, 1, 2, 3])
    walk = add(store, walking)
    insert(store, walk, PLAIN, [0, 1, 2, 3])
    nobody: Any = None
    asking = TakingSession(walking, walk, store, nobody, Silent(), Settings())
    asking.take_whole(whole_scenarios(walking))
    assert store.scenarios(walk.sweep) == []  # nothing of the hold-out before the look
    found = holdout(asking, rank(store.table(walk.sweep), "net_pnl", None, grid=walking.grid, top=1))
    assert found is not None
    assert (found["looks"], len(found["points"])) == (2, 2)  # the plain sweep was ranked on the hold-out
    assert len(store.table(walk.sweep, scenario=str(window.scenario))) == 2
    assert len(store.meta(walk.sweep)["holdout_looks"]) == 1


@pytest.mark.parametrize(
    ("hours", "keys", "pair", "looks"),
    [
        ((2, 20), {}, "BTC-USDT", 2),  # the hold-out was in its period
        ((2, 15), {}, "BTC-USDT", 1),  # ended before it
        ((2, 20), {}, "ETH-USDT", 1),
        ((10, 20), {"validate": {"holdout": "2h"}}, "BTC-USDT", 2),  # ranked on a part of it, and did not look
    ],
)
def test_a_sweep_that_was_ranked_on_the_holdout_has_looked_at_it(
    store: Store, folder: Path, hours: tuple[float, float], keys: dict[str, Any], pair: str, looks: int
) -> None:
    before = definition_of(sweep(folder, hours, **keys))
    before = dataclasses.replace(before, controller={**before.controller, "trading_pair": pair})
    store.add_sweep(before, "", {})
    insert(store, before, PLAIN, [0])
    walking = sweep(folder, validate={**WALK, "holdout_points": 1})
    walk = add(store, walking)
    insert(store, walk, PLAIN, [0, 1, 2, 3])
    window = windows_of(walking).holdout
    assert window is not None
    insert(store, walk, window.scenario, [0, 1, 2, 3])
    nobody: Any = None
    asking = TakingSession(walking, walk, store, nobody, Silent(), Settings())
    found = holdout(asking, rank(store.table(walk.sweep), "net_pnl", None, grid=walking.grid, top=1))
    assert found is not None
    assert found["looks"] == looks
