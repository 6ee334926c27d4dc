"""How many wrong transcripts `kaskad align` finds: some are planted in a corpus, and looked for.

    python benchmarks/wrong_transcripts.py run table.csv [--language ru] [--split test]

A tenth of the transcripts are replaced by those of other utterances, and all are aligned. What fits
worst should be what was planted.
"""

import argparse
import random
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from kaskad.commands.align import align_utterances, as_scores
from kaskad.corpora.table import read_table
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import find_checkpoint

SHARE = 0.1
THRESHOLDS = (0.01, 0.1, 0.3, 0.5)  # the last is align's own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--language", default="ru")
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    recogniser, _ = load_recogniser(find_checkpoint(options.checkpoint))
    if not isinstance(recogniser, CTCRecogniser):
        raise SystemExit(f"{options.checkpoint}: only a recogniser with CTC can align")
    table = read_table(options.table, options.split, language=options.language)
    table, planted = plant(table.drop_nulls("text"), options.seed)
    scores = as_scores(align_utterances(recogniser, table, options.language))
    show(scores.with_columns(planted=pl.col("id").is_in(planted)), len(planted))


def plant(table: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """The table with other transcripts in some rows, and the ids of these."""
    chance = random.Random(seed)
    texts = table["text"].to_list()
    rows = chance.sample(range(len(texts)), round(SHARE * len(texts)))
    changed = list(texts)
    for row in rows:
        changed[row] = chance.choice([text for text in texts if text != texts[row]])
    return table.with_columns(text=pl.Series(changed)), table["id"].gather(rows).to_list()


def show(scores: pl.DataFrame, planted: int) -> None:
    """Print which share of what is flagged was planted, and which share of what was planted is."""
    table = Table("flagged", "how many", "precision", "recall")
    flagged = {f"the {planted} that fit worst": scores.head(planted)}
    for threshold in THRESHOLDS:
        poor = pl.col("fit").is_null() | (pl.col("fit") < threshold)
        flagged[f"fit below {threshold:g}"] = scores.filter(poor)
    for name, found in flagged.items():
        right = int(found["planted"].sum())
        precision = f"{right / found.height:.3f}" if found.height else "–"
        table.add_row(name, str(found.height), precision, f"{right / planted:.3f}")
    Console().print(f"{planted} of {scores.height} transcripts are wrong")
    Console().print(table)


if __name__ == "__main__":
    main()
