"""How well the answers of a real crowd are aggregated: WER against the truth, and seconds.

    python benchmarks/crowd_aggregation.py $KASKAD_DATA/crowdspeech [--output crowd.md]

CrowdSpeech (Pavlichenko et al. 2021), dev-clean: workers of Toloka wrote down LibriSpeech. Beside
Kaskad's ways stands crowd-kit's ROVER by itself. Seconds are of one core (CPU time).
"""

import argparse
import csv
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from kaskad.corpora.crowd.aggregation import METHODS, Texts, aggregate
from kaskad.corpora.crowd.answers import read_answers
from kaskad.metrics.error_rates import WORD_ERRORS, count_errors
from kaskad.runs.environment import environment
from kaskad.text.normalisation import normalise

PUBLISHED = {"rover": "6.05 %", "hrrasa": "6.90 %"}
MIN_QUALITY = 0.3  # as in conf/data/toloka.yaml
KEPT = (1.0, 0.95, 0.9, 0.8, 0.5)
RESAMPLES = 1000


def rover_of_crowd_kit(answers: pl.DataFrame) -> Texts:
    """crowd-kit's ROVER by itself, on every answer, normalised as Kaskad compares transcripts."""
    return METHODS["rover"](answers.with_columns(text=normalise(pl.col("text").fill_null(""))))


def errors(texts: Texts, truth: Texts) -> np.ndarray:
    """Wrong words, and words of the truth, of each recording: (recordings, 2)."""
    answers = [texts.get(audio) or "" for audio in truth]
    counts = count_errors(list(truth.values()), answers, "words")
    return counts.select(WORD_ERRORS, "words").to_numpy()


def rate(counts: np.ndarray) -> float:
    """WER in percent."""
    wrong, words = counts.sum(axis=0)
    return float(100 * wrong / words)


def half_interval(counts: np.ndarray) -> float:
    """Half of the 95 % interval of the WER, by drawing the recordings again."""
    draw = np.random.default_rng(0)
    rates = [rate(counts[draw.integers(len(counts), size=len(counts))]) for _ in range(RESAMPLES)]
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(high - low) / 2


def compare(answers: pl.DataFrame, truth: Texts) -> str:
    """Aggregate in every way, and say in Markdown what that gives and takes."""
    began = time.process_time()
    counts = errors(rover_of_crowd_kit(answers), truth)
    rows = [("crowd-kit's ROVER alone", counts, PUBLISHED["rover"], time.process_time() - began)]
    by_confidence = []
    for method in METHODS:
        began = time.process_time()
        consensus = aggregate(answers, method=method, min_quality=MIN_QUALITY)
        seconds = time.process_time() - began
        texts = dict(consensus.recordings.select("audio", "text").iter_rows())
        counts = errors(texts, truth)
        rows.append((f"`method={method}`", counts, PUBLISHED.get(method, ""), seconds))
        by_confidence.append(f"| `{method}` | {_best_kept(consensus.recordings, texts, truth)} |")
    shares = " | ".join(f"{share:.0%}" for share in KEPT)
    return "\n".join(
        [
            "| way | WER | ± | published | CPU seconds |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {way} | {rate(counts):.2f} % | {half_interval(counts):.2f} | {known} | "
                f"{seconds:.1f} |"
                for way, counts, known, seconds in rows
            ),
            "",
            "WER of the recordings with the highest confidence, by the share of them kept:",
            "",
            f"| `method=` | {shares} |",
            f"|---|{'---:|' * len(KEPT)}",
            *by_confidence,
            "",
        ]
    )


def _best_kept(recordings: pl.DataFrame, texts: Texts, truth: Texts) -> str:
    surest = recordings.sort("confidence", descending=True, nulls_last=True)["audio"].to_list()
    kept = [surest[: round(share * len(surest))] for share in KEPT]
    rates = [rate(errors(texts, {audio: truth[audio] for audio in audios})) for audios in kept]
    return " | ".join(f"{percent:.2f} %" for percent in rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="the folder of CrowdSpeech, dev-clean")
    parser.add_argument("--output", type=Path, help="a Markdown file for the figures")
    arguments = parser.parse_args()
    answers = read_answers(arguments.corpus / "crowdspeech-dev-clean-crowd.tsv")
    with (arguments.corpus / "crowdspeech-dev-clean-gt.txt").open(encoding="utf-8") as file:
        truth: Texts = dict(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    made = environment(None)
    page = (
        f"# crowd_aggregation\n\n`{shlex.join(['python', *sys.argv])}`\n\n"
        f"Commit {made['commit']}, {made['started']}, {made['cpus']} CPUs. {answers.height:,} "
        f"answers of {answers['worker'].n_unique()} workers to {len(truth):,} recordings; answers "
        f"of workers below quality {MIN_QUALITY} are left out. ± is half the 95 % interval over "
        f"recordings; seconds are CPU time of one core.\n\n{compare(answers, truth)}"
    )
    print(page)
    if arguments.output:
        arguments.output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
