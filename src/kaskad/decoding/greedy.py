"""The likeliest label of every frame, repeats and blanks removed."""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor

from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.text.tokenizer import Tokenizer


class GreedyDecoder:
    """``(log_probs (batch, frames, labels), lengths (batch,)) -> list[Hypothesis]``.

    ``seconds_per_frame`` turns frames into the times of words.
    """

    def __init__(self, tokenizer: Tokenizer, seconds_per_frame: float) -> None:
        self.tokenizer = tokenizer
        self.seconds_per_frame = seconds_per_frame

    def __call__(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        best, labels = log_probs.max(dim=2)
        outside = torch.arange(best.shape[1], device=best.device) >= lengths[:, None]
        scores = best.masked_fill(outside, 0.0).sum(1).tolist()
        frames = zip(labels.cpu().numpy(), lengths.tolist(), strict=True)
        return [
            self._hypothesis(row[:length].tolist(), score)
            for (row, length), score in zip(frames, scores, strict=True)
        ]

    def _hypothesis(self, labels: list[int], score: float) -> Hypothesis:
        text, spans, frame = "", [], 0
        for label, run in groupby(labels):
            length = len(list(run))
            piece = self.tokenizer.decode([label])
            text += piece
            spans += [(frame, frame + length)] * len(piece)
            frame += length
        return Hypothesis(" ".join(text.split()), score, list(self._words(text, spans)))

    def _words(self, text: str, spans: list[tuple[int, int]]) -> Iterator[Word]:
        """Cut the text at its blanks; a word lasts from its first frame to its last."""
        characters = zip(text, spans, strict=True)
        for is_blank, group in groupby(characters, key=lambda item: item[0] == " "):
            if is_blank:
                continue
            letters, frames = zip(*group, strict=True)
            start, end = (
                frames[0][0] * self.seconds_per_frame,
                frames[-1][1] * self.seconds_per_frame,
            )
            yield Word("".join(letters), round(start, 3), round(end, 3))
