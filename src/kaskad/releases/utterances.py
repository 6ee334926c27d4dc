"""The test utterances of a release, and what it must decode them to wherever it is run."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile

from kaskad.audio.precomputed import read_signal
from kaskad.audio.reading import read_audio
from kaskad.models.language_model import LanguageModel
from kaskad.models.recogniser import Recogniser
from kaskad.runs.released import ReleaseError, read_text, require_within
from kaskad.storage.files import write_text

FOLDER = "utterances"
EXPECTED = "expected.json"
COUNT = 3
# Scores differ a little from processor to processor: by this share, and at least by so much.
TOLERANCE, LEAST_TOLERANCE = 1e-3, 0.02

Decoded = tuple[str, float]  # a text and its score
Transcriber = Callable[[Sequence[np.ndarray]], list[Decoded]]


def choose(results: pl.DataFrame, count: int = COUNT) -> list[str]:
    """The paths of utterances of a test that show a release at work: of different lengths, with
    a hypothesis that is not empty, and a right one where there are enough of those."""
    spoken = results.filter(pl.col("hypothesis") != "")
    right = spoken.filter(pl.col("hypothesis") == pl.col("reference"))
    chosen = next((each for each in (right, spoken, results) if each.height >= count), results)
    chosen = chosen.sort("duration", "id")
    wanted = min(count, chosen.height)
    rows = [(2 * number + 1) * chosen.height // (2 * wanted) for number in range(wanted)]
    return [chosen["path"][row] for row in rows]


def write_utterances(
    recogniser: Recogniser, paths: Sequence[str], folder: Path
) -> list[np.ndarray]:
    """Write recordings as the recogniser is given them, and its hypotheses for them,
    which is returned.

    Recordings become FLAC at its sample rate; ready features, arrays.
    """
    folder.mkdir()
    rate = recogniser.features.sample_rate
    names = []
    for number, path in enumerate(paths, start=1):
        signal = read_signal(path, rate)
        if signal.ndim == 2:
            names.append(f"{number}.npy")
            np.save(folder / names[-1], signal, allow_pickle=False)
        else:
            names.append(f"{number}.flac")
            soundfile.write(folder / names[-1], signal.clip(-1, 1), rate, subtype="PCM_16")
    signals = [read(folder / name, rate) for name in names]
    decoded = transcriber(recogniser)(signals)
    write_expected([{"file": name} for name in names], decoded, folder)
    return signals


def write_sentences(model: LanguageModel, sentences: Sequence[str], folder: Path) -> None:
    """For a language model: sentences, and the logarithm of the probability of each."""
    folder.mkdir()
    scores = model.log_probabilities(sentences)
    decoded = list(zip(sentences, scores, strict=True))
    write_expected([{} for _ in sentences], decoded, folder)


def write_expected(
    files: Sequence[dict[str, str]], decoded: Sequence[Decoded], folder: Path
) -> None:
    """Write the hypothesis expected for each file, and how far a score may be off."""
    rows = [
        {**file, "text": text, "score": round(score, 4), "tolerance": tolerance(score)}
        for file, (text, score) in zip(files, decoded, strict=True)
    ]
    write_text(json.dumps(rows, ensure_ascii=False, indent=4), folder / EXPECTED)


def tolerance(score: float) -> float:
    """How far a score may be off on another processor."""
    return round(max(LEAST_TOLERANCE, TOLERANCE * abs(score)), 4)


def transcriber(recogniser: Recogniser) -> Transcriber:
    """What gives texts and their scores with a recogniser, each utterance by itself."""

    def transcribe(signals: Sequence[np.ndarray]) -> list[Decoded]:
        decoded = [recogniser.decode_waveforms([signal])[0] for signal in signals]
        return [(each.text, each.score) for each in decoded]

    return transcribe


def read_expected(folder: Path) -> list[dict[str, Any]]:
    """The expected hypotheses; raises ``ReleaseError`` where the file is malformed."""
    file = folder / EXPECTED
    try:
        rows = json.loads(read_text(file))
        for row in rows:
            row["text"] + ""
            if not row["tolerance"] <= tolerance(row["score"]):
                raise ReleaseError(
                    f"{file}: lets scores be off by {row['tolerance']}, more than a release does"
                )
            require_within(row.get("file", "none"), str(file))
    except ReleaseError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReleaseError(f"{file}: cannot be read: {error}") from None
    if not rows:
        raise ReleaseError(f"{file}: names no utterance: the release cannot be tested")
    return list(rows)


def compare(decoded: Sequence[Decoded], expected: Sequence[dict[str, Any]], where: str) -> None:
    """Raise ``ReleaseError`` unless texts and scores are as expected."""
    for (text, score), row in zip(decoded, expected, strict=True):
        name = row.get("file", row["text"])
        if text != row["text"]:
            raise ReleaseError(
                f"{where}: {name} is transcribed as {text!r}, and should be as {row['text']!r}"
            )
        if not abs(score - row["score"]) <= row["tolerance"]:
            raise ReleaseError(
                f"{where}: in {name} its score is {score:.4f}, and should be {row['score']:.4f} "
                f"within {row['tolerance']}"
            )


def read(file: Path, sample_rate: int) -> np.ndarray:
    """A test utterance as a recogniser is given it; raises ``ReleaseError`` where it is none."""
    try:
        if file.suffix == ".npy":  # mapped: no memory is taken for values that are not there
            return np.array(np.load(file, mmap_mode="r", allow_pickle=False), dtype=np.float32)
        return read_audio(file, sample_rate)
    except (OSError, ValueError, TypeError) as error:
        raise ReleaseError(f"{file}: cannot be read as an utterance: {error}") from None
