"""Beams find what greedy search misses, with real KenLM models, for every kind of labels."""

import multiprocessing
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.decoding.lexicon import LexiconDecoder
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.phonemes import PhonemeTokenizer
from kaskad.text.subwords import SubwordTokenizer
from kaskad.text.tokenizer import Tokenizer
from kaskad.text.words import WordTokenizer

TEXT = "один два три два пять"
TOKENIZERS = {
    "characters": CharacterTokenizer().fit([TEXT]),
    "subwords": SubwordTokenizer(vocabulary_size=18).fit([TEXT]),
    "words": WordTokenizer().fit([TEXT]),
    "phonemes": PhonemeTokenizer(),
}
LETTERS = TOKENIZERS["characters"]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("make", [GreedyDecoder, BeamDecoder, LexiconDecoder])
def test_words_and_their_times_for_every_kind_of_labels(kind: str, make, speak) -> None:
    tokenizer: Tokenizer = TOKENIZERS[kind]
    spelt = tokenizer.spell(["один", "два", "пять"], "ru")
    if kind == "phonemes":
        tokenizer.fit([" ".join(spelt)])
    posteriors = speak(tokenizer, " ".join(spelt))
    found = make(tokenizer, 0.04)(posteriors[None], torch.tensor([len(posteriors)]))[0]
    assert found.text == " ".join(spelt)
    assert [word.text for word in found.words] == spelt
    # Three frames a label; a blank between words may be a label of its own.
    ends = [0.12 * len(tokenizer.encode(" ".join(spelt[: n + 1]))) - 0.04 for n in range(3)]
    assert [word.end for word in found.words] == pytest.approx(ends)
    assert found.words[0].start <= 0.12  # where the blank before it is a label of its own
    assert all(one.end <= other.start for one, other in pairwise(found.words))


def test_a_language_model_decides_between_words_that_sound_alike(speak, write_arpa) -> None:
    tokenizer = CharacterTokenizer(list(" адтувы"))
    posteriors = speak(tokenizer, "два тут", doubtful={2: "у"})[None]
    frames = torch.tensor([posteriors.shape[1]])
    model = write_arpa("два два два два тут")
    assert BeamDecoder(tokenizer, 0.04)(posteriors, frames)[0].text == "дву тут"
    options = {"language_model": model, "unk_score_offset": -3.0, "n_best": 3}
    found = BeamDecoder(tokenizer, 0.04, **options)(posteriors, frames)[0]
    assert found.text == "два тут"
    assert found.alternatives[0].text == "дву тут"
    assert found.score > found.alternatives[0].score
    ignored = BeamDecoder(
        tokenizer, 0.04, language_model=model, alpha=0.0, beta=0.0, unk_score_offset=0.0
    )
    assert ignored(posteriors, frames)[0].text == "дву тут"


def test_hotwords_are_preferred(speak) -> None:
    tokenizer = CharacterTokenizer(list(" адтувы"))
    posteriors = speak(tokenizer, "два тут", doubtful={2: "у"})[None]
    found = BeamDecoder(tokenizer, 0.04, hotwords=["два"])(posteriors, torch.tensor([21]))[0]
    assert [word.text for word in found.words] == ["два", "тут"]
    with pytest.raises(ValueError, match="no label for 'o'"):
        BeamDecoder(tokenizer, 0.04, hotwords=["двo"])


@pytest.mark.parametrize("hotwords", [["два"], "два", " ДВА, ", "тут;два"])
def test_hotwords_are_a_list_or_a_text(hotwords, speak) -> None:
    tokenizer = CharacterTokenizer(list(" адтувы"))
    posteriors = speak(tokenizer, "два тут", doubtful={2: "у"})[None]
    found = BeamDecoder(tokenizer, 0.04, hotwords=hotwords)(posteriors, torch.tensor([21]))[0]
    assert found.text == "два тут"


