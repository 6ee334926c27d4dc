"""The likeliest label of each frame, without repeats and blanks, and when each word was spoken."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pad_sequence

from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.text.characters import CharacterTokenizer

ALPHABET = " ab"
SECONDS_PER_FRAME = 0.04
# How sure the net is of each frame.
SURE = 0.7


def posteriors(path: str) -> Tensor:
    """Log-probabilities (frames, labels), the likeliest along a path where _ is the blank."""
    labels = torch.tensor(["_ ab".index(letter) for letter in path], dtype=torch.long)
    rest = (1 - SURE) / 3
    return (one_hot(labels, 4) * (SURE - rest) + rest).log()


def decode(*paths: str) -> list[Hypothesis]:
    decoder = GreedyDecoder(CharacterTokenizer(ALPHABET), SECONDS_PER_FRAME)
    # After the end of an utterance stands what would be decoded if it were read.
    batch = pad_sequence([posteriors(p) for p in paths], batch_first=True, padding_value=0.0)
    for row, path in enumerate(paths):
        batch[row, len(path) :, 3] = 1.0
    return decoder(batch, torch.tensor([len(path) for path in paths]))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ab", "ab"),
        ("aaabbb", "ab"),
        ("_a_b_", "ab"),
        ("a_a", "aa"),
        ("aa_aab", "aab"),
        ("a b", "a b"),
        ("a _ b", "a b"),
        (" _a_ ", "a"),
        ("____", ""),
        ("", ""),
    ],
)
def test_repeats_and_blanks_are_removed(path: str, text: str) -> None:
    assert decode(path)[0].text == text


def test_an_utterance_ends_where_its_length_says() -> None:
    hypotheses = decode("a", "abababab", "", "bb__")
    assert [hypothesis.text for hypothesis in hypotheses] == ["a", "abababab", "", "b"]


def test_the_score_is_the_log_probability_of_the_path() -> None:
    scores = [hypothesis.score for hypothesis in decode("a_b", "aabb__", "")]
    assert scores == pytest.approx([3 * math.log(SURE), 6 * math.log(SURE), 0.0], abs=1e-5)


def test_words_are_given_their_first_and_last_frames_in_seconds() -> None:
    words = decode("__aab__  _bb_b_a__")[0].words
    times = [(word.text, word.start, word.end) for word in words]
    assert times == [("ab", 0.08, 0.2), ("bba", 0.4, 0.64)]
    assert decode("_ _")[0].words == []
