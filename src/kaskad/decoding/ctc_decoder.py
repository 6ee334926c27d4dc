"""What all decoders of CTC share: adjusted posteriors, utterances without any, processes."""

import logging
import math
import multiprocessing
import signal
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from kaskad.audio.masks import padding_mask
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.decoding.priors import Adjustment
from kaskad.decoding.rescoring import Rescorer
from kaskad.text.tokenizer import BLANK, Tokenizer

log = logging.getLogger(__name__)


class Run(NamedTuple):
    """A label that lasts from frame ``start`` to before ``end``; ``peak`` is the highest of its
    log-probabilities there."""

    label: int
    start: int
    end: int
    peak: float


def runs(path: np.ndarray, log_probs: np.ndarray) -> list[Run]:
    """The runs of equal labels along a path (frames,) through (frames, labels), blanks included."""
    if not len(path):
        return []
    starts = np.flatnonzero(np.diff(path, prepend=path[0] - 1))
    ends = [*starts[1:].tolist(), len(path)]
    peaks = np.maximum.reduceat(log_probs[np.arange(len(path)), path], starts)
    columns = path[starts].tolist(), starts.tolist(), ends, peaks.tolist()
    return [Run(*row) for row in zip(*columns, strict=True)]


class Decoder(ABC):
    """``(log_probs (batch, frames, labels), lengths (batch,)) -> list[Hypothesis]``.

    ``seconds_per_frame`` turns frames into the times of words. Words are parted where the labels
    say so, and where no label occurs for more than ``pause`` seconds (``None``: by labels alone);
    a single label after a pause is still the end of the word before it, as nets give it late.
    The confidence of a word is the probability of its labels to the power 1 / ``temperature``.
    For ``blank_penalty``, ``priors`` and ``prior_scale`` see ``Adjustment``. An utterance whose
    posteriors are not numbers gets the empty hypothesis, with a ``problem``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds_per_frame: float,
        *,
        pause: float | None = 0.4,
        temperature: float = 1.0,
        blank_penalty: float = 1.0,
        priors: str | Path | None = None,
        prior_scale: float = 0.0,
    ) -> None:
        if pause is not None and not pause > 0:
            raise ValueError(
                f"decoder.pause={pause}: words are parted where no label occurs for more than so "
                "many seconds, as 0.4; null parts them by labels alone"
            )
        if not temperature > 0:
            raise ValueError(
                f"decoder.temperature={temperature}: confidences are taken to the power of 1 / "
                "temperature, which is above 0; 1.0 leaves them as they are"
            )
        self.tokenizer = tokenizer
        self.seconds_per_frame = seconds_per_frame
        self.temperature = temperature
        # In frames, with room for what floating point adds.
        self._pause = float("inf") if pause is None else pause / seconds_per_frame + 1e-6
        self.adjust = Adjustment(tokenizer.labels, blank_penalty, priors, prior_scale)

    def __call__(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        lengths = lengths.to(log_probs.device)
        outside = padding_mask(lengths, log_probs.shape[1])
        broken = (~log_probs.amax(dim=2).isfinite() & ~outside).any(dim=1)
        hypotheses = self.decode(self.adjust(log_probs), lengths.masked_fill(broken, 0))
        if not broken.any():
            return hypotheses
        problem = "its posteriors are not numbers"
        count = int(broken.sum())
        log.warning(
            "%d of %d utterances: %s: their hypotheses are empty", count, len(broken), problem
        )
        return [
            replace(hypothesis, problem=problem) if is_broken else hypothesis
            for hypothesis, is_broken in zip(hypotheses, broken.tolist(), strict=True)
        ]

    @abstractmethod
    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        """As ``__call__``, of posteriors that are adjusted, and numbers up to each length."""

    def words(self, path: np.ndarray, log_probs: np.ndarray) -> list[Word]:
        """The words along a path (frames,) of labels through log-probabilities (frames, labels)."""
        return [self.spelt(word) for word in self.parted(runs(path, log_probs))]

    def parted(self, path: Iterable[Run]) -> list[list[Run]]:
        """The labels of each word along a path, blanks and borders left out."""
        labels = self.tokenizer.labels
        words: list[list[Run]] = [[]]
        before: list[Run] = []  # the word before a pause, as long as it may go on after it
        for run in path:
            if run.label == BLANK:
                continue
            if labels[run.label].startswith(" "):
                _rejoin(words, before)
                words.append([])
                before = []
            elif words[-1] and run.start - words[-1][-1].end > self._pause:
                _rejoin(words, before)
                before = words[-1]
                words.append([])
            if labels[run.label] != " ":
                words[-1].append(run)
        _rejoin(words, before)
        return [word for word in words if word]

    def spelt(self, word: Sequence[Run]) -> Word:
        """The word that such labels are."""
        labels = self.tokenizer.labels
        return self.word("".join(labels[run.label] for run in word).strip(), word)

    def word(self, text: str, labels: Sequence[Run]) -> Word:
        """A word of such labels: as sure as that all of them occur."""
        start, end = labels[0].start, labels[-1].end
        begin, stop = (round(frame * self.seconds_per_frame, 3) for frame in (start, end))
        probability = min(0.0, sum(run.peak for run in labels))
        return Word(text, begin, stop, math.exp(probability / self.temperature))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # it does not change, and a language model is best kept in memory once


def _rejoin(words: list[list[Run]], before: list[Run]) -> None:
    """Give the word ``before`` a pause what came after it, if that is a single label."""
    if before and len(words[-1]) == 1:
        before += words.pop()


class SearchDecoder(Decoder):
    """A decoder that searches one utterance at a time, in ``workers`` processes: ``search``.

    With 1 it searches in this process. The others share the memory of the language model.
    ``n_best`` hypotheses are returned, as one and its alternatives; a second language model, in the
    checkpoint ``rescore``, chooses among them: see ``Rescorer``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds_per_frame: float,
        *,
        n_best: int = 1,
        rescore: str | Path | None = None,
        rescore_weight: float = 0.5,
        rescore_bonus: float = 0.0,
        workers: int = 1,
        **shared: Any,
    ) -> None:
        super().__init__(tokenizer, seconds_per_frame, **shared)
        if n_best < 1:
            raise ValueError(f"decoder.n_best={n_best}: the result is the best of at least 1")
        if workers < 1:
            raise ValueError(f"workers is {workers}: one process at least must decode")
        if rescore is not None and n_best < 2:
            raise ValueError(
                f"decoder.rescore chooses among the hypotheses of an utterance, and there is "
                f"{n_best}: ask for more, as decoder.n_best=20"
            )
        self.n_best = n_best
        self.workers = workers
        self._rescore = (
            None if rescore is None else Rescorer(rescore, tokenizer, rescore_weight, rescore_bonus)
        )

    @abstractmethod
    def search(self, log_probs: np.ndarray) -> Hypothesis:
        """The ``n_best`` hypotheses for (frames, labels) float32, one frame at least."""

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        rows = log_probs.float().cpu().numpy()
        utterances = [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
        hypotheses = self._decode_all(utterances)
        return hypotheses if self._rescore is None else self._rescore(hypotheses)

    def _decode_all(self, utterances: Sequence[np.ndarray]) -> list[Hypothesis]:
        if self.workers == 1:
            return [self.decode_one(utterance) for utterance in utterances]
        try:
            return list(self._processes.map(_decode_in_process, utterances))
        except BrokenProcessPool as error:
            del self._processes
            raise RuntimeError(
                f"one of {self.workers} processes that decode was ended from outside, as happens "
                "where memory runs out; ask for fewer (decoder.workers=…) or narrower beams "
                "(decoder.beam_width=…)"
            ) from error

    def decode_one(self, log_probs: np.ndarray) -> Hypothesis:
        """As ``search``, of any number of frames."""
        return self.search(log_probs) if len(log_probs) else Hypothesis("", 0.0)

    @cached_property
    def _processes(self) -> ProcessPoolExecutor:
        # Forked, they find the decoder where it lies; pyctcdecode's own pool would fall back to
        # one process wherever forking is not the default. The reference is weak, so that the
        # processes end when the decoder does.
        return ProcessPoolExecutor(
            self.workers, multiprocessing.get_context("fork"), _begin, (weakref.ref(self),)
        )


def word_border(labels: Sequence[str]) -> int | None:
    """The id of the label that stands between words; ``None`` where labels begin with a blank."""
    begin_words = any(label.startswith(" ") and label != " " for label in labels)
    return None if begin_words or " " not in labels else list(labels).index(" ")


_decoder: SearchDecoder  # of a process that decodes


def _begin(decoder: weakref.ref[SearchDecoder]) -> None:
    global _decoder
    _decoder = decoder()  # type: ignore[assignment]
    torch.set_num_threads(1)  # the threads of the process above are not there
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the process above


def _decode_in_process(log_probs: np.ndarray) -> Hypothesis:
    return _decoder.decode_one(log_probs)
