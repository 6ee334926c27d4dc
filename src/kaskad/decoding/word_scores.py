"""What a language model of words thinks of a hypothesis that grows label by label."""

import math
from pathlib import Path
from typing import NamedTuple

import kenlm

from kaskad.ngrams.kenlm import open_language_model
from kaskad.text.tokenizer import Tokenizer

LN_10 = math.log(10.0)  # KenLM's logarithms are of base 10


class WordsSoFar(NamedTuple):
    """The state of the language model after the complete words, and the ``word`` in progress."""

    state: kenlm.State
    word: str


class WordScores:
    """Scores of words, added to those of labels as soon as a word is whole.

    Args:
        path: of the language model; see ``open_language_model``, which says what may be wrong.
        tokenizer: whose labels make the words.
        alpha: weight of the natural logarithm of a word's probability.
        beta: what every word adds.
        unk_score_offset: what a word adds that the language model does not know.
    """

    def __init__(
        self,
        path: str | Path,
        tokenizer: Tokenizer,
        alpha: float,
        beta: float,
        unk_score_offset: float,
    ) -> None:
        self.model, _ = open_language_model(path, tokenizer)
        self.labels = tokenizer.labels
        self.alpha = alpha
        self.beta = beta
        self.unk_score_offset = unk_score_offset

    def begin(self) -> WordsSoFar:
        """Before the first label."""
        state = kenlm.State()
        self.model.BeginSentenceWrite(state)
        return WordsSoFar(state, "")

    def extend(self, words: WordsSoFar, label: int) -> tuple[float, WordsSoFar]:
        """What a label adds to the score, and the words with it."""
        text = self.labels[label]
        if not text.startswith(" "):
            return 0.0, WordsSoFar(words.state, words.word + text)
        score, state = self._score(words)
        return score, WordsSoFar(state, text[1:])

    def end(self, words: WordsSoFar) -> float:
        """What the last word adds, once nothing follows it."""
        score, state = self._score(words)
        return score + self.alpha * LN_10 * self.model.BaseScore(state, "</s>", kenlm.State())

    def _score(self, words: WordsSoFar) -> tuple[float, kenlm.State]:
        if not words.word:
            return 0.0, words.state
        after = kenlm.State()
        score = self.alpha * LN_10 * self.model.BaseScore(words.state, words.word, after)
        unknown = 0.0 if words.word in self.model else self.unk_score_offset
        return score + self.beta + unknown, after
