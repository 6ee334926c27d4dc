"""Every figure by which a run is followed or a model is told from another: one entry a figure.

Reports, the comparison, the epoch line, TensorBoard's curves, summaries and the tables of recipes
read what they show from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Place = Literal["report", "summary", "epoch", "curves"]


class Unit(NamedTuple):
    """How a value is written: times ``factor``, with ``digits`` decimals, then the ``sign``.

    With ``is_brief``, ``digits`` are the significant ones.
    """

    factor: float = 1.0
    digits: int = 2
    sign: str = ""
    is_brief: bool = False

    def write(self, value: float, digits: int | None = None) -> str:
        """The value with its sign: "12.34 %"."""
        shown = self.digits if digits is None else digits
        return f"{self.factor * value:.{shown}{'g' if self.is_brief else 'f'}}{self.sign}"


SHARE = Unit(100, 2, " %")
PLAIN = Unit()


@dataclass(frozen=True)
class Metric:
    """What a figure is called, what it means, how it is written, and where it is shown.

    ``report``: report.html, its console table, and the comparison. ``summary``: the console table
    of many models, which has little room. ``epoch``: the line of an epoch. ``curves``: TensorBoard.
    """

    title: str
    meaning: str = ""
    unit: Unit = SHARE
    lower_is_better: bool = True
    places: frozenset[Place] = frozenset()


def _in(*places: Place) -> frozenset[Place]:
    return frozenset(places)


# By the names in report.json and, after the part and a stroke, of the loggers ("validation/wer").
# Names with a stroke are only ever logged of that part. In the order in which they are shown.
METRICS: dict[str, Metric] = {
    "training/loss_epoch": Metric(
        "loss", "mean over the utterances of the epoch", Unit(1, 3), places=_in("epoch")
    ),
    "validation/loss": Metric(
        "validation loss", "mean over the validation utterances", Unit(1, 3), places=_in("epoch")
    ),
    "wer": Metric(
        "WER",
        "word error rate: words substituted, deleted and inserted, as a share of the words of the "
        "references",
        places=_in("report", "summary", "epoch", "curves"),
    ),
    "wer_uncorrected": Metric(
        "WER uncorrected", "the WER of the hypotheses before any was corrected"
    ),
    "mended": Metric(
        "mended",
        "sentences that were wrong and have been corrected, as a share of those that were wrong",
        lower_is_better=False,
        places=_in("epoch", "curves"),
    ),
    "broken": Metric(
        "broken",
        "sentences that were right and no longer are, as a share of those that were right",
        places=_in("epoch", "curves"),
    ),
    "wer_plain": Metric(
        "WER, ё as е",
        "the WER where every ё is written as е and there are no stress marks",
        places=_in("report"),
    ),
    "wer_by_speaker": Metric(
        "WER, mean of speakers",
        "the WER of each speaker, averaged over speakers: whoever speaks much counts no more than "
        "others",
        places=_in("report"),
    ),
    "werc": Metric(
        "WERC",
        "word errors without insertions: words substituted and deleted, as a share of the words of "
        "the references",
        places=_in("report", "summary", "curves"),
    ),
    "cer": Metric(
        "CER",
        "character error rate, blanks between words included",
        places=_in("report", "summary", "curves"),
    ),
    "per": Metric(
        "PER",
        "phone error rate: phones substituted, deleted and inserted, as a share of the phones of "
        "the references",
        places=_in("report", "summary", "curves"),
    ),
    "perc": Metric(
        "PERC",
        "phone errors without insertions, as a share of the phones of the references",
        places=_in("report", "curves"),
    ),
    "sentence_accuracy": Metric(
        "exact sentences",
        "utterances without a single error",
        lower_is_better=False,
        places=_in("report", "curves"),
    ),
    "number_accuracy": Metric(
        "exact numbers",
        "utterances whose number is right, however its words are spelt",
        lower_is_better=False,
        places=_in("report", "summary", "curves"),
    ),
    "digit_cer": Metric(
        "CER of digits",
        "character error rate of the numbers written in digits",
        places=_in("report", "curves"),
    ),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        "the share that was recognised of each label, averaged over labels",
        lower_is_better=False,
        places=_in("report", "summary", "curves"),
    ),
    "balanced_error": Metric(
        "balanced error", "what balanced accuracy lacks to 100 %", places=_in("epoch")
    ),
    "accuracy": Metric("accuracy", "utterances whose label is right", lower_is_better=False),
    "accuracy_female": Metric(
        "accuracy of women",
        "women that were recognised as such",
        lower_is_better=False,
        places=_in("report", "curves"),
    ),
    "accuracy_male": Metric(
        "accuracy of men",
        "men that were recognised as such",
        lower_is_better=False,
        places=_in("report", "curves"),
    ),
    "word_accuracy": Metric(
        "words right",
        "words that are pronounced as one of their references, phone by phone",
        lower_is_better=False,
        places=_in("epoch", "curves"),
    ),
    "candidate_accuracy": Metric(
        "words right among the candidates",
        "words of which one of the likeliest pronunciations is right",
        lower_is_better=False,
    ),
    "perplexity": Metric(
        "perplexity of a word",
        "how many equally likely words the model chooses from",
        PLAIN,
        places=_in("epoch", "curves"),
    ),
    "perplexity_per_label": Metric(
        "perplexity of a label", "how many equally likely labels the model chooses from", PLAIN
    ),
    "out_of_vocabulary_rate": Metric("unknown words", "words that the model does not know"),
    "training/learning_rate": Metric(
        "learning rate", unit=Unit(1, 2, is_brief=True), places=_in("epoch")
    ),
    "training/gradient_norm_epoch": Metric(
        "gradient norm", unit=Unit(1, 2, is_brief=True), places=_in("epoch")
    ),
    "training/audio_seconds_per_second": Metric(
        "speed", unit=Unit(1, 0, " audio seconds/s"), lower_is_better=False, places=_in("epoch")
    ),
    "training/time/data": Metric("waiting for data", unit=Unit(100, 0, " %"), places=_in("epoch")),
    "training/time/forward": Metric("forward", unit=Unit(100, 0, " %"), places=_in("epoch")),
    "training/time/backward": Metric("backward", unit=Unit(100, 0, " %"), places=_in("epoch")),
    "training/memory/resident": Metric("memory", unit=Unit(1, 1, " GB"), places=_in("epoch")),
    "training/memory/gpu": Metric("GPU", unit=Unit(1, 1, " GB"), places=_in("epoch")),
}


def find_metric(name: str) -> Metric | None:
    """The entry of a figure as report.json or a logger names it: "wer", "test/wer"."""
    return METRICS.get(name) or METRICS.get(name.rpartition("/")[2])


def higher_is_better(name: str) -> bool:
    """Whether more of a figure is better, as of an accuracy: ``validation/number_accuracy``."""
    metric = find_metric(name)
    return metric is not None and not metric.lower_is_better


def shown_in(place: Place, corpora: Iterable[Mapping[str, Any]]) -> dict[str, Metric]:
    """The metrics of ``place`` that one of the corpora of a report has a figure for, by name."""
    given = {name for part in corpora for name in part["figures"]}
    return {
        name: metric for name, metric in METRICS.items() if name in given and place in metric.places
    }


def epoch_in_figures(figures: Mapping[str, Any]) -> list[str]:
    """What an epoch tells, of the figures that were logged: "WER 12.34 %"."""
    named = {name if "/" in name else f"validation/{name}": m for name, m in METRICS.items()}
    return [
        f"{metric.title} {metric.unit.write(float(figures[name]))}"
        for name, metric in named.items()
        if "epoch" in metric.places and name in figures
    ]
