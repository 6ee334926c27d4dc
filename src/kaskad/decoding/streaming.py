"""Posteriors that arrive in parts become a hypothesis that grows, utterance by utterance."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kaskad.decoding.ctc_decoder import Decoder, Run, runs
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.decoding.hypothesis import Hypothesis, Word, moved
from kaskad.text.tokenizer import BLANK

LONG = 30.0  # seconds after which a quarter of the silence ends an utterance
LEAD = 0.5  # seconds before the first word of an utterance that a search gets as well


@dataclass(frozen=True)
class StreamHypothesis(Hypothesis):
    """The hypothesis so far. The first ``stable`` of its ``words`` will not change any more."""

    stable: int = 0


class StreamDecoder:
    """Decodes one stream of posteriors: ``push`` its parts, then ``finish``.

    The likeliest labels are shown at once; a word is stable as soon as the next one begins. Where
    nobody speaks for ``endpoint`` seconds (``None``: never), an utterance ends, and ``decoder``
    gets the whole of it: another than the greedy one then has the last word, and until then
    nothing is stable.
    """

    def __init__(self, decoder: Decoder, endpoint: float | None = None) -> None:
        if endpoint is not None and not 0 < endpoint < math.inf:
            raise ValueError(
                f"endpoint={endpoint}: an utterance ends after so many seconds of silence, as 0.8; "
                "None ends it where the audio does"
            )
        self.decoder = decoder
        self.endpoint = endpoint
        self._has_last_word = not isinstance(decoder, GreedyDecoder)
        self._frames = 0  # of the stream, so far
        self._ended: list[Hypothesis] = []
        self._problem: str | None = None
        self._lead = round(LEAD / decoder.seconds_per_frame)
        # What a search is to get, from frame `_held` on.
        self._posteriors = torch.empty(0, len(decoder.tokenizer.labels))
        self._held = 0
        self._begin(0)

    def push(self, log_probs: Tensor) -> None:
        """Decode the next frames of log-probabilities (frames, labels)."""
        log_probs = self._numbers(log_probs)
        rows = self.decoder.adjust(log_probs).float().cpu().numpy()
        path = rows.argmax(axis=1)
        best = np.take_along_axis(rows, path[:, None], 1)[:, 0]
        offset = self._frames
        if self._has_last_word:
            self._posteriors = torch.cat([self._posteriors, log_probs.float().cpu()])
        for run in runs(path, rows):
            self._append(run, offset, best)
        self._frames += len(rows)
        if self.endpoint is not None and not (self._words or self._labels):
            self._forget(self._frames - self._lead)

    def finish(self) -> None:
        """No more frames come: what there is so far is an utterance."""
        self._end(self._frames)

    @property
    def hypothesis(self) -> StreamHypothesis:
        """The hypothesis so far, without what ``take_ended`` returned."""
        ended = [word for each in self._ended for word in each.words]
        waiting = self._parted()
        current = [*self._words, *map(self.decoder.spelt, waiting)]
        stable = len(ended)
        if not self._has_last_word:
            # The last word may go on, unless a border follows it.
            is_open = bool(waiting) and waiting[-1][-1] is self._labels[-1]
            stable += len(current) - is_open
        texts = [*(each.text for each in self._ended), " ".join(word.text for word in current)]
        return StreamHypothesis(
            " ".join(filter(None, texts)),
            sum(each.score for each in self._ended) + self._score,
            [*ended, *current],
            problem=self._problem,
            stable=stable,
        )

    def take_ended(self) -> list[Hypothesis]:
        """The utterances that have ended since this was last asked, given away."""
        ended, self._ended = self._ended, []
        return ended

    def _begin(self, frame: int) -> None:
        """Begin an utterance at a frame of the stream."""
        self._first = frame
        self._score = 0.0
        self._words: list[Word] = []  # that are stable
        self._labels: list[Run] = []  # those that may belong to words that are not
        self._last: Run | None = None  # the run that may go on, of blanks or a label

    def _append(self, run: Run, offset: int, best: np.ndarray) -> None:
        """Append a run of a part of the stream that begins at frame ``offset``."""
        last = self._last
        begins = offset + run.start
        if last is not None and last.label == run.label:
            begins = last.start
        end = self._end_of_silence(run.label, begins)
        if end is not None and end <= offset + run.end:
            here = max(run.start, end - offset)
            self._score += float(best[run.start : here].sum())
            self._end(end)
            if here == run.end:
                return
            run, begins = run._replace(start=here), end
            last = None
        if run.label != BLANK and self.endpoint is not None and not (self._words or self._labels):
            # However long nobody spoke: an utterance begins shortly before its first label.
            self._first, self._score = max(self._first, begins - self._lead), 0.0
        self._score += float(best[run.start : run.end].sum())
        peak = run.peak if last is None or last.label != run.label else max(run.peak, last.peak)
        self._last = Run(run.label, begins, offset + run.end, peak)
        if run.label != BLANK:
            if last is not None and last.label == run.label:
                self._labels.pop()
            self._labels.append(self._last)
            self._settle()

    def _end_of_silence(self, label: int, begins: int) -> int | None:
        """The frame at which blanks that begin there have ended the utterance; ``None``: never."""
        if self.endpoint is None or label != BLANK or not (self._words or self._labels):
            return None
        seconds = self.decoder.seconds_per_frame
        is_long = (begins - self._first) * seconds > LONG
        return begins + max(1, round(self.endpoint / (4 if is_long else 1) / seconds))

    def _settle(self) -> None:
        """Spell the words that no label to come can change."""
        *settled, last = self._parted() or [[]]
        if settled:
            self._words += map(self.decoder.spelt, settled)
            self._labels = self._labels[self._labels.index(last[0]) :]

    def _parted(self) -> list[list[Run]]:
        return self.decoder.parted(self._labels)

    def _end(self, frame: int) -> None:
        """End the utterance at a frame of the stream, and begin the next one there."""
        words = [*self._words, *map(self.decoder.spelt, self._parted())]
        if words and self._has_last_word:
            posteriors = self._posteriors[self._first - self._held : frame - self._held]
            (found,) = self.decoder(posteriors[None], torch.tensor([len(posteriors)]))
            self._ended.append(moved(found, self._first * self.decoder.seconds_per_frame))
        elif words:
            text = " ".join(word.text for word in words)
            self._ended.append(Hypothesis(text, self._score, words, acoustic_score=self._score))
        self._forget(frame)
        self._begin(frame)

    def _forget(self, before: int) -> None:
        """Hold no posteriors of frames before this one."""
        if self._has_last_word and before > self._held:
            self._posteriors = self._posteriors[before - self._held :].clone()
            self._held = before

    def _numbers(self, log_probs: Tensor) -> Tensor:
        """Posteriors as they are; where they are not numbers, nothing but blanks, and a problem."""
        broken = ~log_probs.amax(dim=1).isfinite()
        if not broken.any():
            return log_probs
        self._problem = "its posteriors are not numbers"
        silence = torch.full_like(log_probs[0], -torch.inf)
        silence[BLANK] = 0.0
        return log_probs.where(~broken[:, None], silence)
