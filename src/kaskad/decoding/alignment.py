"""Where in an utterance each word of its transcript was spoken, and how well the two fit."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kaskad.decoding.ctc_decoder import runs
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.hypothesis import Word
from kaskad.decoding.likeliest_path import align, frames_needed
from kaskad.decoding.word_lists import few, spell_words
from kaskad.text.tokenizer import BLANK, Tokenizer

# Frames times labels that an alignment may have: some minutes of speech in half a GB.
LARGEST = 5e8


class AlignmentError(ValueError):
    """A transcript that cannot be aligned; the message is the reason, without the utterance."""


@dataclass(frozen=True)
class Alignment:
    """``words`` and ``labels`` with their times and confidences.

    ``fit``, from 0 to 1, is how likely the transcript is beside the recogniser's own
    hypothesis, label by label: the geometric mean. 1 is a transcript that nothing beats.
    ``unspelt`` are words for which there are no labels: they have no times.
    """

    words: list[Word]
    labels: list[Word]
    fit: float
    unspelt: list[str]


class Aligner:
    """Forced alignment by connectionist temporal classification (CTC).

    Source: Kürzinger et al., "CTC-Segmentation of Large Corpora for German End-to-End Speech
    Recognition" (SPECOM 2020), for alignment as a way to clean a corpus; the path is found by
    torchaudio's ``forced_align``.
    """

    def __init__(self, tokenizer: Tokenizer, seconds_per_frame: float) -> None:
        self.tokenizer = tokenizer
        # Here the transcript says where words end, and not a pause.
        self._decoder = GreedyDecoder(tokenizer, seconds_per_frame, pause=None)

    def __call__(self, log_probs: Tensor, text: str, language: str) -> Alignment:
        """Align ``text``, in ``language``, with log-probabilities (frames, labels).

        Raises ``AlignmentError`` where there is nothing to align, or too few or too many frames.
        """
        log_probs = log_probs.float().cpu()
        spelt, unspelt = spell_words(self.tokenizer.spell(text.split(), language), self.tokenizer)
        targets = torch.tensor(self.tokenizer.encode(" ".join(spelt)), dtype=torch.int32)
        if not len(targets):
            missing = f": there are no labels for {few(unspelt)}" if unspelt else ""
            raise AlignmentError(f"has no transcript that the labels can spell{missing}")
        if frames_needed(targets) > len(log_probs):
            raise AlignmentError(
                f"lasts {len(log_probs)} frames, and its transcript needs {frames_needed(targets)}"
            )
        if len(log_probs) * len(targets) > LARGEST:
            raise AlignmentError(
                f"is too long to be aligned at once, {len(log_probs)} frames with {len(targets)} "
                "labels; cut it into parts of some minutes"
            )
        path = align(log_probs, targets).numpy()
        frames = log_probs.numpy()
        labels = [
            self._decoder.word(self.tokenizer.labels[run.label].strip() or "␣", [run])
            for run in runs(path, frames)
            if run.label != BLANK
        ]
        words = self._decoder.words(path, frames)
        return Alignment(words, labels, _fit(log_probs, targets), unspelt)


def _fit(log_probs: Tensor, targets: Tensor) -> float:
    """The probability of the transcript, in all alignments, over that of the likeliest path."""
    loss = F.ctc_loss(
        log_probs[:, None],
        targets[None].long(),
        torch.tensor([len(log_probs)]),
        torch.tensor([len(targets)]),
        blank=BLANK,
        reduction="sum",
    )
    best = log_probs.max(dim=1).values.sum()
    return math.exp(min(0.0, float(-loss - best) / len(targets)))
