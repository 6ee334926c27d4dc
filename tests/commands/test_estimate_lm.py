"""kaskad estimate_lm: each choice makes a model that the decoders can open."""

import json
from pathlib import Path

import pytest

from kaskad.commands.estimate_lm import estimate_lm
from kaskad.ngrams.kenlm import open_language_model
from kaskad.text.characters import CharacterTokenizer

CHOICES = sorted(path.stem for path in Path(__file__).parents[2].glob("conf/language_model/*.yaml"))


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_makes_a_model(choice: str, compose, tone_corpus: Path, tmp_path: Path) -> None:
    config = compose(
        "estimate_lm",
        tmp_path,
        "data=table",
        f"data.root={tone_corpus}",
        f"language_model={choice}",
        "language_model.order=3",
        "language_model.remove=[]",
    )
    figures = estimate_lm(config)
    report = json.loads((tmp_path / "language_model.report.json").read_text("utf-8"))
    assert figures["n_grams"] == sum(report["n_grams"])
    assert figures["out_of_vocabulary_rate"] == 0.0
    assert 1 < figures["perplexity"] < 4
    if choice == "words":
        tokenizer = CharacterTokenizer().fit(["один два три пять"])
        _, words = open_language_model(tmp_path / "language_model.arpa", tokenizer)
        assert words == ["два", "один", "пять", "три"]


def test_text_files_alone_make_a_model(compose, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Раз, два!\nДва - три.\n", encoding="utf-8")
    overrides = ["data=none", "language_model=words", f"language_model.text=[{text}]"]
    output = tmp_path / "models" / "counting.arpa"
    estimate_lm(compose("estimate_lm", tmp_path, *overrides, f"output={output}"))
    assert "\tраз два </s>\n" in output.read_text("utf-8")
    with pytest.raises(ValueError, match=r"a language model is written as ….arpa"):
        estimate_lm(compose("estimate_lm", tmp_path, *overrides, "output=counting.csv"))
