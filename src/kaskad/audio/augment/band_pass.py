"""audiomentations' band-pass filter, for any sample rate."""

import numpy as np
from audiomentations import BandPassFilter

HIGHEST = 0.95  # edge, as a share of half the sample rate


class BandPass(BandPassFilter):
    """Lets through what is between two frequencies, as a telephone does.

    audiomentations draws them without regard to the sample rate, and raises ``ValueError``, in the
    middle of an epoch, where a band begins beyond half of it. Here the upper edge stays below, and
    the lower one at least an octave beneath.
    """

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        super().randomize_parameters(samples, sample_rate)
        centre, width = self.parameters["center_freq"], self.parameters["bandwidth"]
        upper = min(centre + width / 2, HIGHEST * sample_rate / 2)
        lower = min(centre - width / 2, upper / 2)
        self.parameters |= {"center_freq": (lower + upper) / 2, "bandwidth": upper - lower}
