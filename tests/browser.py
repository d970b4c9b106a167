"""A real headless Chromium, driven over its DevTools protocol: no driver program, no browser library.

with Browser.start(profile_folder) as browser:
    page = browser.open(file.as_uri(), width=1280)
    page.evaluate("document.title"), page.errors, page.requests, page.screenshot(path)
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

#: Names of the program, Debian's first.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_PROGRAM = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
#: The background networking of a browser would be refused on a closed network, many times a second.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    # a headless page is never in front; without these the browser starves it on a busy machine
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--remote-debugging-port=0",
)
READY_S = 60.0


def program() -> str | None:
    """Chromium or Chrome on this machine; None when there is none."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    return found or (str(MAC_PROGRAM) if MAC_PROGRAM.is_file() else None)


@dataclass(eq=False)
class Page:
    """One tab. What it logged and asked for is gathered from the start."""

    connection: ClientConnection
    #: errors and warnings of the console, uncaught exceptions
    errors: list[str] = field(default_factory=list)
    #: addresses asked for, the page's own among them; data: and blob: addresses are not requests
    requests: list[str] = field(default_factory=list)
    _last: int = 0
    _loaded: bool = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its answer. Raises RuntimeError for a refusal."""
        self._last += 1
        self.connection.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = self._receive(READY_S)
            if message.get("id") == self._last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                answer: dict[str, Any] = message["result"]
                return answer

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression (promises are awaited). Raises RuntimeError for an exception."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", expression))
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = READY_S) -> None:
        """Until an expression is true. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not true within {seconds:g} s: {expression}; errors: {self.errors}")
            time.sleep(0.05)

    def load(self, url: str) -> float:
        """Go to an address and wait for its load event; seconds it took."""
        self._loaded = False
        started = time.monotonic()
        self.call("Page.navigate", url=url)
        while not self._loaded:
            self._receive(READY_S)
        return time.monotonic() - started

    def screenshot(self, path: Path, *, height: int | None = None, top: int = 0) -> Path:
        """PNG of the whole page, or of `height` pixels of it from `top` on."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        width = self.evaluate("innerWidth")
        clip = {"x": 0, "y": top, "width": width, "height": height or size["height"] - top, "scale": 1}
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def settle(self) -> None:
        """Take in what has been sent meanwhile."""
        self.evaluate("new Promise((done) => setTimeout(done, 150))")

    def _receive(self, seconds: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=seconds))
        what = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                details = what["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled" if what["type"] in ("error", "warning", "assert"):
                self.errors.append(" ".join(str(part.get("value", part.get("description"))) for part in what["args"]))
            case "Log.entryAdded" if what["entry"]["level"] in ("error", "warning"):
                self.errors.append(what["entry"]["text"])
            case "Network.requestWillBeSent" if not what["request"]["url"].startswith(("data:", "blob:")):
                self.requests.append(what["request"]["url"])
        return message


@dataclass
class Browser:
    """The program and its debugging port."""

    process: subprocess.Popen[bytes]
    port: int
    pages: list[Page] = field(default_factory=list)

    @classmethod
    def start(cls, profile: Path) -> Browser:
        """Start it with an empty profile folder. Raises FileNotFoundError without Chromium, TimeoutError."""
        found = program()
        if found is None:
            raise FileNotFoundError("no Chromium on this machine")
        profile.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [found, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        told = profile / "DevToolsActivePort"
        end = time.monotonic() + READY_S
        while not told.is_file() or not told.read_text().strip():
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise TimeoutError(f"{found} did not start (exit code {process.poll()})")
            time.sleep(0.05)
        return cls(process, int(told.read_text().split()[0]))

    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        phone: bool = False,
        scale: float = 1,
    ) -> Page:
        """A new tab at an address, with the size and colours of a device."""
        order = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(order, timeout=READY_S) as answer:
            address = json.load(answer)["webSocketDebuggerUrl"]
        page = Page(connect(address, max_size=None, compression=None, proxy=None))
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        page.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        page.call("Emulation.setEmulatedMedia", features=colours)
        page.load(url)
        self.pages.append(page)
        return page

    def close_pages(self, *kept: Page) -> None:
        """Close the tabs that were opened, except `kept`: each holds memory and draws."""
        for page in self.pages:
            if page not in kept:
                with contextlib.suppress(RuntimeError, OSError, ConnectionClosed):
                    page.call("Page.close")
                page.connection.close()
        self.pages = [page for page in self.pages if page in kept]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
