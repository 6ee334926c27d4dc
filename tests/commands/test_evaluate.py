"""Many models on many corpora: one summary, a reliable exit code, and nothing decoded twice."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import polars as pl
import pytest
import soundfile
from omegaconf import OmegaConf

from kaskad.commands.evaluate import BoundsError, evaluate
from kaskad.config.messages import ConfigurationError
from kaskad.data.checks import DataError
from kaskad.models.recogniser import Recogniser
from kaskad.runs.checkpoints import CheckpointError

ROOT = Path(__file__).resolve().parents[2]
ALONE = ["datamodule.workers=0", "datamodule.cache=null", "trainer.enable_progress_bar=false"]
# A batch an utterance, and a part every two of them.
SMALL = [*ALONE, "datamodule.max_utterances=1", "save_every=2"]
TEXTS = ["а", "а", "б", "а", "б", "а"]
SECONDS = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
Run = Callable[..., dict[str, float]]


@pytest.fixture
def corpus(make_corpus) -> Path:
    """Six utterances, four of "а" and two of "б"; the first three make the corpus "part"."""
    table = make_corpus(TEXTS, SECONDS, split=["test"] * len(TEXTS))
    pl.read_csv(table).head(3).write_csv(table.with_name("part.csv"))
    return table


@pytest.fixture
def suite(corpus: Path, tmp_path: Path) -> Callable[..., str]:
    """Write a suite of the corpora "whole", "part", and "away", which is missing: those named, each
    with more of its settings; returns the argument that names the file."""
    tables = {"whole": corpus, "part": corpus.with_name("part.csv"), "away": Path("nowhere.csv")}

    def write(*names: str, **besides: dict) -> str:
        entries = {
            name: {"data": "table", "settings": {"data": {"root": str(tables[name])}}}
            | besides.get(name, {})
            for name in names
        }
        OmegaConf.save(OmegaConf.create(entries), tmp_path / "suite.yaml")
        return f"suite={tmp_path / 'suite.yaml'}"

    return write


@pytest.fixture
def run(compose, tmp_path: Path) -> Run:
    """Run evaluate.py's task in a folder of the test."""

    def run_in(name: str, *overrides: str) -> dict[str, float]:
        (tmp_path / name).mkdir(exist_ok=True)
        config = compose("evaluate", tmp_path / name, *overrides)
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return evaluate(config)

    return run_in


def summary(folder: Path) -> list[dict]:
    return json.loads((folder / "summary.json").read_text())["rows"]


def test_a_corrector_looks_through_the_hypotheses(run, always, corpus, corrector_of, tmp_path):
    asked = [f"checkpoint={always('б')}", "data=table", f"data.root={corpus}", *SMALL]
    figures = run("run", *asked, f"corrector={corrector_of('б', 'а', 'ru')}")
    assert figures["test/wer"] == pytest.approx(1 / 3, abs=1e-5)
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    found = report["corpora"]["test"]["corrections"]
    assert (found["mended"], found["broken"], found["untouched"]) == (4, 2, 0)
    assert found["gain"] == pytest.approx(1 / 3, abs=1e-5)
    table = pl.read_csv(tmp_path / "run" / "hypotheses.csv")
    assert set(table["uncorrected"]) == {"б"} and set(table["hypothesis"]) == {"а"}
    with pytest.raises(CheckpointError, match="no corrector"):
        run("bad", *asked, f"corrector={always('а')}")


def test_every_model_on_every_corpus_makes_a_row(run, always, suite, tmp_path: Path, caplog):
    checkpoints = f"checkpoint=[{always('а')},{always('б')}]"
    asked = suite("whole", "away", "part", part={"bounds": {"sentence_accuracy": 0.1}})
    figures = run("run", checkpoints, asked, "+bounds.whole.wer=0.4", *SMALL)
    assert figures["model_1/whole/test/wer"] == pytest.approx(1 / 3, abs=1e-5)
    rows = summary(tmp_path / "run")
    assert [(row["model"], row["data"], row["verdict"]) for row in rows] == [
        (1, "whole", "within"),
        (1, "away", "failed"),
        (1, "part", "within"),
        (2, "whole", "beyond"),
        (2, "away", "failed"),
        (2, "part", "within"),
    ]
    assert "66.67 %, 26.67 points beyond its bound of 40.00 %" in rows[3]["reason"]
    assert "nowhere.csv" in rows[1]["reason"]
    assert rows[0]["wer_low"] <= rows[0]["wer"] <= rows[0]["wer_high"]
    assert "nowhere.csv" in caplog.text and "26.67 points" in caplog.text
    table = pl.read_csv(tmp_path / "run" / "summary.csv")
    assert table["wer"].to_list() == [row.get("wer") for row in rows]
    assert all((tmp_path / "run" / link).is_file() for link in table["report"])


