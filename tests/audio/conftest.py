"""What tests of audio share."""

from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one noise, at a rate of its own."""
    folder = tmp_path_factory.mktemp("noises")
    noise = np.random.default_rng(0).normal(scale=0.1, size=44_100)
    soundfile.write(folder / "noise.wav", noise, 22_050)
    return folder
