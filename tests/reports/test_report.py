"""report.html and report.json tell a person what happened, whatever happened."""

import base64
import io
import json
import logging
import re
from pathlib import Path

import jinja2
import polars as pl
import pytest
import soundfile
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.evaluate import evaluate
from kaskad.metrics.error_rates import score
from kaskad.metrics.registry import METRICS
from kaskad.reports import html
from kaskad.reports.learning import curves
from kaskad.reports.report import attach_scores, describe
from kaskad.reports.russian import RUSSIAN
from kaskad.reports.wording import page_language

CASES = {
    "right": (["сто", "два"], ["сто", "два"]),
    "all wrong": (["сто", "два"], ["раз", "три"]),
    "empty hypotheses": (["сто два", "два"], ["", ""]),
    "empty references": (["", ""], ["сто", ""]),
    "one utterance": (["сто два"], ["сто"]),
    "no utterance": ([], []),
}


def words(page: str) -> list[tuple[str, str, str]]:
    """What the page shows of a word: what became of it, reference, hypothesis."""
    return re.findall(r'<span class="(\w+)"><del>(.*?)</del><ins>(.*?)</ins></span>', page)


@pytest.mark.parametrize("case", CASES)
def test_the_page_is_whole_and_asks_nobody(case: str, write_run) -> None:
    references, hypotheses = CASES[case]
    folder, told = write_run(references, hypotheses)
    page = (folder / "report.html").read_text()
    assert not re.search(r"https?://|<link|<script|@import|url\(", page)
    assert set(re.findall(r'src="(\w+):', page)) <= {"data"}
    assert page.rstrip().endswith("</html>")
    assert "a model on a test" in page
    assert "Undefined" not in page and "nan %" not in page
    wrong = [pair for pair in zip(references, hypotheses, strict=True) if pair[0] != pair[1]]
    assert len(told["worst"]) == page.count("<audio") == len(wrong)
    assert (
        json.loads((folder / "report.json").read_text())["corpora"]["test"]["figures"]
        == (told["figures"])
    )


def test_a_page_speaks_russian_and_every_sentence_of_it_does(write_run) -> None:
    folder, _ = write_run(["сто два", "раз"], ["сто да", "раз"], language="ru", speaker="<50 %d>")
    page = (folder / "report.html").read_text()
    assert '<html lang="ru">' in page
    assert "Без единой ошибки распознано реплик: 1 из 2; ошибок: 1 на 3 слов." in page
    assert "33,33 %" in page and "95%-й доверительный интервал" in page
    assert "&lt;50 %d&gt;" in page
    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"])
    for name in ("report.html", "pictures.html"):
        template = Path(html.__file__).with_name(name).read_text()
        for _, _, sentence in environment.extract_translations(template):
            text = sentence[0] if isinstance(sentence, tuple) else sentence
            assert text in RUSSIAN, text
    for metric in METRICS.values():
        text = (metric.title, metric.meaning) if "report" in metric.places else ()
        assert all(each in RUSSIAN or each.isupper() for each in text), text
    for sentence, russian in RUSSIAN.items():
        assert re.findall(r"%\(\w+\)s|%%", sentence) == sorted(
            re.findall(r"%\(\w+\)s|%%", russian), key=sentence.find
        )
    with pytest.raises(ValueError, match=r"report\.language=fr: pages are written in en, ru"):
        page_language({"language": "fr"})


def test_each_word_stands_over_what_was_made_of_it(write_run) -> None:
    folder, _ = write_run(["сто два три", "раз <b>"], ["сто да три но", "<b>"])
    assert words((folder / "report.html").read_text())[:6] == [
        ("equal", "сто", "сто"),
        ("substitute", "два", "да"),
        ("equal", "три", "три"),
        ("insert", "", "но"),
        ("delete", "раз", ""),
        ("equal", "&lt;b&gt;", "&lt;b&gt;"),
    ]


def test_the_worst_can_be_played_or_the_page_says_why_not(write_run, tmp_path: Path) -> None:
    paths = [str(tmp_path / "tone.wav"), str(tmp_path / "gone.wav")]
    folder, _ = write_run(["раз два", "раз два"], ["", "раз"], path=paths)
    page = (folder / "report.html").read_text()
    (clip,) = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page)
    waveform, rate = soundfile.read(io.BytesIO(base64.b64decode(clip)))
    assert len(waveform) / rate == pytest.approx(0.5, abs=0.1)
    assert "gone.wav: there is no such file" in page


def test_a_long_page_stays_small(write_run, write_tone) -> None:
    write_tone("long.wav", seconds=100.0)
    long = str(write_tone("long.wav", seconds=100.0))
    folder, _ = write_run(["раз", "два"], ["", ""], path=[long, long])
    page = (folder / "report.html").read_text()
    assert page.count("<audio") == 1
    assert "left out to keep the page small" in page
    assert len(page) < 1_000_000


