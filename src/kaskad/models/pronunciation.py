"""A model of pronunciations (grapheme to phoneme): letters in, phones out, with attention."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import polars as pl
import torch
from torch import Tensor

from kaskad.data.pronunciations import Spellings
from kaskad.data.written import spell
from kaskad.decoding.attention_beam import AttentionBeamSearch
from kaskad.metrics.pronunciations import score, shares
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.attention_decoder import AttentionDecoder
from kaskad.models.letter_reader import LetterReader
from kaskad.models.seq2seq import spelling_losses
from kaskad.text.pronunciations import Pronunciation, fold_word
from kaskad.text.tokenizer import Tokenizer

TOGETHER = 256  # words that are pronounced at a time
SHOWN = 5

Answer = tuple[str, list[str], list[str]]  # a word, its references, the candidates


class PronunciationModel(LetterReader):
    """An encoder of letters, and a decoder with attention that writes the phones of a word.

    Source: Toshniwal and Livescu, "Jointly Learning to Align and Convert Graphemes to Phonemes with
    Neural Attention Models" (2016).

    Args:
        letters: Labels of what is read.
        tokenizer: Labels of what is written: a phone each.
        encoder: Its frames are letters, each of ``embedding_size`` values.
        attention_decoder: Partial: it is finished here.
        search: The beam; its ``labels_per_second`` has no part in it.
        embedding_size: Values that stand for a letter.
        phones_per_letter: A pronunciation that is longer is ended there, but not before 5 phones.
        label_smoothing: Share of probability spread over all phones, in training.
        objective: Names the figure that is shown while training.
        training: What trains it, for ``Learner``: ``optimizer`` and ``scheduler``.
    """

    learns_from_data = "pronunciations"

    def __init__(
        self,
        letters: Tokenizer,
        tokenizer: Tokenizer,
        encoder: Encoder,
        attention_decoder: Callable[..., AttentionDecoder],
        search: AttentionBeamSearch,
        embedding_size: int = 64,
        phones_per_letter: int = 3,
        label_smoothing: float = 0.1,
        objective: str = "per",
        **training: Any,
    ) -> None:
        super().__init__(letters, tokenizer, encoder, embedding_size, objective, **training)
        self.attention_decoder = attention_decoder(input_size=encoder.dim, labels=tokenizer.size)
        self.search = search
        self.phones_per_letter = phones_per_letter
        self.label_smoothing = label_smoothing

    def losses(self, batch: Spellings) -> Tensor:
        """The loss of each pronunciation, per phone and end (batch,)."""
        encoded, lengths = self(batch.spelt, batch.spelt_lengths)
        log_probs, _ = self.attention_decoder(encoded, lengths, batch.phones)
        smoothing = self.label_smoothing if self.training else 0.0
        return spelling_losses(log_probs, batch.phones, batch.phone_lengths, smoothing)

    def candidates(
        self, spelt: Tensor, lengths: Tensor, n_best: int = 1
    ) -> list[list[Pronunciation]]:
        """The ``n_best`` likeliest pronunciations of each word, or fewer, the best first."""
        search = AttentionBeamSearch(
            max(n_best, self.search.beam), self.search.length_normalisation
        )
        encoded, lengths = self(spelt, lengths)
        memory, state = self.attention_decoder.begin(
            encoded.repeat_interleave(search.beam, dim=0), lengths.repeat_interleave(search.beam)
        )
        step = partial(self.attention_decoder.step, memory=memory)
        limits = (self.phones_per_letter * lengths).clamp(min=5)
        found = search.n_best(step, state, limits)
        return [
            [
                Pronunciation(self.tokenizer.decode(labels), float(torch.tensor(score).exp()))
                for labels, score in ([one for one in each if one[0]] or each)[:n_best]
            ]
            for each in found
        ]

    @torch.inference_mode()
    def pronounce(self, words: Sequence[str], n_best: int = 1) -> list[list[Pronunciation]]:
        """The ``n_best`` likeliest pronunciations of each word, the best first.

        Capitals do not matter. Raises ``ValueError`` for empty words, and for words with letters
        that training did not have.
        """
        folded = [fold_word(word) for word in words]
        strange = {word: self.letters.unknown(word) for word in folded}
        strange = {word: unknown for word, unknown in strange.items() if unknown or not word}
        if strange:
            shown = ", ".join(
                f"{word!r} ({' '.join(sorted(unknown)) or 'empty'})"
                for word, unknown in list(strange.items())[:SHOWN]
            )
            raise ValueError(
                f"{len(strange)} of {len(folded)} words have letters that this model does not "
                f"know, or none: {shown}; it knows {' '.join(self.letters.labels[1:])}. Write "
                "numbers and abbreviations as words, or train with a dictionary that has them"
            )
        self.eval()
        found: list[list[Pronunciation]] = []
        for start in range(0, len(folded), TOGETHER):
            spelt, lengths = spell(folded[start : start + TOGETHER], self.letters)
            found += self.candidates(spelt.to(self.device), lengths.to(self.device), n_best)
        return found

    def answers(self, batch: Spellings) -> list[Answer]:
        found = self.candidates(batch.spelt, batch.spelt_lengths, self.search.beam)
        phones = [[each.phones for each in candidates] for candidates in found]
        return [*zip(batch.words, batch.references, phones, strict=True)]

    def figures(self, answers: list[Answer]) -> dict[str, float]:
        return {name: each.value for name, each in shares(_table(answers)).items()}

    def scored(self, loader: int = 0) -> pl.DataFrame:
        """The words of a loader as ``score`` has them, with columns ``word`` and ``candidates``."""
        return _table(self._answers[loader])


def _table(answers: list[Answer]) -> pl.DataFrame:
    words, references, candidates = zip(*answers, strict=True)
    own = pl.DataFrame({"word": words, "candidates": [" | ".join(each) for each in candidates]})
    return own.hstack(score(references, candidates))
