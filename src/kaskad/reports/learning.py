"""Learning curves of a run, as lines to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kaskad.metrics.registry import find_metric

COLOURS = {
    "training/loss_epoch": "quiet",
    "validation/loss": "bar",
    "validation/wer": "good",
    "validation/balanced_error": "good",
    "validation/perplexity": "good",
}


@dataclass(frozen=True)
class Line:
    """A figure over the epochs: what it is called, the class of its colour, its ``points`` as
    shares of the width and of the largest value, and its values as a person reads them."""

    title: str
    colour: str
    points: list[tuple[float, float]]
    first: str
    last: str
    best: str


def curves(epochs: Sequence[Mapping[str, float]]) -> list[Line]:
    """The lines of a run: ``epochs`` have their number, and the figures that each had by the names
    of loggers. None where there are fewer than two."""
    lines = []
    for name, colour in COLOURS.items():
        known = [(each["epoch"], each[name]) for each in epochs if name in each]
        metric = find_metric(name)
        if len(known) < 2 or metric is None:
            continue
        largest = max(value for _, value in known) or 1.0
        span = max(epochs[-1]["epoch"] - 1, 1)
        points = [((epoch - 1) / span, max(value, 0.0) / largest) for epoch, value in known]
        values = [value for _, value in known]
        first, last, best = map(metric.unit.write, (values[0], values[-1], min(values)))
        lines.append(Line(metric.title, colour, points, first, last, best))
    return lines
