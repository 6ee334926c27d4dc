"""The words of a net that spells, label after label, without a frame for each of them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kaskad.decoding.ctc_decoder import runs
from kaskad.decoding.hypothesis import Word
from kaskad.decoding.likeliest_path import align, frames_needed
from kaskad.text.tokenizer import BLANK, Tokenizer


class Spelt(NamedTuple):
    """A label that was spelt: its text, its log-probability, and its seconds where known."""

    text: str
    log_prob: float
    start: float | None = None
    end: float | None = None


def spelt_words(
    labels: Sequence[int],
    log_probs: Sequence[float],
    tokenizer: Tokenizer,
    ctc: Tensor | None = None,
    seconds_per_frame: float = 0.0,
) -> list[Word]:
    """Return the words of some labels, as sure as that all of these come one after the other.

    Args:
        labels: what was spelt.
        log_probs: the log-probability of each label, after those before it.
        tokenizer: what the labels are.
        ctc: log-probabilities (frames, labels) of CTC for the same utterance, which tell the times
            of words; without them, or where its frames are too few, words have none.
        seconds_per_frame: between two of these frames.
    """
    times = _times(labels, ctc, seconds_per_frame)
    texts = [tokenizer.labels[label] for label in labels]
    rows = zip(texts, log_probs, times, strict=True)
    return words_of([Spelt(text, log_prob, *seconds) for text, log_prob, seconds in rows])


def words_of(labels: Sequence[Spelt]) -> list[Word]:
    """Join labels to words, each as sure as that all of its labels occur."""
    words: list[list[Spelt]] = [[]]
    for label in labels:
        if label.text.startswith(" "):
            words.append([])
        if label.text.strip():
            words[-1].append(label._replace(text=label.text.strip()))
    return [
        Word(
            "".join(label.text for label in word),
            word[0].start,
            word[-1].end,
            math.exp(min(0.0, sum(label.log_prob for label in word))),
        )
        for word in words
        if word
    ]


def _times(
    labels: Sequence[int], ctc: Tensor | None, seconds_per_frame: float
) -> list[tuple[float | None, float | None]]:
    """The start and end of each label in the likeliest alignment, in seconds."""
    targets = torch.tensor(labels, dtype=torch.int32)
    if ctc is None or not len(targets) or frames_needed(targets) > len(ctc):
        return [(None, None)] * len(labels)
    frames = ctc.float().cpu()
    found = runs(np.asarray(align(frames, targets)), frames.numpy())
    return [
        (round(run.start * seconds_per_frame, 3), round(run.end * seconds_per_frame, 3))
        for run in found
        if run.label != BLANK
    ]