def test_a_critical_corpus_fails_the_command_once_all_is_written(
    run, always, suite, tmp_path: Path
) -> None:
    bounded = {"whole": {"bounds": {"wer": 0.4}, "critical": True}, "away": {"critical": True}}
    bounded["part"] = {"bounds": {"wer": 0}}
    asked = [f"checkpoint={always('б')}", suite("whole", "away", "part", **bounded), *SMALL]
    message = r"whole \(test\), model 1: WER is 66\.67 %, 26\.67 points beyond"
    with pytest.raises(BoundsError, match=message) as told:
        run("run", *asked)
    assert "away, model 1: FileNotFoundError" in str(told.value)
    assert "part" not in str(told.value)
    assert [row["verdict"] for row in summary(tmp_path / "run")] == ["beyond", "failed", "beyond"]
    with pytest.raises(BoundsError, match="no corpus could be tested"):
        run("other", asked[0], suite("away", away={"bounds": {"wer": 1}}), *SMALL)


@pytest.mark.slow
def test_another_bound_is_held_against_the_hypotheses(
    run, always, suite, tmp_path: Path, monkeypatch
) -> None:
    bounded = suite("whole", "part", whole={"bounds": {"wer": 0.4}, "critical": True})
    with pytest.raises(BoundsError):
        run("run", f"checkpoint={always('б')}", bounded, *SMALL)
    resume = f"resume={tmp_path / 'run'}"
    monkeypatch.delattr(Recogniser, "test_step")  # who would listen again fails
    with pytest.raises(BoundsError):
        run("run", resume)
    assert "model_1/whole/test/wer" in run("run", resume, "+bounds.whole.wer=0.7")
    suite("whole", "part", whole={"bounds": {"wer": 0.7}, "critical": True})
    assert "model_1/whole/test/wer" in run("run", resume)
    with pytest.raises(ConfigurationError, match=r"another evaluation.*phone_errors=true"):
        run("run", resume, "phone_errors=true")
    suite("whole")
    with pytest.raises(ConfigurationError, match="'part' of its suite has changed"):
        run("run", resume)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["critical=[hole]"], "critical: there is no corpus 'hole'; did you mean whole"),
        (["+bounds.parts.wer=0.1"], "bounds: there is no corpus 'parts'; did you mean part"),
        (["suite=nightly.yaml"], "suite=nightly.yaml: there is no such file"),
        (["data=table"], "both say what is to be tested"),
        (["+bounds.part.were=0.1"], "no figure 'were'; did you mean wer"),
        (["+bounds.part.wer=12"], "bounds.part.wer=12: wants a share from 0 to 1"),
        (["+bounds.part=0.1"], "of which figure"),
        (["data.language=ru"], r"Could not override 'data\.language'"),
        (["checkpoint=nowhere.ckpt"], "no such checkpoint"),
        (["checkpoint=null"], "no value yet for checkpoint"),
    ],
)
def test_what_is_misspelt_is_reported_before_anything_is_tested(
    run, always, suite, tmp_path: Path, wrong: list[str], message: str
) -> None:
    asked = [f"checkpoint={always('а')}", suite("whole", "part"), *SMALL]
    with pytest.raises(Exception, match=message):
        run("run", *asked, *wrong)
    assert not (tmp_path / "run" / "model_1").exists()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("an5:", "data/an5"),
        ("part: {data: table, settings: {data: {rooot: /a}}}", r"corpus 'part': settings.*rooot"),
        ("part: {data: table, bounds: {were: 0.1}}", "no figure 'were'; did you mean wer"),
    ],
)
def test_a_fault_of_a_suite_is_reported_before_anything_is_tested(
    run, always, tmp_path: Path, written: str, message: str
) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(Exception, match=f"(?s){message}"):
        run("run", f"checkpoint={always('а')}", f"suite={path}", *SMALL)
    assert not (tmp_path / "run" / "model_1").exists()


