"""Models side by side: what changed is found, and chance is told from progress."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from kaskad.commands.compare import compare
from kaskad.evaluation.comparison import ComparisonError
from kaskad.metrics.classification import confuse
from kaskad.metrics.error_rates import score
from kaskad.metrics.scores import Scores

REFERENCES = ["раз два три"] * 40


@pytest.fixture
def write(tmp_path: Path):
    """Write the hypotheses of a model as the table of a run, and return the folder of the run."""

    def write_run(name: str, scores: Scores, first: int = 0) -> Path:
        folder = tmp_path / name
        (folder / "tables").mkdir(parents=True)
        ids = pl.Series("id", [f"u{first + n}" for n in range(scores.utterances)])
        table = scores.table.with_columns(ids, corpus=pl.lit("test"))
        table.write_parquet(folder / "tables" / "hypotheses.parquet")
        return folder

    return write_run


@pytest.fixture
def compared(compose, tmp_path: Path):
    def run(*folders: Path) -> dict:
        listed = ",".join(map(str, folders))
        compare(compose("compare", tmp_path, f"runs=[{listed}]"))
        return json.loads((tmp_path / "comparison.json").read_text())

    return run


def hypotheses(wrong: Sequence[int]) -> list[str]:
    return ["раз два пять" if n in wrong else text for n, text in enumerate(REFERENCES)]


def test_what_changed_is_found(write, compared, tmp_path: Path) -> None:
    one = write("one", score(REFERENCES, hypotheses([0, 1]), "ru"))
    two = write("two", score(REFERENCES, hypotheses([1, 2]), "ru"))
    told = compared(one, two)
    changed = pl.read_csv(tmp_path / "changed.csv")
    assert changed.select("id", "errors_1", "errors_2", "change").rows() == [
        ("u0", 1, 0, -1),
        ("u2", 0, 1, 1),
    ]
    assert told["changed"] == 2
    model = told["corpora"]["test"]["models"][1]
    assert model["difference"]["wer"] == 0.0
    assert model["mapsswe"] == {"statistic": 0.0, "p": 1.0}
    page = (tmp_path / "comparison.html").read_text()
    assert "test · u0" in page and "test · u1" not in page
    assert "may be chance" in page and "://" not in page


def test_progress_is_told_from_chance(write, compared, tmp_path: Path) -> None:
    bad = write("bad", score(REFERENCES, hypotheses(range(0, 40, 2)), "ru"))
    good = write("good", score(REFERENCES, hypotheses([]), "ru"))
    slightly = write("slightly", score(REFERENCES, hypotheses([0]), "ru"))
    first, second, third = compared(good, slightly, bad)["corpora"]["test"]["models"]
    assert "difference" not in first
    assert second["difference_intervals"]["wer"][0] == 0.0  # 0 is not excluded
    assert second["mapsswe"]["p"] > 0.05
    assert third["difference"]["wer"] == pytest.approx(1 / 6)
    assert third["difference_intervals"]["wer"][0] > 0.0
    assert third["mapsswe"]["p"] < 0.001 and third["mapsswe"]["statistic"] < 0
    page = (tmp_path / "comparison.html").read_text()
    assert '<b class="wrong">worse</b>' in page


def test_labels_are_compared_too(write, compared) -> None:
    genders = ["f", "m"] * 20
    one, two = write("one", confuse(genders, ["f"] * 40)), write("two", confuse(genders, genders))
    model = compared(one, two)["corpora"]["test"]["models"][1]
    assert model["difference"]["balanced_accuracy"] == 0.5


def test_only_what_all_were_tested_on_counts(write, compared) -> None:
    one = write("one", score(REFERENCES, hypotheses([0]), "ru"))
    two = write("two", score(REFERENCES, hypotheses([]), "ru"), first=30)
    told = compared(one, two)
    assert told["corpora"]["test"]["utterances"] == 10
    assert told["left_out"] == {str(one): 30, str(two): 30}


def test_what_cannot_be_compared_is_refused(write, compared, tmp_path: Path) -> None:
    one = write("one", score(REFERENCES, hypotheses([0]), "ru"))
    two = write("two", score(REFERENCES, hypotheses([0]), "ru"), first=40)
    with pytest.raises(ComparisonError, match="no utterance is in all of them"):
        compared(one, two)
    with pytest.raises(ComparisonError, match="two at least"):
        compared(one)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: .*python evaluate\.py"):
        compared(one, tmp_path / "empty")


def test_models_are_named_by_what_tells_them_apart(write, compared, tmp_path: Path) -> None:
    one = write("lstm/10-00", score(REFERENCES, hypotheses([0]), "ru"))
    two = write("cnn/11-00", score(REFERENCES, hypotheses([1]), "ru"))
    for folder, width in ((one, 32), (two, 64)):
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "config.yaml").write_text(
            f"seed: 0\nmodel: {{net: {{dim: {width}}}}}\n"
        )
    told = compared(one, two)
    assert told["names"] == ["lstm/10-00", "cnn/11-00"]
    assert told["settings"] == {"model.net.dim": ["32", "64"]}
    page = (tmp_path / "comparison.html").read_text()
    assert "model.net.dim" in page and "cnn/11-00</th>" in page
