"""The README's pictures: the quickstart sweep's report, the page of `serve`, and Flower while the sweep runs.

    make examples/data && .venv/bin/python benchmarks/screenshots.py --to docs/images

Needs Chromium on the machine (Debian: chromium). Everything runs on loopback and is stopped by id at the end.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import yaml

from orchestrator.cluster import broker
from orchestrator.report.serve import listening
from tasks.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.browser import Browser, Page

SWEEP = REPOSITORY / "examples" / "quickstart.yml"
FLOWER_READY_S = 60.0


def main() -> None:
    """Run the sweep, take the pictures."""
    parser = argparse.ArgumentParser(description="Take the README's screenshots.")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "examples" / "images", help="folder of the pictures")
    to: Path = parser.parse_args().to.resolve()
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hummingsweep-screenshots-") as scratch:
        os.chdir(scratch)  # so that the pages show `runs/quickstart`, as a user has it
        runs = Path("runs")
        with Browser.start(Path(scratch) / "profile") as browser:
            watched(browser, runs, to)
            reported(browser, (runs / "quickstart" / "report.html").resolve(), to)
        os.chdir(REPOSITORY)
    for picture in sorted(to.glob("*.png")):
        print(f"{picture}: {picture.stat().st_size // 1024} kB")


def watched(browser: Browser, runs: Path, to: Path) -> None:
    """Flower and `serve` after the quickstart, while a finer one runs, on a broker and a node of their own."""
    settings = dataclasses.replace(Settings.read({}), key=secrets.token_hex(32))
    password, port = secrets.token_hex(8), free_port()
    with broker.session(settings) as cluster:
        environment = {
            **os.environ,
            **cluster.settings.to_environment(),
            "HUMMINGSWEEP_FLOWER_AUTH": f"reader:{password}",
        }
        command = [sys.executable, "-m", "orchestrator.cli"]
        flower = subprocess.Popen([*command, "flower", "--port", str(port)], env=environment)
        sweep = None
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/healthcheck")
            subprocess.run([*command, "run", SWEEP, "--out", runs / "quickstart"], env=environment, check=True)
            # small chunks, so that Flower has many of them to show
            environment["HUMMINGSWEEP_CHUNK_SECONDS"] = "0.5"
            sweep = subprocess.Popen([*command, "run", finer(runs), "--out", runs / "finer"], env=environment)
            with listening(runs, port=0) as server:
                answering = threading.Thread(target=server.serve_forever)
                answering.start()
                try:
                    page = browser.open(server.url, width=1000, height=420)
                    page.wait_for("document.querySelector('.sweeps').textContent.includes('points/s')")
                    page.screenshot(to / "serve.png", height=420)
                    signed_in = address.replace("http://", f"http://reader:{password}@")
                    for name in ("workers", "tasks"):
                        page = browser.open(f"{signed_in}/{name}", width=1280, height=720)
                        page.wait_for("document.querySelectorAll('tbody tr td').length > 3")
                        # Flower's table heads are measured before its style sheet is in
                        page.evaluate("dispatchEvent(new Event('resize'))")
                        page.settle()
                        page.screenshot(to / f"flower-{name}.png", height=720 if name == "tasks" else 560)
                    sweep.send_signal(signal.SIGINT)  # there are pictures enough
                    sweep.wait()
                finally:
                    server.shutdown()
                    answering.join()
        finally:
            for process in (sweep, flower):
                if process is not None and process.poll() is None:
                    process.terminate()
                    process.wait()


def finer(folder: Path) -> Path:
    """The quickstart with so many values of its last axis that it runs for a minute or two."""
    sweep = yaml.safe_load(SWEEP.read_text())
    sweep["name"] = "finer"
    sweep |= {key: str(SWEEP.parent / sweep[key]) for key in ("candles", "controllers")}
    sweep["grid"]["stop_loss"] = {"linspace": [0.004, 0.04, 200]}
    file = folder / "finer.yml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    return file


def reported(browser: Browser, report: Path, to: Path) -> None:
    """The report at an orchestrator, in the dark and on a phone."""
    page = drawn(browser.open(report.as_uri(), width=1280, height=900))
    page.screenshot(to / "report.png", height=1180)
    section(page, "article", to / "report-point.png")
    dark = drawn(browser.open(report.as_uri(), width=1280, height=900, dark=True))
    section(dark, "#pairs", to / "report-maps-dark.png")
    section(dark, "#parallel", to / "report-parallel-dark.png")
    phone = drawn(browser.open(report.as_uri(), width=390, height=844, phone=True, scale=1.5))
    phone.screenshot(to / "report-phone.png", height=1100)


def drawn(page: Page) -> Page:
    """With every chart of the page drawn."""
    page.wait_for("document.documentElement.dataset.ready === 'yes'")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.settle()
    return page


def section(page: Page, selector: str, to: Path) -> None:
    """The picture of one part of a page."""
    box = f"document.querySelector('{selector}').getBoundingClientRect()"
    top, height = page.evaluate(f"[{box}.top + scrollY, {box}.height]")
    page.screenshot(to, top=max(0, int(top) - 12), height=int(height) + 24)


def wait_for(url: str) -> None:
    """Until an address answers."""
    end = time.monotonic() + FLOWER_READY_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
