"""How the errors spread over the utterances of validation."""

import numpy as np
import pytorch_lightning as lightning

from kaskad.loggers.media_logger import Exhibition, Tracker
from kaskad.metrics.error_rates import WORD_ERRORS, count_errors
from kaskad.models.recogniser import Recogniser

WORST = 2.0  # what is above counts as that much


class WERHistogram(Exhibition):
    """Shows how many utterances have which WER; nothing of a recogniser of anything but text."""

    def show(
        self, trainer: lightning.Trainer, recogniser: Recogniser, trackers: list[Tracker]
    ) -> None:
        if recogniser.judged and recogniser.target == "text":
            references, hypotheses = zip(*recogniser.judged, strict=True)
            counts = count_errors(references, hypotheses, "words")
            errors = counts.select(WORD_ERRORS).to_series().to_numpy()
            rates = np.minimum(errors / np.maximum(counts["words"].to_numpy(), 1), WORST)
            for tracker in trackers:
                tracker.show_histogram("validation/utterance_wer", rates, trainer.global_step)
