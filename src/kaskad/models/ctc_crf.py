"""CTC with an n-gram of labels in the loss (CTC-CRF)."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from kaskad.audio.masks import padding_mask
from kaskad.data.batch import Batch
from kaskad.models.ctc_losses import CTCLoss, ctc_losses
from kaskad.models.losses import Losses
from kaskad.ngrams.dense import BOUNDARY, estimate_dense
from kaskad.text.tokenizer import BLANK, Tokenizer

MOST = 1_000_000  # n-grams: each frame of an utterance goes through all of them


class CTCCRFLoss(CTCLoss):
    """How probable the transcript is among all texts, each weighed by an n-gram of its labels.

    The score of a text is its probability by the n-gram times that of all its CTC paths; the loss
    is minus the logarithm of the share of the transcript in the scores of all texts. So the net
    need not learn what the n-gram tells already. Source: Xiang and Ou, "CRF-based Single-stage
    Acoustic Modeling with CTC Topology" (ICASSP 2019).

    The n-gram is that of the training transcripts; until ``observe`` all labels are alike in it.

    Args:
        tokenizer: The labels.
        order: The length of the n-grams: 2 for bigrams.
        ctc_weight: The share of plain CTC in the loss, which leads a new net to its first labels.

    Raises:
        ValueError: For an order below 2, a share that is none, and more n-grams than ``MOST``.
    """

    ngram: Tensor

    def __init__(self, tokenizer: Tokenizer, order: int = 2, ctc_weight: float = 0.1) -> None:
        super().__init__(tokenizer)
        if order < 2:
            raise ValueError(f"loss.order={order}: wants 2 (bigrams) or more; loss=ctc has none")
        if not 0.0 <= ctc_weight < 1.0:
            raise ValueError(
                f"loss.ctc_weight={ctc_weight}: wants a share from 0 to below 1; for plain CTC "
                "take loss=ctc"
            )
        if tokenizer.size**order > MOST:
            raise ValueError(
                f"loss.order={order}: {tokenizer.size} labels have {tokenizer.size**order:,} "
                f"n-grams of that length, and the loss can take {MOST:,}: lower loss.order, or "
                "take fewer labels (tokenizer=characters, tokenizer.vocabulary_size=…)"
            )
        weights = {"ctc_crf": 1.0 - ctc_weight, "ctc": ctc_weight}
        self.shares = {name: share for name, share in weights.items() if share}
        self.register_buffer("ngram", torch.full((tokenizer.size,) * order, 1 / tokenizer.size))

    def observe(self, texts: Iterable[Sequence[int]]) -> None:
        """Estimate the n-gram from the labels of the training transcripts."""
        found = estimate_dense(texts, len(self.ngram), self.ngram.dim())
        self.ngram.copy_(torch.from_numpy(found))

    def forward(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Losses:
        ctc = ctc_losses(log_probs, lengths, batch)
        with torch.autocast(log_probs.device.type, enabled=False):
            all_texts = log_of_all_texts(log_probs, lengths, self.ngram)
        # The n-gram weighs all paths of a text alike: those of the transcript are plain CTC.
        transcript = self.log_probability(batch.targets, batch.target_lengths)
        beside = (all_texts - transcript) / batch.target_lengths.clamp(min=1)
        losses = {"ctc_crf": ctc + beside, "ctc": ctc}
        return {name: losses[name] for name in self.shares}

    def log_probability(self, targets: Tensor, lengths: Tensor) -> Tensor:
        """That of texts (batch, labels), of so many labels (batch,), by the n-gram (batch,)."""
        order = self.ngram.dim()
        ended = targets.masked_fill(padding_mask(lengths, targets.shape[1]), BOUNDARY)
        n_grams = F.pad(ended, (order - 1, 1), value=BOUNDARY).unfold(1, order, 1)
        found = self.ngram[n_grams.unbind(dim=2)].float().log()
        return found.masked_fill(padding_mask(lengths + 1, found.shape[1]), 0.0).sum(dim=1)


def log_of_all_texts(log_probs: Tensor, lengths: Tensor, ngram: Tensor) -> Tensor:
    """The logarithm of the sum, over all texts, of the probability of the text by the n-gram times
    that of all its CTC paths (batch,).

    Args:
        log_probs: Of the labels (batch, frames, labels).
        lengths: Frames of each utterance (batch,).
        ngram: As ``estimate_dense`` makes it; no gradient flows into it.
    """
    return _AllTexts.apply(log_probs, lengths, ngram.to(log_probs))


class _AllTexts(torch.autograd.Function):
    """Forward and backward over frames, in probabilities.

    A state is a history, the ``order - 1`` last labels, and whether a blank came after them:
    (batch, 2, histories), the blank first. The probabilities of a frame are divided by their sum,
    which keeps them in range: any label can follow any history, so that no state which counts
    later is ever far below the others. With bigrams of 35 labels this takes a third of the time
    of logarithms and autograd; with those of 500, half the time of autograd.
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, lengths: Tensor, ngram: Tensor) -> Tensor:
        labels = len(ngram)
        probs = log_probs.transpose(0, 1).exp()
        frames, batch, _ = probs.shape
        ends = ngram.reshape(-1, labels)[:, BOUNDARY]
        steps = _steps(ngram)
        spoken = _of_last_label(probs, len(ends))
        states = probs.new_zeros(frames + 1, batch, 2, len(ends))
        states[0, :, 0, 0] = 1.0
        sums = probs.new_ones(frames, batch)
        for frame, going_on in enumerate(_going_on(lengths, frames)):
            old, new = states[frame], states[frame + 1]
            new[:, 0] = old.sum(dim=1) * probs[frame, :, BLANK, None]
            new[:, 1] = (_one_more(old, steps) + old[:, 1]) * spoken[frame]
            total = torch.where(going_on, new.sum(dim=(1, 2)), 1.0)
            sums[frame] = total
            new[:] = torch.where(going_on[:, None, None], new / total[:, None, None], old)
        last = states[-1].sum(dim=1) @ ends
        ctx.save_for_backward(probs, lengths, ngram, states, sums, last)
        return last.log() + sums.log().sum(dim=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # The gradient is how probable each label is in each frame, over all paths.
        probs, lengths, ngram, states, sums, last = ctx.saved_tensors
        frames, batch, labels = probs.shape
        ends = ngram.reshape(-1, labels)[:, BOUNDARY]
        steps = _steps(ngram).transpose(1, 2).contiguous()
        spoken = _of_last_label(probs, len(ends))
        # What the rest of an utterance makes of each state.
        rest = (ends / last[:, None])[:, None].repeat(1, 2, 1)
        occupied = torch.zeros_like(probs)
        going_on = _going_on(lengths, frames)
        for frame in reversed(range(frames)):
            here = states[frame + 1] * rest
            # Histories that end with the same label lie ``labels`` apart.
            occupied[frame] = here[:, 1].view(batch, -1, labels).sum(dim=1)
            occupied[frame, :, BLANK] = here[:, 0].sum(dim=1)
            blank, label = (
                rest[:, :1] * probs[frame, :, BLANK, None, None],
                rest[:, 1] * spoken[frame],
            )
            before = _one_less(label, steps) + blank
            before[:, 1] += label
            rest = torch.where(
                going_on[frame, :, None, None], before / sums[frame, :, None, None], rest
            )
        occupied *= going_on[:, :, None]
        return occupied.transpose(0, 1) * gradients[0][:, None, None], None, None


def _steps(ngram: Tensor) -> Tensor:
    """The probability of each label, but the end, after each state: (later, 2 * first, labels).

    A history is its first label and the later ones. Straight after a label, without a blank
    between, the same label again would be no new one.
    """
    labels = len(ngram)
    after_blank = ngram.reshape(-1, labels).clone()
    after_blank[:, BOUNDARY] = 0.0
    after_label = after_blank.clone()
    histories = torch.arange(len(after_label), device=ngram.device)
    after_label[histories, histories % labels] = 0.0
    both = torch.stack([after_blank, after_label]).view(2 * labels, -1, labels)
    return both.transpose(0, 1).contiguous()


def _of_last_label(probs: Tensor, histories: int) -> Tensor:
    """The probability of the last label of each history; no history but the first has none."""
    spoken = probs.clone()
    spoken[:, :, BOUNDARY] = 0.0
    return spoken.repeat(1, 1, histories // probs.shape[2])


def _going_on(lengths: Tensor, frames: int) -> Tensor:
    """Whether an utterance has a frame (frames, batch)."""
    return ~padding_mask(lengths, frames).T


def _one_more(states: Tensor, steps: Tensor) -> Tensor:
    """The histories (batch, histories) after one more label: the first is forgotten."""
    batch, (later, firsts, _) = len(states), steps.shape
    by_first = states.reshape(batch, firsts, later)
    return torch.bmm(by_first.permute(2, 0, 1), steps).transpose(0, 1).reshape(batch, -1)


def _one_less(histories: Tensor, steps: Tensor) -> Tensor:
    """What ``_one_more`` does, backwards: (batch, histories) to states, by transposed steps."""
    batch, (later, labels, _) = len(histories), steps.shape
    by_later = histories.view(batch, later, labels).transpose(0, 1)
    return torch.bmm(by_later, steps).permute(1, 2, 0).reshape(batch, 2, -1)
