"""Single words by MFCC and a support vector machine: the baseline of model=word_classifier.

    python benchmarks/words_svm.py fsdd ru_digits ukrainian_digits ru_commands

13 cepstra of 26 mel bands: mean and deviation of them, their slopes and theirs over the recording,
and 20 frames spread over the speech (30 dB below the loudest frame); scaled, an RBF kernel, C=3.
Each speaker is left out in turn, or, where the corpus has a test by speakers, that is the test. Of
ru_digits, which has strings too, the single digits. Needs $KASKAD_DATA.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
import torchaudio
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from kaskad.audio.features import LogMel
from kaskad.audio.reading import read_audio
from kaskad.corpora.table import read_table

FRAMES, BANDS, CEPSTRA = 20, 26, 13
COSINES = torchaudio.functional.create_dct(CEPSTRA, BANDS, norm="ortho").numpy()
SPEECH = 30 / (10 / np.log(10))  # 30 dB, in natural logarithms of energy
LEFT_OUT = ("fsdd", "ru_digits")  # whose own test has the speakers of the training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+")
    torch.set_num_threads(1)
    for name in parser.parse_args().corpora:
        began = time.process_time()
        table = read_table(Path(os.environ["KASKAD_DATA"], name), "all")
        table = table.filter(~pl.col("text").str.contains(" "))
        rate = 8_000 if name == "fsdd" else 16_000
        bands = LogMel(sample_rate=rate, bins=BANDS, low=50.0, normalise="none").eval()
        seen = np.stack([vector(path, rate, bands) for path in table["path"]])
        labels, speakers = table["text"].to_numpy(), table["speaker"].to_numpy()
        folds = {"test": (table["split"] == "test").to_numpy()}
        if name in LEFT_OUT:
            folds = {speaker: speakers == speaker for speaker in sorted(set(speakers))}
        right = {fold: accuracy(seen, labels, test) for fold, test in folds.items()}
        listed = " ".join(f"{fold} {share:.1f}" for fold, share in right.items())
        mean, worst = np.mean([*right.values()]), min(right.values())
        seconds = time.process_time() - began
        print(f"{name}: {listed} | mean {mean:.2f} worst {worst:.1f} % right, {seconds:.0f} s")


def accuracy(seen: np.ndarray, labels: np.ndarray, test: np.ndarray) -> float:
    """Percent of the test, rows where it is True, that a machine trained on the others gets."""
    scale = StandardScaler().fit(seen[~test])
    machine = SVC(C=3.0).fit(scale.transform(seen[~test]), labels[~test])
    return 100 * float((machine.predict(scale.transform(seen[test])) == labels[test]).mean())


@torch.inference_mode()
def vector(path: str, rate: int, bands: LogMel) -> np.ndarray:
    """All that the machine is given of a recording."""
    waveform = torch.from_numpy(read_audio(path, rate))
    energies = bands(waveform[None], torch.tensor([len(waveform)]))[0][0].numpy()
    frames = energies @ COSINES
    slopes = _slopes(frames)
    parts = (frames, slopes, _slopes(slopes))
    spread = [each for part in parts for each in (part.mean(0), part.std(0))]
    loudness = np.logaddexp.reduce(energies, axis=1)
    loud = np.flatnonzero(loudness > loudness.max() - SPEECH)
    speech = frames[loud[0] : loud[-1] + 1]
    times = np.linspace(0, len(speech) - 1, FRAMES)
    bent = np.stack([np.interp(times, np.arange(len(speech)), each) for each in speech.T], axis=1)
    bent[:, 0] -= bent[:, 0].max()
    return np.concatenate([*spread, bent.ravel()])


def _slopes(frames: np.ndarray) -> np.ndarray:
    return np.gradient(frames, axis=0) if len(frames) > 1 else np.zeros_like(frames)


if __name__ == "__main__":
    main()
