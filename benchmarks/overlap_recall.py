"""Copies planted in real speech, and how many of them the overlap check finds.

    python benchmarks/overlap_recall.py [--corpus $KASKAD_DATA/an4] [--planted 25] [--clean 200]
        [--output figures.json]

Test recordings, changed in one way after another, are laid among training recordings, which share
nothing with the test. Counted are the originals that are found again (25 of 25 is best) and the
pairs that are none (0 is best). The corpus is a folder with a manifest.csv (path, split).
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
import soxr
from rich.console import Console
from rich.table import Table
from scipy import signal

from kaskad.audio.fingerprints import fingerprints
from kaskad.data.anomalies import SIMILARITY
from kaskad.data.near_duplicates import find_copies
from kaskad.runs.environment import environment

Waveform = np.ndarray
# A copy: samples, Hz, and how soundfile writes them.
Copy = tuple[Waveform, int, dict[str, str]]
Change = Callable[[Waveform, int, np.random.Generator, list[Waveform]], Copy]

WAV = {"format": "WAV"}


def resampled(rate: int, **written: str) -> Change:
    return lambda x, r, *_: (soxr.resample(x, r, rate), rate, WAV | written)


def encoded(**written: str) -> Change:
    return lambda x, r, *_: (x, r, written)


def part(begin: float, end: float) -> Change:
    return lambda x, r, *_: (x[round(begin * len(x)) : round(end * len(x))], r, WAV)


def among(before: int, after: int) -> Change:
    """Within one recording with others before and after it."""
    return lambda x, r, _, others: (
        np.concatenate([*others[:before], x, *others[before : before + after]]),
        r,
        WAV,
    )


def telephone(x: Waveform, rate: int, *_: object) -> Copy:
    sections = signal.butter(4, [300, 3_400], "bandpass", fs=rate, output="sos")
    return signal.sosfilt(sections, x), rate, WAV


def noisy(x: Waveform, rate: int, generator: np.random.Generator, _: object) -> Copy:
    return x + 0.1 * x.std() * generator.standard_normal(len(x)), rate, WAV


CHANGES: dict[str, Change] = {
    "another container": encoded(format="FLAC"),
    "MP3": encoded(format="MP3"),
    "Opus": encoded(format="OGG", subtype="OPUS"),
    "Vorbis": encoded(format="OGG", subtype="VORBIS"),
    "8 bits": encoded(format="WAV", subtype="PCM_U8"),
    "8 kHz, µ-law": resampled(8_000, subtype="ULAW"),
    "11.025 kHz": resampled(11_025),
    "44.1 kHz": resampled(44_100),
    "20 dB quieter": lambda x, r, *_: (0.1 * x, r, WAV),
    "upside down": lambda x, r, *_: (-x, r, WAV),
    "louder, clipped": lambda x, r, *_: (np.clip(4 * x / np.abs(x).max(), -1, 1), r, WAV),
    "noise at 20 dB": noisy,
    "telephone band": telephone,
    "a second of silence on both sides": lambda x, r, *_: (np.pad(x, r), r, WAV),
    "the first 95 %": part(0.0, 0.95),
    "the last 75 %": part(0.25, 1.0),
    "the first 60 %": part(0.0, 0.6),
    "40 % from within": part(0.3, 0.7),
    "after another recording": among(1, 0),
    "between two others": among(1, 1),
    "1 % faster": lambda x, r, *_: (soxr.resample(x, 101, 100), r, WAV),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("KASKAD_DATA", "../shared/data")) / "an4"
    parser.add_argument("--corpus", type=Path, default=default)
    parser.add_argument("--planted", type=int, default=25, help="recordings, in each way")
    parser.add_argument("--clean", type=int, default=200, help="recordings they lie among")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    manifest = pl.read_csv(arguments.corpus / "manifest.csv")
    paths = manifest.select("split", path=f"{arguments.corpus}/" + pl.col("path"))
    drawn = {
        split: paths.filter(pl.col("split") == split)["path"].sample(count, seed=arguments.seed)
        for split, count in (("train", arguments.clean), ("test", arguments.planted))
    }
    table = Table(
        "", "found", "false alarms", title=f"{arguments.planted} copies, {arguments.corpus}"
    )
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, change in CHANGES.items():
            copies = plant(change, drawn["test"], drawn["train"], Path(folder), arguments.seed)
            figures[name] = check(drawn["train"], copies, drawn["test"])
            table.add_row(name, *map(str, figures[name].values()))
    Console().print(table)
    if arguments.output:
        content = {"environment": environment(arguments.seed), "figures": figures}
        arguments.output.write_text(json.dumps(content, indent=4, ensure_ascii=False), "utf-8")


def plant(
    change: Change, originals: pl.Series, others: pl.Series, folder: Path, seed: int
) -> pl.Series:
    """Write a changed copy of each of the originals; returns the paths, in their order."""
    generator = np.random.default_rng(seed)
    paths = []
    for row, original in enumerate(originals):
        waveform, rate = soundfile.read(original, dtype="float32")
        near = [soundfile.read(others[(2 * row + n) % len(others)])[0] for n in (0, 1)]
        changed, rate, written = change(waveform, rate, generator, near)
        path = folder / f"{row}.{written['format'].lower()}"
        soundfile.write(path, changed, rate, **written)
        paths.append(str(path))
    return pl.Series("path", paths)


def check(clean: pl.Series, copies: pl.Series, held: pl.Series) -> dict[str, int]:
    """How many of ``held`` are found in their copies, and how many pairs are false."""
    train = pl.concat([clean.rename("path"), copies]).to_frame()
    train = train.hstack(fingerprints(train["path"]))
    test = held.rename("path").to_frame().hstack(fingerprints(held))
    same = train.join(test, on="recording").select("path", held_path="path_right")
    alike = find_copies(train, test, SIMILARITY)
    # Of recordings that are the same to the sample, there may be several paths.
    alike = alike.join(train.select("recording", "path"), on="recording").join(
        test.select(near_duplicate="recording", held_path="path"), on="near_duplicate"
    )
    pairs = {*same.rows(), *alike.select("path", "held_path").rows()}
    right = set(zip(copies, held, strict=True))
    return {"found": len(pairs & right), "false": len(pairs - right)}


if __name__ == "__main__":
    main()
