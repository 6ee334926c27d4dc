"""Variations of training waveforms, in the data workers.

What a transform draws comes from the generator it is given, and from nothing else.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import soxr

Transform = Callable[[np.ndarray, int], np.ndarray]


class Augmentation:
    """Transforms one after another: audiomentations' or any ``(samples, sample_rate) -> samples``.

    Called with a waveform (samples,), its rate in Hz and the generator to draw from; returns
    float32 in [-1, 1], of a length that may differ.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(
        self, waveform: np.ndarray, sample_rate: int, generator: np.random.Generator
    ) -> np.ndarray:
        with _global_generators_seeded(generator):
            for transform in self.transforms:
                waveform = transform(waveform, sample_rate)
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
