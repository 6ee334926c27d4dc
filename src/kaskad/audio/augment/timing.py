"""Log energies of a batch are varied in time: faster, broken off, with background around them.

All of them: ``(energies (batch, frames, bins), lengths (batch,))`` to both, drawn anew for each
utterance from PyTorch's generator. What lies beyond the end of an utterance is undefined.
"""

import math

import torch
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.audio.normalise import DECIBEL, speech_frames

SPEECH = 28.0  # dB below the loudest frames within which truncation finds speech


class Tempo(nn.Module):
    """Speaks faster or slower, at the same pitch, by a factor of at most ``1 + share``."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.span = math.log(1 + share)

    def forward(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        factor = torch.exp((2 * _draw(lengths) - 1) * self.span)
        longer = (lengths * factor).round().long().clamp(min=1)
        time = torch.arange(int(longer.max()), device=lengths.device)
        return at_times(energies, lengths, time / factor[:, None]), longer


class Truncate(nn.Module):
    """Cuts off the end of the speech in the share ``p`` of the utterances, up to ``share`` of it,
    and the beginning in half as many, up to half of ``share``; at most ``frames`` at each end.

    For words that are recorded a moment too late. A transcript stays as it is, so this is for
    labels of whole recordings, or with few ``frames`` for words as labels, not for spelling.
    """

    def __init__(self, p: float = 0.3, share: float = 0.4, frames: int | None = None) -> None:
        super().__init__()
        self.p = p
        self.share = share
        self.most = math.inf if frames is None else frames

    def forward(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        first, last = speech_ends(speech_frames(energies.logsumexp(2), lengths, SPEECH))
        speech = last - first
        cut_end = _draw(lengths) < self.p
        cut_beginning = _draw(lengths) < self.p / 2
        end = last - (_draw(lengths) * (self.share * speech).clamp(max=self.most)).long()
        beginning = first + (_draw(lengths) * (self.share / 2 * speech).clamp(max=self.most)).long()
        beginning = torch.where(cut_beginning, beginning, 0)
        end = torch.where(cut_end, end, lengths)
        shorter = (end - beginning).clamp(min=1)
        time = beginning[:, None] + torch.arange(int(shorter.max()), device=lengths.device)
        return at_times(energies, lengths, time), shorter


class Pad(nn.Module):
    """Puts background before and after utterances, in the share ``p`` of the batches.

    A batch is as long as its longest utterance: a few in every batch would cost several times as
    much as all in a few. Background is noise up to 25 dB weaker than the weakest of each bin, or
    digital silence in half of the utterances.

    Args:
        frames: frames of background at most on each side.
        p: share of the batches.
        silence: log energy of digital silence.
    """

    def __init__(self, frames: int = 50, p: float = 0.2, silence: float = math.log(1e-6)) -> None:
        super().__init__()
        self.frames = frames
        self.p = p
        self.silence = silence

    def forward(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if float(torch.rand(())) >= self.p:
            return energies, lengths
        before = (_draw(lengths) * (self.frames + 1)).long()
        after = (_draw(lengths) * (self.frames + 1)).long()
        longer = lengths + before + after
        time = torch.arange(int(longer.max()), device=lengths.device) - before[:, None]
        inside = (time >= 0) & (time < lengths[:, None])
        background = self._background(energies, lengths, time.shape[1])
        moved = at_times(energies, lengths, time)
        return torch.where(inside[:, :, None], moved, background), longer

    def _background(self, energies: Tensor, lengths: Tensor, frames: int) -> Tensor:
        outside = padding_mask(lengths, energies.shape[1])[:, :, None]
        weakest = energies.masked_fill(outside, torch.inf).amin(1, keepdim=True)
        level = weakest - 25 * DECIBEL * _draw(lengths)[:, None, None]
        spread = 3 * DECIBEL * _draw(lengths)[:, None, None]
        shape = (len(lengths), frames, energies.shape[2])
        noise = level + spread * torch.randn(shape, device=energies.device)
        silent = (_draw(lengths) < 0.5)[:, None, None]
        return noise.masked_fill(silent, self.silence).clamp(min=self.silence)


def at_times(energies: Tensor, lengths: Tensor, times: Tensor) -> Tensor:
    """Look energies (batch, frames, bins) up at ``times`` (batch, frames'), fractions of frames."""
    last = (lengths - 1).clamp(min=0)[:, None]
    times = torch.minimum(times.clamp(min=0), last)
    before = times.floor().long()
    after = torch.minimum(before + 1, last)
    earlier, later = (
        energies.gather(1, frames[:, :, None].expand(-1, -1, energies.shape[2]))
        for frames in (before, after)
    )
    if not times.is_floating_point():
        return earlier
    return torch.lerp(earlier, later, (times - before)[:, :, None].to(energies.dtype))


def speech_ends(speech: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first True of each row of (batch, frames), and the place after the last one."""
    frames = torch.arange(speech.shape[1], device=speech.device)
    first = frames.masked_fill(~speech, speech.shape[1]).amin(1)
    return first, frames.masked_fill(~speech, -1).amax(1) + 1


def _draw(lengths: Tensor) -> Tensor:
    """A number from 0 to 1 for each utterance."""
    return torch.rand(len(lengths), device=lengths.device)