@pytest.mark.parametrize("make", [BeamDecoder, LexiconDecoder])
@pytest.mark.parametrize("option", ["n_best", "beam_width"])
def test_nothing_is_not_a_number_of_hypotheses(make, option: str) -> None:
    with pytest.raises(ValueError, match=f"decoder.{option}=0: .* at least"):
        make(LETTERS, 0.04, **{option: 0})


class Witness(BeamDecoder):
    """Gives the number of its process as the text."""

    def search(self, log_probs: np.ndarray) -> Hypothesis:
        time.sleep(0.1)  # long enough for the others to take their part
        return Hypothesis(str(os.getpid()), 0.0)


def test_several_processes_find_the_same(speak, write_arpa) -> None:
    options = {"language_model": write_arpa(TEXT), "n_best": 2}
    texts = ["один", "два три", "пять", "", TEXT]
    rows = [speak(LETTERS, text) for text in texts]
    batch, lengths = pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])
    alone = BeamDecoder(LETTERS, 0.04, **options)
    together = BeamDecoder(LETTERS, 0.04, workers=2, **options)
    found = together(batch, lengths)
    assert [hypothesis.text for hypothesis in found] == texts
    assert found == alone(batch, lengths)
    hypotheses = Witness(LETTERS, 0.04, workers=2)(batch, lengths)
    processes = {hypothesis.text for hypothesis in hypotheses if hypothesis.text}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


class Victim(BeamDecoder):
    """Is ended from outside while it decodes, as by a system that is out of memory."""

    def search(self, log_probs: np.ndarray) -> Hypothesis:
        os.kill(os.getpid(), signal.SIGKILL)
        return Hypothesis("", 0.0)


def test_the_death_of_a_process_is_reported_and_not_waited_for(speak) -> None:
    with pytest.raises(RuntimeError, match="ended from outside"):
        Victim(LETTERS, 0.04, workers=2)(speak(LETTERS, "два")[None], torch.tensor([9]))


def test_processes_end_with_their_decoder(speak) -> None:
    decoder = Witness(LETTERS, 0.04, workers=2)
    posteriors = speak(LETTERS, "два")[None]
    process = int(decoder(posteriors, torch.tensor([9]))[0].text)
    del decoder
    deadline = time.monotonic() + 10
    while process in {child.pid for child in multiprocessing.active_children()}:
        assert time.monotonic() < deadline, "it still waits for work"
        time.sleep(0.05)


@pytest.fixture
def damaged(tmp_path: Path, write_arpa) -> dict[str, Path]:
    """Files that no language model can be read from, by what is wrong with them."""
    files = {name: tmp_path / f"{name}.arpa" for name in ("missing", "torn", "head", "text")}
    whole = write_arpa(TEXT).read_text(encoding="utf-8")
    files["torn"].write_text(whole[: whole.index("пять")], encoding="utf-8")
    files["head"].write_text(whole.replace("\\end\\", ""), encoding="utf-8")
    files["text"].write_text("\n".join(TEXT.split()), encoding="utf-8")
    files["binary"] = tmp_path / "model.bin"
    files["binary"].write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0\xff\xfe")
    files["wordless"] = write_arpa("", "wordless.arpa")
    files["english"] = write_arpa("one two three четыре", "english.arpa")
    return files


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "no such language model"),
        ("torn", "truncated within its 7 1-grams"),
        ("head", "truncated"),
        ("text", "not an ARPA file"),
        ("binary", "its words are not in it: give the ARPA file"),
        ("wordless", "no words but"),
        ("english", "of its 4 words only 0 can be spelt"),
    ],
)
def test_what_is_no_language_model_for_these_labels_is_refused(
    damaged: dict[str, Path], fault: str, message: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        BeamDecoder(LETTERS, 0.04, language_model=damaged[fault])
    assert "decoder.language_model=" in str(error.value)


def test_a_model_that_memory_has_no_room_for_is_refused(
    write_arpa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaskad.ngrams.kenlm.free_memory", lambda: 10.0)
    with pytest.raises(MemoryError, match="prune it"):
        BeamDecoder(LETTERS, 0.04, language_model=write_arpa(TEXT))
