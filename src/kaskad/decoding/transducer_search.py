"""The search of a transducer: in each frame any number of labels, then the blank."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from kaskad.decoding.hypothesis import Hypothesis, best_of
from kaskad.decoding.spelt_words import Spelt, words_of
from kaskad.decoding.word_scores import WordScores, WordsSoFar
from kaskad.text.tokenizer import BLANK, Tokenizer


class Predictor(Protocol):
    """What predicts the next label: a state for each row, with its ``output`` (rows, dim)."""

    def begin(self, rows: int) -> Any: ...

    def step(self, labels: Tensor, state: Any) -> Any: ...


class Join(Protocol):
    """Scores of the labels (rows, labels) of encoded frames (rows, dim) and what is predicted."""

    def __call__(self, encoded: Tensor, predicted: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Beginning:
    """A hypothesis as far as it goes: its ``labels``, the frame and log-probability of each, its
    ``score``, the sum over all alignments seen, and what the language model adds in ``bonus``.
    ``row`` is where the prediction net keeps its state."""

    labels: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    score: float = 0.0
    bonus: float = 0.0
    words: WordsSoFar | None = None
    row: int = 0

    @property
    def total(self) -> float:
        return self.score + self.bonus


class TransducerSearch:
    """``(encoded (batch, frames, dim), lengths, predictor, join) -> list[Hypothesis]``.

    Words have the times of the frames in which their labels were found. Source: Graves (2012),
    section 2.5, frame by frame, as "time synchronous decoding" in Saon et al., "Alignment-Length
    Synchronous Decoding for RNN Transducer" (ICASSP 2020).

    Args:
        tokenizer: what the labels are.
        seconds_per_frame: of the encoder.
        beam: beginnings of a hypothesis that are followed at once; 1 is greedy search.
        labels_per_frame: how many labels a frame may have. After so many comes a blank, however
            improbable, so that a word with more letters in a frame would be lost.
        language_model: of words; see ``WordScores`` for its weights ``alpha``, ``beta`` and
            ``unk_score_offset``.

    Raises:
        ValueError: for a beam of less than 1, or a language model with a beam of 1.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds_per_frame: float,
        beam: int = 4,
        labels_per_frame: int = 10,
        language_model: str | Path | None = None,
        alpha: float = 0.3,
        beta: float = 0.5,
        unk_score_offset: float = -10.0,
    ) -> None:
        if beam < 1:
            raise ValueError(f"beam is {beam}; it must be 1 (greedy) or more")
        if labels_per_frame < 1:
            raise ValueError(f"labels_per_frame is {labels_per_frame}; a frame has 1 or more")
        if language_model is not None and beam == 1:
            raise ValueError(
                "search.language_model chooses among hypotheses, and a beam of 1 has one: ask for "
                "more, as search.beam=8"
            )
        self.tokenizer = tokenizer
        self.seconds_per_frame = seconds_per_frame
        self.beam = beam
        self.labels_per_frame = labels_per_frame
        self.words: WordScores | None = None
        if language_model is not None:
            self.words = WordScores(language_model, tokenizer, alpha, beta, unk_score_offset)

    @torch.no_grad()
    def __call__(
        self, encoded: Tensor, lengths: Tensor, predictor: Predictor, join: Join
    ) -> list[Hypothesis]:
        if self.beam == 1:
            return [
                self._hypothesis(each) for each in self._greedy(encoded, lengths, predictor, join)
            ]
        return [
            best_of([self._hypothesis(each) for each in self._beams(row[:length], predictor, join)])
            for row, length in zip(encoded, lengths.tolist(), strict=True)
        ]

    def _greedy(
        self, encoded: Tensor, lengths: Tensor, predictor: Predictor, join: Join
    ) -> list[Beginning]:
        """The likeliest label, again and again until it is the blank; all utterances at once."""
        rows = len(encoded)
        state = predictor.begin(rows)
        found: list[list[tuple[int, int, float]]] = [[] for _ in range(rows)]
        scores = torch.zeros(rows, device=encoded.device)
        for frame in range(int(lengths.max()) if rows else 0):
            going = frame < lengths
            for count in range(self.labels_per_frame + 1):
                log_probs = join(encoded[:, frame], state.output).log_softmax(dim=1)
                if count == self.labels_per_frame:
                    best, labels = log_probs[:, BLANK], torch.full_like(lengths, BLANK)
                else:
                    best, labels = log_probs.max(dim=1)
                scores += best.masked_fill(~going, 0.0)
                going = going & (labels != BLANK)
                if not going.any():
                    break
                for row in going.nonzero()[:, 0].tolist():
                    found[row].append((int(labels[row]), frame, float(best[row])))
                state = predictor.step(labels, state).where(going, state)
        return [
            Beginning(
                labels=tuple(label for label, _, _ in each),
                frames=tuple(frame for _, frame, _ in each),
                log_probs=tuple(log_prob for _, _, log_prob in each),
                score=float(score),
            )
            for each, score in zip(found, scores, strict=True)
        ]

    def _beams(self, encoded: Tensor, predictor: Predictor, join: Join) -> list[Beginning]:
        """The likeliest hypotheses of an utterance (frames, dim), best first."""
        begun = Beginning(words=None if self.words is None else self.words.begin())
        beams, state = [begun], predictor.begin(1)
        for frame, vector in enumerate(encoded):
            done: dict[tuple[int, ...], Beginning] = {}
            states: list[Any] = []
            for count in range(self.labels_per_frame + 1):
                rows = torch.tensor([each.row for each in beams], device=encoded.device)
                state = state.take(rows)
                log_probs = join(vector.expand(len(beams), -1), state.output).log_softmax(dim=1)
                offset = sum(len(part.output) for part in states)
                states.append(state)
                for index, (each, blank) in enumerate(
                    zip(beams, log_probs[:, BLANK].tolist(), strict=True)
                ):
                    ended = replace(each, score=each.score + blank, row=offset + index)
                    _keep(done, ended)
                if count == self.labels_per_frame:
                    break
                beams = self._extended(beams, log_probs, frame, done)
                if not beams:
                    break
                labels = torch.tensor([each.labels[-1] for each in beams], device=encoded.device)
                rows = torch.tensor([each.row for each in beams], device=encoded.device)
                state = predictor.step(labels, state.take(rows))
                beams = [replace(each, row=row) for row, each in enumerate(beams)]
            beams = sorted(done.values(), key=lambda each: -each.total)[: self.beam]
            state = type(state)(*(torch.cat(parts) for parts in zip(*states, strict=True)))
        if self.words is not None:
            beams = [replace(b, bonus=b.bonus + self.words.end(b.words)) for b in beams if b.words]
        return sorted(beams, key=lambda each: -each.total)

    def _extended(
        self,
        beams: list[Beginning],
        log_probs: Tensor,
        frame: int,
        done: dict[tuple[int, ...], Beginning],
    ) -> list[Beginning]:
        """The likeliest ways to go on by a label, but for those behind all that is done."""
        ended = sorted((each.total for each in done.values()), reverse=True)
        least = ended[self.beam - 1] if len(ended) >= self.beam else -torch.inf
        likeliest, labels = log_probs[:, 1:].topk(min(self.beam, log_probs.shape[1] - 1), dim=1)
        extended = []
        for row, each in enumerate(beams):
            pairs = zip(likeliest[row].tolist(), (labels[row] + 1).tolist(), strict=True)
            for log_prob, label in pairs:
                bonus, words = 0.0, each.words
                if self.words is not None and words is not None:
                    bonus, words = self.words.extend(words, label)
                extended.append(
                    Beginning(
                        (*each.labels, label),
                        (*each.frames, frame),
                        (*each.log_probs, log_prob),
                        each.score + log_prob,
                        each.bonus + bonus,
                        words,
                        row,
                    )
                )
        extended.sort(key=lambda each: -each.total)
        return [each for each in extended[: self.beam] if each.total > least]

    def _hypothesis(self, found: Beginning) -> Hypothesis:
        spelt = [
            Spelt(
                self.tokenizer.labels[label],
                log_prob,
                round(frame * self.seconds_per_frame, 3),
                round((frame + 1) * self.seconds_per_frame, 3),
            )
            for label, frame, log_prob in zip(
                found.labels, found.frames, found.log_probs, strict=True
            )
        ]
        words = words_of(spelt)
        text = " ".join(word.text for word in words)
        return Hypothesis(text, found.total, words, acoustic_score=found.score)


def _keep(done: dict[tuple[int, ...], Beginning], ended: Beginning) -> None:
    """Add up two alignments of the same labels; the likelier tells the frames."""
    other = done.get(ended.labels)
    if other is None:
        done[ended.labels] = ended
        return
    better = max(ended, other, key=lambda each: each.score)
    both = torch.logaddexp(torch.tensor(ended.score), torch.tensor(other.score))
    done[ended.labels] = replace(better, score=float(both))
