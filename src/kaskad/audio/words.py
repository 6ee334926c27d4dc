"""Features of single words: the speech in a recording, stretched or squeezed to a fixed length."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kaskad.audio.augment.timing import at_times, speech_ends
from kaskad.audio.features import LogMel
from kaskad.audio.masks import padding_mask
from kaskad.audio.mel import mel_centres
from kaskad.audio.normalise import DECIBEL, speech_frames

LOUD = 28.0  # dB below the loudest frames within which a frame belongs to the word
HISS = 26.0  # the same with high frequencies raised, so that an s or f at the ends belongs to it…
ABOVE_BACKGROUND = 8.0  # …if it is so many dB above the background…
BACKGROUND = 0.08  # …which is the share of the frames that are quietest


class WordLogMel(LogMel):
    """``LogMel`` of the frames from the first to the last of a word, as ``frames`` of them.

    What comes before and after does not matter then, nor how fast the word is spoken. ``margin``
    frames are kept on each side. In training each end lies up to ``jitter[0]`` frames within the
    speech, or up to ``jitter[1]`` before or after it. Sounds that are further than ``gap`` seconds
    from the rest of the word, such as clicks, are no part of it. The rest is as in ``LogMel``.
    """

    raise_high: Tensor

    def __init__(
        self,
        frames: int = 24,
        margin: float = 2.0,
        jitter: tuple[float, float] = (2.0, 6.0),
        gap: float = 0.25,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.reach = None  # the ends of a word are found in the whole of it
        self.frames = frames
        self.margin = margin
        self.jitter = jitter
        self.gap = round(gap * self.sample_rate / self.hop)
        high = self.sample_rate / 2 if settings.get("high") is None else settings["high"]
        centres = mel_centres(self.bins, settings.get("low", 0.0), high)
        # 6 dB an octave.
        self.register_buffer("raise_high", 2 * (centres / 1_000).log(), persistent=False)

    def arrange(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        in_word = around_loudest(
            self._in_word(energies, lengths), self.loudness(energies), self.gap
        )
        first, last = speech_ends(in_word)
        before, after = self._margins(lengths)
        begin = torch.minimum((first - before).clamp(min=0), lengths - 1)
        end = torch.minimum(last + after, lengths)
        length = (end - begin).clamp(min=1)
        places = torch.arange(self.frames, device=lengths.device) / self.frames
        times = begin[:, None] + places * length[:, None]
        # Energies, not their logarithms, are blended.
        stretched = at_times(energies.exp(), lengths, times).log()
        return stretched, torch.full_like(lengths, self.frames)

    def _margins(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            margin = torch.full(lengths.shape, self.margin, device=lengths.device)
            return margin, margin
        within, beyond = self.jitter
        before, after = torch.rand(2, len(lengths), device=lengths.device)
        return before * (within + beyond) - within, after * (within + beyond) - within

    def _in_word(self, energies: Tensor, lengths: Tensor) -> Tensor:
        loud = speech_frames(self.loudness(energies), lengths, LOUD)
        hiss = self.loudness(energies + self.raise_high)
        outside = padding_mask(lengths, energies.shape[1])
        quietest = hiss.masked_fill(outside, torch.nan).nanquantile(BACKGROUND, dim=1)
        loudest = hiss.masked_fill(outside, -torch.inf).amax(1)
        background = torch.minimum(quietest + ABOVE_BACKGROUND * DECIBEL, loudest - 12 * DECIBEL)
        least = torch.maximum(loudest - HISS * DECIBEL, background)
        return loud | ((hiss > least[:, None]) & ~outside)


def around_loudest(in_word: Tensor, loudness: Tensor, gap: int) -> Tensor:
    """Of frames (batch, frames) that are True, those from which steps over at most ``gap`` others
    lead to the loudest one."""
    peak = loudness.masked_fill(~in_word, -torch.inf).argmax(1, keepdim=True)
    # How many frames a frame is from the last True one before it, or from the first frame.
    place = torch.arange(in_word.shape[1], device=in_word.device)
    last = torch.where(in_word, place, 0).cummax(1).values
    before = F.pad(last, (1, 0))[:, :-1]
    # A stretch begins where the last True frame is too far away.
    stretch = (in_word & (place - before > gap + 1)).cumsum(1)
    return in_word & (stretch == stretch.gather(1, peak))
