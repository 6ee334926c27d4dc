"""From rows of a manifest to utterances, in the data workers."""

from collections.abc import Callable

import numpy as np
import polars as pl
from torch.utils.data import Dataset

from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import read_signal
from kaskad.data.batch import Skipped, Utterance

Augment = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


class SpeechDataset(Dataset[Utterance | Skipped]):
    """Reads (and, with ``augment``, varies) the recording, or the features, of a row.

    An item is asked for as ``(epoch, row)``, or ``(epoch, row, n)`` where that row came ``n`` times
    before: what augmentation draws depends on these and the seed alone, so a run repeats with any
    number of workers, and resumes where it stopped. ``silence``: seconds of digital silence before
    and after each recording.
    """

    def __init__(
        self,
        corpus: str,
        manifest: pl.DataFrame,
        sample_rate: int,
        augment: Augment | None = None,
        seed: int = 0,
        silence: float = 0.0,
    ) -> None:
        # Columns of Arrow memory: forked workers share them, where Python lists would be copied.
        self.ids, self.paths, self.texts = manifest["id"], manifest["path"], manifest["text"]
        self.corpus = corpus
        self.sample_rate = sample_rate
        self.augment = augment
        self.seed = seed
        self.silence = round(silence * sample_rate)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, ...]) -> Utterance | Skipped:
        row = key[1]
        try:
            waveform = read_signal(self.paths[row], self.sample_rate)
        except (AudioError, OSError) as error:
            return Skipped(self.corpus, self.ids[row], f"{self.paths[row]}: {error}")
        if self.silence:
            around = [(self.silence, self.silence)] + [(0, 0)] * (waveform.ndim - 1)
            waveform = np.pad(waveform, around)
        if self.augment is not None:
            generator = np.random.default_rng((self.seed, *key))
            waveform = self.augment(waveform, self.sample_rate, generator)
        return Utterance(self.ids[row], self.texts[row], waveform)
