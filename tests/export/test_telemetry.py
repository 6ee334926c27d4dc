"""What exports are run with reports nothing to its maker."""

import subprocess
import sys
from pathlib import Path


def test_onnxruntime_keeps_no_record_of_its_use(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import kaskad.export, onnxruntime"]
    source = str(Path(__file__).parents[2] / "src")
    subprocess.run(command, env={"HOME": str(tmp_path), "PYTHONPATH": source}, check=True)
    assert not list(tmp_path.rglob("*"))
