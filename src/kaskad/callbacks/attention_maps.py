"""Pictures of where a decoder with attention looks."""

from collections.abc import Sequence

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from torch import Tensor

from kaskad.callbacks.media import MediaCallback, require_count
from kaskad.data.batch import Batch
from kaskad.loggers.media_logger import MediaLogger
from kaskad.models.recogniser import Recogniser
from kaskad.models.seq2seq import Seq2SeqRecogniser

CELL = 4  # pixels, the height and width of one weight


class AttentionMaps(MediaCallback):
    """Shows a picture every ``every_n_epochs``: of ``utterances`` of validation, those of its last
    batch, which are the longest.

    One above the other; labels from top to bottom, frames from left to right, the darker the more
    attention. Once a net has learned to attend, each is a falling line, or falls from word to word.
    With a recogniser that has no attention, nothing happens.
    """

    def __init__(self, utterances: int = 4, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs)
        require_count("utterances", utterances)
        self.utterances = utterances
        self._last: Batch | None = None

    def on_validation_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if len(batch):
            self._last = batch

    def show(
        self, trainer: lightning.Trainer, recogniser: Recogniser, loggers: Sequence[MediaLogger]
    ) -> None:
        batch, self._last = self._last, None
        if batch is not None and isinstance(recogniser, Seq2SeqRecogniser):
            picture = draw(recogniser.attention_maps(batch)[-self.utterances :])
            for logger in loggers:
                logger.show_picture("validation/attention", picture, trainer.global_step)


def draw(maps: list[Tensor]) -> Tensor:
    """Weights (labels, frames) of some utterances -> one picture (height, width), 0 is black.

    For each label the frame that has most of its attention is black.
    """
    width = max(map_.shape[1] for map_ in maps)
    # A grey line below each parts them, and grey fills what is shorter.
    padded = [
        F.pad(map_ / map_.amax(dim=1, keepdim=True), (0, width - map_.shape[1], 0, 1), value=0.5)
        for map_ in maps
    ]
    picture = 1.0 - torch.cat(padded).float().cpu()
    return picture.repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
