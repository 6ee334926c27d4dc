"""A page of audio and pictures that show what augmentation does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

CELL = (3.6, 1.9)  # inches of a spectrogram


@dataclass
class Look:
    """A clip as it is, or as it was varied: what it is called, where its sound is (None: it is
    that of the original, or there is none), its features (frames, bins), and these with parts
    covered, if they are.
    """

    name: str
    audio: str | None
    features: np.ndarray
    covered: np.ndarray | None


def _draw(looks: Sequence[Look], hop: float) -> Figure:
    """The features of each, beside each other, and beneath them what SpecAugment leaves."""
    rows = 2 if any(look.covered is not None for look in looks) else 1
    size = (CELL[0] * len(looks), CELL[1] * rows)
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(rows, len(looks), sharex=True, sharey=True, squeeze=False)
    lowest, highest = (float(np.percentile(looks[0].features, share)) for share in (1, 99))
    for column, look in enumerate(looks):
        axes[0, column].set_title(look.name, fontsize=9)
        for axis, values in zip(axes[:, column], (look.features, look.covered), strict=False):
            if values is None:
                axis.axis("off")
                continue
            extent = (0.0, len(values) * hop, 0.0, float(values.shape[1]))
            axis.imshow(
                values.T,
                origin="lower",
                aspect="auto",
                extent=extent,
                vmin=lowest,
                vmax=highest,
                cmap="magma",
            )
    longest = max(len(look.features) for look in looks)
    axes[0, 0].set_xlim(0, longest * hop)
    figure.supxlabel("seconds", fontsize=9)
    figure.supylabel("bins", fontsize=9)
    return figure
