"""The learning curve of a run so far, as a picture."""

import io
from collections.abc import Mapping
from typing import Any

TRAINING, VALIDATION = "training/loss_epoch", "validation/loss"
SIZE, DPI = (7.0, 3.5), 100  # inches, dots an inch: legible on a telephone


class LearningCurve:
    """The losses, and beside them the figure ``monitor`` of validation, epoch by epoch.

    Its state is plain values, for the checkpoint of whoever keeps it: a run that goes on draws all
    of its epochs.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def note(self, figures: Mapping[str, float], epoch: int, monitor: str) -> None:
        """Take down the figures of the epoch that ends, counted from 0."""
        known = {name: figures[name] for name in _names(monitor) if name in figures}
        self.epochs.append({"epoch": epoch + 1, **known})

    def state(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.epochs = list(state["epochs"])

    def draw(self, title: str, monitor: str) -> bytes:
        """A PNG picture: losses to the left, ``monitor`` to the right."""
        # Not by pyplot, which belongs to the main thread and opens windows.
        from matplotlib.figure import Figure

        figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
        losses, errors = figure.subplots(1, 2)
        for axes, names in ((losses, (TRAINING, VALIDATION)), (errors, (monitor,))):
            for name in names:
                points = [(each["epoch"], each[name]) for each in self.epochs if name in each]
                if points:
                    axes.plot(*zip(*points, strict=True), marker=".", label=name)
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
            if axes.lines:
                axes.legend()
        figure.suptitle(title)
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        return picture.getvalue()


def _names(monitor: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((TRAINING, VALIDATION, monitor)))
