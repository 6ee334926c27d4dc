"""Words have times and a confidence, part at pauses, and are the same in the text and its list."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.lexicon import LexiconDecoder
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.subwords import SubwordTokenizer
from kaskad.text.tokenizer import BLANK

LETTERS = CharacterTokenizer(list(" абв"))
MAKERS = pytest.mark.parametrize(
    ("make", "options"),
    [(GreedyDecoder, {}), (BeamDecoder, {}), (LexiconDecoder, {"lexicon": ["аб", "в"]})],
)


def posteriors(path: str, sure: float = 0.9) -> tuple[Tensor, Tensor]:
    """What a net gives that is sure of each frame of a path, where _ is the blank."""
    labels = torch.tensor(["_ абв".index(letter) for letter in path], dtype=torch.long)
    rest = (1 - sure) / 4
    frames = (one_hot(labels, 5) * (sure - rest) + rest).log()
    return frames[None], torch.tensor([len(path)])


@MAKERS
def test_a_word_is_as_sure_as_its_labels(make, options) -> None:
    log_probs, lengths = posteriors("ааб_ в_")
    log_probs[0, :3] = posteriors("ааб", sure=0.6)[0]
    log_probs[0, 1] = posteriors("а", sure=0.8)[0]
    found = make(LETTERS, 0.04, **options)(log_probs, lengths)[0]
    # The surest frame of a label counts: 0.8 for а, 0.6 for б.
    assert [word.confidence for word in found.words] == pytest.approx([0.8 * 0.6, 0.9], abs=1e-5)
    assert found.confidence == pytest.approx((0.48 + 0.9) / 2, abs=1e-5)


@MAKERS
def test_words_part_at_a_pause(make, options) -> None:
    log_probs, lengths = posteriors("аб" + "_" * 12 + "аб")
    found = make(LETTERS, 0.04, pause=0.4, **options)(log_probs, lengths)[0]
    assert found.text == "аб аб"
    times = [(word.text, word.start, word.end) for word in found.words]
    assert times == [("аб", 0.0, 0.08), ("аб", 0.56, 0.64)]


@pytest.mark.parametrize("make", [GreedyDecoder, BeamDecoder])
def test_labels_alone_part_words_where_that_is_wished(make) -> None:
    frames = posteriors("аб" + "_" * 12 + "ва")
    assert make(LETTERS, 0.04, pause=None)(*frames)[0].text == "абва"
    assert make(LETTERS, 0.1, pause=1.2)(*frames)[0].text == "абва"
    late = posteriors("аб" + "_" * 12 + "в" + "_" * 12 + "ва а")
    assert make(LETTERS, 0.04)(*late)[0].text == "абв ва а"  # nets give a last letter late
    with pytest.raises(ValueError, match=r"decoder\.pause=0: .*null parts them by labels alone"):
        make(LETTERS, 0.04, pause=0)


def test_a_border_that_is_a_subword_of_its_own_leaves_no_trace() -> None:
    tokenizer = SubwordTokenizer(vocabulary_size=18).fit(["один два три два пять"])
    space = tokenizer.labels.index(" ")
    one, two = tokenizer.encode("один"), tokenizer.encode("два")
    for labels in ([space, *one, *two], [*one, space, *two], [*one, *two, space], [space]):
        path = [label for each in labels for label in (each, BLANK)]
        frames = (one_hot(torch.tensor(path), tokenizer.size) * 0.8 + 0.2 / tokenizer.size).log()
        lengths = torch.tensor([len(path)])
        greedy = GreedyDecoder(tokenizer, 0.04)(frames[None], lengths)[0]
        beam = BeamDecoder(tokenizer, 0.04)(frames[None], lengths)[0]
        assert beam.text == greedy.text == ("один два" if len(labels) > 1 else "")


@pytest.mark.parametrize("lm", [False, True])
def test_no_hypothesis_comes_twice(lm: bool, speak, write_arpa) -> None:
    tokenizer = SubwordTokenizer(vocabulary_size=18).fit(["один два три два пять"])
    model = write_arpa("один два три два пять") if lm else None
    decoder = BeamDecoder(tokenizer, 0.04, n_best=20, language_model=model)
    generator = torch.Generator().manual_seed(0)
    posteriors = speak(tokenizer, "один два", sure=0.5)
    for _ in range(3):
        noise = torch.randn(posteriors.shape, generator=generator)
        frames = (posteriors + noise).log_softmax(1)[None]
        best = decoder(frames, torch.tensor([frames.shape[1]]))[0]
        texts = [each.text for each in (best, *best.alternatives)]
        assert len(set(texts)) == len(texts) > 1
        assert all(text == " ".join(text.split()) for text in texts)


def test_a_confidence_is_a_probability_whatever_adjusts_the_posteriors() -> None:
    log_probs, lengths = posteriors("ааб_ в_", sure=0.5)
    for word in GreedyDecoder(LETTERS, 0.04, blank_penalty=5.0)(log_probs, lengths)[0].words:
        assert word.confidence is not None and 0.0 < word.confidence <= 1.0
    assert GreedyDecoder(LETTERS, 0.04)(*posteriors("___"))[0].confidence is None
