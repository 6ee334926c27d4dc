"""The likeliest label of every frame, repeats and blanks removed."""

import numpy as np
from torch import Tensor

from kaskad.audio.masks import padding_mask
from kaskad.decoding.ctc_decoder import Decoder
from kaskad.decoding.hypothesis import Hypothesis


class GreedyDecoder(Decoder):
    """Takes the best path; see ``Decoder``."""

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        best, labels = log_probs.max(dim=2)
        scores = best.masked_fill(padding_mask(lengths, best.shape[1]), 0.0).sum(1).tolist()
        rows = zip(labels.cpu().numpy(), log_probs.cpu().numpy(), lengths.tolist(), strict=True)
        return [
            self._hypothesis(path[:length], row[:length], score)
            for (path, row, length), score in zip(rows, scores, strict=True)
        ]

    def _hypothesis(self, path: np.ndarray, log_probs: np.ndarray, score: float) -> Hypothesis:
        words = self.words(path, log_probs)
        text = " ".join(word.text for word in words)
        return Hypothesis(text, score, words, acoustic_score=score)
