"""The report and the page of `serve` in a real headless Chromium: they draw, complain of nothing and ask nobody."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orchestrator.report.page import write_report
from orchestrator.report.serve import listening
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tasks.grid import Grid
from tasks.protocol.messages import Rows
from tests import made
from tests.browser import Browser, Page, program

pytestmark = pytest.mark.skipif(program() is None, reason="no Chromium on this machine: browser tests are left out")

HOSTILE = "</script><img src=http://example.invalid/x onerror=window.broken=1><a href='http://example.invalid'>%{x}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser.start(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 160 points, two of them with curves."""
    return written(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def open_pages(browser: Browser, report: Path) -> dict[str, Page]:
    """The report in a wide window and on a phone, every chart drawn, for tests that leave it as it was."""
    pages = {
        "desktop": opened(browser, report),
        "phone": opened(browser, report, width=390, height=844, phone=True),
    }
    for page in pages.values():
        page.call("Page.bringToFront")
        scrolled_through(page)
    return pages


@pytest.fixture
def desktop(open_pages: dict[str, Page]) -> Page:
    """In front: a tab behind another one is not told of a change of colours."""
    open_pages["desktop"].call("Page.bringToFront")
    return open_pages["desktop"]


@pytest.fixture
def phone(open_pages: dict[str, Page]) -> Page:
    open_pages["phone"].call("Page.bringToFront")
    return open_pages["phone"]


@pytest.fixture(autouse=True)
def closed_tabs(browser: Browser, open_pages: dict[str, Page]) -> Iterator[None]:
    """Every tab that a test opens is closed after it."""
    yield
    browser.close_pages(*open_pages.values())


def written(folder: Path, **changes: object) -> Path:
    sweep = made.store(folder, **changes)  # type: ignore[arg-type]
    details = [made.detail_row(7), made.detail_row(8)]
    with StoreReader.open(folder) as store:
        return write_report(store, sweep, folder / "report.html", details=details)


def opened(browser: Browser, report: Path, **device: bool | int) -> Page:
    page = browser.open(report.as_uri(), **device)  # type: ignore[arg-type]
    page.wait_for("document.documentElement.dataset.ready === 'yes'")
    return page


DRAWN = "[...document.querySelectorAll('[data-chart]')].every((chart) => chart.querySelector('svg'))"


def drawn(page: Page) -> None:
    """Before it is printed, a page draws every chart."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for(DRAWN, 20)


def scrolled_through(page: Page) -> None:
    """Every chart near the window is drawn; so go everywhere, inside the folds too."""
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    height, top = page.evaluate("document.documentElement.scrollHeight"), 0
    while top < height:
        page.evaluate(f"scrollTo(0, {top})")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        top += 700
    page.wait_for(DRAWN, 20)


def test_it_draws_everything_and_asks_for_nothing(browser: Browser, report: Path, desktop: Page, phone: Page) -> None:
    dark = opened(browser, report, dark=True)
    scrolled_through(dark)
    for page in (desktop, dark, phone):
        assert page.evaluate("document.querySelectorAll('[data-chart]').length") == 2 + 2 + 1 + 4 + 6 + 1
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], "the page is wider than the window"
        assert page.errors == []
        assert page.requests == [report.as_uri()]


def test_the_browser_itself_refuses_requests(browser: Browser, report: Path) -> None:
    """The policy works: an attempt from inside the page is stopped, so that none could leave unseen."""
    page = opened(browser, report)
    outcome = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')")
    assert outcome == "refused"
    assert any("Content Security Policy" in error for error in page.errors)


@pytest.mark.long
def test_100_000_points_open(browser: Browser, tmp_path: Path) -> None:
    report = written(tmp_path, grid=made.LARGE)
    page = opened(browser, report)
    assert "100,000" in page.evaluate("document.querySelector('.tiles').textContent")
    scrolled_through(page)
    assert page.evaluate("document.querySelectorAll('svg.parallel path').length") == 600
    assert page.evaluate("document.querySelectorAll('*').length") < 40_000
    assert page.errors == []
    assert page.requests == [report.as_uri()]


def test_a_heading_sorts_the_ranking(desktop: Page) -> None:
    page = desktop
    column = "[...document.querySelector('.sortable').tBodies[0].rows].map((row) => Number(row.cells[1].textContent))"
    head = "document.querySelector('.sortable').tHead.rows[0].cells[1]"
    before = page.evaluate(column)
    page.evaluate(f"{head}.querySelector('button').click()")
    assert page.evaluate(f"{head}.getAttribute('aria-sort')") == "ascending"
    assert page.evaluate(column) == sorted(before) != before
    page.evaluate(f"{head}.querySelector('button').click()")
    assert page.evaluate(column) == sorted(before, reverse=True)


def test_trades_are_a_table_that_sorts_and_can_be_saved(desktop: Page) -> None:
    page = desktop
    fold = "document.querySelector('details[data-trades]')"
    page.evaluate(f"{fold}.open = true")
    page.wait_for(f"{fold}.querySelector('tbody tr')")
    pnl = f"[...{fold}.querySelectorAll('tbody tr')].map((row) => Number(row.cells[6].dataset.value))"
    before = page.evaluate(pnl)
    assert len(before) == 60
    page.evaluate(f"{fold}.querySelectorAll('thead th button')[6].click()")
    assert page.evaluate(pnl) == sorted(before)
    page.evaluate("URL.createObjectURL = (blob) => { window.saved = blob; return 'blob:none'; }")
    page.evaluate("HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; }")
    page.evaluate(f"{fold}.querySelector('.tools button').click()")
    lines = page.evaluate("window.saved.text()").splitlines()
    assert re.fullmatch(r"trades-point-\d+\.csv", page.evaluate("window.savedAs"))
    assert lines[0] == "opened,side,entry_price,closed,exit_price,close_type,pnl,executor"
    assert len(lines) == 61
    assert page.errors == []


def test_the_first_columns_stay_when_a_phone_scrolls_the_ranking(phone: Page) -> None:
    page = phone
    page.evaluate("document.querySelector('.sticky').scrollLeft = 0")
    left = "document.querySelector('.sticky tbody tr').cells[{}].getBoundingClientRect().left"
    before = page.evaluate(left.format(4))
    page.evaluate("document.querySelector('.sticky').scrollLeft = 60")
    frame = page.evaluate("document.querySelector('.sticky').getBoundingClientRect().left")
    assert page.evaluate(left.format(0)) == pytest.approx(frame, abs=2)
    assert page.evaluate(left.format(1)) == pytest.approx(frame + 58, abs=3)
    assert page.evaluate(left.format(4)) == pytest.approx(before - 60, abs=1)


def test_dragging_along_an_axis_chooses_lines(desktop: Page) -> None:
    page = desktop
    page.evaluate("document.getElementById('parallel').scrollIntoView()")
    page.wait_for("document.querySelector('svg.parallel')")
    box = page.evaluate(
        "(({ x, y, width, height }) => [x, y, width, height])"
        "(document.querySelectorAll('.parallel .hit')[0].getBoundingClientRect())"
    )
    across, top, bottom = box[0] + box[2] / 2, box[1] + 2, box[1] + box[3] * 0.4

    def mouse(kind: str, down: float) -> None:
        page.call("Input.dispatchMouseEvent", type=kind, x=across, y=down, button="left", buttons=1, clickCount=1)

    mouse("mousePressed", top)
    mouse("mouseMoved", (top + bottom) / 2)
    mouse("mouseMoved", bottom)
    mouse("mouseReleased", bottom)
    # bb_length 80 and 100 of five values lie in the upper part of their axis
    assert page.evaluate("document.getElementById('parallel-count').textContent").startswith("64 of 160 lines")
    assert page.evaluate("document.querySelectorAll('.parallel path.out').length") == 96
    mouse("mousePressed", bottom)
    mouse("mouseReleased", bottom)
    assert page.evaluate("document.querySelectorAll('.parallel path.out').length") == 0
    assert page.errors == []


def test_maps_change_from_mean_to_best(desktop: Page) -> None:
    page = desktop
    first = "document.querySelector('[data-chart=map]').data[0].z[0][0]"
    mean = page.evaluate(first)
    page.evaluate("document.getElementById('statistic').value = 'best'")
    page.evaluate("document.getElementById('statistic').dispatchEvent(new Event('change'))")
    page.settle()
    assert page.evaluate(first) > mean
    page.evaluate("document.getElementById('statistic').value = 'mean'")
    page.evaluate("document.getElementById('statistic').dispatchEvent(new Event('change'))")


def test_charts_follow_a_switch_to_dark(desktop: Page) -> None:
    page = desktop
    colour = "document.querySelector('[data-chart=distribution]').layout.font.color"
    light = page.evaluate(colour)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    page.wait_for(f"{colour} !== '{light}'", 20)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    page.wait_for(f"{colour} === '{light}'", 20)
    assert page.errors == []


def test_no_button_sends_a_chart_away(desktop: Page) -> None:
    page = desktop
    buttons = page.evaluate("[...new Set([...document.querySelectorAll('.modebar-btn')].map((b) => b.dataset.title))]")
    assert sorted(buttons) == ["Download plot as a PNG", "Pan", "Reset axes", "Zoom"]


def test_what_users_wrote_is_shown_and_does_nothing(browser: Browser, tmp_path: Path) -> None:
    report = written(
        tmp_path,
        grid={HOSTILE: [HOSTILE, "b"], "c": [1, 2, 3], "d": [HOSTILE, 2]},
        failed={2: HOSTILE},
        sweep_file=HOSTILE,
    )
    page = opened(browser, report)
    drawn(page)
    assert page.evaluate("window.broken") is None
    assert page.evaluate("document.querySelectorAll('main img, svg a, .chart a[href]').length") == 0
    assert page.evaluate("document.querySelector('#failed td.wrap').textContent") == HOSTILE
    assert page.errors == []
    assert page.requests == [report.as_uri()]


def test_the_page_of_serve_follows_a_running_sweep(browser: Browser, tmp_path: Path) -> None:
    sweep = made.store(tmp_path / "bands", points=range(40))
    grid, chance = Grid.from_mapping(made.GRID), np.random.default_rng(1)
    with listening(tmp_path, port=0) as server, Store.create(tmp_path / "bands") as store:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page = browser.open(server.url)
            page.wait_for("document.querySelector('progress')?.value === 40", 20)
            assert page.evaluate("document.querySelector('.state').textContent") == "running"
            rows = [made.row(grid, point, chance) for point in range(40, 100)]
            store.insert(sweep, Rows.from_dicts("1:40-99", "here/0", 1.0, rows))
            page.wait_for("document.querySelector('progress')?.value === 100", 20)
            page.wait_for("document.querySelector('.sweeps').textContent.includes('points/s')", 20)
            store.close()
            page.wait_for("document.querySelector('.state').textContent === 'stopped'", 20)
            link = page.evaluate("document.querySelector('.sweeps a').href")
            assert page.errors == []
            assert all(address.startswith(server.url) for address in page.requests)
            served = browser.open(link)
            served.wait_for("document.documentElement.dataset.ready === 'yes'")
            assert "60 of 160 points have no row yet" in served.evaluate("document.body.textContent")
            assert served.errors == []
            assert served.requests == [link]
        finally:
            server.shutdown()
            thread.join()
