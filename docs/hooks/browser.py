"""A browser without a window, controlled over the DevTools protocol: unlike ``--screenshot``, that
can wait for an element of the page."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PORT = "DevToolsActivePort"
PAUSE = 5.0  # seconds in which a page that is loading changes
PATIENCE = 300.0  # seconds for a page: MLflow's takes minutes on a busy machine


class Page:
    """The only page of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.asked = 0

    def show(self, address: str, until: str = "true", *, style: str = "") -> None:
        """Open an address, and ``wait``; ``style`` (CSS) is added to the page."""
        self.call("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && ({until})")
        add = "document.head.appendChild(document.createElement('style')).textContent"
        self.run(f"{add} = {json.dumps(style)}")

    def wait(self, until: str) -> None:
        """Wait until an expression in JavaScript is true; raises ``SystemExit`` if it never is."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({until})"):
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.run('location.href')}: never came to {until}")
            time.sleep(0.5)

    def run(self, script: str) -> Any:
        """The value of an expression in JavaScript, where JSON can hold it."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """What is on the screen, as a PNG, once it has stopped changing."""
        drawn, before = self._drawn(), b""
        while drawn != before:
            time.sleep(PAUSE)
            drawn, before = self._drawn(), drawn
        return drawn

    def _drawn(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A method of https://chromedevtools.github.io/devtools-protocol; returns its result."""
        self.asked += 1
        self.connection.send(json.dumps({"id": self.asked, "method": method, "params": params}))
        while True:  # events come between the answers
            answer = json.loads(self.connection.recv(timeout=PATIENCE))
            if answer.get("id") == self.asked:
                return answer["result"]


@contextmanager
def browser(width: int, height: int, *, scheme: str = "light") -> Iterator[Page]:
    """The page of a new browser, so many pixels large; ``scheme`` is "light" or "dark".

    Raises ``SystemExit`` where there is no browser.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"there is none of {', '.join(BROWSERS)} here; install one")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [found, "--headless", "--no-sandbox", "--hide-scrollbars"]
        command += ["--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        program = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(program, Path(folder, PORT)), max_size=None) as connection:
                page = Page(connection)
                size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
                page.call("Emulation.setDeviceMetricsOverride", **size)
                wanted = [{"name": "prefers-color-scheme", "value": scheme}]
                page.call("Emulation.setEmulatedMedia", features=wanted)
                yield page
        finally:
            program.terminate()
            program.wait()


def _address(program: subprocess.Popen[bytes], port: Path) -> str:
    """Where the page of a browser that begins takes commands; its ``port`` is in a file."""
    while not (port.is_file() and port.read_text().strip()):
        if program.poll() is not None:
            raise SystemExit(f"{program.args!r} ended with {program.returncode}")
        time.sleep(0.1)
    address = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        pages = json.load(answer)
    return next(each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
