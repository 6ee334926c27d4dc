"""Only words of the lexicon are output, the likeliest of them, and only numbers where asked."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.lexicon import LexiconDecoder, vocabulary
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.numerals import NUMERALS, is_cardinal, number_to_words
from kaskad.text.phonemes import PhonemeTokenizer

RUSSIAN = CharacterTokenizer(sorted(set("".join(NUMERALS["ru"])) | {" "}))


def test_the_n_best_are_those_that_trying_all_paths_finds() -> None:
    words, frames = ["а", "аб", "ба", "бб"], 6
    tokenizer = CharacterTokenizer(list(" аб"))
    decoder = LexiconDecoder(
        tokenizer, 0.04, lexicon=words, beam_width=1000, beam_prune_logp=-1000.0, n_best=5
    )
    paths = list(itertools.product(range(4), repeat=frames))
    spellings = ["".join("_ аб"[label] for label in path) for path in paths]
    matches = {}
    for count in range(4):
        for text in itertools.product(words, repeat=count):
            pattern = re.compile("[_ ]*" + "[_ ]+".join(map(alignments, text)) + "[_ ]*")
            matches[" ".join(text)] = [
                n for n, path in enumerate(spellings) if pattern.fullmatch(path)
            ]
    generator = np.random.default_rng(0)
    for _ in range(20):
        logits = torch.from_numpy(generator.normal(scale=2.0, size=(1, frames, 4)))
        log_probs = logits.float().log_softmax(dim=2)
        scores = log_probs[0, range(frames), torch.tensor(paths)].sum(1)
        best = {text: float(scores[found].max()) for text, found in matches.items() if found}
        best_path = decoder(log_probs, torch.tensor([frames]))[0]
        scores = {h.text: h.score for h in [best_path, *best_path.alternatives]}
        # Which of two equal ones comes first is chance.
        assert scores == pytest.approx({text: best[text] for text in scores}, abs=1e-4)
        assert list(scores.values()) == pytest.approx(
            sorted(best.values(), reverse=True)[:5], abs=1e-4
        )


def alignments(word: str) -> str:
    """A regular expression for the paths that are this word."""
    pattern = f"{word[0]}+"
    for before, letter in itertools.pairwise(word):
        pattern += f"{'_+' if before == letter else '_*'}{letter}+"
    return pattern


def test_a_language_model_weighs_as_much_as_in_the_beam(speak, write_arpa) -> None:
    model = write_arpa("два два два три")
    posteriors = speak(RUSSIAN, "два три", sure=0.999)[None]
    scores = []
    for make in (BeamDecoder, LexiconDecoder):
        decoder = make(RUSSIAN, 0.04, language_model=model, alpha=0.7, beta=0.3)
        found = decoder(posteriors, torch.tensor([posteriors.shape[1]]))[0]
        scores.append(found.score - found.acoustic_score)
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_numerals_are_those_of_the_language_that_the_labels_can_spell() -> None:
    assert vocabulary("numerals", RUSSIAN).keys() == NUMERALS["ru"].keys()
    phones = PhonemeTokenizer()
    phones.fit(phones.spell(["двадцать один"], "ru"))
    written = set(vocabulary("numerals", phones).values())
    assert {"двадцать", "один"} <= written <= NUMERALS["ru"].keys()
    assert "три" not in written


def test_every_beginning_of_a_number_is_a_number() -> None:
    # Else the search along one_number would lose numbers.
    generator = np.random.default_rng(0)
    for number in [*range(130), *(10 ** generator.uniform(2, 15, 300)).astype(int).tolist()]:
        for language in NUMERALS:
            words = number_to_words(number, language).split()
            for end in range(1, len(words)):
                assert is_cardinal(words[:end], language), words[:end]


def test_one_number_is_found_where_the_likeliest_words_are_none(speak) -> None:
    posteriors = speak(RUSSIAN, "сорок двести", sure=0.6)[None]
    frames = torch.tensor([posteriors.shape[1]])
    assert LexiconDecoder(RUSSIAN, 0.04)(posteriors, frames)[0].text == "сорок двести"
    found = LexiconDecoder(RUSSIAN, 0.04, one_number=True, n_best=10)(posteriors, frames)[0]
    texts = [found.text, *(other.text for other in found.alternatives)]
    assert "сорок две" in texts
    assert all(is_cardinal(text.split(), "ru") for text in texts if text)


@pytest.mark.parametrize("kind", ["list", "text", "arpa"])
def test_a_lexicon_is_a_list_a_text_or_a_language_model(
    kind: str, tmp_path: Path, write_arpa
) -> None:
    (tmp_path / "words.txt").write_text("два три\nтри seven\n", encoding="utf-8")
    lexicons = {"list": ["три", "два"], "text": tmp_path / "words.txt"}
    lexicon = lexicons.get(kind) or write_arpa("два три seven")
    assert list(vocabulary(lexicon, RUSSIAN)) == ["два", "три"]


@pytest.mark.parametrize("content", ["\ufeffдва\r\nтри\r\n", "Два, ТРИ!", "два\u00a0три"])
def test_a_list_of_words_may_be_written_as_people_write(content: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(content, encoding="utf-8")
    assert list(vocabulary(tmp_path / "words.txt", RUSSIAN)) == ["два", "три"]


def test_a_list_of_words_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("два\nтри\n", encoding="cp1251")
    with pytest.raises(ValueError, match=r"words\.txt: line 1 is not UTF-8.*iconv"):
        vocabulary(tmp_path / "words.txt", RUSSIAN)


def test_words_that_cannot_be_spelt_are_named(caplog: pytest.LogCaptureFixture) -> None:
    vocabulary(["два", "seven"], RUSSIAN)
    assert "1 of 2 words cannot be spelt" in caplog.text
    assert "'seven'" in caplog.text


@pytest.mark.parametrize(
    ("lexicon", "error", "message"),
    [
        ("missing.txt", FileNotFoundError, "no such lexicon"),
        ([], ValueError, "none of its 0 words"),
        (["one", "two"], ValueError, "none of its 2 words"),
    ],
)
def test_a_lexicon_without_a_word_that_can_be_spelt_is_refused(lexicon, error, message) -> None:
    with pytest.raises(error, match=message):
        LexiconDecoder(RUSSIAN, 0.04, lexicon=lexicon)


def test_one_number_is_refused_where_no_word_is_a_numeral() -> None:
    with pytest.raises(ValueError, match="no numeral"):
        LexiconDecoder(RUSSIAN, 0.04, lexicon=["тост", "ров"], one_number=True)


def test_a_language_model_of_other_words_is_refused(write_arpa) -> None:
    with pytest.raises(ValueError, match="none of the 2 words of the lexicon"):
        LexiconDecoder(
            RUSSIAN, 0.04, lexicon=["два", "три"], language_model=write_arpa("сорок сто")
        )
