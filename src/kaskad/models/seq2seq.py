"""A recogniser that spells: an encoder, and a decoder with attention over what it gives."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import Features
from kaskad.audio.masks import padding_mask
from kaskad.data.batch import Batch
from kaskad.decoding.attention_beam import AttentionBeamSearch
from kaskad.decoding.ctc_prefixes import CTCPrefixes, joint_step
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.decoding.spelt_words import spelt_words
from kaskad.models.ctc_losses import ctc_losses, log_probabilities
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.attention_decoder import AttentionDecoder
from kaskad.models.losses import Losses
from kaskad.models.recogniser import Recogniser
from kaskad.models.scheduled_sampling import ScheduledSampling
from kaskad.text.tokenizer import Tokenizer


class Seq2SeqRecogniser(Recogniser):
    """Features, an encoder, a decoder with attention; any tokenizer.

    ``attention_decoder`` is partial: it is finished here. The tokenizer's label 0, CTC's blank,
    begins and ends each transcript. In training ``sampling`` says how often the decoder is fed its
    own guess, ``label_smoothing`` is the share of probability spread over all labels, and
    ``ctc_weight`` is the share of the loss that is CTC's on the encoder alone, which teaches
    attention to go from left to right, tells the times of words, and has its say in the search
    where that has a ``ctc_weight`` of its own. What else trains it is handed on to ``Recogniser``.
    Raises ``ValueError`` for such a search without CTC.

    Sources: Chan et al., "Listen, Attend and Spell" (2016); Kim, Hori and Watanabe, "Joint
    CTC-Attention based End-to-End Speech Recognition using Multi-task Learning" (2017).
    """

    def __init__(
        self,
        features: Features,
        encoder: Encoder,
        attention_decoder: Callable[..., AttentionDecoder],
        search: AttentionBeamSearch,
        tokenizer: Tokenizer,
        sampling: ScheduledSampling | None = None,
        label_smoothing: float = 0.0,
        ctc_weight: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(features, tokenizer, **training)
        if search.ctc_weight > 0.0 and ctc_weight == 0.0:
            raise ValueError(
                f"search.ctc_weight is {search.ctc_weight}, and there is no CTC to search with: "
                "set ctc_weight, its share of the loss, as well, or search.ctc_weight to 0"
            )
        self.encoder = encoder
        self.attention_decoder = attention_decoder(input_size=encoder.dim, labels=tokenizer.size)
        self.ctc_head = nn.Linear(encoder.dim, tokenizer.size) if ctc_weight > 0.0 else None
        self.search = search
        self.sampling = sampling
        self.label_smoothing = label_smoothing
        self.loss_shares = {"attention": 1.0 - ctc_weight}
        if ctc_weight > 0.0:
            self.loss_shares["ctc"] = ctc_weight
        self.own_share = 0.0

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> what attention looks at (batch, frames', dim), (batch,)."""
        return self.encoder(*self.extract_features(waveforms, lengths))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if self.sampling is not None:
            progress = self.trainer.global_step / self.trainer.estimated_stepping_batches
            self.own_share = self.sampling.share(progress)
            self.log("training/own_predictions", self.own_share)

    def losses(self, batch: Batch) -> Losses:
        encoded, lengths = self(batch.waveforms, batch.waveform_lengths)
        return self._losses_of(encoded, lengths, batch)

    def decode(self, batch: Batch) -> list[Hypothesis]:
        encoded, lengths = self(batch.waveforms, batch.waveform_lengths)
        return self._search(encoded, lengths, batch.waveform_lengths)

    def loss_and_decode(self, batch: Batch) -> tuple[Losses, list[Hypothesis]]:
        encoded, lengths = self(batch.waveforms, batch.waveform_lengths)
        losses = self._losses_of(encoded, lengths, batch)
        return losses, self._search(encoded, lengths, batch.waveform_lengths)

    def attention_maps(self, batch: Batch) -> list[Tensor]:
        """Where it looks while it is told the transcript: (labels + 1, frames') an utterance."""
        encoded, lengths = self(batch.waveforms, batch.waveform_lengths)
        _, weights = self.attention_decoder(encoded, lengths, batch.targets)
        sizes = zip(weights, batch.target_lengths.tolist(), lengths.tolist(), strict=True)
        return [map_[: labels + 1, :frames] for map_, labels, frames in sizes]

    def _losses_of(self, encoded: Tensor, lengths: Tensor, batch: Batch) -> Losses:
        own_share = self.own_share if self.training else 0.0
        smoothing = self.label_smoothing if self.training else 0.0
        spelt, _ = self.attention_decoder(encoded, lengths, batch.targets, own_share)
        losses = {
            "attention": spelling_losses(spelt, batch.targets, batch.target_lengths, smoothing)
        }
        if self.ctc_head is not None:
            log_probs = log_probabilities(self.ctc_head, encoded)
            losses["ctc"] = ctc_losses(log_probs, lengths, batch)
        return losses

    def _search(self, encoded: Tensor, lengths: Tensor, samples: Tensor) -> list[Hypothesis]:
        beam = self.search.beam
        memory, state = self.attention_decoder.begin(
            encoded.repeat_interleave(beam, dim=0), lengths.repeat_interleave(beam)
        )
        step = partial(self.attention_decoder.step, memory=memory)
        seconds = samples / self.features.sample_rate
        ctc = None if self.ctc_head is None else log_probabilities(self.ctc_head, encoded)
        if ctc is not None and self.search.ctc_weight > 0.0:
            rows = (each.repeat_interleave(beam, dim=0) for each in (ctc, lengths))
            found = self.search(
                *joint_step(step, state, CTCPrefixes(*rows), self.search.ctc_weight), seconds
            )
        else:
            found = self.search(step, state, seconds)
        if self.training or not any(labels for labels, _ in found):
            return [Hypothesis(self._text(labels), score) for labels, score in found]
        # Spelt once more, to know how sure it is of each label.
        spelt = pad_sequence([torch.tensor(labels) for labels, _ in found], batch_first=True)
        spelt = spelt.long().to(encoded.device)
        log_probs, _ = self.attention_decoder(encoded, lengths, spelt)
        sure = log_probs[:, :-1].gather(2, spelt[:, :, None])[:, :, 0].cpu()
        hop = self.features.hop / self.features.sample_rate
        return [
            Hypothesis(
                self._text(labels),
                score,
                spelt_words(
                    labels,
                    sure[row, : len(labels)].tolist(),
                    self.tokenizer,
                    None if ctc is None else ctc[row, : int(lengths[row])],
                    hop * self.encoder.time_reduction,
                ),
            )
            for row, (labels, score) in enumerate(found)
        ]

    def _text(self, labels: list[int]) -> str:
        return " ".join(self.tokenizer.decode(labels).split())


def spelling_losses(
    log_probs: Tensor, targets: Tensor, lengths: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """The loss of each utterance per label, the end included (batch,).

    ``log_probs`` is (batch, labels + 1, size), ``targets`` (batch, labels), 0 beyond their
    ``lengths`` (batch,); ``label_smoothing`` after Szegedy et al. (2016).
    """
    # The end is label 0, as the padding is: one more of it ends the longest transcript, too.
    wanted = F.pad(targets, (0, 1))
    losses = F.cross_entropy(
        log_probs.transpose(1, 2), wanted, reduction="none", label_smoothing=label_smoothing
    )
    counts = lengths + 1
    beyond = padding_mask(counts, wanted.shape[1])
    return losses.masked_fill(beyond, 0.0).sum(dim=1) / counts
