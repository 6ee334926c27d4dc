"""A blank penalty and label priors change posteriors exactly as they say, before any decoder."""

from pathlib import Path

import pytest
import torch

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.lexicon import LexiconDecoder
from kaskad.decoding.priors import Adjustment, count_labels, read_priors, write_priors
from kaskad.text.characters import CharacterTokenizer

LABELS = ["", " ", "а", "б"]
FRAME = torch.tensor([0.5, 0.1, 0.3, 0.1])
TOKENIZER = CharacterTokenizer([" ", "а", "б"])


def test_the_blank_is_divided_by_its_penalty() -> None:
    adjusted = Adjustment(LABELS, blank_penalty=5.0)(FRAME.log()).exp()
    torch.testing.assert_close(adjusted, torch.tensor([0.1, 0.1, 0.3, 0.1]) / 0.6)


def test_posteriors_are_divided_by_priors_to_a_power(tmp_path: Path) -> None:
    write_priors(tmp_path / "priors.json", LABELS, torch.tensor([800, 200, 50, 0]))
    assert '"а": 62500' in (tmp_path / "priors.json").read_text(encoding="utf-8")
    priors = read_priors(tmp_path / "priors.json", LABELS)
    torch.testing.assert_close(priors, torch.tensor([1.0, 0.25, 0.0625, 1e-6]))
    adjusted = Adjustment(LABELS, priors=tmp_path / "priors.json", prior_scale=0.5)(FRAME.log())
    expected = torch.tensor([0.5, 0.2, 1.2, 100.0])
    torch.testing.assert_close(adjusted.exp(), expected / expected.sum())


def test_by_default_a_posterior_stays_as_it_is(tmp_path: Path) -> None:
    write_priors(tmp_path / "priors.json", LABELS, torch.tensor([8, 2, 5, 1]))
    posteriors = FRAME.log()
    assert Adjustment(LABELS, priors=tmp_path / "priors.json")(posteriors) is posteriors


def test_labels_are_counted_along_the_likeliest_alignment_of_the_transcript() -> None:
    # The greedy path of the first is а а _ а; the transcript has a б, which fits best last.
    labels = torch.tensor([[2, 2, 0, 2, 0], [3, 3, 3, 1, 0]])
    log_probs = (torch.nn.functional.one_hot(labels, 4) * 0.8 + 0.05).log()
    log_probs[0, 3, 3] = -0.5
    counts = count_labels(
        log_probs, torch.tensor([4, 3]), torch.tensor([[2, 3], [3, 0]]), torch.tensor([2, 1])
    )
    assert counts.tolist() == [1, 0, 2, 4]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FileNotFoundError, "decoder.priors="),
        ('{"": 1000000, " ": 5, "a": 5, "b": 5}', ValueError, "of another tokenizer"),
        ("а 5", ValueError, "not a file of priors"),
    ],
)
def test_what_is_no_file_of_priors_for_these_labels_is_refused(
    tmp_path: Path, content: str | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "priors.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=message):
        GreedyDecoder(TOKENIZER, 0.04, priors=path, prior_scale=0.3)


@pytest.mark.parametrize("options", [{"blank_penalty": 0.0}, {"prior_scale": 0.3}])
def test_a_penalty_of_nothing_and_priors_from_nowhere_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        GreedyDecoder(TOKENIZER, 0.04, **options)


@pytest.mark.parametrize(
    "decoder",
    [
        GreedyDecoder(TOKENIZER, 0.04),
        BeamDecoder(TOKENIZER, 0.04),
        LexiconDecoder(TOKENIZER, 0.04, lexicon=["а", "б"]),
    ],
    ids=lambda decoder: type(decoder).__name__,
)
def test_an_utterance_without_posteriors_is_empty_and_harms_no_other(decoder, speak) -> None:
    spoken = speak(TOKENIZER, "а б")
    batch = torch.stack([spoken, spoken, spoken, spoken])
    batch[1, 4, 2] = torch.nan
    batch[2, 8] = torch.nan  # beyond its end
    batch[3] = torch.tensor([1.0, 0.0, 0.0, 0.0]).log()  # nothing but blank
    hypotheses = decoder(batch, torch.tensor([9, 9, 8, 9]))
    assert [hypothesis.text for hypothesis in hypotheses] == ["а б", "", "а б", ""]
    assert [hypothesis.problem is not None for hypothesis in hypotheses] == [False, True] + [
        False
    ] * 2
    assert decoder(batch[:1], torch.tensor([0]))[0].words == []
