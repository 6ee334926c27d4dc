"""A language model: trained to predict text, scored by its perplexity, asked by decoders."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.data.text_datamodule import Sentences, collate
from kaskad.decoding.attention_beam import BOUNDARY
from kaskad.models.module import Learner
from kaskad.ngrams.perplexity import Perplexity
from kaskad.runs import distributed
from kaskad.text.tokenizer import Tokenizer

TOGETHER = 256  # texts that are scored at a time


class LanguageModel(Learner):
    """Predicts sentences label by label, with ``net``, which is partial: it is finished here.

    What trains it (``optimizer``, ``scheduler``) is handed on to ``Learner``. ``objective`` names
    the figure that is shown while training.
    """

    learns_from_data = "text"

    def __init__(
        self,
        net: Callable[..., nn.Module],
        tokenizer: Tokenizer,
        objective: str = "perplexity",
        **training: Any,
    ) -> None:
        super().__init__(tokenizer, **training)
        self.net = net(size=tokenizer.size)
        self.objective = objective
        # Of validation and test, by the number of the loader: sentences, and what forward gives.
        self._scored: dict[int, list[tuple[str, float]]] = defaultdict(list)

    def forward(self, labels: Tensor, lengths: Tensor) -> Tensor:
        """(batch, labels), (batch,) -> the natural logarithm of the probability of each sentence,
        its end included (batch,)."""
        targets = F.pad(labels, (0, 1), value=BOUNDARY)
        found = self.net(labels, lengths).gather(2, targets[:, :, None])[:, :, 0]
        return found.masked_fill(padding_mask(lengths + 1, targets.shape[1]), 0.0).sum(dim=1)

    @torch.inference_mode()
    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """``forward`` of texts, spelt as the transcripts; what has no label is left out of them."""
        self.eval()
        found: list[float] = []
        with torch.autocast(self.device.type, enabled=False):
            for start in range(0, len(texts), TOGETHER):
                batch = collate(texts[start : start + TOGETHER], self.tokenizer)
                found += self(*(part.to(self.device) for part in batch[1:])).tolist()
        return found

    def training_step(self, batch: Sentences, batch_index: int) -> Tensor:
        """The mean loss of a label, ends included; of a process its share, so that the mean over
        processes is that loss."""
        predicted = int(distributed.total(batch.lengths.sum() + len(batch.texts)))
        share = -self(batch.labels, batch.lengths).sum() / predicted
        loss = distributed.total(share.detach())
        self.log(
            "training/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=predicted
        )
        return share * distributed.count()

    def validation_step(self, batch: Sentences, batch_index: int) -> None:
        self._score_batch(batch)

    def on_validation_epoch_end(self) -> None:
        self._scored[0] = [*chain(*distributed.gathered(self._scored[0]))]
        figures = self.figures()
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})
        self.log("validation/loss", log(figures["perplexity_per_label"]))
        self.log(self.objective, figures[self.objective], prog_bar=True, logger=False)
        self._scored.clear()

    def on_test_epoch_start(self) -> None:
        self._scored.clear()

    def test_step(self, batch: Sentences, batch_index: int, dataloader_idx: int = 0) -> None:
        self._score_batch(batch, dataloader_idx)

    def figures(self, loader: int = 0) -> dict[str, float]:
        """How well the sentences of a loader were predicted.

        ``perplexity`` is that of a word, sentence ends counted as words; a word that has no labels
        of its own is unknown, and does not count. ``perplexity_per_label`` depends on the labels.
        """
        texts, log_probs = zip(*self._scored[loader], strict=True)
        words = Counter(word for text in texts for word in text.split())
        unknown = sum(count for word, count in words.items() if self.tokenizer.unknown(word))
        labels = sum(len(self.tokenizer.encode(text)) for text in texts)
        log10 = sum(log_probs) / log(10)
        by_word = Perplexity(len(texts), words.total(), unknown, log10, 0.0)
        return {
            "perplexity": by_word.value_without_unknown,
            "perplexity_per_label": Perplexity(len(texts), labels, 0, log10, 0.0).value,
            "out_of_vocabulary_rate": by_word.unknown_rate,
        }

    def _score_batch(self, batch: Sentences, loader: int = 0) -> None:
        found = self(batch.labels, batch.lengths).tolist()
        self._scored[loader] += zip(batch.texts, found, strict=True)
