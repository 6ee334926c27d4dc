"""How a decoder is weaned from the truth while it trains."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScheduledSampling:
    """The share of labels that a decoder is fed of its own guessing instead of the transcript's.

    0 until the share ``start`` of a run is over, then growing evenly to ``highest`` at its end.
    Source: Bengio et al., "Scheduled Sampling for Sequence Prediction with Recurrent Neural
    Networks" (2015), linear decay.
    """

    start: float = 0.3
    highest: float = 0.2

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("highest", self.highest)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} of scheduled sampling is {value}; it is a share, 0 to 1")

    def share(self, progress: float) -> float:
        """The share when ``progress`` (0 to 1) of the run is over."""
        if progress <= self.start:
            return 0.0
        return self.highest * min(1.0, (progress - self.start) / (1.0 - self.start))
