"""How the errors spread over the utterances of validation."""

from collections.abc import Sequence

import numpy as np
import pytorch_lightning as lightning

from kaskad.callbacks.media import MediaCallback
from kaskad.loggers.media_logger import MediaLogger
from kaskad.metrics.error_rates import WORD_ERRORS, count_errors
from kaskad.models.recogniser import Recogniser

WORST = 2.0  # what is above counts as that much


class WERHistogram(MediaCallback):
    """Shows how many utterances have which WER; nothing of a recogniser of anything but text."""

    def show(
        self, trainer: lightning.Trainer, recogniser: Recogniser, loggers: Sequence[MediaLogger]
    ) -> None:
        if recogniser.decoded and recogniser.target == "text":
            references, hypotheses = zip(*recogniser.decoded, strict=True)
            counts = count_errors(references, hypotheses, "words")
            errors = counts.select(WORD_ERRORS).to_series().to_numpy()
            rates = np.minimum(errors / np.maximum(counts["words"].to_numpy(), 1), WORST)
            for logger in loggers:
                logger.show_histogram("validation/utterance_wer", rates, trainer.global_step)
