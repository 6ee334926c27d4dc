"""Features of an utterance are brought to a common level and spread: loudness is not to matter.

All of them: ``(features (batch, frames, bins), lengths (batch,), loudness (batch, frames))`` to
features, 0 beyond the end of an utterance. ``loudness`` is the logarithm of the energy of a frame.
Whatever pads a batch, the result of an utterance is the same.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask

DECIBEL = torch.log(torch.tensor(10.0)).item() / 10  # of an energy, in natural logarithms
SPEECH_RANGE = 30.0  # dB below the loudest frames of an utterance within which a frame is speech
LOUDEST_FRAMES = 5  # so many are louder than what counts as loudest: a click is shorter
FLOOR = -4.0  # of features whose statistics are those of speech: silence lies far below
TINY = 1e-5  # added to a variance
BLOCK = 256  # frames that are normalised at once in a stream


class Normalisation(nn.Module):
    """What every normalisation has in common; see the module for ``forward``."""

    # Whether a frame needs no later one, so that ``step`` can go through an utterance in parts.
    is_causal = False

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        raise NotImplementedError

    def step(
        self, features: Tensor, loudness: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Normalise the next frames of utterances; returns them and the state to go on with.

        Args:
            features: (batch, frames, bins), without padding between parts.
            loudness: (batch, frames).
            state: What the part before returned; ``None`` at the beginning.
        """
        lengths = torch.full((len(features),), features.shape[1], device=features.device)
        return self(features, lengths, loudness), state


class Unchanged(Normalisation):
    """Features as they are."""

    is_causal = True

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        return _silent_outside(features, lengths)


class OverFrames(Normalisation):
    """Mean 0 and variance 1 over all frames: of each bin, or of all bins together.

    Silence around an utterance changes both, and over a single word the mean of each bin takes
    away what tells words apart.
    """

    def __init__(self, each_bin: bool) -> None:
        super().__init__()
        self.over = (1,) if each_bin else (1, 2)

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        inside = ~padding_mask(lengths, features.shape[1])[:, :, None]
        mean, variance = _moments(features, inside, self.over)
        return _silent_outside((features - mean) / (variance + TINY).sqrt(), lengths)


class OverSpeech(Normalisation):
    """Mean 0 and variance 1 of all bins together, over the frames of speech alone.

    Silence around an utterance therefore changes nothing; it is brought to ``floor``.

    Args:
        within: dB below the loudest frames within which a frame counts as speech.
        spread: dB that are to become 1 (``None``: the standard deviation of the utterance).
        floor: the lowest value; what is quieter is raised to it.
        ceiling: the highest value.
        silence_is_zero: add ``-floor``, so that silence is 0, as padding is.
    """

    def __init__(
        self,
        within: float = SPEECH_RANGE,
        spread: float | None = None,
        floor: float = FLOOR,
        ceiling: float = torch.inf,
        silence_is_zero: bool = False,
    ) -> None:
        super().__init__()
        self.within = within
        self.spread = spread
        self.floor = floor
        self.ceiling = ceiling
        self.zero = floor if silence_is_zero else 0.0

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        speech = speech_frames(loudness, lengths, self.within)[:, :, None]
        mean, variance = _moments(features, speech, (1, 2))
        deviation = (variance + TINY).sqrt() if self.spread is None else self.spread * DECIBEL
        brought = ((features - mean) / deviation).clamp(self.floor, self.ceiling)
        return _silent_outside(brought - self.zero, lengths)


