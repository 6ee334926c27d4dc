"""The likeliest label of every frame, repeats and blanks removed."""

from torch import Tensor

from kaskad.audio.masks import padding_mask
from kaskad.decoding.ctc_decoder import Decoder
from kaskad.decoding.hypothesis import Hypothesis


class GreedyDecoder(Decoder):
    """Takes the best path; see ``Decoder``."""

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
        best, labels = log_probs.max(dim=2)
        scores = best.masked_fill(padding_mask(lengths, best.shape[1]), 0.0).sum(1).tolist()
        paths = zip(labels.cpu().numpy(), lengths.tolist(), strict=True)
        return [
            self._hypothesis(path[:length].tolist(), score)
            for (path, length), score in zip(paths, scores, strict=True)
        ]

    def _hypothesis(self, path: list[int], score: float) -> Hypothesis:
        words = self.words(path)
        text = " ".join(word.text for word in words)
        return Hypothesis(text, score, words, acoustic_score=score)
