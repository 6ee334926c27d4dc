"""How well a model predicts a text."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Perplexity:
    """Sums over a text: ``log10`` is of the probability of all words and sentence ends.

    Of the ``words``, so many are ``unknown``: not in the model.
    """

    sentences: int
    words: int
    unknown: int
    log10: float
    log10_of_unknown: float

    @property
    def value(self) -> float:
        """The perplexity a word, sentence ends counted as words."""
        return float(10 ** (-self.log10 / (self.words + self.sentences)))

    @property
    def value_without_unknown(self) -> float:
        """The same over the words that the model has."""
        known = self.words - self.unknown + self.sentences
        return float(10 ** ((self.log10_of_unknown - self.log10) / known))

    @property
    def unknown_rate(self) -> float:
        """The share of words that are out of the vocabulary."""
        return self.unknown / self.words


def perplexity(arpa: Path, sentences: Iterable[str]) -> Perplexity:
    """Score sentences, whose words stand between blanks, by a model; there must be a word."""
    import kenlm  # the extra beam brings it, and neural language models do without

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    model = kenlm.Model(str(arpa), config)
    count, words, unknown, log10, log10_of_unknown = 0, 0, 0, 0.0, 0.0
    for sentence in sentences:
        count += 1
        words -= 1  # the end of the sentence is scored, too
        for score, _, is_unknown in model.full_scores(sentence):
            words += 1
            log10 += score
            if is_unknown:
                unknown += 1
                log10_of_unknown += score
    return Perplexity(count, words, unknown, log10, log10_of_unknown)
