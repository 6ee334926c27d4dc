"""The notebook draws the tables of a test, with errors and without."""

import runpy
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "error_analysis.py"


@pytest.mark.parametrize(
    ("hypotheses", "pictures"),
    # histogram, groups of speakers, length, letters, resamples
    [(["раз", "дви", "раз", "да"], 5), (["раз", "два", "раз", "два"], 4)],
)
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_notebook_draws_its_pictures(
    hypotheses: list[str], pictures: int, write_run, monkeypatch
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder, _ = write_run(["раз", "два"] * 2, hypotheses, speaker=["a", "a", "b", "b"])
    monkeypatch.setenv("KASKAD_RUN", str(folder))
    pyplot.close("all")
    runpy.run_path(str(NOTEBOOK))
    assert len(pyplot.get_fignums()) == pictures
    pyplot.close("all")
