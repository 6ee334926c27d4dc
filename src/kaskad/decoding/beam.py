"""Beam search over the labels, with or without a language model: words may be any."""

import logging
import re
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
import torch
from pyctcdecode.alphabet import BPE_TOKEN, Alphabet
from pyctcdecode.decoder import BeamSearchDecoderCTC, OutputBeam
from pyctcdecode.language_model import LanguageModel

from kaskad.decoding.ctc_decoder import SearchDecoder, word_border
from kaskad.decoding.hypothesis import Hypothesis, Word, best_of
from kaskad.decoding.likeliest_path import align, frames_needed
from kaskad.decoding.word_lists import spell_words
from kaskad.ngrams.kenlm import open_language_model
from kaskad.text.tokenizer import Tokenizer

logging.getLogger("pyctcdecode").setLevel(logging.ERROR)  # its doubts are checked here, better

# Stands for a label that is nothing but the blank before a word: pyctcdecode takes a bare "▁" for
# the end of a word as well, and breaks another beam's word in two.
BORDER = "\ue000"


class BeamDecoder(SearchDecoder):
    """CTC prefix beam search, of pyctcdecode; labels of any tokenizer.

    A word adds ``alpha`` times the natural logarithm of its probability in ``language_model``, an
    ARPA file of words as the transcripts spell them, plus ``beta``. A beginning of no known word
    costs ``unk_score_offset``; a frame goes on only with labels above ``token_min_logp``, a
    beam only within ``beam_prune_logp`` of the best. A beam earns ``hotword_weight`` for each
    of ``hotwords``, which are a list or a text of words.

    For ``n_best``, ``rescore`` and ``workers`` see ``SearchDecoder``, for what is done to the
    posteriors ``Decoder``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds_per_frame: float,
        *,
        language_model: str | Path | None = None,
        alpha: float = 0.5,
        beta: float = 1.5,
        unk_score_offset: float = -10.0,
        beam_width: int = 100,
        token_min_logp: float = -5.0,
        beam_prune_logp: float = -10.0,
        hotwords: str | Sequence[str] = (),
        hotword_weight: float = 10.0,
        **shared: Any,
    ) -> None:
        super().__init__(tokenizer, seconds_per_frame, **shared)
        if beam_width < 1:
            raise ValueError(f"decoder.beam_width={beam_width}: one beam at least must be kept")
        preferred = hotwords_of(hotwords, tokenizer)
        model = None
        if language_model is not None:
            n_grams, words = open_language_model(language_model, tokenizer)
            model = WordModel(n_grams, words, alpha, beta, unk_score_offset)
        self._beams = BeamSearchDecoderCTC(alphabet(tokenizer.labels), model)
        weakref.finalize(self, self._beams.cleanup)
        self._limits: dict[str, Any] = {
            "beam_width": beam_width,
            "token_min_logp": token_min_logp,
            "beam_prune_logp": beam_prune_logp,
            # Merges what the language model cannot tell apart: quicker, but no n-best list is left.
            "prune_history": self.n_best == 1,
            # A word that begins with a border of its own is the same word.
            "hotwords": [sign + word for word in preferred for sign in ("", BORDER)],
            "hotword_weight": hotword_weight,
        }

    def search(self, log_probs: np.ndarray) -> Hypothesis:
        found: dict[str, Hypothesis] = {}
        for beam in self._beams.decode_beams(log_probs, **self._limits):
            hypothesis = self._hypothesis(beam, log_probs)
            found.setdefault(hypothesis.text, hypothesis)  # else the same words, spelt otherwise
            if len(found) == self.n_best:
                break
        return best_of(list(found.values()))

    def _hypothesis(self, beam: OutputBeam, log_probs: np.ndarray) -> Hypothesis:
        text, _, _, acoustic_score, score = beam
        words = self._words(" ".join(text.replace(BORDER, "").split()), log_probs)
        text = " ".join(word.text for word in words)
        return Hypothesis(text, float(score), words, float(acoustic_score))

    def _words(self, text: str, log_probs: np.ndarray) -> list[Word]:
        """The times of words: beams that meet keep the frames of either, not of the better."""
        labels = torch.tensor(self.tokenizer.encode(text), dtype=torch.int32)
        if not text or frames_needed(labels) > len(log_probs):  # spelt otherwise than by its labels
            return [Word(word) for word in text.split()]
        return self.words(align(torch.from_numpy(log_probs), labels).numpy(), log_probs)


def hotwords_of(hotwords: str | Sequence[str], tokenizer: Tokenizer) -> list[str]:
    """Hotwords as the labels spell them; raises ``ValueError`` over one that they cannot spell."""
    entries = re.split("[,;]", hotwords) if isinstance(hotwords, str) else hotwords
    given = [word for entry in entries for word in entry.split()]
    spelt, unspelt = spell_words(given, tokenizer)
    if unspelt:
        word = unspelt[0]
        raise ValueError(
            f"decoder.hotwords: {word!r} can never be recognised, for there is no label for "
            f"{', '.join(map(repr, sorted(tokenizer.unknown(word))))}"
        )
    return spelt


class WordModel(LanguageModel):
    """Scores words without the sign that may stand before them."""

    def score(
        self, prev_state: kenlm.State, word: str, is_last_word: bool = False
    ) -> tuple[float, kenlm.State]:
        return super().score(prev_state, word.removeprefix(BORDER), is_last_word)

    def score_partial_token(self, partial_token: str) -> float:
        return super().score_partial_token(partial_token.removeprefix(BORDER))


def alphabet(labels: Sequence[str]) -> Alphabet:
    """Labels as pyctcdecode wants them, which marks with "▁" those that begin a word."""
    if word_border(labels) is not None:
        return Alphabet(list(labels), is_bpe=False)
    marked = [
        BPE_TOKEN + (label[1:] or BORDER) if label.startswith(" ") else label for label in labels
    ]
    return Alphabet(marked, is_bpe=True)
