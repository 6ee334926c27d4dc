"""What silence around utterances does to their words: WER with 0, 1, 2 and 5 s before and after.

    python benchmarks/silence.py runs/cnn2d_lstm_numbers data/numbers/*/manifest.parquet

The silence is digital zeros, or white noise 50 dB below the utterance. Of the manifest it takes the
split ``test``; of several checkpoints, as of the seeds of a sweep, the mean WER and each one's.
"""

import argparse
import statistics
from pathlib import Path

import jiwer
import numpy as np
import polars as pl
import torch

import kaskad
from kaskad.audio.reading import read_audio
from kaskad.corpora.table import read_table
from kaskad.models.recogniser import Recogniser

SECONDS = (0.0, 1.0, 2.0, 5.0)  # before and after
QUIET = 10 ** (-50 / 20)  # of the root mean square of the utterance
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+", help="runs or checkpoints")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--most", type=int, default=300, help="utterances, the first of the test")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(arguments.manifest, "test").head(arguments.most)
    recognisers = [kaskad.load(each) for each in arguments.checkpoints]
    print(f"{table.height} utterances, WER")
    for kind in ("zeros", "noise"):
        for seconds in SECONDS:
            rates = [word_error_rate(each, table, seconds, kind) for each in recognisers]
            each = ", ".join(f"{rate:.2%}" for rate in rates)
            print(f"{seconds:.0f} s of {kind}: {statistics.mean(rates):.2%} ({each})", flush=True)


def word_error_rate(
    recogniser: Recogniser, table: pl.DataFrame, seconds: float, kind: str
) -> float:
    """The WER of the rows of ``table``, with so many ``seconds`` of silence before and after each.

    Args:
        recogniser: Whose words are counted.
        table: A row an utterance: ``path`` and ``text``.
        seconds: Of silence, before and after.
        kind: ``zeros`` or ``noise``.

    Returns:
        Errors a word.
    """
    rate = recogniser.features.sample_rate
    draws = np.random.default_rng(0)
    hypotheses: list[str] = []
    for rows in table.iter_slices(BATCH):
        batch = []
        for path in rows["path"]:
            speech = read_audio(path, rate)
            level = QUIET * np.sqrt(np.mean(speech**2)) if kind == "noise" else 0.0
            sides = level * draws.standard_normal((2, round(seconds * rate)))
            batch.append(np.concatenate([sides[0], speech, sides[1]]).astype(np.float32))
        hypotheses += [each.text for each in recogniser.transcribe(batch)]
    return float(jiwer.wer(table["text"].to_list(), hypotheses))


if __name__ == "__main__":
    main()