class CorpusStatistics(nn.Module):
    """Mean and variance of each bin over the speech of a training corpus, in buffers.

    ``observe`` utterances, then ``finish``; a checkpoint keeps what was found. ``known`` says
    whether anything was.
    """

    mean: Tensor
    variance: Tensor
    shape: Tensor
    loudest: Tensor
    known: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("variance", torch.ones(bins))
        # The mean of each bin in an utterance whose mean over all bins is 0.
        self.register_buffer("shape", torch.zeros(bins))
        # The mean loudness of the loudest frames of an utterance.
        self.register_buffer("loudest", torch.zeros(()))
        self.register_buffer("known", torch.tensor(False))
        self._sums: list[tuple[Tensor, ...]] = []

    def observe(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> None:
        """Take in utterances, as ``Normalisation`` has them."""
        speech = speech_frames(loudness, lengths)[:, :, None].to(torch.float64)
        count = speech.sum(1)
        first, second = ((features.double() ** n * speech).sum(1) / count for n in (1, 2))
        self._sums.append((count[:, 0], first, second, loudest(loudness, lengths).double()))

    def finish(self) -> None:
        """Take the mean of what was observed, a frame as much as any other."""
        count, first, second, peaks = (torch.cat(part) for part in zip(*self._sums, strict=True))
        self._sums = []
        share = (count / count.sum())[:, None]
        mean = (share * first).sum(0)
        self.mean.copy_(mean)
        self.variance.copy_((share * second).sum(0) - mean.square())
        self.shape.copy_(mean - mean.mean())
        self.loudest.copy_(peaks.mean())
        self.known.fill_(True)

    def summary(self) -> dict[str, list[float] | float]:
        """The statistics to read, with three decimals."""
        rounded = {name: buffer.double().round(decimals=3) for name, buffer in self.named_buffers()}
        return {name: value.tolist() for name, value in rounded.items() if name != "known"}


class FromCorpus(Normalisation):
    """What needs statistics of the training corpus, which training measures before it begins."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.corpus = CorpusStatistics(bins)


class ByCorpus(FromCorpus):
    """Each bin less its mean in the training corpus, over its standard deviation there.

    Nothing of the utterance is needed, so it serves streaming; but loudness and channel matter.
    """

    is_causal = True

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        brought = (features - self.corpus.mean) / (self.corpus.variance + TINY).sqrt()
        return _silent_outside(brought.clamp(min=FLOOR), lengths)


class Shrunk(FromCorpus):
    """Mean and variance of each bin over speech, drawn towards those of the training corpus.

    The level, the mean over all bins, is that of the utterance alone. Of each bin's difference from
    it, the corpus speaks with the weight of ``frames`` frames: it decides for a single word, the
    microphone for a minute.
    """

    def __init__(self, bins: int, frames: float = 100.0) -> None:
        super().__init__(bins)
        self.frames = frames

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        speech = speech_frames(loudness, lengths)[:, :, None]
        mean, variance = _moments(features, speech, (1,))
        level = mean.mean(2, keepdim=True)
        count = speech.sum(1, keepdim=True)
        own = count / (count + self.frames)
        shape = torch.lerp(self.corpus.shape, mean - level, own)
        deviation = (torch.lerp(self.corpus.variance, variance, own) + TINY).sqrt()
        return _silent_outside(((features - level - shape) / deviation).clamp(min=FLOOR), lengths)


class Running(FromCorpus):
    """Mean and variance of all bins together over the speech so far.

    For streaming: ``step`` takes a part of an utterance and what the part before left. Speech is
    what lies within 30 dB of the loudest so far, or of what is usual in the training corpus less
    20 dB. Speech of ``memory`` frames ago counts for a third of that of now; before any
    speech the corpus counts, with the weight of ``frames`` frames. Silence changes nothing.
    """

    is_causal = True

    def __init__(self, bins: int, memory: float = 300.0, frames: float = 20.0) -> None:
        super().__init__(bins)
        self.decay = torch.exp(torch.tensor(-1.0 / memory)).item()
        self.frames = frames

    def forward(self, features: Tensor, lengths: Tensor, loudness: Tensor) -> Tensor:
        return _silent_outside(self.step(features, loudness)[0], lengths)

    def step(
        self, features: Tensor, loudness: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As ``Normalisation`` has it; the state is (batch, 4)."""
        state = self.beginning().expand(len(features), 4) if state is None else state
        sums, peak = state.split((3, 1), 1)
        peaks = self._highest_so_far(torch.cat([peak, loudness], 1))[:, 1:]
        speech = (loudness > peaks - SPEECH_RANGE * DECIBEL).to(features.dtype)[:, :, None]
        powers = features.mean(2), features.square().mean(2)
        moments = torch.stack([torch.ones_like(loudness), *powers], dim=2)
        parts = []
        for part, is_speech in zip(self._blocks(moments), self._blocks(speech), strict=True):
            # A frame's weight fades with each frame of speech after it.
            fading = self.decay ** is_speech.cumsum(1)
            parts.append(fading * (sums[:, None] + (part * is_speech / fading).cumsum(1)))
            sums = parts[-1][:, -1]
        count, first, second = torch.cat(parts, 1).split(1, 2)
        mean = first / count
        deviation = (second / count - mean.square()).clamp(min=0.0).add(TINY).sqrt()
        brought = ((features - mean) / deviation).clamp(min=FLOOR)
        return brought, torch.cat([sums, peaks[:, -1:]], 1)

    def _highest_so_far(self, values: Tensor) -> Tensor:
        """The highest of (batch, frames) up to each frame."""
        return values.cummax(1).values

    def _blocks(self, frames: Tensor) -> Sequence[Tensor]:
        """(batch, frames, …) in parts in which what fades stays far from 0."""
        return frames.split(BLOCK, 1)

    def beginning(self) -> Tensor:
        """The state of one utterance before its first frame, (1, 4)."""
        mean, usual = self.corpus.mean, self.corpus.loudest - 20 * DECIBEL
        square = (self.corpus.variance + mean.square()).mean()
        sums = self.frames * torch.stack([torch.ones_like(square), mean.mean(), square])
        return torch.cat([sums, usual[None]])[None]


def make_normalisation(choice: str | Normalisation, bins: int) -> Normalisation:
    """The normalisation of this name, or one that is ready; ``ValueError`` on another name."""
    if isinstance(choice, Normalisation):
        return choice
    makers: dict[str, Callable[[], Normalisation]] = {
        "none": Unchanged,
        "bins": lambda: OverFrames(each_bin=True),
        "utterance": lambda: OverFrames(each_bin=False),
        "speech": OverSpeech,
        "shrunk": lambda: Shrunk(bins),
        "running": lambda: Running(bins),
        "corpus": lambda: ByCorpus(bins),
    }
    if choice not in makers:
        raise ValueError(f"features.normalise is {choice!r}; it can be one of {', '.join(makers)}")
    return makers[choice]()


def loudest(loudness: Tensor, lengths: Tensor) -> Tensor:
    """The loudness (batch,) that ``LOUDEST_FRAMES`` frames of an utterance reach: no click does."""
    outside = padding_mask(lengths, loudness.shape[1])
    count = min(LOUDEST_FRAMES, loudness.shape[1])
    top = loudness.masked_fill(outside, -torch.inf).topk(count, dim=1).values
    return top.gather(1, (lengths.clamp(1, count) - 1)[:, None])[:, 0]


def speech_frames(loudness: Tensor, lengths: Tensor, within: float = SPEECH_RANGE) -> Tensor:
    """Return (batch, frames), True for frames of at most ``within`` dB below the loudest ones."""
    least = loudest(loudness, lengths) - within * DECIBEL
    return (loudness >= least[:, None]) & ~padding_mask(lengths, loudness.shape[1])


def _moments(features: Tensor, frames: Tensor, over: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance over (batch, frames, 1) that are True, or over all bins of these."""
    weights = frames.to(features.dtype)
    count = weights.sum(1, keepdim=True) * (features.shape[2] if 2 in over else 1)
    mean = (features * weights).sum(over, keepdim=True) / count
    return mean, ((features - mean).square() * weights).sum(over, keepdim=True) / count


def _silent_outside(features: Tensor, lengths: Tensor) -> Tensor:
    return features.masked_fill(padding_mask(lengths, features.shape[1])[:, :, None], 0.0)
