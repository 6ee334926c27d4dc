"""What is found out before the audio of a training is read."""

from pathlib import Path

import pytest

from kaskad.models.training_data import load_data

ARPA = """\\data\\
ngram 1={count}
ngram 2=1

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-1.0\t</s>
{words}

\\2-grams:
-0.5\t<s> {first}

\\end\\
"""


@pytest.fixture
def load(make_corpus, compose, tmp_path: Path):
    """Load a corpus whose recordings are gone, for a run with these overrides."""

    def load_with(*overrides: str) -> None:
        manifest = make_corpus(["пять", "сто два"] * 2, split=["train"] * 2 + ["validation"] * 2)
        for recording in tmp_path.glob("*.wav"):
            recording.unlink()
        load_data(
            compose("train", tmp_path, "data=table", f"data.root={manifest.parent}", *overrides)
        )

    return load_with


def model_of(words: list[str], folder: Path) -> Path:
    path = folder / "words.arpa"
    lines = "\n".join(f"-1.0\t{word}\t-0.3" for word in words)
    path.write_text(
        ARPA.format(count=3 + len(words), words=lines, first=words[0]), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["decoder=beam", "decoder.language_model={english}"], "of its 2 words only 0"),
        (["decoder=beam", "decoder.hotwords=[hundred]"], "decoder.hotwords: 'hundred'"),
        (["decoder=beam_lexicon", "decoder.lexicon=[hundred]"], "none of its 1 words"),
        (["decoder=beam", "decoder.language_model=none.arpa"], "no such language model"),
        (["decoder=beam", "decoder.rescore=none", "decoder.n_best=9"], "no such language model"),
        (["loss=ctc_crf", "loss.order=8"], "loss.order=8: 11 labels have 214,358,881 n-grams"),
    ],
)
def test_words_that_no_label_spells_are_refused_before_audio_is_read(
    overrides, told, load, tmp_path: Path
) -> None:
    english = model_of(["hundred", "two"], tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        load(*(override.format(english=english) for override in overrides))


def test_words_that_labels_spell_let_the_audio_be_read(load, tmp_path: Path) -> None:
    russian = model_of(["сто", "два"], tmp_path)
    with pytest.raises(ValueError, match="there is no such file"):
        load("decoder=beam", f"decoder.language_model={russian}")
