"""Some utterances of validation, always the same: how they sound, look, and what is recognised."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytorch_lightning as lightning

from kaskad.callbacks.media import MediaCallback, require_count
from kaskad.data.batch import Batch, Collate
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.dataset import SpeechDataset
from kaskad.loggers.media_logger import MediaLogger
from kaskad.models.recogniser import Recogniser
from kaskad.reports.features_picture import draw_features


class Samples(MediaCallback):
    """Shows what is recognised in ``utterances`` of validation, from short to long, beside the
    reference; the first time with their audio and a picture of their features: time from left to
    right, frequency from bottom to top, the darker the louder."""

    def __init__(self, utterances: int = 4, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs)
        require_count("utterances", utterances)
        self.utterances = utterances
        self._batch: Batch | None = None
        self._introduced = False

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "introduced": self._introduced}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._introduced = state["introduced"]

    def show(
        self, trainer: lightning.Trainer, recogniser: Recogniser, loggers: Sequence[MediaLogger]
    ) -> None:
        if self._batch is None:
            data: SpeechDataModule = trainer.datamodule  # type: ignore[attr-defined]
            self._batch = choose(data, self.utterances).to(recogniser.device)
        batch, step = self._batch, trainer.global_step
        if len(batch) == 0:  # none of them can be read
            return
        if not self._introduced:
            self._introduced = True
            self._introduce(recogniser, batch, loggers, step)
        table = pl.DataFrame(
            {
                "sample": range(1, len(batch) + 1),
                "utterance": batch.ids,
                "reference": batch.texts,
                "hypothesis": [hypothesis.text for hypothesis in recogniser.decode(batch)],
            }
        )
        for logger in loggers:
            logger.show_table("samples/hypotheses", table, step)

    def _introduce(
        self, recogniser: Recogniser, batch: Batch, loggers: Sequence[MediaLogger], step: int
    ) -> None:
        features, frames = recogniser.features(batch.waveforms, batch.waveform_lengths)
        lengths = zip(batch.waveform_lengths.tolist(), frames.tolist(), strict=True)
        for index, (samples, count) in enumerate(lengths):
            name, rate = f"samples/{index + 1}", recogniser.features.sample_rate
            waveform, picture = (
                batch.waveforms[index, :samples].cpu(),
                draw_features(features[index, :count]),
            )
            for logger in loggers:
                if waveform.ndim == 1:  # and not features that the corpus came with
                    logger.show_audio(f"{name}/audio", waveform, rate, step)
                logger.show_picture(f"{name}/features", picture, step)


def choose(data: SpeechDataModule, count: int) -> Batch:
    """As many utterances of validation, at even distances in the order of their lengths."""
    if data.tokenizer is None:
        raise ValueError("no tokenizer yet: the data module is not connected")
    (name,) = data.loaded("validation")
    manifest, corpus = data.manifests[name], data.corpora[name]
    by_length = np.argsort(manifest["duration"].to_numpy(), kind="stable")
    count = min(count, len(by_length))
    rows = by_length[(2 * np.arange(count) + 1) * len(by_length) // max(2 * count, 1)]
    dataset = SpeechDataset(name, manifest, data.sample_rate)
    collate = Collate(data.tokenizer, corpus.language, name, corpus.branch)
    return collate([dataset[0, row] for row in rows.tolist()])
