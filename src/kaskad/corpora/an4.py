"""AN4, CMU's alphanumeric ("census") corpus: 948 + 130 utterances, 16 kHz, a BSD-like licence."""

import re
from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.splits import select_split
from kaskad.corpora.table import MANIFEST_NAMES, find_manifest

SOURCE = "http://www.speech.cs.cmu.edu/databases/an4"
LAYOUT = (
    "<root>/etc/an4_train.fileids, <root>/etc/an4_train.transcription, the same for an4_test, and "
    "<root>/wav/an4_clstk/<speaker>/*.sph as CMU distributes it; or a folder with a manifest.csv"
)
# No validation part is defined: every 15th speaker of the training part, by name.
VALIDATION_EVERY = 15
GENDERS = {"m": "male", "f": "female"}


def read_an4(root: str | Path, split: str) -> pl.DataFrame:
    """Return one split (train, validation, test) of the corpus.

    The test is the official one; validation holds five of the 74 training speakers.

    Raises ``FileNotFoundError``, saying what was looked for, where the corpus is not.
    """
    folder = Path(root).resolve()
    if any((folder / name).is_file() for name in MANIFEST_NAMES):
        everything = read_manifest(find_manifest(folder), language="en")
    elif (folder / "etc" / "an4_train.fileids").is_file():
        everything = pl.concat(_read_cmu(folder, part) for part in ("train", "test"))
    else:
        raise FileNotFoundError(
            f"AN4 is not in {root}; published at {SOURCE}. Say where it is with data.root=… "
            f"(or KASKAD_DATA); it looks like {LAYOUT}"
        )
    is_train = pl.col("split") == "train"
    speakers = everything.filter(is_train)["speaker"].unique().sort()
    held_out = pl.col("speaker").is_in(speakers.gather_every(VALIDATION_EVERY).to_list())
    part = pl.when(is_train & held_out).then(pl.lit("validation")).otherwise("split")
    return select_split(everything.with_columns(split=part), split, folder)


def _read_cmu(folder: Path, part: str) -> pl.DataFrame:
    """Read the lists as published: ``an4_clstk/fash/an251-fash-b`` and ``<s> YES </s> (…)``."""
    names = (folder / "etc" / f"an4_{part}.fileids").read_text().split()
    lines = (folder / "etc" / f"an4_{part}.transcription").read_text().splitlines()
    texts = {}
    for line in lines:
        match = re.fullmatch(r"(.*)\((\S+)\)\s*", line)
        if match:
            texts[match[2]] = re.sub(r"</?s>", " ", match[1]).strip().lower()
    rows = []
    for name in names:
        utterance = Path(name).name
        speaker = Path(name).parent.name
        path = str(folder / "wav" / f"{name}.sph")
        rows.append((utterance, path, texts.get(utterance), speaker, GENDERS.get(speaker[0])))
    schema = dict.fromkeys(["id", "path", "text", "speaker", "gender"], pl.String)
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.with_columns(language=pl.lit("en"), split=pl.lit(part))
