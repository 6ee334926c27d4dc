"""What a logger may show besides figures, and callbacks that have something to show."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

SHOWS = ("show_picture", "show_audio", "show_table", "show_histogram")  # its methods that do


class MediaLogger(ABC):
    """A logger with pages: it shows pictures, sounds, tables and histograms, and how a run ended.

    ``name`` is that of a figure: words between slashes.
    """

    @abstractmethod
    def show_picture(self, name: str, picture: Tensor, step: int) -> None:
        """``picture`` (height, width): 0 is black, 1 is white."""

    @abstractmethod
    def show_audio(self, name: str, waveform: Tensor, sample_rate: int, step: int) -> None:
        """``waveform`` (samples,) in [-1, 1]."""

    @abstractmethod
    def show_table(self, name: str, table: pl.DataFrame, step: int) -> None:
        """A table of texts, to be read."""

    @abstractmethod
    def show_histogram(self, name: str, values: np.ndarray, step: int) -> None:
        """How often which of ``values`` (count,) occur."""

    def go_on_from(self, step: int) -> None:  # noqa: B027 - most loggers have nothing to do
        """A run goes on after so many steps: what was logged of later ones comes again."""

    def settle(self) -> None:  # noqa: B027 - most loggers write at once
        """Wait, for some seconds at most, until all that was logged is safe: a checkpoint comes."""

    @abstractmethod
    def conclude(
        self, settings: Mapping[str, Any], figures: Mapping[str, float], step: int
    ) -> None:
        """The last of a run: its figures beside its settings, to compare it with others."""


def to_markdown(table: pl.DataFrame) -> str:
    """A table as Markdown has it."""
    rows = [table.columns, ["---"] * table.width, *table.iter_rows()]
    cells = ((str(cell).replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
