"""What all decoders of CTC share: adjusted posteriors, utterances without any, processes."""

import logging
import multiprocessing
import signal
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from kaskad.audio.masks import padding_mask
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.decoding.priors import Adjustment
from kaskad.decoding.rescoring import Rescorer
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class Decoder(ABC):
    """``(log_probs (batch, frames, labels), lengths (batch,)) -> list[Hypothesis]``.

    ``seconds_per_frame`` turns frames into the times of words; for ``blank_penalty``, ``priors``
    and ``prior_scale`` see ``Adjustment``. An utterance whose posteriors are not numbers gets the
    empty hypothesis, with a ``problem``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds_per_frame: float,
        *,
        blank_penalty: float = 1.0,
        priors: str | Path | None = None,
        prior_scale: float = 0.0,
    ) -> None:
        self.tokenizer = tokenizer
        self.seconds_per_frame = seconds_per_frame
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
        log.warning("%d of %d utterances: %s: nothing is heard", count, len(broken), problem)
        return [
            replace(hypothesis, problem=problem) if is_broken else hypothesis
            for hypothesis, is_broken in zip(hypotheses, broken.tolist(), strict=True)
        ]

    @abstractmethod
    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        """As ``__call__``, of posteriors that are adjusted, and numbers up to each length."""

    def words(self, path: Iterable[int]) -> list[Word]:
        """The words along a path, which has a label for each frame."""
        letters: list[tuple[str, int, int]] = []
        frame = 0
        for label, run in groupby(path):
            length = len(list(run))
            letters += [(x, frame, frame + length) for x in self.tokenizer.labels[label]]
            frame += length
        return [
            self.word("".join(letter for letter, *_ in word), word[0][1], word[-1][2])
            for is_blank, group in groupby(letters, key=lambda letter: letter[0] == " ")
            if not is_blank and (word := list(group))
        ]

    def word(self, text: str, start: int, end: int) -> Word:
        """A word that lasts from frame ``start`` to before frame ``end``."""
        times = (round(frame * self.seconds_per_frame, 3) for frame in (start, end))
        return Word(text, *times)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # it does not change, and a language model is best kept in memory once


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
        """The ``n_best`` of what is said in (frames, labels) float32, one frame at least."""

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        rows = log_probs.float().cpu().numpy()
        utterances = [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
        hypotheses = self._hear_all(utterances)
        return hypotheses if self._rescore is None else self._rescore(hypotheses)

    def _hear_all(self, utterances: Sequence[np.ndarray]) -> list[Hypothesis]:
        if self.workers == 1:
            return [self.hear(utterance) for utterance in utterances]
        try:
            return list(self._processes.map(_hear, utterances))
        except BrokenProcessPool as error:
            del self._processes
            raise RuntimeError(
                f"one of {self.workers} processes that decode was ended from outside, as happens "
                "where memory runs out; ask for fewer (decoder.workers=…) or narrower beams "
                "(decoder.beam_width=…)"
            ) from error

    def hear(self, log_probs: np.ndarray) -> Hypothesis:
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


def _hear(log_probs: np.ndarray) -> Hypothesis:
    return _decoder.hear(log_probs)
