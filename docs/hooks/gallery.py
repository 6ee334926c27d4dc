"""Pictures of the pages that a run leaves behind: `make gallery RUN=runs/cnn2d_lstm_numbers`.

Needs Chromium. The pictures lie in docs/images/.
"""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from kaskad.reports.report import find_results

IMAGES = Path(__file__).resolve().parents[1] / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30.0  # seconds for a server to begin


def main(run: Path) -> None:
    folder = find_results(run).parents[1]
    report = (folder / "report.html").resolve()
    IMAGES.mkdir(exist_ok=True)
    take(report.as_uri(), "report.png", width=1200, height=1000)
    take(report.as_uri(), "report_narrow.png", width=400, height=800)
    take_tensorboard(folder / "tensorboard")


def take(address: str, name: str, width: int, height: int) -> None:
    """Have a browser without a window draw a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"there is none of {', '.join(BROWSERS)} here; install one")
    subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--virtual-time-budget=15000",
            f"--window-size={width},{height}",
            f"--screenshot={IMAGES / name}",
            address,
        ],
        check=True,
        capture_output=True,
    )
    print(IMAGES / name)


def take_tensorboard(logs: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "tensorboard.main", f"--logdir={logs}", f"--port={port}"]
    server = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(address)
        take(f"{address}?darkMode=false#custom_scalars", "tensorboard.png", width=1200, height=900)
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    """Until a server answers; raises ``SystemExit`` if it does not."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{address} does not answer")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/cnn2d_lstm_numbers"))
