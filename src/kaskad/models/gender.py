"""A recogniser of the speaker's gender: female or male."""

from collections.abc import Sequence

from kaskad.metrics.classification import Confusions, confuse
from kaskad.models.word_classifier import WordClassifier


class GenderRecogniser(WordClassifier):
    """A ``WordClassifier`` whose labels are the genders, scored by balanced accuracy."""

    target = "gender"

    def score(
        self, references: Sequence[str], hypotheses: Sequence[str], language: str
    ) -> Confusions:
        return confuse(references, hypotheses)
