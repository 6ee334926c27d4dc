"""Posteriors that arrive in parts: the hypothesis does not depend on how they are cut."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.decoding.streaming import StreamDecoder
from kaskad.text.characters import CharacterTokenizer

SECONDS = 0.1  # a frame
TOKENIZER = CharacterTokenizer(" ab")
# Two words, a long silence in which a third utterance begins and ends, and a fourth.
PATH = "___aa_b_ _b_bb__________a____________________b_a _a"


def posteriors(path: str) -> Tensor:
    labels = torch.tensor(["_ ab".index(letter) for letter in path], dtype=torch.long)
    return (one_hot(labels, 4) * 0.6 + 0.1).log()


def decoded(decoder: StreamDecoder, path: str, size: int) -> list[Hypothesis]:
    for part in posteriors(path).split(size):
        decoder.push(part)
    decoder.finish()
    return decoder.take_ended()


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_utterances_end_after_silence_wherever_parts_end(size: int) -> None:
    found = decoded(StreamDecoder(GreedyDecoder(TOKENIZER, SECONDS), endpoint=0.6), PATH, size)
    assert [each.text for each in found] == ["ab bb", "a", "ba a"]
    assert [(word.start, word.end) for word in found[1].words] == [(2.4, 2.5)]
    assert found[2].words[0].start == 4.5
    whole = decoded(StreamDecoder(GreedyDecoder(TOKENIZER, SECONDS), endpoint=0.6), PATH, 1)
    assert [each.score for each in found] == pytest.approx([each.score for each in whole])


@pytest.mark.parametrize("size", [1, 5, 100])
def test_without_an_endpoint_it_is_what_the_decoder_finds(size: int) -> None:
    greedy = GreedyDecoder(TOKENIZER, SECONDS)
    (expected,) = greedy(posteriors(PATH)[None], torch.tensor([len(PATH)]))
    (found,) = decoded(StreamDecoder(greedy), PATH, size)
    assert found.text == expected.text
    assert found.score == pytest.approx(expected.score)
    assert [(w.text, w.start, w.end) for w in found.words] == [
        (w.text, w.start, w.end) for w in expected.words
    ]
    confidences = [word.confidence for word in found.words]
    assert confidences == pytest.approx([word.confidence for word in expected.words])


def test_a_word_is_stable_once_no_label_can_change_it() -> None:
    decoder = StreamDecoder(GreedyDecoder(TOKENIZER, SECONDS, pause=0.3))
    shown = []
    for frame in posteriors("a_b_ ______b_b_____a_____b_b").split(1):
        decoder.push(frame)
        hypothesis = decoder.hypothesis
        words = [word.text for word in hypothesis.words]
        if shown:
            before, stable = shown[-1]
            assert words[:stable] == before[:stable]
        shown.append((words, hypothesis.stable))
    assert (["ab"], 0) in shown  # it may go on
    assert (["ab"], 1) in shown  # a border was decoded
    # A label alone after a pause belongs to the word before it, until a second one comes.
    assert (["ab", "bba"], 1) in shown
    assert shown[-1] == (["ab", "bba", "bb"], 2)


def test_another_decoder_has_the_last_word_on_each_utterance() -> None:
    beam = BeamDecoder(TOKENIZER, SECONDS)
    decoder = StreamDecoder(beam, endpoint=0.6)
    log_probs = posteriors(PATH)
    for part in log_probs.split(3):
        decoder.push(part)
        ended = sum(len(each.text.split()) for each in decoder._ended)
        assert decoder.hypothesis.stable == ended
    decoder.finish()
    found = decoder.take_ended()
    assert [each.text for each in found] == ["ab bb", "a", "ba a"]
    assert found[2].words[0].start == pytest.approx(4.5, abs=SECONDS)


def test_an_hour_of_silence_is_not_kept() -> None:
    decoder = StreamDecoder(BeamDecoder(TOKENIZER, SECONDS), endpoint=0.6)
    for _ in range(60):
        decoder.push(posteriors("_" * 600))
    assert len(decoder._posteriors) <= 5
    decoder.push(posteriors("_ab"))
    decoder.finish()
    (found,) = decoder.take_ended()
    assert found.text == "ab"
    assert found.words[0].start == pytest.approx(3600.1, abs=SECONDS)


def test_posteriors_that_are_not_numbers_are_a_problem() -> None:
    decoder = StreamDecoder(GreedyDecoder(TOKENIZER, SECONDS))
    decoder.push(posteriors("a_ "))
    decoder.push(torch.full((3, 4), math.nan))
    decoder.push(posteriors("b"))
    decoder.finish()
    assert decoder.hypothesis.text == "a b"
    assert decoder.hypothesis.problem == "its posteriors are not numbers"


@pytest.mark.parametrize("endpoint", [0, -1.0, math.nan, math.inf])
def test_an_endpoint_is_a_length_of_time(endpoint: float) -> None:
    with pytest.raises(ValueError, match="endpoint="):
        StreamDecoder(GreedyDecoder(TOKENIZER, SECONDS), endpoint)