# Kills evaluate.py before it takes so many batches; tells how many it took.
KILL = """
import atexit, os, signal
from kaskad.models.recogniser import Recogniser
step, taken = Recogniser.test_step, []
def counted(*arguments):
    if len(taken) == {kill_before}:
        os.kill(os.getpid(), signal.SIGKILL)
    taken.append(1)
    return step(*arguments)
Recogniser.test_step = counted
atexit.register(lambda: print("batches:", len(taken)))
"""


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_and_ends_the_same(
    run, always, suite, tmp_path: Path, fork_server
) -> None:
    def command(kill_before: int, *arguments: str) -> tuple[int, str, str]:
        options = {"directory": tmp_path, "environment": {"COLUMNS": "200"}}
        options["first"] = KILL.format(kill_before=kill_before)
        return fork_server.run(ROOT / "evaluate.py", *arguments, **options)

    bounded = suite("whole", "part", part={"bounds": {"wer": 0.1}, "critical": True})
    asked = [f"checkpoint={always('а')}", bounded, *SMALL]
    with pytest.raises(BoundsError):
        run("run", *asked)
    code, _, errors = command(5, *asked, "hydra.run.dir=killed")
    assert code == -signal.SIGKILL, errors
    assert len(list((tmp_path / "killed").rglob("decoded/test/*.parquet"))) == 2
    code, output, errors = command(99, "resume=killed")
    assert code == 1, errors
    assert "batches: 5" in output  # of nine, two parts of two were on the disk
    assert "part (test), model 1: WER is 33.33 %" in errors
    rows, twins = summary(tmp_path / "run"), summary(tmp_path / "killed")
    for row in rows + twins:
        del row["audio_seconds_per_second"]
    assert rows == twins
    table = Path("model_1", "whole", "tables", "hypotheses.parquet")
    one, other = (pl.read_parquet(tmp_path / name / table) for name in ("run", "killed"))
    assert one.equals(other)
    assert not list((tmp_path / "killed").rglob("decoded"))


@pytest.fixture
def two_tests(corpus: Path) -> list[str]:
    """A choice of data with two tests, and a recording in both that cannot be read."""
    waveform = np.full(9_600, np.nan, dtype=np.float32)
    soundfile.write(corpus.with_name("3.wav"), waveform, 16_000, subtype="FLOAT")
    again = "{_target_: kaskad.data.Corpus, role: test, split: all, language: ru, "
    again += 'manifest: "${data.source}"}'
    return ["data=table", f"data.root={corpus}", f"+data.corpora.again={again}"]


@pytest.fixture
def cut(run, monkeypatch):
    """Run an evaluation that is cut off after so many batches."""
    test_step = Recogniser.test_step

    def run_until(steps: int, name: str, *overrides: str) -> None:
        taken = []

        def stops(*arguments):
            if len(taken) == steps:
                raise RuntimeError("power cut")
            taken.append(1)
            return test_step(*arguments)

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
            patch.setattr(Recogniser, "test_step", stops)
            run(name, *overrides)

    return run_until


@pytest.mark.parametrize("steps", [3, 5, 9])
def test_one_report_goes_on_where_it_stopped(
    run, cut, always, two_tests, tmp_path: Path, steps: int
) -> None:
    asked = [f"checkpoint={always('а')}", *two_tests, *SMALL]
    whole = run("whole", *asked)
    cut(steps, "cut", *asked)
    figures = run("cut", f"resume={tmp_path / 'cut'}")
    reports = [json.loads((tmp_path / n / "report.json").read_text()) for n in ("whole", "cut")]
    for report in reports:
        for part in report["corpora"].values():
            for speed in ("seconds", "audio_seconds_per_second", "real_time_factor"):
                del part[speed]
    assert reports[0]["corpora"] == reports[1]["corpora"]
    assert reports[0]["skipped"] == reports[1]["skipped"]
    assert len(reports[0]["skipped"]) == 2
    assert figures["again/wer"] == whole["again/wer"]


def test_a_corpus_that_changed_meanwhile_is_refused(
    run, cut, always, corpus: Path, tmp_path: Path
) -> None:
    asked = [f"checkpoint={always('а')}", "data=table", f"data.root={corpus}", *SMALL]
    cut(3, "run", *asked)
    pl.read_csv(corpus).with_columns(text=pl.lit("в")).write_csv(corpus)
    with pytest.raises(DataError, match="'test' has changed since its test was interrupted"):
        run("run", f"resume={tmp_path / 'run'}")
