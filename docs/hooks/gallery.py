"""Pictures of the pages that a run leaves behind: `make gallery RUN=runs/cnn2d_lstm_numbers`.

Needs Chromium. The pictures lie in docs/images/; that of MLflow is renewed where the run was logged
there: `python train.py logger=[tensorboard,mlflow]`.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from kaskad.reports.report import find_results

IMAGES = Path(__file__).resolve().parents[1] / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 180.0  # seconds for a server to begin


def main(run: Path) -> None:
    """Take a picture of each page of the newest run in a folder."""
    folder = find_results(run).parents[1]
    report = (folder / "report.html").resolve().as_uri()
    take(report, "report.png", width=1100, height=1045)
    take_tensorboard(folder / "tensorboard")
    if (folder / "mlflow_run_id.txt").is_file():
        take_mlflow((folder / "mlflow_run_id.txt").read_text("utf-8").strip(), Path("runs"))


def take_tensorboard(logs: Path) -> None:
    # A relative path: the page shows it.
    program = ("-m", "tensorboard.main", f"--logdir={logs.name}", "--port={port}")
    with served(*program, folder=logs.parent) as address:
        page = f"{address}/?darkMode=false#custom_scalars&_smoothingWeight=0"
        take(page, "tensorboard.png", width=1400, height=900)


def take_mlflow(run: str, runs: Path) -> None:
    database = f"sqlite:///{(runs / 'mlflow.db').resolve()}"
    program = ("-m", "mlflow", "server", f"--backend-store-uri={database}", "--port={port}")
    with served(*program, "--workers=1") as address:
        page = f"{address}/#/experiments/1/runs/{run}/model-metrics"
        take(page, "mlflow.png", width=1400, height=900)


def take(address: str, name: str, width: int, height: int) -> None:
    """Have a browser without a window draw a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"there is none of {', '.join(BROWSERS)} here; install one")
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder, name)
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
        command += ["--virtual-time-budget=20000", f"--window-size={width},{height}"]
        command += [f"--user-data-dir={folder}/profile", f"--screenshot={drawn}", address]
        subprocess.run(command, check=True, capture_output=True)
        # Of 256 colours: a third of the size, and the eye sees no difference.
        Image.open(drawn).convert("RGB").quantize(dither=Image.Dither.NONE).save(
            IMAGES / name, optimize=True
        )
    print(IMAGES / name, (IMAGES / name).stat().st_size // 1024, "KB")


@contextmanager
def served(*program: str, folder: Path = Path()) -> Iterator[str]:
    """The address at which a Python program serves, given a free ``{port}``, until it is left;
    ``folder`` is its working directory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, *(part.format(port=port) for part in program)],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"
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
    IMAGES.mkdir(exist_ok=True)
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/cnn2d_lstm_numbers"))
