"""Pictures of the pages that a run leaves behind: `make gallery RUN=runs/cnn2d_lstm_numbers`.

Needs Chromium. The pictures lie in docs/images/; that of MLflow is renewed where the run was logged
there: `python train.py logger=[tensorboard,mlflow]`.
"""

import io
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser import Page, browser
from PIL import Image

from kaskad.reports.report import find_results

IMAGES = Path(__file__).resolve().parents[1] / "images"
PATIENCE = 600.0  # seconds for a server to begin, on a busy machine
# TensorBoard's charts, which lie within others' shadows.
CHARTS = """(function all(root) {
    return [...root.querySelectorAll('*')].flatMap(
        each => [each, ...(each.shadowRoot ? all(each.shadowRoot) : [])])
})(document).some(each => each.localName === 'vz-line-chart2')"""
# Of MLflow 3:
ASSISTANT_HAS_OPENED = "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"
HIDDEN = "[data-assistant-ui], .modebar-container { display: none !important }"
SEARCH = "document.querySelector('[role=searchbox]')"
PLOTS = "document.querySelectorAll('.scatterlayer .js-line')"
VALIDATION = "[...document.querySelectorAll('div')].filter(each => each.innerText === 'validation')"


def main(run: Path) -> None:
    """Take a picture of each page of the newest run in a folder."""
    folder = find_results(run).parents[1]
    report = (folder / "report.html").resolve().as_uri()
    with browser(1100, 1045) as page:
        page.show(report)
        keep(page, "report.png")
    take_tensorboard(folder / "tensorboard")
    if (folder / "mlflow_run_id.txt").is_file():
        take_mlflow((folder / "mlflow_run_id.txt").read_text("utf-8").strip(), Path("runs"))


def take_tensorboard(logs: Path) -> None:
    # A relative path: the page shows it.
    program = ("-m", "tensorboard.main", f"--logdir={logs.name}", "--port={port}")
    with served(*program, folder=logs.parent) as address, browser(1400, 900) as page:
        page.show(f"{address}/?darkMode=false#custom_scalars&_smoothingWeight=0", CHARTS)
        keep(page, "tensorboard.png")


def take_mlflow(run: str, runs: Path) -> None:
    """The curves of validation, without the assistant that MLflow puts over its pages."""
    database = f"sqlite:///{(runs / 'mlflow.db').resolve()}"
    program = ("-m", "mlflow", "server", f"--backend-store-uri={database}", "--port={port}")
    with served(*program, "--workers=1") as address, browser(1400, 900) as page:
        page.show(f"{address}/version")
        page.run(f"localStorage.setItem('{ASSISTANT_HAS_OPENED}', 'true')")
        metrics = f"experiments/1/runs/{run}/model-metrics?workflowType=machine_learning"
        page.show(f"{address}/#/{metrics}", SEARCH, style=HIDDEN)
        page.run(f"{SEARCH}.focus()")
        page.call("Input.insertText", text="^validation/")
        page.wait(f"{VALIDATION}.length === 1")
        page.run(f"{VALIDATION}[0].scrollIntoView()")
        page.wait(f"{PLOTS}.length >= 5")
        keep(page, "mlflow.png")


def keep(page: Page, name: str) -> None:
    """Write what a page shows into docs/images/."""
    # Of 256 colours: a third of the size, and the eye sees no difference.
    picture = Image.open(io.BytesIO(page.picture())).convert("RGB")
    picture.quantize(dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
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
