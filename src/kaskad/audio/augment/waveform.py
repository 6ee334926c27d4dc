"""Variations of training waveforms, in the data workers.

What a transform draws comes from the generator it is given, and from nothing else.
"""

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import soxr

log = logging.getLogger(__name__)

Transform = Callable[[np.ndarray, int], np.ndarray]

SHORTEST = 0.01  # seconds: in less than a period of a voice there is no tempo, no pitch, no band


class Augmentation:
    """Transforms one after another: audiomentations' or any ``(samples, sample_rate) -> samples``.

    ``transforms`` names them (a list will do, too): null is one that was turned off, and ``only``
    has the names of those in use, unless it is all; one that is turned off, or has a ``p`` of 0,
    must not be among them (``ValueError``). Called with a waveform (samples,), its rate in Hz and
    the generator to draw from; returns float32 in [-1, 1], of a length that may differ.

    A clip below ``SHORTEST``, or with samples that are not finite, is returned as it is. So is
    what came into a transform that makes samples that are not finite, or none.
    """

    def __init__(
        self,
        transforms: Mapping[str, Transform | None] | Sequence[Transform],
        only: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(transforms, Mapping):
            transforms = {str(place): transform for place, transform in enumerate(transforms)}
        if unknown := set(only or ()) - set(transforms):
            known = ", ".join(transforms)
            raise ValueError(f"no such transform: {', '.join(sorted(unknown))}; known: {known}")
        if off := [name for name in only or () if _is_off(transforms[name])]:
            raise ValueError(
                f"augment.waveform.only: {', '.join(off)} would do nothing; give each a p above 0 "
                f"(augment.waveform.transforms.{off[0]}.p=0.3) and, where it has one, its folder"
            )
        self.transforms = {
            name: transform
            for name, transform in transforms.items()
            if transform is not None and (only is None or name in only)
        }

    def __call__(
        self, waveform: np.ndarray, sample_rate: int, generator: np.random.Generator
    ) -> np.ndarray:
        if len(waveform) >= SHORTEST * sample_rate and np.isfinite(waveform).all():
            with _global_generators_seeded(generator):
                for name, transform in self.transforms.items():
                    waveform = _vary(waveform, sample_rate, name, transform)
        return np.clip(waveform, -1.0, 1.0).astype(np.float32)


class Speed:
    """Plays faster or slower, tempo and pitch together, as a tape would.

    The factor is drawn from ``factors`` (Ko et al., "Audio augmentation for speech recognition",
    Interspeech 2015: 0.9, 1.0, 1.1).
    """

    def __init__(self, factors: Sequence[float] = (0.9, 1.0, 1.1)) -> None:
        self.factors = list(factors)

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        factor = random.choice(self.factors)
        if factor == 1.0:
            return samples
        return soxr.resample(samples, sample_rate * factor, sample_rate, quality="MQ")


def _is_off(transform: Transform | None) -> bool:
    return transform is None or getattr(transform, "p", 1.0) == 0.0


def _vary(waveform: np.ndarray, sample_rate: int, name: str, transform: Transform) -> np.ndarray:
    varied = np.asarray(transform(waveform, sample_rate), dtype=np.float32)
    if len(varied) and np.isfinite(varied).all():
        return varied
    log.warning("augmentation '%s' failed for a clip, which is used without it", name)
    return waveform


@contextmanager
def _global_generators_seeded(generator: np.random.Generator) -> Iterator[None]:
    """audiomentations draws from the global generators: seed them, and put them back after."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    seed = int(generator.integers(2**32))
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
