"""Every notebook runs from top to bottom and draws its pictures."""

import runpy
from pathlib import Path

import pytest

import kaskad
from kaskad.sweeps.results import JobResult

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
TINY = ["trainer.max_epochs=1", "debug=fast", "model.encoder.hidden_size=8"]


@pytest.fixture
def run_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs one in an empty folder, with trainings cut short; returns how many pictures it drew."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    def run(name: str) -> int:
        monkeypatch.chdir(tmp_path)
        pyplot.close("all")
        runpy.run_path(str(NOTEBOOKS / f"{name}.py"))
        pictures = len(pyplot.get_fignums())
        pyplot.close("all")
        return pictures

    return run


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
class TestNotebooks:
    @pytest.mark.slow
    def test_first_look(self, run_notebook, monkeypatch, capsys) -> None:
        train = kaskad.train
        monkeypatch.setattr(kaskad, "train", lambda overrides: train([*overrides, *TINY]))
        assert run_notebook("first_look") == 1
        assert "test/wer" in capsys.readouterr().out

    def test_data_report(self, run_notebook, tone_corpus: Path, monkeypatch, capsys) -> None:
        monkeypatch.setenv("KASKAD_DATA_TABLE", str(tone_corpus))
        assert run_notebook("data_report") >= 1
        assert "different words" in capsys.readouterr().out

    @pytest.mark.slow
    def test_compare_runs(self, run_notebook, tone_corpus: Path, tmp_path, monkeypatch) -> None:
        for seed in range(2):
            folder = tmp_path / "sweep" / str(seed)
            figures = train_tones(tone_corpus, folder, f"seed={seed}")
            JobResult(seed, [f"seed={seed}", "optimizer.lr=0.01"], figures).write(folder)
        monkeypatch.setenv("KASKAD_SWEEP", str(tmp_path / "sweep"))
        assert run_notebook("compare_runs") == 2

    def test_attention(self, run_notebook, tone_corpus: Path, tmp_path, monkeypatch) -> None:
        sizes = ["model.attention_decoder.hidden_size=8", "model.attention_decoder.layers=1"]
        train_tones(tone_corpus, tmp_path / "run", "model=seq2seq_gru", *sizes)
        monkeypatch.setenv("KASKAD_RUN", str(tmp_path / "run"))
        assert run_notebook("attention") == 1


def train_tones(corpus: Path, folder: Path, *overrides: str) -> dict[str, float]:
    data = ["data=table", f"data.root={corpus}", "overlap=none", "logger=none"]
    return kaskad.train([*data, *TINY, f"hydra.run.dir={folder}", *overrides])