def test_json_is_read_by_people_too(write_run) -> None:
    texts = ["один", "два", "три", "[ 1 ]"]
    folder, _ = write_run(texts, ["один", "два", "пять", "[ 1 ]"], gender=["ж", "м", "ж", "м"])
    text = (folder / "report.json").read_text()
    assert '"один"' in text and "\n    " in text
    assert '"up_to": [0, 5, 10,' in text
    assert '"hypothesis": "[ 1 ]"' in text
    assert json.loads(text)["corpora"]["test"]["tables"]["groups"]["group"] == ["ж", "м"]


def test_what_is_shown_is_also_in_tables(write_run) -> None:
    folder, told = write_run(["сто два", "раз"], ["сто да", "раз"])
    table = pl.read_parquet(folder / "tables" / "hypotheses.parquet")
    assert table.select("id", "right", "words", "word_substitutions").rows() == [
        ("u0", False, 2, 1),
        ("u1", True, 1, 0),
    ]
    figures = pl.read_csv(folder / "tables" / "figures.csv")
    assert dict(figures.select("figure", "value").rows()) == told["figures"]
    assert figures.filter(pl.col("low") > pl.col("value")).is_empty()
    assert pl.read_csv(folder / "tables" / "histogram.csv")["utterances"].sum() == 2


def test_an_utterance_without_an_answer_is_named(
    compose, make_corpus, tmp_path: Path, caplog
) -> None:
    config = compose(
        "train", tmp_path, "data=table", "data.root=.", "model=lstm", "tokenizer.alphabet=['а']"
    )
    recogniser = instantiate(config.model)
    recogniser.head.bias.data.fill_(torch.nan)
    resolved = OmegaConf.to_container(config, resolve=True)
    path = tmp_path / "best.ckpt"
    torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
    table = make_corpus(["а"] * 3, split=["test"] * 3, id=["x", "y", "z"])
    overrides = [f"checkpoint={path}", "data=table", f"data.root={table}", "datamodule.workers=0"]
    with caplog.at_level(logging.WARNING):
        figures = evaluate(compose("evaluate", tmp_path, *overrides))
    assert figures["test/wer"] == 1.0
    told = json.loads((tmp_path / "report.json").read_text())["corpora"]["test"]["problems"]
    reason = "its posteriors are not numbers"
    assert told == [{"id": id_, "problem": reason} for id_ in "xyz"]
    assert f"z: no hypothesis: {reason}" in caplog.text
    assert 'not decoded: <b class="wrong">3</b>' in (tmp_path / "report.html").read_text()


def test_words_found_where_nobody_speaks_are_counted() -> None:
    references, hypotheses = ["один", "", ""], ["один", "да нет", ""]
    results = pl.DataFrame(
        {
            "id": ["0", "1", "2"],
            "duration": [1.0, 20.0, 10.0],
            "reference": references,
            "hypothesis": hypotheses,
            "confidences": [[0.9], [0.2, 0.1], []],
            "problem": pl.Series([None, None, None], dtype=pl.String),
        }
    )
    scores = score(references, hypotheses, "ru")
    part = describe(attach_scores(results, scores), scores, 1.0)
    assert part["words_per_minute_of_non_speech"] == 4.0
    assert part["confidence"]["words"] == 3
    assert part["confidence"]["accuracy"] == pytest.approx(1 / 3)


def test_speakers_are_drawn_and_averaged_where_they_are_known(write_run) -> None:
    folder, part = write_run(
        ["ещё раз", "два", "два", "два"], ["еще раз", "два", "два", "три"], speaker=list("aabb")
    )
    assert (part["speakers"], part["figures"]["wer_by_speaker"]) == (2, 0.416667)
    page = (folder / "report.html").read_text()
    assert "Of 4 utterances 2 are exactly right; there are 2 errors in 5 words." in page
    assert "by bootstrap over the 2 speakers" in page and "mean of speakers" in page


def test_learning_curves_are_drawn_of_what_was_taken_down(write_run) -> None:
    epochs = [
        {"epoch": 1, "training/loss_epoch": 4.0},
        {"epoch": 2, "training/loss_epoch": 2.0, "validation/wer": 1.0},
        {"epoch": 3, "training/loss_epoch": 1.0, "validation/wer": 0.25},
    ]
    loss, wer = curves(epochs)
    assert (loss.points, wer.points) == (
        [(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)],
        [(0.5, 1.0), (1.0, 0.25)],
    )
    assert (wer.first, wer.last, wer.best) == ("100.00 %", "25.00 %", "25.00 %")
    assert curves(epochs[:1]) == []
    training = {"minutes": 1, "epochs": 3, "curve": epochs}
    folder, _ = write_run(["раз"], ["раз"], training=training)
    page = (folder / "report.html").read_text()
    assert page.count("<polyline") == 2
    assert "WER: from 100.00 % to 25.00 %, at best 25.00 %" in page
